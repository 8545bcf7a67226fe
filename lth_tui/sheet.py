"""Runs and rounds as csv (RFC 4180) that a spreadsheet may open: foreign text in it is never a formula.

Numbers of ours are written in full, a text that a spreadsheet would compute gets an apostrophe before it.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from engine.record import summary
from lth_tui import plain
from lth_tui.screens.words import mapping

# What begins a formula, wide signs too; and the apostrophe, so that ours can be told from theirs.
_COMPUTED = "=+-@＝＋－＠'"
_LONGEST = 10_000  # characters of a cell; spreadsheets take 32,767

_RUN = ("id", "name", "state", "unverified", "model", "dataset", "schedule", "arms", "seeds", "rounds", "created",
        "finished", "tags", "sentence", "cause")  # fmt: skip


def cell(value: object) -> str:
    """One value: nothing for None and for what is no number, lists as words, foreign text made safe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value) if math.isfinite(value) else ""
    words = plain.line("; ".join(map(str, value)) if isinstance(value, list | tuple) else value, _LONGEST)
    return f"'{words}" if words.strip()[:1] and words.strip()[0] in _COMPUTED else words


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A header and rows, each ended by CR LF."""
    made = io.StringIO()
    lines = csv.writer(made, lineterminator="\r\n")
    lines.writerow(columns)
    lines.writerows([cell(value) for value in row] for row in rows)
    return made.getvalue()


def runs(summaries: Iterable[dict[str, Any]]) -> str:
    """A line a run: what `lth ls --json` tells, its best ticket in columns of their own."""
    found = list(summaries)
    best = [mapping(one.get("best")) for one in found]
    progress = [mapping(one.get("progress")).get("fraction") for one in found]
    keys = sorted({key for one in best for key in one if isinstance(one[key], int | float)})
    columns = [*_RUN, "progress", *(f"best_{plain.line(key, 100)}" for key in keys)]
    rows = zip(found, progress, best, strict=True)
    return table(columns, ([*map(run.get, _RUN), done, *map(told.get, keys)] for run, done, told in rows))


def rounds(shown: dict[str, Any]) -> str:
    """A line a trained network, from `lth show --json`: run, round, sparsity, arm, seed, and each metric."""
    columns = ["run", "round", "sparsity", "total_sparsity", "nonzero", "arm", "seed", *summary.METRICS, "parameters"]

    def rows() -> Iterable[list[object]]:
        for entry in shown["rounds"]:
            for arm, lists in entry["arms"].items():
                for place, seed in enumerate(shown["seeds"]):
                    found = [_at(lists.get(name), place) for name in (*summary.METRICS, "parameters")]
                    if any(one is not None for one in found):
                        where = map(entry.get, ("round", "sparsity", "total_sparsity", "nonzero"))
                        yield [shown["id"], *where, arm, seed, *found]

    return table(columns, rows())


def comparison(found: dict[str, Any]) -> str:
    """A line an arm and a sparsity that a run shares with the baseline, from `lth compare --json`."""
    means = ("baseline", "run", "difference")
    columns = ["metric", "baseline", "run", "arm", "baseline_round", "round", "baseline_sparsity", "sparsity"]
    columns += ["baseline_mean", "run_mean", "difference", "ci95_low", "ci95_high", "paired", "baseline_seeds", "seeds"]

    def rows() -> Iterable[list[object]]:
        for one in found["comparisons"]:
            for entry in one["rounds"]:
                where = [entry[name] for name in columns[4:8]]
                for arm, told in entry["arms"].items():
                    numbers = [*map(told.get, means), *(told["ci95"] or (None, None)), told["paired"], *told["seeds"]]
                    yield [found["metric"], found["baseline"], one["run"], arm, *where, *numbers]

    return table(columns, rows())


def write(folder: Path, name: str, text: str) -> tuple[str, str]:
    """Put a sheet into a new file of a folder, replacing none; what came of it in a sentence, and its severity."""
    for number in range(1, 1000):
        path = folder / f"{name}{f'-{number}' if number > 1 else ''}.csv"
        try:
            with path.open("x", newline="", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            return f"{path} could not be written ({error.strerror or error}).", "error"
        return f"Written: {path}", "information"
    return f"{folder} has a thousand sheets of this name already; remove some.", "error"


def _at(values: object, place: int) -> object:
    return values[place] if isinstance(values, list) and place < len(values) else None
