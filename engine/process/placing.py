"""Whose turn it is on this machine, and which GPU a run gets. Imports no torch.

A machine has a slot a GPU, or one; LTH_SLOTS says otherwise. Runs for the CPU take a slot too.

Before an engine has trained, nobody knows what it takes. The estimate is 1.5 GiB for the CUDA context, the kernels and
the activations of a batch, and 40 bytes a parameter: 4 each for weights, gradients, Adam's two moments, the weights of
the rewind point, of the best epoch and of the round before, and the rest for masks and what an optimizer step makes
on its way.
"""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import catalog
from engine.errors import BadInput
from engine.process import gpus
from engine.process.gpus import Gpu
from engine.record import events, extensions
from engine.record.waiting import Seen, Waiting, Working

GIB = 1 << 30
_BASE, _A_PARAMETER = 3 * GIB // 2, 40
_CLASSES = 20  # so many at most, in all but a few datasets; a head is small beside the rest


@dataclass(frozen=True)
class Turn:
    """A run whose turn it is, and the UUID of the GPU it gets."""

    run: Waiting
    gpu: str | None


class NoRoom(Exception):
    """No GPU that a run may have has room for it now; the text says so."""


def slots() -> int:
    """How many runs may work at once: LTH_SLOTS, else one a GPU, else one. Raises BadInput."""
    given = os.environ.get("LTH_SLOTS", "")
    if not given:
        return len(gpus.every()) or 1
    if not re.fullmatch(r"[0-9]{1,4}", given) or not int(given):
        raise BadInput(f"LTH_SLOTS: {given[:80]!r} given; give how many runs may work at once, from 1 to 9999.")
    return int(given)


def turn(seen: Seen, paused: str | None) -> Turn | str:
    """Whose turn it is now, or why it is nobody's; empty where nobody waits. `paused`: why the queue is, if it is.

    The first in order is never overtaken. Raises BadInput for an LTH_SLOTS that is none.
    """
    if not seen.ours:
        return ""
    if paused is not None:
        return f"the queue is paused ({paused})"
    most, first = slots(), seen.ours[0]
    if len(seen.working) >= most:
        return f"{most} slot{'' if most == 1 else 's'}, held by {_listed([one.run.name for one in seen.working])}"
    if not (cards := gpus.every()):
        return Turn(first, None)
    try:
        each = -(-most // len(cards))
        card = choose(device(first.run), need(first.run), cards, seen.working, each)
    except NoRoom as error:
        return str(error)
    return Turn(first, None if card is None else card.uuid)


def _listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and 3 more`."""
    shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def device(run: Path) -> str:
    """The device a run asks for, or goes on with: auto, cpu, cuda, cuda:1."""
    began = next((one for one in events.read(run / events.FILE).events if one["event"] == "run_started"), {})
    wanted = began.get("device") or extensions.spec(run).get("device")
    return wanted if isinstance(wanted, str) else "auto"


def need(run: Path) -> int:
    """Bytes of GPU memory that a run will take, as this module estimates it."""
    return _BASE + _A_PARAMETER * _parameters(run)


def _parameters(run: Path) -> int:
    spec = extensions.spec(run)
    model, data = spec.get("model"), spec.get("data")
    card = catalog.MODELS.get(model.get("name", "")) if isinstance(model, dict) else None
    if card is None or not isinstance(model, dict) or not isinstance(data, dict):
        return 0  # its engine will say what is wrong with it
    if card.size is not None:
        with suppress(KeyError, TypeError, ValueError):
            return int(catalog.load(card.size)(model, data["vocabulary_size"] + 2, _CLASSES))
        return 0
    return _of_checkpoint(run, model)


def _of_checkpoint(run: Path, model: dict[str, Any]) -> int:
    """From the bytes of its weights, which are of 4 bytes in all that is trained here."""
    from engine import spec as specs
    from engine.models import sizes
    from engine.process import launch

    with suppress(BadInput, OSError):
        folder = launch.checkpoint(specs.of_run(run))
        if folder is not None and (held := sum(one.stat().st_size for one in folder.glob("*.safetensors"))):
            return held // 4
    shape = sizes.BERTS.get(model["name"]) or sizes.BERTS["bert-base-uncased"]
    return sizes.bert(shape, _CLASSES)


def choose(wanted: str, needed: int, cards: Sequence[Gpu], working: Iterable[Working], each: int) -> Gpu | None:
    """The GPU for a run: of those with room, the one with the fewest runs of ours, then the most free memory.

    `each` is how many of our runs a GPU may have. None where the run is for the CPU, or for a GPU that is not here,
    which its engine will say. Memory that a young engine has not taken yet is not free. Raises NoRoom.
    """
    if wanted == "cpu" or not cards:
        return None
    if ":" in wanted:
        number = int(wanted.partition(":")[2])
        if number >= len(cards):
            return None
        cards = [cards[number]]
    on = {card.uuid: [one for one in working if one.status.get("gpu") == card.uuid] for card in cards}
    free = {card.uuid: card.free - sum(map(_coming, on[card.uuid])) for card in cards}
    fitting = [card for card in cards if free[card.uuid] >= needed and len(on[card.uuid]) < each]
    if not fitting:
        most = max(free[card.uuid] for card in cards)
        if most >= needed:
            raise NoRoom("the GPU that has room for it has a run of ours on it")
        raise NoRoom(f"no GPU has room for it: it needs about {_gib(needed)}, and at most {_gib(max(0, most))} is free")
    return min(fitting, key=lambda card: (len(on[card.uuid]), -free[card.uuid]))


def _coming(one: Working) -> int:
    """What an engine has been promised and not taken yet: all of it until its first epoch is over."""
    return 0 if one.status.get("epoch") or one.status.get("round") else need(one.run)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
