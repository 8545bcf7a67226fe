"""What the command line prints: the runs, one run's rounds, the menu. Built from plain data, shown by rich.

What a run's files say is foreign: a value of another type than it should have is shown as unknown, and nothing raises.
"""

import os
import time
from collections.abc import Iterable, Sequence
from statistics import stdev
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.record import summary
from lth_tui import chart, plain
from lth_tui.screens.words import linear, number, share

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
    return f"{_amount(value)} {noun if value == 1 else noun + 's'}"


def _amount(value: object) -> str:
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


# What the table of rounds can show: the list in the JSON, and what stands under the table.
METRICS = {
    "accuracy": ("test_accuracy", "test accuracy in %"),
    "macro-f1": ("test_macro_f1", "test macro-F1 in %"),
    "loss": ("test_loss", "test cross-entropy in nats"),
}


def rounds(
    shown: dict[str, Any],
    metric: str = "accuracy",
    differences: Iterable[str] = (),
    arms: Sequence[str] | None = None,
    whole: bool = True,
) -> Table:
    """Sparsity by arms, mean ± standard deviation of a metric over seeds, from `lth show --json`.

    `differences` are further columns: ticket - dense, ticket - reinit, with the verdict's unadjusted intervals. Only
    some of the `arms`; without the columns of weights and of times where it is not to be `whole`.
    """
    values, worded = METRICS[metric][0], nats if metric == "loss" else spread
    every = summary.arms_of(shown["spec"])
    chosen = every if arms is None else arms
    first = ("round", "sparsity %", "weights left")[: 3 if whole else 2]
    made = table(*first, right=first)
    for arm in chosen:
        marker, colour = chart.style_of(every.index(arm))
        made.add_column(Text(f"{marker} {plain.line(arm)}", style=colour), justify="right", no_wrap=True)
    for name in differences:
        made.add_column(text(f"ticket - {name}"), justify="right", no_wrap=True)
    if whole:
        made.add_column("time", justify="right", style=QUIET, no_wrap=True)
    told = _differences(shown)
    for entry in shown["rounds"]:
        found = entry["arms"]
        cells: list[Any] = ["dense" if "dense" in found else str(entry["round"]), percent(entry["sparsity"])]
        if whole:
            cells.append("–" if number(entry.get("nonzero")) is None else f"{entry['nonzero']:,}")
        if "dense" in found:
            dense = Text(worded(found["dense"].get(values, [])), style="bold")
            cells += [dense, *[""] * (len(chosen) - 1)][: len(chosen)]
        else:
            cells += [worded(found.get(arm, {}).get(values, [])) for arm in chosen]
        cells += [told.get((entry["round"], name), "") for name in differences]
        if whole:
            seconds = [number(one) for metrics in found.values() for one in metrics.get("seconds", [])]
            cells.append(duration(sum(one for one in seconds if one is not None)))
        made.add_row(*cells)
    return made


def _differences(shown: dict[str, Any]) -> dict[tuple[Any, str], str]:
    """What the verdict says of each round, in points, by round and by what the ticket is compared with."""
    found = {}
    for one in _list(_parts(shown.get("verdict")).get("rounds")):
        for name, compared in _parts(_parts(one).get("differences")).items():
            if isinstance(number_ := one.get("round"), int):
                found[number_, name] = gap(compared)
    return found


def gap(compared: object, scale: float = 100, digits: int = 1) -> str:
    """A difference and its interval, of fractions in points: `+0.2 [-0.1, 0.5]`; `–` where it is not known."""
    found = _parts(compared)
    difference, ends = number(found.get("gap")), [number(end) for end in _list(found.get("ci95"))]
    if difference is None:
        return "–"
    words = f"{scale * difference:+z.{digits}f}"
    known = [f"{scale * end:z.{digits}f}" for end in ends if end is not None]
    return f"{words} [{', '.join(known)}]" if len(known) == 2 else words


def _fitted(shown: dict[str, Any], width: int, metric: str) -> tuple[list[Table], bool]:
    """The table of rounds as wide as there is room, and whether it has differences.

    Where one would be too wide, several, each with some of the arms.
    """
    known = {name for _, name in _differences(shown)} if metric == "accuracy" else set()
    for wanted in (("dense", "reinit"), ("dense",), ()):
        if known.issuperset(wanted) and _fits(made := rounds(shown, metric, wanted), width):
            return [made], bool(wanted)
    parts, rest = [], summary.arms_of(shown["spec"])
    while True:
        many = next((n for n in range(len(rest), 1, -1) if _fits(rounds(shown, metric, (), rest[:n], False), width)), 1)
        parts.append(rounds(shown, metric, (), rest[:many], False))
        rest = rest[many:]
        if not rest:
            return parts, False


def _fits(made: Table, width: int) -> bool:
    return Console(width=1000).measure(made).maximum <= width


def curves(shown: dict[str, Any], width: int, height: int = 16) -> list[Text]:
    """The chart of accuracy against sparsity as lines; none while no pruned round is known."""
    found, dense = chart.curves(shown["rounds"], summary.arms_of(shown["spec"]))
    return [Text.assemble(*pieces) for pieces in chart.draw(found, dense, width, height, linear(shown))]


def run(shown: dict[str, Any], width: int, metric: str = "accuracy") -> RenderableType:
    """One run whole: what it is, its rounds, chart and verdict."""
    parts: list[RenderableType] = [headline(shown), *facts(shown)]
    if shown.get("stability"):
        from lth_tui import barriers

        return Group(*parts, *barriers.shown(shown["stability"], width), *closing(shown))
    if shown["rounds"]:
        made, differences = _fitted(shown, width, metric)
        under = f"{METRICS[metric][1]}, mean ± standard deviation over seeds"
        if differences:
            under += "; differences in points, unadjusted 95 % intervals"
        parts += [line for one in made for line in ("", one)] + [Text(under, style=QUIET)]
    if linear(shown) is not None:
        parts.append(reference(shown, metric))
    drawn = curves(shown, width)
    if drawn:
        parts += ["", *drawn]
    return Group(*parts, *compared(shown), *closing(shown))


def compared(shown: dict[str, Any]) -> list[RenderableType]:
    """The ticket against each other arm over the verdict's region, where the sentence has no room for all of it."""
    verdict = _parts(shown.get("verdict"))
    found = _parts(verdict.get("against")) | _parts(verdict.get("rivals"))
    if len(found) < 2:
        return []
    made = table("ticket against", "difference", "p", right=("difference", "p"))
    for name, one in found.items():
        p = number(_parts(one).get("p"))
        made.add_row(text(name), gap(one), "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}")
    low, high = (percent(end) for end in [*_list(verdict.get("region")), None, None][:2])
    under = f"points, 95 % CI, over the rounds of {low} to {high} % sparsity; p after Holm's correction"
    return ["", made, Text(under, style=QUIET)]


def reference(shown: dict[str, Any], metric: str = "accuracy") -> Text:
    """What a linear model reaches on the same texts, and on how many of them if not on all."""
    found = shown["reference"]
    per_seed, macro_f1, texts, of = (_list(found.get(name)) for name in ("per_seed", "test_macro_f1", "texts", "of"))
    values, worded = per_seed or [found["linear_test_accuracy"]], "test accuracy"
    if metric == "macro-f1":
        values, worded = macro_f1, "test macro-F1"
    line = f"linear reference (TF-IDF + logistic regression): {spread(values)} % {worded}"
    pairs = [(some, all_) for some, all_ in zip(texts, of, strict=False) if number(some) and number(all_)]
    if pairs and pairs[0][0] < pairs[0][1]:
        line += ", trained on {:,} of {:,} texts".format(*pairs[0])
    return text(line)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def headline(shown: dict[str, Any]) -> Text:
    state = shown["state"]
    return Text.assemble(text(shown["id"], "bold"), "  ", (state, STATE_STYLES.get(state, "")))


def facts(shown: dict[str, Any]) -> list[Text]:
    """What is compared on what, in two quiet lines."""
    spec, data = shown["spec"], shown["data"]

    schedule, training = _parts(spec.get("schedule")), _parts(spec.get("training"))
    model, dataset, plan = (summary.named(spec, part) or "?" for part in ("model", "data", "schedule"))
    rate, scope = (one if isinstance(one, str | float) else "?" for one in map(schedule.get, ("rate", "scope")))
    how = f"{count(summary.rounds_of(spec), 'round')} at rate {rate}, {scope}, {count(training.get('epochs'), 'epoch')}"
    lines = [f"{model} on {dataset}, schedule {plan}: {how}, {count(len(shown['seeds']), 'seed')}"]
    if data.get("train") is not None:
        note = f", {data['note']}" if data.get("note") else ""
        train, valid, test, classes = (_amount(data.get(name)) for name in ("train", "valid", "test", "classes"))
        counts = f"{train} texts to train on, {valid} to choose by, {test} to test on"
        lines.append(f"{counts}; {classes} classes, {count(data.get('vocabulary'), 'word')}{note}")
    if (asked := question(spec)) is not None:
        lines.append(asked)
    return [text(line, QUIET) for line in lines]


def question(spec: dict[str, Any]) -> str | None:
    """What a run asks of the tickets of another, in words; None of an ordinary run."""
    origin, asked = summary.origin_of(spec), summary.question_of(spec)
    source, start = (one if isinstance(one, str) else "?" for one in map(origin.get, ("run", "rewind")))
    of = f"round {_amount(origin.get('round'))} of {source}, from its rewind point {start}"
    if asked == "transfer":
        return f"a ticket moved here: {of}"
    if asked == "stability":
        return f"two copies in other data orders, and the line between them: {of}"
    return None


def _parts(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def closing(shown: dict[str, Any]) -> list[RenderableType]:
    """The verdict's sentence, the cause of a failure, warnings."""
    parts: list[RenderableType] = []
    verdict = shown.get("verdict")
    if isinstance(verdict, dict) and verdict.get("sentence"):
        won = verdict.get("winning_ticket")
        style = "bold green" if won is True else "bold yellow" if won is False else "bold"
        parts += ["", Text(plain.line(verdict["sentence"], 1000), style=style)]
    if shown.get("cause"):
        parts += ["", text(f"Failed: {shown['cause']}", "red")]
    parts += [text(f"Warning: {warning}", "yellow") for warning in shown.get("warnings", [])[:20]]
    if shown.get("events_skipped"):
        parts.append(text(f"{shown['events_skipped']} unreadable events were passed over.", "yellow"))
    return parts


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
        lines.append(state.ljust(widths[1]), STATE_STYLES.get(state, "") if place else "bold")
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[2:], strict=True))
        lines.append("".join(f"  {cell}" for cell in cells), "" if place else "bold")
    return lines


def _run_cells(entry: dict[str, Any], now: float) -> tuple[str, ...]:
    best, state = _parts(entry.get("best")), plain.line(entry["state"])
    done = 1.0 if state == "finished" else share(_parts(entry.get("progress")).get("fraction"))
    ticket = percent(best.get("ticket"))
    return (
        plain.line(entry["id"]),
        state,
        "–" if done is None else f"{100 * done:.0f} %",
        percent(best.get("dense")),
        ticket if ticket == "–" else f"{ticket} at {percent(best.get('sparsity'))}",
        age(entry.get("created"), now),
    )


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
    """A console whose reader may leave early, as in `lth ls | head`: that is no error."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # what is still buffered goes nowhere
        raise SystemExit(0)


def out() -> Console:
    """Results: standard output."""
    return _Console(highlight=False)


def words() -> Console:
    """Everything that is not the result: standard error."""
    return _Console(stderr=True, highlight=False)
