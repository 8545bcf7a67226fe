"""Weights and masks on disk: safetensors throughout, so nothing is ever unpickled.

Each file is replaced atomically and bears a hash of all it holds, which is compared when it is read. What a run goes on
from is kept with the one before it, in case the newer one cannot be read any more.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from engine.halfway import Halfway
from engine.record import tickets
from engine.record.rundir import sync_folder, write_atomically
from engine.record.tickets import TICKETS

_MASK = "mask:"
_ARM = "|"  # stands between an arm and a layer's name; neither holds one
_HASH = "blake2b"  # in the metadata; files of earlier versions have none
_BEFORE = ".before"
_Found = TypeVar("_Found")
Tell = Callable[[str], None]


class Damaged(Exception):
    """A file of weights or masks that cannot be trusted."""


def save_rewind(run: Path, seed: int, weights: dict[str, Tensor]) -> None:
    """The weights that the seed's tickets are rewound to."""
    write_atomically(run / TICKETS / tickets.rewind(seed), _sealed(weights, {}))


def load_rewind(run: Path, seed: int, folder: str = TICKETS) -> dict[str, Tensor]:
    """Raises Damaged where the file is missing or torn."""
    return _read(run / folder / tickets.rewind(seed))[0]


def save_mask(run: Path, seed: int, number: int, mask: dict[str, Tensor]) -> None:
    """The mask of one round, a bit an entry."""
    packed, shapes = _pack(mask)
    write_atomically(run / TICKETS / tickets.mask(seed, number), _sealed(packed, {"shapes": shapes}))


def load_mask(run: Path, seed: int, number: int, folder: str = TICKETS) -> dict[str, Tensor]:
    """Raises Damaged where the file is missing or torn."""
    packed, metadata = _read(run / folder / tickets.mask(seed, number))
    return _unpack(packed, metadata)


Track = tuple[dict[str, Tensor], dict[str, Tensor]]  # an arm's mask, and the weights it trained to under it


def save_standing(run: Path, seed: int, number: int, tracks: dict[str, Track]) -> None:
    """What the next round of this seed needs: the last round's number, and each track. The ticket's bears no name."""
    tensors: dict[str, Tensor] = {}
    shapes: dict[str, str] = {}
    for arm, (mask, trained) in tracks.items():
        packed, shapes[arm] = _pack(mask)
        tensors |= {_named(arm, _MASK + name): layer for name, layer in packed.items()}
        tensors |= {_named(arm, name): layer for name, layer in trained.items()}
    metadata = {_named(arm, "shapes"): told for arm, told in shapes.items()}
    arms = orjson.dumps(list(tracks)).decode()
    _replace(_standing(run, seed), _sealed(tensors, {"round": str(number), "arms": arms, **metadata}))


def load_standing(run: Path, seed: int, tell: Tell = lambda trouble: None) -> tuple[int, dict[str, Track]] | None:
    """(round, tracks by arm), or None where the seed has no finished round. Raises Damaged.

    Where the last cannot be read `tell` is told why, and the one before it is given.
    """
    return _newest(_standing(run, seed), _read_standing, tell)


def _read_standing(path: Path) -> tuple[int, dict[str, Track]]:
    tensors, metadata = _read(path)
    try:
        number, arms = int(metadata["round"]), orjson.loads(metadata.get("arms", '["ticket"]'))
        tracks = {arm: _track(tensors, metadata, arm) for arm in arms}
    except (KeyError, ValueError, TypeError):
        raise Damaged(f"{path} does not say what it holds") from None
    return number, tracks


def save_halfway(run: Path, name: str, halfway: Halfway) -> None:
    """Where a group in training is, under a name of its own."""
    # Not orjson: a loss may be infinite, and all must come back exactly.
    _replace(_halfway(run, name), _sealed(halfway.tensors, {"facts": json.dumps(halfway.facts)}))


def load_halfway(run: Path, name: str, tell: Tell = lambda trouble: None) -> Halfway | None:
    """What was kept under a name, None where nothing was. Raises Damaged, and calls `tell`, as `load_standing`."""
    return _newest(_halfway(run, name), _read_halfway, tell)


def _read_halfway(path: Path) -> Halfway:
    tensors, metadata = _read(path)
    try:
        facts: dict[str, Any] = json.loads(metadata["facts"])
    except (KeyError, ValueError):
        raise Damaged(f"{path} does not say what it holds") from None
    return Halfway(tensors, facts)


def drop_halfway(run: Path, name: str) -> None:
    """Nobody will go on from it: the round is done."""
    for path in _newest_first(_halfway(run, name)):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _track(tensors: dict[str, Tensor], metadata: dict[str, str], arm: str) -> Track:
    own = {name.rpartition(_ARM)[2]: t for name, t in tensors.items() if (name.rpartition(_ARM)[0] or "ticket") == arm}
    packed = {name.removeprefix(_MASK): layer for name, layer in own.items() if name.startswith(_MASK)}
    trained = {name: weight for name, weight in own.items() if not name.startswith(_MASK)}
    return _unpack(packed, {"shapes": metadata[_named(arm, "shapes")]}), trained


def _named(arm: str, name: str) -> str:
    return name if arm == "ticket" else f"{arm}{_ARM}{name}"


def to_bytes(weights: dict[str, Tensor]) -> bytes:
    """Weights as the content of a safetensors file."""
    return save(_plain(weights))


def from_bytes(data: bytes) -> dict[str, Tensor]:
    """The weights that the content of a safetensors file holds. Raises Damaged."""
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise Damaged(f"these are no weights: {error}") from None


def _standing(run: Path, seed: int) -> Path:
    return run / "checkpoints" / f"seed-{seed}.safetensors"


def _halfway(run: Path, name: str) -> Path:
    return run / "checkpoints" / f"{name}-halfway.safetensors"


def _newest_first(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + _BEFORE)


def _replace(path: Path, data: bytes) -> None:
    """Put a file in its place once it is safe on the disk; the one that was there is kept beside it."""
    _, before = _newest_first(path)
    fresh = path.with_name(f".{path.name}-new")  # swept up like any draft where we are killed
    write_atomically(fresh, data)
    with suppress(FileNotFoundError):
        path.replace(before)
    fresh.replace(path)
    sync_folder(path.parent)


def _newest(path: Path, read: Callable[[Path], _Found], tell: Tell) -> _Found | None:
    """What `_replace` put there last, or before that where the last cannot be read, which is then told."""
    there = [one for one in _newest_first(path) if one.exists()]
    for one in there:
        try:
            return read(one)
        except Damaged as error:
            if one is there[-1]:
                raise
            tell(str(error))
    return None


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """As safetensors takes them: on the CPU, contiguous, and none in another's memory."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        layer = tensor.detach().cpu().contiguous()
        found[name] = layer.clone() if layer.data_ptr() in seen else layer
        seen.add(layer.data_ptr())
    return found


def _sealed(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """The content of a safetensors file with a hash of these tensors and all else it says."""
    plain = _plain(tensors)
    return save(plain, metadata | {_HASH: _hash(plain, metadata)})


def _hash(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    digest = blake2b(json.dumps(sorted(metadata.items())).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _pack(mask: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    packed = {name: torch.from_numpy(np.packbits(kept.cpu().numpy())) for name, kept in mask.items()}
    return packed, orjson.dumps({name: list(kept.shape) for name, kept in mask.items()}).decode()


def _unpack(packed: dict[str, Tensor], metadata: dict[str, str]) -> dict[str, Tensor]:
    """The mask that `_pack` packed. Raises Damaged."""
    try:
        shapes = orjson.loads(metadata["shapes"])  # in the order of the network, not of the file
        return {name: _unpacked(packed[name], shape) for name, shape in shapes.items()}
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise Damaged(f"a mask does not fit its shape: {error}") from None


def _unpacked(bits: Tensor, shape: list[int]) -> Tensor:
    if bits.numel() != -(-prod(shape) // 8):  # or zeros would fill memory up to any size
        raise ValueError(f"{bits.numel()} bytes for {shape}")
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=prod(shape)).astype(bool)).view(shape)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and its metadata. Raises Damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            # Copied, since the file is mapped and may be replaced while the tensors are in use.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise Damaged(f"{path} cannot be read: {error}") from None
    said = metadata.pop(_HASH, None)
    if said is not None and said != _hash(tensors, metadata):
        raise Damaged(f"{path} is not what was written")
    return tensors, metadata
