"""The rows of the queue: runs that hold a slot, runs that wait in their order, runs whose engine is gone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lth_tui import plain
from lth_tui.screens import words
from lth_tui.screens.words import Piece
from lth_tui.widgets.table import Column, Row

COLUMNS = (
    Column("state", 10),
    Column("done", 11, keep=70),
    Column("since", 5, right=True, keep=60),
    Column("run", 24, grow=40, most=52),
    Column("", 30, grow=20, keep=5),
)


@dataclass(frozen=True)
class Slot:
    """One row. `state` is what the run's own state is, as far as it can be stopped or withdrawn."""

    kind: str  # working, waiting, orphaned
    run: str
    state: str
    why: str
    cells: Row


def rows(facts: dict[str, Any], now: float, cards: dict[str, int]) -> list[Slot]:
    """What `queue_view.facts` tells, a row a run; `cards` numbers the GPUs by their UUIDs."""
    made = [_working(one, now, cards) for one in facts["running"]]
    made += [_waiting(one, now) for one in facts["waiting"]]
    return made + [_orphaned(run) for run in facts["orphaned"]]


def _working(one: dict[str, Any], now: float, cards: dict[str, int]) -> Slot:
    state = str(one["state"])
    since = words.age(one.get("since"), datetime.fromtimestamp(now))
    fraction = words.share(one["progress"])
    done = [] if fraction is None else [*words.bar(fraction, 6, "live"), (f" {100 * fraction:3.0f}%", "")]
    card = cards.get(one["gpu"] or "")
    on = f"on {plain.line(one['gpu'] or one['device'], 60)}" if card is None else f"on GPU {card}"
    sign = ("● starting", "live") if state == "queued" else words.state(state)
    return Slot(
        "working", one["id"], state, on, ([sign], done, [(since, "dim")], plain.line(one["id"], 140), [(on, "dim")])
    )


def _waiting(one: dict[str, Any], now: float) -> Slot:
    why = plain.line(one["why"])
    since = words.age(one["since"], datetime.fromtimestamp(now))
    name = plain.line(one["id"], 140)
    sign = (f"○ waits {one['place']}", "")
    return Slot("waiting", one["id"], "queued", why, ([sign], "", [(since, "dim")], name, [(why, "dim")]))


def _orphaned(run: str) -> Slot:
    why = f"its engine is gone; `lth resume {plain.line(run[-4:])}` goes on"
    cells = ([words.state("orphaned")], "", "", plain.line(run, 140), [(why, "dim")])
    return Slot("orphaned", run, "orphaned", why, cells)


def head(facts: dict[str, Any] | None, trouble: str, width: int, key: Callable[[str], str]) -> list[Piece]:
    """How many slots are taken, whether the queue is paused and why, what the first waits for, and what to do.

    `key` tells the key of a name of the registry.
    """
    if facts is None:
        return [(plain.line(trouble), "warn")]
    taken, most, waits = len(facts["running"]), facts["slots"], len(facts["waiting"])
    shown = min(max(taken, most), 16, max(width - 40, 0))
    pieces: list[Piece] = [("▰" * min(taken, shown), "live"), ("▱" * max(shown - taken, 0), "dim")]
    pieces += [(" " if shown else "", ""), (f"{taken} of {words.count(most, 'slot')} taken", "strong")]
    waiting = f"{words.count(waits, 'run')} wait{'s' if waits == 1 else ''}" if waits else "nobody waits"
    pieces.append((f" · {waiting}", ""))
    if lost := len(facts["orphaned"]):
        pieces.append((f" · {lost} orphaned", "warn"))
    if facts["paused"]:
        why = plain.line(facts["why"], 200).removesuffix("; `lth queue go` goes on")
        pieces.append((f"\nPaused: {why}. Nothing more is started; {key('machine.pause')} goes on.", "warn"))
    elif waits:
        pieces.append((f"\nThe first waits: {plain.line(facts['waiting'][0]['why'], 300)}", "dim"))
    elif not taken:
        pieces.append((f"\nA run that is launched ({key('app.go.launch')}) starts at once.", "dim"))
    return pieces


def about(row: Slot | None) -> list[Piece]:
    """The row under the cursor in full."""
    if row is None:
        return []
    return [(plain.line(row.run, 140), "dim"), (f"\n{row.why}", "warn" if row.kind == "orphaned" else "")]
