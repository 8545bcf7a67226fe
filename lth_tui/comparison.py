"""What `lth compare` prints: the runs, what differs between them, and their differences by sparsity."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from lth_tui import chart, one_run, plain, tables
from lth_tui.chart import Curve
from lth_tui.screens.words import number, share

_APART = 0.005  # sparsities further apart are both shown
_CHART = 60  # columns; a narrower chart shows nothing of several curves
_MOST = 60  # characters of a setting's value


def report(
    found: dict[str, Any], runs: list[dict[str, Any]], metric: str, arm: str | None, width: int | None
) -> RenderableType:
    """All of it from `engine.comparison.compare` and the runs themselves. `width` of a terminal draws a chart, too."""
    names = short([run["id"] for run in runs])
    parts: list[RenderableType] = [_runs(found, names), *_settings(found, names)]
    trained = [run["trained"] for run in found["runs"]]
    for place, one in enumerate(found["comparisons"], start=1):
        if trained[0] and trained[place]:
            parts += ["", *_differences(one, names, place, metric, arm)]
    if any(entry["arms"] for one in found["comparisons"] for entry in one["rounds"]):
        parts.append(Text(legend(metric), style=tables.QUIET))
    if (
        arm != "dense"
        and width is not None
        and width >= _CHART
        and (lines := chart.draw(curves(runs, names, arm or "ticket"), None, width, 16))
    ):
        drawn = [Text.assemble(*pieces) for pieces in lines]
        parts += ["", Text(f"{arm or 'ticket'} of each run"), *drawn]
    return Group(*parts)


def short(ids: list[str]) -> list[str]:
    """Each id's last parts, as many as tell the runs apart: of ids as the engine makes them, four signs."""
    most = max(one.count("-") for one in ids) + 1
    for parts in range(1, most + 1):
        names = ["-".join(one.split("-")[-parts:]) for one in ids]
        if len(set(names)) == len(names):
            break
    return [plain.line(name) for name in names]


def _runs(found: dict[str, Any], names: list[str]) -> RenderableType:
    """The runs, each with the sign of its curve."""
    lines = Text()
    for place, (run, name) in enumerate(zip(found["runs"], names, strict=True)):
        marker, colour = chart.style_of(place)
        lines.append("\n" * bool(place))
        lines.append(f"{marker} {name}  ", f"bold {colour}")
        lines.append_text(tables.text(run["id"]))
        lines.append(f"  {plain.line(run['state'])}", tables.STATE_STYLES.get(run["state"], ""))
        lines.append("" if place else "  baseline", tables.QUIET)
        if not run["trained"]:
            lines.append(f"\n  {name} has no trained network yet.")
    return lines


def _settings(found: dict[str, Any], names: list[str]) -> list[RenderableType]:
    if not found["settings"]:
        return ["", tables.text("The settings are the same.")]
    made = tables.table("setting that differs")
    for place, name in enumerate(names):
        marker, colour = chart.style_of(place)
        made.add_column(Text(f"{marker} {name}", style=colour), overflow="fold")
    for path, values in found["settings"].items():
        cells = [Text(setting(values[run["id"]])) if run["id"] in values else Text("–") for run in found["runs"]]
        made.add_row(Text(plain.line(path, 80)), *cells)
    return ["", made]


def setting(value: Any) -> str:
    """A setting as `--set` takes it."""
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    words = ",".join(map(str, value)) if isinstance(value, list) else value
    return plain.line(words, _MOST)


def _differences(
    one: dict[str, Any], names: list[str], place: int, metric: str, arm: str | None
) -> list[RenderableType]:
    """A further run against the baseline: a line for each arm and round they share, arm by arm."""
    head = Text()
    for at, between in ((place, " against "), (0, "")):
        marker, colour = chart.style_of(at)
        head.append(f"{marker} {names[at]}", f"bold {colour}")
        head.append(between)
    made = tables.table("arm", "sparsity %")
    made.columns[1].justify = "right"
    for at in (0, place):
        marker, colour = chart.style_of(at)
        made.add_column(Text(f"{marker} {names[at]}", style=colour), justify="right", no_wrap=True)
    for column in ("difference", "seeds"):
        made.add_column(column, justify="right", no_wrap=True)
    last = ""
    for name, entry in _rows(one):
        compared = entry["arms"][name]
        cells = [level(compared[side], metric) for side in ("baseline", "run")]
        made.add_row(
            tables.text(name if name != last else ""),
            _sparsities(entry),
            *cells,
            gap(compared, metric),
            f"{compared['seeds'][0]} paired" if compared["paired"] else " and ".join(map(str, compared["seeds"])),
        )
        last = name
    parts: list[RenderableType] = [head]
    if made.row_count:
        parts.append(made)
    else:
        which = f"networks of the arm {plain.line(arm)}" if arm else "networks"
        parts.append(Text(f"No {which} of nearly the same sparsity in both.", style=tables.QUIET))
    if one["alone"]:
        rounds = ", ".join(map(str, one["alone"]))
        words = f"Without a round of the baseline's within 10 % of their density: {rounds}."
        parts.append(Text(words, style=tables.QUIET))
    return parts


def _rows(one: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Arm and round in the order they are shown: dense, the ticket, the others; each by sparsity."""
    arms = dict.fromkeys(name for entry in one["rounds"] for name in entry["arms"])
    return [(name, entry) for name in arms for entry in one["rounds"] if name in entry["arms"]]


def _sparsities(entry: dict[str, Any]) -> str:
    """`48.8`, or where the two differ visibly `48.8, 51.2`: the baseline's first, as the columns stand."""
    words = tables.percent(share(entry["sparsity"]))
    return f"{tables.percent(share(entry['baseline_sparsity']))}, {words}" if apart(entry) else words


def apart(entry: dict[str, Any]) -> bool:
    """Whether the sparsities of two rounds that meet differ visibly."""
    theirs, mine = share(entry["baseline_sparsity"]), share(entry["sparsity"])
    return theirs is not None and mine is not None and abs(theirs - mine) > _APART


def level(mean: object, metric: str) -> str:
    """A mean in percent, or in nats."""
    if metric != "loss":
        return tables.percent(mean)
    known = number(mean)
    return "–" if known is None else f"{known:.3f}"


def gap(compared: dict[str, Any], metric: str) -> str:
    """A difference to the baseline and its interval: `+0.2 [-0.1, 0.5]`."""
    one = {"gap": compared["difference"], "ci95": compared["ci95"]}
    return one_run.gap(one, scale=1, digits=3) if metric == "loss" else one_run.gap(one)


def legend(metric: str) -> str:
    """What the numbers are."""
    unit = "nats" if metric == "loss" else "points"
    return (
        f"{one_run.METRICS[metric][1]}, means over the seeds compared; differences to the baseline in {unit} with 95 % "
        "intervals, unadjusted: paired by seed where data and split are the same, else Welch's"
    )


def curves(runs: list[dict[str, Any]], names: list[str], arm: str, metric: str = "accuracy") -> list[Curve]:
    """One curve a run: an arm's mean against sparsity, from the run's dense network on; without points where the run
    has no such arm, so that the others keep their colours.
    """
    found = []
    for run, name in zip(runs, names, strict=True):
        (curve,), dense = chart.curves(run["rounds"], [arm], one_run.METRICS[metric][0])
        start = ((0.0, dense),) if dense is not None and curve.points else ()
        found.append(Curve(name, (*start, *curve.points)))
    return found
