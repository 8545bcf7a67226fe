"""Seeds for every purpose, derived by hashing so that no two purposes, rounds, arms or epochs ever share one.

`seed + epoch` would make seed 0, epoch 1 equal seed 1, epoch 0; a hash of (seed, purpose, ...) cannot.
"""

from hashlib import blake2b

NUMBERS = 2  # raise it whenever a training of the same spec comes to other numbers; 2: dropout by the step


def derive(seed: int, purpose: str, *parts: int | str) -> int:
    """A 63-bit seed for one purpose, e.g. `derive(0, "order", epoch)` or `derive(0, "fresh", round, arm)`."""
    key = repr((seed, purpose, *parts)).encode()
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") >> 1
