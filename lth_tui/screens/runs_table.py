"""The table of runs: its columns, a run as the cells of a row, and the orders it can stand in. No screen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from engine.record import rundir
from engine.record.history import Summary
from lth_tui import filtering, plain
from lth_tui.screens import words
from lth_tui.widgets.table import Column, Row

COLUMNS = (
    Column("state", 10),
    Column("model", 5, grow=1, most=10, keep=80),
    Column("dataset", 7, grow=2, most=14, keep=90),
    Column("schedule", 10, grow=1, most=14, keep=35),
    Column("seeds", 5, right=True, keep=30),
    Column("progress", 11, grow=1, most=18, keep=70),
    Column("dense", 5, right=True, keep=40),
    Column("mean @ %", 11, right=True, keep=85),
    Column("verdict", 9, keep=82),
    Column("age", 4, right=True, keep=50),
    Column("run", 7, grow=6, most=28, keep=45),
    Column("", 24, grow=20, keep=5),
)
VERDICTS = {"yes": "good", "undecided": "warn", "no": "bad"}  # and their tones, best first
_STATES = ("running", "stopping", "queued", "orphaned", "failed", "stopped", "finished", rundir.UNREADABLE)


class Order(NamedTuple):
    """By which column the runs stand; each has a way round that is natural to it: numbers fall, words rise."""

    column: str = "age"
    reverse: bool = False


def _text(name: str) -> Callable[[Summary], str | None]:
    return lambda one: str(one[name]).lower() if one.get(name) else None


def _place(names: Sequence[str], of: Callable[[Summary], Any]) -> Callable[[Summary], int | None]:
    places = {name: place for place, name in enumerate(names)}
    return lambda one: places.get(of(one))


def _number(*path: str) -> Callable[[Summary], float | None]:
    def of(one: Summary) -> float | None:
        value: Any = one
        for part in path:
            value = words.mapping(value).get(part)
        return words.number(value)

    return of


# What a column is sorted by, None where a run has nothing there; whether the greatest comes first; and that in words.
SORTS: dict[str, tuple[Callable[[Summary], Any], bool, str]] = {
    "state": (_place(_STATES, lambda one: one["state"]), False, "those at work first"),
    "model": (_text("model"), False, "by name"),
    "dataset": (_text("dataset"), False, "by name"),
    "schedule": (_text("schedule"), False, "by name"),
    "seeds": (_number("seeds"), True, "most first"),
    "progress": (_number("progress", "fraction"), True, "furthest first"),
    "dense": (_number("best", "dense"), True, "most accurate first"),
    "mean @ %": (_number("best", "ticket"), True, "the sparsest ticket near dense by its mean, most accurate first"),
    "verdict": (_place(list(VERDICTS), filtering.verdict), False, "yes, undecided, no"),
    "age": (_text("created"), True, "newest first"),
    "run": (lambda one: str(one["name"] or one["id"]).lower(), False, "by name or id"),
}


def arranged(summaries: Sequence[Summary], order: Order) -> Sequence[Summary]:
    """The runs, newest first as they come, in an order; those that have nothing there come last, either way round."""
    if order == Order():
        return summaries
    key, falling, _ = SORTS[order.column]
    known = [(key(one), one) for one in summaries]
    missing = [one for value, one in known if value is None]
    known = [pair for pair in known if pair[0] is not None]
    known.sort(key=itemgetter(0), reverse=falling != order.reverse)
    return [*(one for _, one in known), *missing]


def columns(order: Order) -> list[Column]:
    """The columns, an arrow at the one that is sorted by."""
    falls = (SORTS[order.column][1] != order.reverse) != (order.column == "age")  # the youngest is what was made last
    arrow = "↓" if falls else "↑"
    return [_with(arrow, column) if column.title == order.column else column for column in COLUMNS]


def _with(arrow: str, column: Column) -> Column:
    title = f"{column.title}{arrow}"
    return replace(column, title=[(title, "accent")], width=max(column.width, len(title)), keep=99)


def cells(one: Summary, now: datetime, key: Callable[[str], str]) -> Row:
    """A run as the cells of its row; `key` tells the key of a name of the registry."""
    best, verdict = words.mapping(one["best"]), filtering.verdict(one)
    return (
        [words.state(one["state"])],
        plain.line(one["model"] or "?", 40),
        plain.line(one["dataset"] or "?", 40),
        plain.line(one["schedule"] or "?", 40),
        str(one["seeds"] or "?"),
        _progress(one),
        words.percent(best.get("dense")),
        words.best(best),
        [(verdict, VERDICTS.get(verdict, ""))],
        [(words.age(one["created"], now), "dim")],
        [(plain.line(one["name"] or one["id"][-4:], 80), "strong" if one["name"] else "dim")],
        [(plain.line(said(one, key)), "bad" if one["state"] == "failed" else "dim")],
    )


def _progress(one: Summary) -> list[tuple[str, str]] | str:
    fraction = words.share(words.mapping(one["progress"]).get("fraction"))
    if fraction is None or one["state"] == "finished":
        return "" if fraction is None else [("━━━━━━ done", "dim")]
    tone = "live" if one["state"] in rundir.ACTIVE else "dim"
    return [*words.bar(fraction, 6, tone), (f" {100 * fraction:3.0f}%", "" if tone == "live" else "dim")]


def told(one: Summary) -> str:
    """The run's id in full, and what its user says of it: `id · base30 · #study · a note`."""
    tags = " ".join(f"#{tag}" for tag in one["tags"]) if isinstance(one["tags"], list) else ""
    return plain.line(" · ".join(str(part) for part in (one["id"], one["name"], tags, one["note"]) if part), 500)


def said(one: Summary, key: Callable[[str], str]) -> str:
    """The run's own words: its verdict, why it failed, or the time left."""
    if one["state"] == "failed":
        return f"failed: {one['cause'] or 'nobody knows why'}"
    if one["state"] == rundir.UNREADABLE:
        return str(one["cause"])
    if one["state"] in ("orphaned", "stopped"):
        return f"{one['cause'] or 'stopped before its end'}; {key('runs.resume')} goes on with it"
    if one["state"] == "queued":
        return f"waits its turn, or to be started by {key('runs.resume')}; {key('app.go.machine')} shows what for"
    if one["sentence"]:
        return str(one["sentence"])
    left = words.duration(words.mapping(one["progress"]).get("seconds_left"))
    where = f"on {one['unverified']}, unverified" if one.get("unverified") else ""
    left = f"about {left} left" if left and one["state"] in rundir.ACTIVE else ""
    return " · ".join(filter(None, (left, where)))
