"""Whose turn it is on this machine, and which GPU a run gets. Imports no torch.

A machine has a slot a GPU, or one, unless somebody said otherwise; all its users and runs folders share them (`slots`).
Runs for the CPU take a slot too.

Before an engine has trained, nobody knows what it takes. The estimate is 1.5 GiB for the CUDA context, the kernels and
the activations of a batch, and 40 bytes a parameter: 4 each for weights, gradients, Adam's two moments, the weights of
the rewind point, of the best epoch and of the round before, and the rest for masks and what an optimizer step makes
on its way.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import catalog
from engine.errors import BadInput
from engine.process import gpus, slots
from engine.process.gpus import Gpu
from engine.record import events, extensions, rundir
from engine.record.waiting import Seen, Waiting, Working

GIB = 1 << 30
_BASE, _A_PARAMETER = 3 * GIB // 2, 40
_CLASSES = 20  # so many at most, in all but a few datasets; a head is small beside the rest


@dataclass(frozen=True)
class Turn:
    """A run whose turn it is, the UUID of the GPU it gets, and how many runs the machine and each GPU may have."""

    run: Waiting
    gpu: str | None
    most: int
    each: int


class NoRoom(Exception):
    """No GPU that a run may have has room for it now; the text says so."""


def turn(seen: Seen, paused: str | None, told: int | None) -> Turn | str:
    """Whose turn it is now, or why it is nobody's; empty where nobody waits. `paused`: why the queue is, if it is;
    `told`: how many runs may work at once, if somebody said.

    The first in order is never overtaken.
    """
    if not seen.ours:
        return ""
    if paused is not None:
        return f"the queue is paused ({paused})"
    first, every = seen.ours[0], gpus.every()
    most = told or len(every) or 1
    foreign = slots.others(one.run for one in seen.working)
    if len(seen.working) + len(foreign) >= most:
        names = [*(one.run.name for one in seen.working), *map(_foreign, foreign)]
        return f"{most} slot{'' if most == 1 else 's'}, held by {_listed(names)}"
    if not every and rundir.read_status(first.run).get("gpu"):
        return "it goes on on a GPU, and this machine shows none now; `nvidia-smi` may tell why"
    cards = gpus.visible(every, first.env.get("CUDA_VISIBLE_DEVICES"))
    each = -(-most // max(1, len(every)))
    try:
        card = choose(device(first.run), need(first.run), cards, seen.working, each)
    except NoRoom as error:
        return str(error)
    return Turn(first, None if card is None else card.uuid, most, each)


def _foreign(pid: int) -> str:
    """An engine that works on no run of this folder, or none that we may read."""
    return f"a run of {rundir.owner(Path(f'/proc/{pid}'))}, process {pid}" if pid else "a run in another container"


def _listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and 3 more`."""
    shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def device(run: Path) -> str:
    """The device a run asks for, or goes on with: auto, cpu, cuda, cuda:1.

    A number counts where the spec names it. One that a run began on means nothing later: it began on the only GPU that
    it was shown.
    """
    wanted = extensions.spec(run).get("device")
    if not isinstance(wanted, str) or not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", wanted):
        return "auto"  # its engine will say what is wrong with it
    if ":" in wanted:
        return wanted
    told = rundir.read_status(run).get("device") or next(
        (one.get("device") for one in events.read(run / events.FILE).events if one["event"] == "run_started"), None
    )
    return told.partition(":")[0] if isinstance(told, str) and told else wanted


def need(run: Path) -> int:
    """Bytes of GPU memory that a run will take, as this module estimates it."""
    parameters = 0
    with suppress(Exception):  # whatever stands in its spec: its engine will say what is wrong with it
        parameters = _parameters(run)
    return _BASE + _A_PARAMETER * parameters


def _parameters(run: Path) -> int:
    spec = extensions.spec(run)
    model, card = spec["model"], catalog.MODELS[spec["model"]["name"]]
    if card.size is not None:
        return int(catalog.load(card.size)(model, spec["data"]["vocabulary_size"] + 2, _CLASSES))
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
    """The GPU for a run: of those with room, the one with the fewest runs, then the most free memory.

    `each` is how many runs a GPU may have. None where the run is for the CPU, or for a GPU that is not here, which its
    engine will say. Memory that a young engine has not taken yet is not free. One that needs more than any GPU has, by
    this estimate, gets one that no run is on, and its engine has the last word. Raises NoRoom.
    """
    if wanted == "cpu" or not cards:
        return None
    if ":" in wanted:
        number = int(wanted.partition(":")[2])
        if number >= len(cards):
            return None
        cards = [cards[number]]
    working = list(working)
    on = {card.uuid: [one for one in working if one.status.get("gpu") == card.uuid] for card in cards}
    free = {card.uuid: card.free - sum(map(_coming, on[card.uuid])) for card in cards}
    runs = [one.run for one in working]
    count = {card.uuid: len(on[card.uuid]) + len(slots.others(runs, card.uuid)) for card in cards}
    if needed > max(card.total for card in cards):
        needed, each = 0, 1
    fitting = [card for card in cards if free[card.uuid] >= needed and count[card.uuid] < each]
    if not fitting:
        most = max(free[card.uuid] for card in cards)
        if most >= needed:
            raise NoRoom("the GPU that has room for it has a run on it")
        raise NoRoom(f"no GPU has room for it: it needs about {_gib(needed)}, and at most {_gib(max(0, most))} is free")
    return min(fitting, key=lambda card: (count[card.uuid], -free[card.uuid]))


def _coming(one: Working) -> int:
    """What an engine has been promised and not taken yet: all of it until its first epoch is over."""
    return 0 if one.status.get("epoch") or one.status.get("round") else need(one.run)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
