"""Runs that are held against one another on the screen, read as they go on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BadInput
from engine.record import rundir
from lth_tui import chart, comparison, one_run, plain
from lth_tui.chart import Axis
from lth_tui.screens.follow import Follower

_AT_REST = 10  # looks; a run that no engine works on is read at each tenth alone


@dataclass(frozen=True)
class Member:
    """A run as it is now; without rounds it cannot be compared, and `trouble` says why in a sentence."""

    path: Path
    name: str
    view: dict[str, Any]
    trouble: str = ""

    @property
    def id(self) -> str:
        return self.path.name


class Reader:
    """Follows runs. Used by one thread at a time."""

    def __init__(self, runs: list[Path]) -> None:
        self.followers = [Follower(run) for run in runs]
        self.names = comparison.short([run.name for run in runs]) if runs else []
        self.members: list[Member | None] = [None] * len(runs)
        self._looks = 0

    def read(self) -> list[Member] | None:
        """The runs as they are; None where none has a round, a state or a setting that it had not."""
        rest = self._looks % _AT_REST
        self._looks += 1
        changed = False
        for place, before in enumerate(self.members):
            if before is None or rest == 0 or before.view["state"] in rundir.ACTIVE:
                after = self._read(place, before)
                changed |= after != before
                self.members[place] = after
        return [one for one in self.members if one is not None] if changed else None

    def _read(self, place: int, before: Member | None) -> Member:
        follower, name = self.followers[place], self.names[place]
        look = follower.look()
        if look is None and before is not None:
            return before
        assert look is not None
        kept = ("id", "state", "spec", "seeds", "machine", "data", "rounds")
        view = {key: look.view[key] for key in kept}
        return Member(follower.run, name, view, trouble(follower.run, name, view, look.status.get("cause")))


def trouble(run: Path, name: str, view: dict[str, Any], cause: object) -> str:
    """Why a run cannot be compared, in a sentence; empty where it can."""
    from engine import spec as specs

    try:
        specs.refuse_newer(view["spec"], run / "spec.json")
    except BadInput as error:
        return f"{name}: {plain.line(error)}"
    if view["rounds"]:
        return ""
    if not run.is_dir():
        return f"{name} is not there any more."
    if view["state"] in ("failed", "unreadable") and cause:
        return f"{name} has no trained network: {plain.line(cause).rstrip('.')}."
    if not view["spec"]:
        return f"{name} has no trained network that is known: its spec.json cannot be read."
    return f"{name} has no trained network yet; it is {plain.line(view['state'])}."


def arms(members: list[Member]) -> list[str]:
    """The arms that can be shown, the ticket first; dense networks stand with each of them."""
    from engine import comparison as engine

    found = [arm for arm in engine.arms_of([one.view for one in members]) if arm != "dense"]
    return sorted(found, key=lambda arm: arm != "ticket")


def axis(metric: str) -> Axis:
    """Sparsity along x; percent along y, or nats."""
    short = {"accuracy": "accuracy", "macro-f1": "macro-F1", "loss": "cross-entropy"}[metric]
    unit = "" if metric == "loss" else " %"
    titles = (f"test {short}{unit} by sparsity %", f"{short} by sparsity, %")
    level = _nats if metric == "loss" else chart.SPARSITY.level
    return Axis(chart.SPARSITY.place, chart.SPARSITY.tick, titles, level)


def _nats(loss: float) -> str:
    return f"{loss:.3f}" if abs(loss) < 10 else f"{loss:.1f}" if abs(loss) < 1000 else f"{loss:.0e}"


def compare(members: list[Member], base: int, metric: str) -> dict[str, Any]:
    """`lth compare --json`, the base first. Imports numpy and scipy."""
    from engine import comparison as engine

    order = [members[base], *(one for place, one in enumerate(members) if place != base)]
    return engine.compare([one.view for one in order], one_run.METRICS[metric][0])
