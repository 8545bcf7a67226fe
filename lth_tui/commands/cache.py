"""Commands about the dense rounds that runs share: cache ls, cache clear."""

import math
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import BadInput
from lth_tui import output

if TYPE_CHECKING:
    from rich.table import Table

_OFF = "LTH_CACHE is off, so no dense rounds are kept for later runs."


def cache_ls(json: output.Json = False) -> None:
    """The dense rounds that are kept for later runs, the last used first."""
    from engine.places import cache_root
    from engine.record import room, shared

    root, cap, rows = cache_root(), room.cap(), shared.entries()
    total = sum(row["bytes"] for row in rows)
    if json:
        return output.out({"folder": root and str(root), "cap": cap, "bytes": total, "entries": rows})
    if root is None:
        return output.say(_OFF)
    if rows:
        from lth_tui import tables

        tables.out().print(_table(rows))
    room_taken = f"{_worded(total)} of the {_worded(cap)} that LTH_CACHE_GB allows"
    return output.say(f"{_counted(len(rows))} in {root}, {room_taken}.")


def cache_clear(
    older_than: Annotated[
        float | None, typer.Option("--older-than", metavar="DAYS", help="Only what was not used for so many days.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Remove dense rounds that are kept for later runs. Runs have their own copies, and train what is missing."""
    from engine.places import cache_root
    from engine.record import room

    if older_than is not None and not 0 <= older_than < math.inf:
        raise BadInput(f"--older-than: {older_than:g} given; give a number of days from 0 up, such as 30.")
    root = cache_root()
    gone, freed = room.clear(older_than)
    if json:
        return output.out({"folder": root and str(root), "removed": gone, "bytes": freed})
    if root is None:
        return output.say(_OFF)
    return output.say(f"{_counted(gone)} removed from {root}, {_worded(freed)} freed.")


def _table(rows: list[dict[str, Any]]) -> "Table":
    from lth_tui import tables

    made = tables.table("dense round", "seed", "MB", "made", "used", "by", right=("seed", "MB", "made", "used"))
    now = time.time()
    for row in rows:
        what = "damaged" if row["damaged"] else f"{row['model'] or '?'} on {row['dataset'] or '?'}"
        seed, by = ("–" if row[name] is None else row[name] for name in ("seed", "run"))
        ages = (tables.age(row[name], now) for name in ("created", "used"))
        made.add_row(*map(tables.text, (what, seed, f"{row['bytes'] / 1e6:.1f}", *ages, by)))
    return made


def _counted(rounds: int) -> str:
    return "1 dense round" if rounds == 1 else f"{rounds or 'No'} dense rounds"


def _worded(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"
