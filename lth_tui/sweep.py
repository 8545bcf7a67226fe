"""What the command line prints of a sweep: its runs ranked, and what each setting did. From the JSON of `lth sweep`."""

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.ranking import REGION
from lth_tui import plain, tables

_WON = {True: ("yes", "bold green"), False: ("no", "bold yellow"), None: ("open", "")}
_LEGEND = (
    "Ranked by each run's own verdict, with no test between runs: confirm the first with other seeds. over reinit: "
    "points of test accuracy and their 95 % CI, over sparsities of {:.0f} to {:.0f} %."
)
_NUMBERS = ("dense %", "match %", "over reinit")


def shown(ranked: dict[str, Any]) -> RenderableType:
    """The whole: runs, settings, and what the columns mean."""
    finished = [row for row in ranked["runs"] if row["state"] == "finished"]
    parts: list[RenderableType] = [_runs(ranked)]
    if finished:
        parts.append(Text(_LEGEND.format(*(100 * end for end in REGION)), tables.QUIET))
    if any(map(_elsewhere, finished)):
        parts.append(Text("*: over all sparsities of the run, for none lies there.", tables.QUIET))
    if warned := sum(row["warnings"] > 0 for row in ranked["runs"]):
        words = (
            f"!: {tables.count(warned, 'run')} with warnings, such as of a weak dense network; `lth show RUN` has them."
        )
        parts.append(Text(words, "yellow"))
    if finished and ranked["settings"]:
        parts += ["", _settings(ranked["settings"])]
        some = "" if len(finished) == len(ranked["runs"]) else f" that {'is' if len(finished) == 1 else 'are'} finished"
        parts.append(Text(f"Means over the {tables.count(len(finished), 'run')}{some}.", tables.QUIET))
    return Group(*parts)


def planned(rows: list[dict[str, Any]], axes: Iterable[str]) -> Table:
    """The runs that a sweep would take up, in order."""
    names = short(axes)
    made = _table("#", *names.values(), "trainings", "state", right=("#", "trainings"))
    for place, row in enumerate(rows, 1):
        made.add_row(str(place), *_chosen(row, names), f"{row['trainings']:,}", _state(row["state"]))
    return made


def short(axes: Iterable[str]) -> dict[str, str]:
    """Each axis under the last part of its path, or the whole path where two end alike."""
    last = [(axis, axis.rpartition(".")[2]) for axis in axes]
    ends = [end for _, end in last]
    return {axis: end if ends.count(end) == 1 else axis for axis, end in last}


def chosen(values: dict[str, Any], axes: Iterable[str]) -> str:
    """What tells one run from the others: `dataset pydoc, rate 0.5`."""
    return ", ".join(f"{name} {worded(values[axis])}" for axis, name in short(axes).items())


def worded(value: Any) -> str:
    """A value of the grid as `--set` takes it, safe to print."""
    if isinstance(value, list):
        return ",".join(map(worded, value))
    return plain.line(str(value).lower() if isinstance(value, bool) else value, 80)


def _runs(ranked: dict[str, Any]) -> Table:
    names = short(one["setting"] for one in ranked["settings"])
    differ = len({row["seeds"] for row in ranked["runs"]}) > 1  # one was extended
    counts = ["seeds"] if differ else []
    made = _table("#", *names.values(), *counts, *_NUMBERS, "ticket", "run", right=("#", *counts, *_NUMBERS))
    for row in ranked["runs"]:
        cells: list[Any] = [str(row["rank"] or ""), *_chosen(row, names), *([str(row["seeds"])] if differ else [])]
        dense = tables.spread(row["dense_accuracy"]) + "!" * (row["warnings"] > 0)
        cells += [dense, _matching(row["matching_sparsity"]), _over(row)]
        done = row["state"] == "finished"
        cells.append(Text(*_WON[row["winning_ticket"]]) if done else _state(row["state"]))
        made.add_row(*cells, tables.text((row["id"] or "").rpartition("-")[2], tables.QUIET))
    return made


def _settings(settings: list[dict[str, Any]]) -> Table:
    names = short(one["setting"] for one in settings)
    made = _table("setting", "value", "tickets", *_NUMBERS[1:], right=("tickets", *_NUMBERS[1:]))
    for one in settings:
        for place, found in enumerate(one["values"]):
            name = "" if place else names[one["setting"]]
            won = f"{found['winning_tickets']} of {found['finished']}" if found["finished"] else "–"
            gap = "–" if found["gap"] is None else f"{100 * found['gap']:+.1f}"
            value = Text(worded(found["value"]))
            made.add_row(Text(name), value, won, _matching(found["matching_sparsity"]), gap)
    return made


def _table(*columns: str, right: Iterable[str]) -> Table:
    """A table whose columns of numbers keep their width; the others fold where the terminal is narrow."""
    made = tables.table(*columns, right=right)
    for column in made.columns:
        column.overflow = "fold"
    return made


def _chosen(row: dict[str, Any], names: dict[str, str]) -> list[Text]:
    return [Text(worded(row["settings"][axis])) for axis in names]


def _state(state: str) -> Text:
    return Text(plain.line(state), tables.STATE_STYLES.get(state, tables.QUIET))


def _matching(sparsity: float | None) -> str:
    return "none" if sparsity == 0 else tables.percent(sparsity)


def _over(row: dict[str, Any]) -> str:
    if row["gap"] is None:
        return "–"
    gap = f"{100 * row['gap']:+.1f}{'*' if _elsewhere(row) else ''}"
    return gap if row["ci95"] is None else "{} [{:+.1f}, {:+.1f}]".format(gap, *(100 * end for end in row["ci95"]))


def _elsewhere(row: dict[str, Any]) -> bool:
    """Whether the gap is over other sparsities than usual, since none of the run's lay there."""
    return row["gap"] is not None and row["region"] is not None and row["region"] != list(REGION)
