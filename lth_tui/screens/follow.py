"""A run followed from its files: what is new since the last look, and the rows of its rounds table."""

from dataclasses import dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

from engine import schedules
from engine.record import events, extensions, rundir, summary
from lth_tui import chart, plain
from lth_tui.screens import words
from lth_tui.widgets.table import Cell, Column, Row


@dataclass(frozen=True)
class Look:
    """A run at one moment: its view (as `lth show` gives it), its status, and what is training."""

    view: dict[str, Any]
    status: dict[str, Any]
    networks: int  # trained so far, so that a chart knows when it is out of date
    live: dict[tuple[int, str], str]  # (round, arm) -> how far the network that trains now has come


class Follower:
    """Reads on where it stopped. Used by one thread at a time."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._offset = self._bad = 0
        self._snapshot: summary.Snapshot | None = None
        self._seen: Any = None

    def look(self) -> Look | None:
        """What the run is now; None where nothing changed. Never raises on what stands in the files."""
        status = rundir.read_status(self.run)
        state = rundir.state(self.run, status)
        trouble = self._read_on()
        seen = (status, state, self._offset, trouble)
        if seen == self._seen:
            return None
        self._seen = seen
        snapshot = self._snapshot or summary.Snapshot()
        spec = extensions.spec(self.run)
        view = summary.view(self.run, state, spec, snapshot, bad=self._bad, cause=rundir.cause(status, state))
        if trouble:
            view["warnings"] = [trouble, *view["warnings"]]
        live = _live(snapshot) if state in rundir.ACTIVE else {}
        return Look(view, status, len(snapshot.trained), live)

    def _read_on(self) -> str:
        try:
            tail = events.read(self.run / events.FILE, self._offset)
        except OSError as error:
            return f"events.jsonl cannot be read ({error.strerror or error})"
        if tail.offset < self._offset:  # another file, read from its start
            self._snapshot, self._bad = None, 0
        self._snapshot = summary.fold(self._snapshot, tail.events)
        self._offset, self._bad = tail.offset, self._bad + tail.bad
        return ""


def _live(snapshot: summary.Snapshot) -> dict[tuple[int, str], str]:
    last = snapshot.last
    if last.get("event") != "epoch":
        return {}
    of = f"/{last['epochs']}" if last.get("epochs") else ""
    return {(last["round"], last["arm"]): f"epoch {last['epoch']}{of}"}


@dataclass(frozen=True)
class RoundRow:
    """One line of the rounds table."""

    number: int
    cells: Row


def columns(arms: list[str]) -> list[Column]:
    """The rounds table's columns, for the arms of a run."""
    shown = []
    for place, arm in enumerate(arms):
        marker, colour = chart.style_of(place)  # as in the chart
        title = ((f"{marker} {plain.line(arm, 12)}", colour),)
        shown.append(Column(title, 11, right=True, grow=1, most=16, keep=80 - place))
    return [
        Column("round", 6, right=True),
        Column("sparsity", 8, right=True, keep=90),
        Column("dense", 11, right=True, grow=1, most=16, keep=85),
        *shown,
        Column(_against(arms), 6, right=True, keep=78),
        Column("time", 5, right=True, keep=20),
    ]


def _against(arms: list[str]) -> Cell:
    """`●−○`, in the signs of the ticket and of reinit."""
    if "ticket" not in arms or "reinit" not in arms:
        return ""
    (one, colour), (other, shade) = (chart.style_of(arms.index(arm)) for arm in ("ticket", "reinit"))
    return ((one, colour), ("−", ""), (other, shade))


METRICS = {"accuracy": "test_accuracy", "macro-F1": "test_macro_f1", "cross-entropy": "test_loss"}


def rows(look: Look, metric: str = "accuracy") -> list[RoundRow]:
    """Every planned round: one of METRICS, as far as known, what is training, and the sparsity it aims at."""
    view = look.view
    arms = summary.arms_of(view["spec"])
    known = {one["round"]: one for one in view["rounds"]}
    rate = _rate(view["spec"])
    diverged = {(one["round"], one["arm"]) for one in view["diverged"]}
    planned = summary.planned(view["spec"])
    at = look.status.get("round") if view["state"] in rundir.ACTIVE else None
    made = []
    for number in sorted({*known, *planned}):
        one = known.get(number, {})
        results = one.get("arms", {})
        aimed = None if rate is None else schedules.sparsity(rate, planned.get(number, number))
        tone = "" if results else "dim"
        sparsity: Cell = [(words.sparsity(one.get("sparsity", aimed)), tone)]
        values = [_value(results.get(arm), number, arm, look, diverged, metric) for arm in ("dense", *arms)]
        made.append(
            RoundRow(
                number,
                (
                    [("▸ " if number == at else "", "live"), (str(number), tone)],
                    sparsity,
                    *values,
                    _difference(results, metric),
                    [(_time(results), "dim")],
                ),
            )
        )
    return made


def _rate(spec: dict[str, Any]) -> float | None:
    schedule = spec.get("schedule")
    return words.share(schedule.get("rate")) if isinstance(schedule, dict) else None


def _value(result: dict[str, list] | None, number: int, arm: str, look: Look, diverged: set, metric: str) -> Cell:
    """`90.51 ±0.12` over the seeds known so far, a cross-entropy in nats; how far it is; or that it will come."""
    known = [value for value in (result or {}).get(METRICS[metric], []) if value is not None]
    if known:
        factor, digits = (1, 3) if metric == "cross-entropy" else (100, 2)
        spread = f" ±{factor * stdev(known):.{digits}f}" if len(known) > 1 else ""
        mean = sum(known) / len(known)
        return [(f"{factor * mean:.{digits}f}", "strong" if arm in ("ticket", "dense") else ""), (spread, "dim")]
    if (number, arm) in look.live:
        return [(look.live[number, arm], "live")]
    if (number, arm) in diverged:
        return [("diverged", "bad")]
    return [("·" if (number == 0) == (arm == "dense") else "", "dim")]


def _difference(results: dict[str, dict[str, list]], metric: str) -> Cell:
    """Ticket minus reinit, in points or nats, over the seeds that have both."""
    both = zip(*(results.get(arm, {}).get(METRICS[metric], []) for arm in ("ticket", "reinit")), strict=False)
    gaps = [ticket - reinit for ticket, reinit in both if ticket is not None and reinit is not None]
    mean = chart.mean(gaps)
    factor, digits = (1, 3) if metric == "cross-entropy" else (100, 2)
    return "" if mean is None else f"{factor * mean:+.{digits}f}".replace("-", "−")


def _time(results: dict[str, dict[str, list]]) -> str:
    spent = [words.number(value) or 0.0 for one in results.values() for value in one.get("seconds", [])]
    return words.duration(sum(spent)) if any(spent) else ""
