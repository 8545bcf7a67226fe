"""The slots of this machine, shared by all its users and all their runs folders.

A slot is one byte of one file that everybody may open: an engine locks one of the machine's as it begins, and one of
its GPU's, and they are free again when its process is over, however that came about. Two dispatchers, of two users or
folders, may each believe that the last slot is free; one of their engines then finds it locked, and leaves its run
waiting. The locks are POSIX, as that of `engine.record.liveness`, at the same price: an engine opens the file once.
Imports no torch.
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from engine.errors import BadInput
from engine.places import slots_file
from engine.record import liveness, rundir

MOST = 9999


class Taken(Exception):
    """No slot is free; the text says of what."""


def asked() -> int | None:
    """How many runs may work at once, as LTH_SLOTS says; None where it says nothing. Raises BadInput."""
    given = os.environ.get("LTH_SLOTS", "")
    try:
        return number(given) if given else None
    except ValueError:
        raise BadInput(
            f"LTH_SLOTS: {given[:80]!r} given; give how many runs may work at once, from 1 to {MOST}."
        ) from None


def number(given: str) -> int:
    """A number of slots. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,4}", given) or not int(given):
        raise ValueError(given)
    return int(given)


def claim(most: int = MOST, card: str | None = None, each: int = MOST) -> int | None:
    """Take one of the machine's `most` slots, and one of the `each` of a GPU (its UUID), until this process ends.

    The descriptor to close where they are free earlier; None where the file cannot be used, so that nobody can be kept
    from working. Raises Taken.
    """
    descriptor = _open(make=True)
    if descriptor is None:
        return None
    wanted: list[tuple[str | None, int, str]] = [
        (None, most, "this machine"),
        *([(card, each, f"GPU {card}")] if card else []),
    ]
    try:
        for where, count, name in wanted:
            if not _take(descriptor, _at(where), count):
                os.close(descriptor)
                raise Taken(f"no slot of {name} is free")
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _take(descriptor: int, at: int, count: int) -> bool:
    for byte in range(at, at + count):
        with suppress(BlockingIOError, PermissionError):  # held by another
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            return True
    return False


def others(working: Iterable[Path], card: str | None = None) -> list[int]:
    """The processes that hold slots of the machine, or of a GPU, and work on none of these runs.

    0 is one that cannot be named, of another container.
    """
    descriptor = _open(make=False)
    if descriptor is None:
        return []
    held: list[int] = []
    with suppress(OSError):  # a file system without locks
        held = liveness.locks(descriptor, _at(card), MOST)
    os.close(descriptor)
    own = [rundir.holder(run) for run in working]
    named = [pid for pid in held if pid and pid not in own]
    return named + [0] * max(0, held.count(0) - own.count(0))  # those of other containers, of which some are ours


def touch() -> None:
    """Mark that the file is used, so that no cleaner of old files takes it away. OSError."""
    with suppress(FileNotFoundError, PermissionError):
        os.utime(slots_file())


def usable() -> bool:
    """Whether this user can take slots as all others do. It makes the file where it is not there."""
    if (descriptor := _open(make=True)) is None:
        return False
    os.close(descriptor)
    return True


def _at(card: str | None) -> int:
    """Where the slots of a GPU begin in the file; at 0 those of the machine."""
    if card is None:
        return 0
    return (1 + int.from_bytes(blake2b(card.encode(), digest_size=5).digest())) * (MOST + 1)


def _open(make: bool) -> int | None:
    """The file; None where it is not there or is not what it should be."""
    path, flags = slots_file(), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with suppress(OSError):
        try:
            descriptor = os.open(path, flags)  # without O_CREAT: in a sticky folder the kernel may refuse that
        except FileNotFoundError:
            if not make:
                return None
            before = os.umask(0)  # it is everybody's, and holds nothing
            try:
                with suppress(FileExistsError):
                    os.close(os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666))
            finally:
                os.umask(before)
            descriptor = os.open(path, flags)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return None
