"""extensions.jsonl: what `lth extend` added to a run, a JSON object a line: its seeds and rounds from then on.

A run's effective spec is spec.json with the last of them; each is another look at the data, and is counted.
"""

import time
from pathlib import Path
from typing import Any

import orjson

from engine.record import rundir
from engine.record.kinds import is_round, is_seed

FILE = "extensions.jsonl"
_LARGEST = 1 << 20  # bytes; a line has some ten a seed


def read(run: str | Path) -> list[dict[str, Any]]:
    """The extensions in order: `seeds` (a list) and `rounds`, with `at` in seconds since 1970. Lines that are none are
    passed over. Never raises.
    """
    try:
        lines = rundir.content(f"{run}/{FILE}", _LARGEST).split(b"\n")
    except (OSError, ValueError):
        return []
    found = []
    for line in lines:
        try:
            one = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(one, dict) and _seeds(one.get("seeds")) and is_round(one.get("rounds")):
            found.append(one)
    return found


def _seeds(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_seed, value)) and len(set(value)) == len(value)


def append(run: Path, seeds: list[int], rounds: int) -> None:
    """Add one: the run's seeds and rounds are these from now on. The file is replaced, whole and durable."""
    lines = [*read(run), {"at": time.time(), "seeds": seeds, "rounds": rounds}]
    rundir.write_atomically(run / FILE, b"".join(orjson.dumps(line) + b"\n" for line in lines))


def apply(tree: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """A spec, as JSON, with the last of the extensions; a schedule that is none stays as it is."""
    if not found:
        return tree
    schedule = tree.get("schedule")
    extended = {**schedule, "rounds": found[-1]["rounds"]} if isinstance(schedule, dict) else schedule
    return {**tree, "seeds": found[-1]["seeds"], "schedule": extended}


def spec(run: str | Path) -> dict[str, Any]:
    """The effective spec of a run as JSON; empty where spec.json is missing or torn. Never raises."""
    return apply(rundir.read_json(f"{run}/spec.json"), read(run))
