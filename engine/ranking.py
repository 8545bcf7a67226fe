"""What makes tickets better? The runs of a sweep that exist, ranked by their verdicts, and what each setting did.

Numbers are those of `lth show --json`. Nothing here tests one run against another: a verdict compares the networks of
one run, and the order of two runs may be chance.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any

from engine import spec as specs
from engine.errors import BadInput
from engine.record import finding, rundir, summary
from engine.sweep import Cell, Sweep

NOT_BEGUN = "not begun"  # the state of a run that nobody has made yet
REGION = (0.5, 0.95)  # engine.stats has it too, and needs scipy
Row = dict[str, Any]

_ENOUGH = 3  # seeds from which there is a verdict
_VERDICTS = {True: 0, None: 1, False: 2}  # a ticket, perhaps one, none


def existing(runs: Path, cells: Sequence[Cell]) -> list[Path | None]:
    """For each of the cells the run of exactly its spec, whoever made it; None where there is none.

    Of several a finished one, else one at work, else the newest. What `lth extend` added to a run later does not count:
    it is still the run that was asked for, and more.
    """
    wanted = [specs.dump(cell.spec) for cell in cells]
    known = set(wanted)
    names = {(cell.spec.model.name, cell.spec.data.name, cell.spec.schedule.name) for cell in cells}
    found: dict[bytes, tuple[int, Path]] = {}
    for run in finding.run_dirs(runs):
        tree = rundir.read_json(run / "spec.json")
        if tuple(summary.named(tree, part) for part in ("model", "data", "schedule")) not in names:
            continue  # checking a spec costs more than reading it
        with suppress(BadInput):
            asked = specs.dump(specs.load(run / "spec.json"))
            state = rundir.state(run)
            place = 0 if state == "finished" else 1 if state in rundir.ACTIVE else 2
            if asked in known and (asked not in found or place < found[asked][0]):
                found[asked] = (place, run)
    return [found[asked][1] if asked in found else None for asked in wanted]


def ranked(runs: Path, sweep: Sweep) -> dict[str, Any]:
    """The sweep as `lth sweep FILE --json` prints it: its runs, the best first, and what each varied setting did."""
    rows = [_row(cell, run) for cell, run in zip(sweep.cells, existing(runs, sweep.cells), strict=True)]
    rows.sort(key=_order)
    for place, row in enumerate(rows, 1):
        row["rank"] = place if row["state"] == "finished" else None
    return {"name": sweep.name, "file": sweep.path, "runs": rows, "settings": _settings(rows, sweep.axes)}


def _row(cell: Cell, run: Path | None) -> Row:
    """One run: accuracies, sparsities and gaps are fractions, None where not known.

    `matching_sparsity` is 0 where no pruned round matches the dense network, None where the seeds are too few to tell.
    """
    row: Row = {
        "rank": None,
        "id": None,
        "state": NOT_BEGUN,
        "settings": cell.chosen,
        "seeds": len(cell.spec.seeds),
        "dense_accuracy": [],
        "warnings": 0,
        **dict.fromkeys(("winning_ticket", "matching_sparsity", "gap", "ci95", "region", "sentence")),
    }
    if run is None:
        return row
    shown = summary.show(run)
    of_dense = (r["arms"]["dense"]["test_accuracy"] for r in shown["rounds"] if "dense" in r["arms"])
    row |= {"id": run.name, "state": shown["state"], "seeds": len(shown["seeds"])}
    row |= {"dense_accuracy": next(of_dense, []), "warnings": len(shown["warnings"])}
    if shown["state"] != "finished":
        return row
    verdict = _object(shown["verdict"])
    against = _object(_object(verdict.get("against")).get("reinit"))
    matching, won = _share(verdict.get("matching_sparsity")), verdict.get("winning_ticket")
    enough = (_number(verdict.get("seeds")) or 0) >= _ENOUGH
    if matching is None and enough and any(r["round"] > 0 for r in shown["rounds"]):
        matching = 0.0
    return row | {
        "winning_ticket": won if isinstance(won, bool) else None,
        "matching_sparsity": matching,
        "gap": _number(against.get("gap")),
        "ci95": _pair(against.get("ci95")),
        "region": _pair(verdict.get("region")),
        "sentence": verdict["sentence"] if isinstance(verdict.get("sentence"), str) else None,
    }


def _order(row: Row) -> tuple[Any, ...]:
    """Winning tickets, open ones, none; each by matching sparsity, then by the gap; what is not finished comes last."""
    if row["state"] != "finished":
        return (len(_VERDICTS),)
    matching, gap = (-math.inf if value is None else value for value in (row["matching_sparsity"], row["gap"]))
    return _VERDICTS[row["winning_ticket"]], -matching, -gap


def _settings(rows: Sequence[Row], axes: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """What each value of each varied setting gave, over the finished runs that have it."""
    return [
        {"setting": axis, "values": [_marginal(rows, axis, value) for value in values]} for axis, values in axes.items()
    ]


def _marginal(rows: Sequence[Row], axis: str, value: Any) -> dict[str, Any]:
    having = [row for row in rows if repr(row["settings"][axis]) == repr(value)]  # 1, 1.0 and true are equal
    finished = [row for row in having if row["state"] == "finished"]

    def mean(name: str) -> float | None:
        known = [row[name] for row in finished if row[name] is not None]
        return fmean(known) if known else None

    return {
        "value": value,
        "runs": len(having),
        "finished": len(finished),
        "winning_tickets": sum(row["winning_ticket"] is True for row in finished),
        "matching_sparsity": mean("matching_sparsity"),
        "gap": mean("gap"),
    }


def _object(value: object) -> dict[str, Any]:
    """What a run's files say is foreign: of another type than it should have, it is not known."""
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    sound = type(value) in (int, float) and abs(value) < 1e15  # type: ignore[arg-type]
    return value if sound else None  # type: ignore[return-value]


def _share(value: object) -> float | None:
    known = _number(value)
    return known if known is not None and 0 <= known <= 1 else None


def _pair(value: object) -> list[float] | None:
    known = [one for one in map(_number, value) if one is not None] if isinstance(value, list) else []
    return known if len(known) == 2 else None
