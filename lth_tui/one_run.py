"""One run as the command line prints it: its rounds, its chart, its verdict. Built from `lth show --json`."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.record import summary
from lth_tui import chart, plain, tables
from lth_tui.screens.words import linear, number

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
    values, worded = METRICS[metric][0], tables.nats if metric == "loss" else tables.spread
    every = summary.arms_of(shown["spec"])
    chosen = every if arms is None else arms
    first = ("round", "sparsity %", "weights left")[: 3 if whole else 2]
    made = tables.table(*first, right=first)
    for arm in chosen:
        marker, colour = chart.style_of(every.index(arm))
        made.add_column(Text(f"{marker} {plain.line(arm)}", style=colour), justify="right", no_wrap=True)
    for name in differences:
        made.add_column(tables.text(f"ticket - {name}"), justify="right", no_wrap=True)
    if whole:
        made.add_column("time", justify="right", style=tables.QUIET, no_wrap=True)
    told = _differences(shown)
    for entry in shown["rounds"]:
        found = entry["arms"]
        cells: list[Any] = ["dense" if "dense" in found else str(entry["round"]), tables.percent(entry["sparsity"])]
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
            cells.append(tables.duration(sum(one for one in seconds if one is not None)))
        made.add_row(*cells)
    return made


def _differences(shown: dict[str, Any]) -> dict[tuple[Any, str], str]:
    """What the verdict says of each round, in points, by round and by what the ticket is compared with."""
    found = {}
    for one in tables.listed(tables.mapping(shown.get("verdict")).get("rounds")):
        for name, compared in tables.mapping(tables.mapping(one).get("differences")).items():
            if isinstance(number_ := one.get("round"), int):
                found[number_, name] = gap(compared)
    return found


def gap(compared: object, scale: float = 100, digits: int = 1) -> str:
    """A difference and its interval, of fractions in points: `+0.2 [-0.1, 0.5]`; `–` where it is not known."""
    found = tables.mapping(compared)
    difference, ends = number(found.get("gap")), [number(end) for end in tables.listed(found.get("ci95"))]
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
        parts += [line for one in made for line in ("", one)] + [Text(under, style=tables.QUIET)]
    if linear(shown) is not None:
        parts.append(reference(shown, metric))
    drawn = curves(shown, width)
    if drawn:
        parts += ["", *drawn]
    return Group(*parts, *compared(shown), *closing(shown))


def compared(shown: dict[str, Any]) -> list[RenderableType]:
    """The ticket against each other arm over the verdict's region, where the sentence has no room for all of it."""
    verdict = tables.mapping(shown.get("verdict"))
    found = tables.mapping(verdict.get("against")) | tables.mapping(verdict.get("rivals"))
    if len(found) < 2:
        return []
    made = tables.table("ticket against", "difference", "p", right=("difference", "p"))
    for name, one in found.items():
        p = number(tables.mapping(one).get("p"))
        made.add_row(tables.text(name), gap(one), "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}")
    low, high = (tables.percent(end) for end in [*tables.listed(verdict.get("region")), None, None][:2])
    under = f"points, 95 % CI, over the rounds of {low} to {high} % sparsity; p after Holm's correction"
    return ["", made, Text(under, style=tables.QUIET)]


def reference(shown: dict[str, Any], metric: str = "accuracy") -> Text:
    """What a linear model reaches on the same texts, and on how many of them if not on all."""
    found = shown["reference"]
    per_seed, macro_f1, texts, of = (
        tables.listed(found.get(name)) for name in ("per_seed", "test_macro_f1", "texts", "of")
    )
    values, worded = per_seed or [found["linear_test_accuracy"]], "test accuracy"
    if metric == "macro-f1":
        values, worded = macro_f1, "test macro-F1"
    line = f"linear reference (TF-IDF + logistic regression): {tables.spread(values)} % {worded}"
    pairs = [(some, all_) for some, all_ in zip(texts, of, strict=False) if number(some) and number(all_)]
    if pairs and pairs[0][0] < pairs[0][1]:
        line += ", trained on {:,} of {:,} texts".format(*pairs[0])
    return tables.text(line)


def headline(shown: dict[str, Any]) -> Text:
    state, where = shown["state"], tables.unverified(shown)
    return Text.assemble(tables.text(shown["id"], "bold"), "  ", (state + where, tables.STATE_STYLES.get(state, "")))


def facts(shown: dict[str, Any]) -> list[Text]:
    """What is compared on what, in two quiet lines."""
    spec, data = shown["spec"], shown["data"]

    schedule, training = tables.mapping(spec.get("schedule")), tables.mapping(spec.get("training"))
    model, dataset, plan = (summary.named(spec, part) or "?" for part in ("model", "data", "schedule"))
    rate, scope = (one if isinstance(one, str | float) else "?" for one in map(schedule.get, ("rate", "scope")))
    rounds_, epochs = tables.count(summary.rounds_of(spec), "round"), tables.count(training.get("epochs"), "epoch")
    how = f"{rounds_} at rate {rate}, {scope}, {epochs}"
    lines = [f"{model} on {dataset}, schedule {plan}: {how}, {tables.count(len(shown['seeds']), 'seed')}"]
    if data.get("train") is not None:
        note = f", {data['note']}" if data.get("note") else ""
        train, valid, test, classes = (tables.amount(data.get(name)) for name in ("train", "valid", "test", "classes"))
        counts = f"{train} texts to train on, {valid} to choose by, {test} to test on"
        lines.append(f"{counts}; {classes} classes, {tables.count(data.get('vocabulary'), 'word')}{note}")
    if (asked := question(spec)) is not None:
        lines.append(asked)
    return [tables.text(line, tables.QUIET) for line in lines]


def question(spec: dict[str, Any]) -> str | None:
    """What a run asks of the tickets of another, in words; None of an ordinary run."""
    origin, asked = summary.origin_of(spec), summary.question_of(spec)
    source, start = (one if isinstance(one, str) else "?" for one in map(origin.get, ("run", "rewind")))
    of = f"round {tables.amount(origin.get('round'))} of {source}, from its rewind point {start}"
    if asked == "transfer":
        return f"a ticket moved here: {of}"
    if asked == "stability":
        return f"two copies in other data orders, and the line between them: {of}"
    return None


def closing(shown: dict[str, Any]) -> list[RenderableType]:
    """The verdict's sentence, the cause of a failure, warnings."""
    parts: list[RenderableType] = []
    verdict = shown.get("verdict")
    if isinstance(verdict, dict) and verdict.get("sentence"):
        won = verdict.get("winning_ticket")
        style = "bold green" if won is True else "bold yellow" if won is False else "bold"
        parts += ["", Text(plain.line(verdict["sentence"], 1000), style=style)]
    if shown.get("cause"):
        word = plain.line(shown["state"]).capitalize()
        parts += ["", tables.text(f"{word}: {shown['cause']}", "red")]
    if shown["state"] in ("orphaned", "failed", "stopped"):
        parts.append(tables.text(f"Go on with: lth resume {shown['id']}", tables.QUIET))
    parts += [tables.text(f"Warning: {warning}", "yellow") for warning in shown.get("warnings", [])[:20]]
    if shown.get("events_skipped"):
        parts.append(tables.text(f"{shown['events_skipped']} unreadable events were passed over.", "yellow"))
    return parts
