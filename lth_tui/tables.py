"""What the command line prints: the runs, one run's rounds, the menu. Built from plain data, shown by rich.

What a run's files say is foreign: a value of another type than it should have is shown as unknown, and nothing raises.
"""

import time
from collections.abc import Iterable
from statistics import stdev
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lth_tui import output, plain
from lth_tui.screens.words import mapping, number, share

STATE_STYLES = {
    "queued": "cyan",
    "running": "blue",
    "stopping": "yellow",
    "finished": "bold",
    "failed": "red",
    "stopped": "yellow",
    "orphaned": "red",
}
QUIET = "bright_black"


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """An empty table in the house's style; the columns named in `right` are aligned to the right."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=column in right)
    return made


def text(value: object, style: str = "") -> Text:
    """Foreign text, safe to print."""
    return Text(plain.line(value), style=style)


def spread(values: list[Any]) -> str:
    """Mean and standard deviation over seeds of fractions, as percent: `79.5 ± 0.4`; `–` where nothing is known."""
    known = [100 * value for value in map(share, values) if value is not None]
    if not known:
        return "–"
    mean = sum(known) / len(known)
    return f"{mean:.1f} ± {stdev(known):.1f}" if len(known) > 1 else f"{mean:.1f}"


def nats(values: list[Any]) -> str:
    """Mean and standard deviation over seeds of a cross-entropy: `0.281 ± 0.004`; `–` where nothing is known."""
    known = [value for value in map(number, values) if value is not None]
    if not known:
        return "–"
    mean = sum(known) / len(known)
    return f"{mean:.3f} ± {stdev(known):.3f}" if len(known) > 1 else f"{mean:.3f}"


def percent(fraction: object) -> str:
    """A fraction as percent with one decimal, `–` where it is not known."""
    known = share(fraction)
    return "–" if known is None else f"{100 * known:.1f}"


def count(value: object, noun: str) -> str:
    """`1 round`, `3 rounds`; `? rounds` where it is not known."""
    return f"{amount(value)} {noun if value == 1 else noun + 's'}"


def amount(value: object) -> str:
    return "?" if number(value) is None else f"{value:,}"


def duration(seconds: object) -> str:
    """`42 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`; `–` where it is not known."""
    known = number(seconds)
    if known is None or known > 1e9:  # thirty years
        return "–"
    whole = max(0, round(known))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def runs(summaries: list[dict[str, Any]]) -> Text:
    """Every run in a line: mean test accuracies in %, the ticket's at the greatest sparsity where it matches dense.

    One text, padded here: rich takes ten times as long to lay out a table of a thousand rows.
    """
    now = time.time()
    rows = [("run", "state", "done", "dense", "ticket at %", "age"), *(_run_cells(one, now) for one in summaries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = Text(no_wrap=True, overflow="ignore")
    for place, (name, state, *rest) in enumerate(rows):
        lines.append("\n" * bool(place) + name.ljust(widths[0]) + "  ", "" if place else "bold")
        lines.append(state.ljust(widths[1]), STATE_STYLES.get(state.partition(",")[0], "") if place else "bold")
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[2:], strict=True))
        lines.append("".join(f"  {cell}" for cell in cells), "" if place else "bold")
    return lines


def _run_cells(entry: dict[str, Any], now: float) -> tuple[str, ...]:
    best, state = mapping(entry.get("best")), plain.line(entry["state"])
    words = "cannot be read" if state == "unreadable" else state + unverified(entry)
    done = 1.0 if state == "finished" else share(mapping(entry.get("progress")).get("fraction"))
    ticket = percent(best.get("ticket"))
    return (
        plain.line(entry["id"]),
        words,
        "–" if done is None else f"{100 * done:.0f} %",
        percent(best.get("dense")),
        ticket if ticket == "–" else f"{ticket} at {percent(best.get('sparsity'))}",
        age(entry.get("created"), now),
    )


def unverified(entry: dict[str, Any]) -> str:
    """What stands behind the state of a run that another machine is at work on."""
    host = entry.get("unverified")
    return "" if host is None else f", unverified (on {plain.line(host, 40)})"


def age(created: object, now: float) -> str:
    """How long ago an ISO time was, in its largest unit."""
    from datetime import datetime

    try:
        seconds = now - datetime.fromisoformat(str(created)).timestamp()
    except (ValueError, OverflowError, OSError):
        return "–"
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{max(0, seconds):.0f}s"


def cards(entries: list[tuple[str, list[str]]]) -> Table:
    """Names, each with lines about it, the first of them loud; empty lines are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for place, (name, lines) in enumerate(entries):
        if place:
            made.add_row()
        first, *rest = [text(line) for line in lines if line] or [text("")]
        for line in rest:
            line.stylize(QUIET)
        made.add_row(text(name, "bold"), Text("\n").join([first, *rest]))
    return made


class _Console(Console):
    """A console that reads nothing as markup, and whose reader may leave early, as in `lth ls | head`."""

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        output.nobody_reads(self.file.fileno())
        raise SystemExit(0)


def out() -> Console:
    """Results: standard output."""
    return _Console()


def words() -> Console:
    """Everything that is not the result: standard error."""
    return _Console(stderr=True)
