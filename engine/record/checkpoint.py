"""Weights and masks on disk: safetensors throughout, so nothing is ever unpickled; each file is replaced atomically."""

from math import prod
from pathlib import Path

import numpy as np
import orjson
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from engine.record import tickets
from engine.record.rundir import write_atomically
from engine.record.tickets import TICKETS

_MASK = "mask:"
_ARM = "|"  # stands between an arm and a layer's name; neither holds one


class Damaged(Exception):
    """A file of weights or masks that cannot be trusted."""


def save_rewind(run: Path, seed: int, weights: dict[str, Tensor]) -> None:
    """The weights that the seed's tickets are rewound to."""
    write_atomically(run / TICKETS / tickets.rewind(seed), to_bytes(weights))


def load_rewind(run: Path, seed: int, folder: str = TICKETS) -> dict[str, Tensor]:
    """Raises Damaged where the file is missing or torn."""
    return _read(run / folder / tickets.rewind(seed))[0]


def save_mask(run: Path, seed: int, number: int, mask: dict[str, Tensor]) -> None:
    """The mask of one round, a bit an entry."""
    packed, shapes = _pack(mask)
    write_atomically(run / TICKETS / tickets.mask(seed, number), save(packed, {"shapes": shapes}))


def load_mask(run: Path, seed: int, number: int, folder: str = TICKETS) -> dict[str, Tensor]:
    """Raises Damaged where the file is missing or torn."""
    packed, metadata = _read(run / folder / tickets.mask(seed, number))
    return _unpack(packed, metadata)


Track = tuple[dict[str, Tensor], dict[str, Tensor]]  # an arm's mask, and the weights it trained to under it


def save_standing(run: Path, seed: int, number: int, tracks: dict[str, Track]) -> None:
    """What the next round of this seed needs: the last round's number, and each track. The ticket's bears no name."""
    tensors: dict[str, Tensor] = {}
    shapes: dict[str, str] = {}
    seen: set[int] = set()
    for arm, (mask, trained) in tracks.items():
        packed, shapes[arm] = _pack(mask)
        tensors |= {_named(arm, _MASK + name): layer for name, layer in packed.items()}
        for name, layer in _contiguous(trained).items():
            # In round 0 all tracks are one, which safetensors would refuse to write twice.
            tensors[_named(arm, name)] = layer.clone() if layer.data_ptr() in seen else layer
            seen.add(layer.data_ptr())
    metadata = {_named(arm, "shapes"): told for arm, told in shapes.items()}
    arms = orjson.dumps(list(tracks)).decode()
    write_atomically(_standing(run, seed), save(tensors, {"round": str(number), "arms": arms, **metadata}))


def load_standing(run: Path, seed: int) -> tuple[int, dict[str, Track]] | None:
    """(round, tracks by arm), or None where the seed has no finished round. Raises Damaged."""
    if not _standing(run, seed).exists():
        return None
    tensors, metadata = _read(_standing(run, seed))
    try:
        number, arms = int(metadata["round"]), orjson.loads(metadata.get("arms", '["ticket"]'))
        tracks = {arm: _track(tensors, metadata, arm) for arm in arms}
    except (KeyError, ValueError, TypeError):
        raise Damaged(f"{_standing(run, seed)} does not say what it holds") from None
    return number, tracks


def _track(tensors: dict[str, Tensor], metadata: dict[str, str], arm: str) -> Track:
    own = {name.rpartition(_ARM)[2]: t for name, t in tensors.items() if (name.rpartition(_ARM)[0] or "ticket") == arm}
    packed = {name.removeprefix(_MASK): layer for name, layer in own.items() if name.startswith(_MASK)}
    trained = {name: weight for name, weight in own.items() if not name.startswith(_MASK)}
    return _unpack(packed, {"shapes": metadata[_named(arm, "shapes")]}), trained


def _named(arm: str, name: str) -> str:
    return name if arm == "ticket" else f"{arm}{_ARM}{name}"


def to_bytes(weights: dict[str, Tensor]) -> bytes:
    """Weights as the content of a safetensors file."""
    return save(_contiguous(weights))


def from_bytes(data: bytes) -> dict[str, Tensor]:
    """The weights that the content of a safetensors file holds. Raises Damaged."""
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise Damaged(f"these are no weights: {error}") from None


def _standing(run: Path, seed: int) -> Path:
    return run / "checkpoints" / f"seed-{seed}.safetensors"


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _pack(mask: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    packed = {name: torch.from_numpy(np.packbits(kept.cpu().numpy())) for name, kept in mask.items()}
    return packed, orjson.dumps({name: list(kept.shape) for name, kept in mask.items()}).decode()


def _unpack(packed: dict[str, Tensor], metadata: dict[str, str]) -> dict[str, Tensor]:
    try:
        mask = {}
        for name, shape in orjson.loads(metadata["shapes"]).items():  # the order of the network, not of the file
            mask[name] = _unpacked(packed[name], shape)
        return mask
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise Damaged(f"a mask does not fit its shape: {error}") from None


def _unpacked(packed: Tensor, shape: list[int]) -> Tensor:
    entries = prod(shape)
    if packed.numel() != -(-entries // 8):  # or zeros would fill memory up to any size
        raise ValueError(f"{packed.numel()} bytes for {entries} entries")
    return torch.from_numpy(np.unpackbits(packed.numpy(), count=entries).astype(bool)).view(shape)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            # Copied, since the file is mapped and may be replaced while the tensors are in use.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise Damaged(f"{path} cannot be read: {error}") from None
