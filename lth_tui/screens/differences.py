"""The tables of the screen that compares runs, and its sentences; each run keeps the sign and colour of its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.record import summary
from lth_tui import chart, comparison, one_run, plain
from lth_tui.screens import words
from lth_tui.screens.comparing import Member
from lth_tui.widgets.table import Cell, Column, Piece, Row

MEMBERS = (
    Column("run", 12, grow=1, most=20),
    Column("", 6, keep=95),
    Column("state", 10, keep=80),
    Column("model", 5, grow=1, most=10, keep=60),
    Column("dataset", 8, grow=1, most=14, keep=70),
    Column("schedule", 10, grow=1, most=16, keep=50),
    Column("seeds", 5, right=True, keep=40),
    Column("dense", 6, right=True, keep=55),
    Column("", 10, grow=20, keep=10),
)
WIDTHS = {"accuracy": 18, "macro-f1": 18, "loss": 23}  # of a difference with its interval
_UNKNOWN: Cell = [("·", "dim")]


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    key: str
    cells: Row


def sign(place: int, name: str) -> list[Piece]:
    """`● 7f3a` in the colour of its curve."""
    marker, colour = chart.style_of(place)
    return [(f"{marker} {name}", colour)]


def members(runs: list[Member], base: int, hidden: set[int], metric: str) -> list[Line]:
    """A row a run."""
    return [Line(one.id, _member(one, place, place == base, place in hidden, metric)) for place, one in enumerate(runs)]


def _member(one: Member, place: int, base: bool, hidden: bool, metric: str) -> Row:
    spec, rounds = one.view["spec"], one.view["rounds"]
    dense = next((entry["arms"]["dense"] for entry in rounds if "dense" in entry["arms"]), {})
    named = [plain.line(summary.named(spec, part) or "?", 40) for part in ("model", "data", "schedule")]
    return (
        [(f"  {one.name}", "dim")] if hidden else sign(place, one.name),
        [("base", "dim" if hidden else "accent")] if base else [("hidden", "dim")] if hidden else "",
        [words.state(one.view["state"])],
        *named,
        str(len(one.view["seeds"]) or "?"),
        _mean(dense, metric),
        [(plain.line(one.id, 80), "dim")],
    )


def _mean(lists: dict[str, list], metric: str) -> str:
    found = chart.mean(lists.get(one_run.METRICS[metric][0], []))
    return "·" if found is None else comparison.level(found, metric)


def beside(first: tuple[Column, ...], runs: list[Member], places: list[int], wanted: int, width: int) -> list[Column]:
    """Columns, then one a run; where there is no room for all of them the `wanted` one stays."""
    return [
        *first,
        *(
            Column(sign(place, runs[place].name), width, True, 1, 95 if place == wanted else 90 - at, width + 8)
            for at, place in enumerate(places)
        ),
    ]


def aligned(found: dict[str, Any], runs: list[Member], base: int, arm: str, metric: str) -> list[Line]:
    """The base's rounds by sparsity, each with the other runs' differences to it. A round that meets none of the base's
    stands between them, with the run's own mean.
    """
    others = [place for place in range(len(runs)) if place != base]
    against = {one["run"]: one for one in found["comparisons"]}
    rows: list[tuple[str, float | None, Cell, dict[int, Cell]]] = []
    for entry, name in _trained(runs[base], arm):
        told = {place: _met(against[runs[place].id], entry, name, metric) for place in others}
        for at in range(max(1, *map(len, told.values()), 1)):  # several of a run's rounds may meet the same one
            meeting = {place: cells[at] for place, cells in told.items() if at < len(cells)}
            mean = "" if at else _mean(entry["arms"][name], metric)
            rows.append((name, entry["sparsity"], mean, meeting))
    for place in others:
        for entry, name in _trained(runs[place], arm):
            if entry["round"] in against[runs[place].id]["alone"]:
                mean = _mean(entry["arms"][name], metric)
                rows.append((name, entry["sparsity"], _UNKNOWN, {place: [(mean, "dim")]}))
    rows.sort(key=lambda row: (row[0] != "dense", row[1] is None, row[1] or 0))
    return [
        Line(str(at), (_sparsity(name, sparsity), mean, *(told.get(place, _UNKNOWN) for place in others)))
        for at, (name, sparsity, mean, told) in enumerate(rows)
    ]


def _trained(run: Member, arm: str) -> list[tuple[dict[str, Any], str]]:
    """The rounds that have networks of an arm, and the dense one."""
    return [(entry, name) for entry in run.view["rounds"] for name in ("dense", arm) if name in entry["arms"]]


def _met(one: dict[str, Any], entry: dict[str, Any], name: str, metric: str) -> list[Cell]:
    """The differences of the rounds that meet one of the base's; with their sparsity, where it visibly is another."""
    found: list[Cell] = []
    for met in one["rounds"]:
        if met["baseline_round"] == entry["round"] and name in met["arms"]:
            compared = met["arms"][name]
            gap, _, interval = comparison.gap(compared, metric).partition(" ")
            ends = compared["ci95"]
            sure = ends is not None and (ends[0] > 0 or ends[1] < 0)
            other = f" @ {words.percent(met['sparsity'])}" if comparison.apart(met) else ""
            found.append([(gap, "strong" if sure else ""), (f" {interval}{other}" if interval else other, "dim")])
    return found


def _sparsity(name: str, sparsity: float | None) -> Cell:
    return [("dense", "dim")] if name == "dense" else words.sparsity(sparsity)


def settings(found: dict[str, Any], order: list[Member]) -> list[Line]:
    """The settings that are not the same in all runs, a column a run."""
    if not found["settings"]:
        return [Line("", ([("the same in all of these runs", "dim")],))]
    return [
        Line(path, (plain.line(path, 80), *(_setting(values, one.id) for one in order)))
        for path, values in found["settings"].items()
    ]


def _setting(values: dict[str, Any], run: str) -> Cell:
    return comparison.setting(values[run]) if run in values else _UNKNOWN


def sentences(found: dict[str, Any] | None, runs: list[Member], base: int, arm: str) -> list[str]:
    """What is to be known of the numbers: who cannot be compared and why, how each interval was found."""
    told = [one.trouble for one in runs if one.trouble]
    if len(runs) == 1:
        told.append("Only one run is here: mark another beside it to compare the two.")
    if found is None:
        return told
    mine, name = runs[base], runs[base].name
    for one in found["comparisons"]:
        other = next(run for run in runs if run.id == one["run"])
        if other.trouble or mine.trouble:
            continue
        sets = [summary.named(run.view["spec"], "data") or "?" for run in (other, mine)]
        if sets[0] != sets[1]:
            told.append(
                f"{other.name} is of {plain.line(sets[0], 40)} and {name} of {plain.line(sets[1], 40)}: "
                "their difference tells of the datasets, too."
            )
        if arm not in {each for entry in other.view["rounds"] for each in entry["arms"]}:
            told.append(f"{other.name} has no network of the arm {plain.line(arm, 40)} yet.")
            continue
        if not any(arm in entry["arms"] for entry in one["rounds"]):
            told.append(f"{other.name} has no round of nearly the sparsity of one of {name}.")
    return told


def legend(found: dict[str, Any], runs: list[Member], arm: str, metric: str) -> str:
    """What the numbers of the table are, and by how many seeds each run is compared."""
    names = {run.id: run.name for run in runs}
    told = []
    for one in found["comparisons"]:
        here = [entry["arms"][arm] for entry in one["rounds"] if arm in entry["arms"]]
        pairs = {each["seeds"][0] for each in here if each["paired"]}
        apart = {"{} and {}".format(*each["seeds"]) for each in here if not each["paired"]}
        ways = [f"{_either(pairs)} seeds, paired"] if pairs else []
        ways += [f"{_either(apart)} seeds, by Welch"] if apart else []
        told += [f"{names[one['run']]} {' or '.join(ways)}"] if ways else []
    unit = "nats" if metric == "loss" else "points"
    return f"Differences in {unit} with 95 % intervals, unadjusted{'; ' if told else ''}{' · '.join(told)}."


def _either(values: set[Any]) -> str:
    return " or ".join(map(str, sorted(values)))


def how(key: Callable[[str], str]) -> list[tuple[str, str]]:
    """How runs come here, in pieces of text and their styles; `key` tells the key of a name of the registry."""
    steps = (
        ("app.go.runs", "the runs"),
        ("runs.mark", "marks one there, and another"),
        ("runs.compare", "compares those that are marked"),
    )
    return [
        ("Nothing to compare yet\n\n", "bold $accent"),
        ("Two runs or more are laid over one another here: their curves, their differences at each sparsity, ", ""),
        ("and the settings in which they differ.\n\n", ""),
        *(piece for name, said in steps for piece in ((f"  {key(name):<8}", "bold $primary"), (f"{said}\n", ""))),
    ]
