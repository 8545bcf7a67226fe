"""The rounds of a run as a table: every planned round, what is known of it, and what is training."""

from dataclasses import dataclass
from statistics import stdev
from typing import Any

from engine import schedules
from engine.record import rundir, summary
from lth_tui import chart, plain
from lth_tui.screens import words
from lth_tui.screens.follow import Look
from lth_tui.widgets.table import Cell, Column, Piece, Row

METRICS = {"accuracy": "test_accuracy", "macro-F1": "test_macro_f1", "cross-entropy": "test_loss"}
NOW = ("▸ ", "live")  # at the round that is trained now
SPREAD = "±"  # before a standard deviation: over the seeds, of a difference over its pairs


@dataclass(frozen=True)
class RoundRow:
    """One line of the table."""

    number: int
    cells: Row


def columns(arms: list[str], metric: str = "accuracy") -> list[Column]:
    """The table's columns, for the arms of a run. The dense network stands under the first arm, in round 0."""
    width = 12 if metric == "cross-entropy" else 11
    shown = []
    for place, arm in enumerate(arms or ["dense"]):
        marker, colour = chart.style_of(place)  # as in the chart
        title = ((f"{marker} {plain.line(arm, 12)}", colour),)
        shown.append(Column(title, width, right=True, grow=1, most=16, keep=90 - min(place, 30)))
    return [
        Column("round", 6, right=True),
        Column("sparsity", 8, right=True, keep=95),
        *shown,
        *([_gap(arms, width)] if {"ticket", "reinit"} <= set(arms) else []),
        Column("time", 5, right=True, keep=20),
    ]


def _gap(arms: list[str], width: int) -> Column:
    """The column of differences, which have a sign more than what they are between."""
    return Column(against(arms), width + 1, right=True, grow=1, most=16, keep=88)


def against(arms: list[str]) -> list[Piece]:
    """`●−○`, in the signs of the ticket and of reinit."""
    (one, colour), (other, shade) = (chart.style_of(arms.index(arm)) for arm in ("ticket", "reinit"))
    return [(one, colour), ("−", ""), (other, shade)]


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
        dense = number == 0 or "dense" in results
        shown = ["dense", *[""] * (len(arms) - 1)] if dense else arms
        cells: list[Cell] = [
            [*([NOW] if number == at else []), ("dense" if dense else str(number), tone)],
            [(words.sparsity(one.get("sparsity", aimed)), tone)],
            *(_value(results.get(arm), number, arm, look, diverged, metric) if arm else "" for arm in shown),
        ]
        if {"ticket", "reinit"} <= set(arms):
            cells.append("" if dense else _difference(results, metric))
        made.append(RoundRow(number, (*cells, [(_time(results), "dim")])))
    return made


def _rate(spec: dict[str, Any]) -> float | None:
    return words.share(words.mapping(spec.get("schedule")).get("rate"))


def _scale(metric: str) -> tuple[int, int]:
    """Points with two digits, or nats with three."""
    return (1, 3) if metric == "cross-entropy" else (100, 2)


def _value(result: dict[str, list] | None, number: int, arm: str, look: Look, diverged: set, metric: str) -> Cell:
    """`90.51 ±0.12` over the seeds known so far, a cross-entropy in nats; how far it is; or that it will come."""
    known = _known((result or {}).get(METRICS[metric], []))
    if known:
        tone = "live" if (number, arm) in look.live else "strong" if arm in ("ticket", "dense") else ""
        factor, digits = _scale(metric)
        return [(f"{factor * sum(known) / len(known):.{digits}f}", tone), (_spread(known, metric), "dim")]
    if (number, arm) in look.live:
        return [(look.live[number, arm], "live")]
    if (number, arm) in diverged:
        return [("diverged", "bad")]
    return [("·", "dim")]


def _known(values: list[Any]) -> list[float]:
    return [value for value in values if value is not None and abs(value) < 1e100]


def _spread(values: list[float], metric: str) -> str:
    factor, digits = _scale(metric)
    return f" {SPREAD}{factor * stdev(values):.{digits}f}" if len(values) > 1 else ""


def _difference(results: dict[str, dict[str, list]], metric: str) -> Cell:
    """Ticket minus reinit, in points or nats, over the seeds that have both, and how it differs between them."""
    both = zip(*(results.get(arm, {}).get(METRICS[metric], []) for arm in ("ticket", "reinit")), strict=False)
    gaps = _known([ticket - reinit for ticket, reinit in both if ticket is not None and reinit is not None])
    if not gaps:
        return ""
    factor, digits = _scale(metric)
    mean = f"{factor * sum(gaps) / len(gaps):+.{digits}f}".replace("-", "−")
    return [(mean, ""), (_spread(gaps, metric), "dim")]


def _time(results: dict[str, dict[str, list]]) -> str:
    spent = [words.number(value) or 0.0 for one in results.values() for value in one.get("seconds", [])]
    return words.duration(sum(spent)) if any(spent) else ""
