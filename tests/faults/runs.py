"""Runs small enough to be broken by the hundred, and what must be the same however often one was.

A run has one seed, two pruning rounds with two controls, and 240 texts: seven networks in under two seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from engine import spec as specs
from engine.places import runs_root
from engine.process import launch
from engine.record import checkpoint, events, rundir, summary
from tests.conftest import write_news

SETTINGS = {
    "model.embedding_dim": 8, "model.filters": 8, "model.widths": "2,3", "data.min_count": 1,
    "training.epochs": 2, "training.learning_rate": 0.01, "schedule.rounds": 2, "schedule.rate": 0.5, "threads": 1,
}  # fmt: skip

# By nature not the same twice: when and where, how long, and of what id.
_OWN = {"id", "created", "seconds", "time", "seconds_left", "linear_seconds", "versions", "process", "host", "shared"}


@contextmanager
def world(folder: Path) -> Iterator[None]:
    """Runs, data and caches below a folder, for a fixture that serves many tests; the small ag_news is there."""
    write_news(folder / "data" / "ag_news")
    with pytest.MonkeyPatch.context() as patch:
        for name, part in (("LTH_RUNS", "runs"), ("LTH_DATA", "data"), ("XDG_CACHE_HOME", "cache")):
            patch.setenv(name, str(folder / part))
        yield


def new_run(runs: Path | None = None, seeds: int = 1, **changes: Any) -> Path:
    """A queued run of the small ag_news."""
    return launch.new_run(
        runs or runs_root(), specs.compose("cnn", "ag_news", seeds=seeds, settings=SETTINGS | changes)
    )


def final(run: Path) -> dict[str, Any]:
    """All that a finished run came to: what `lth show --json` says of it, and its masks and weights to the last bit."""
    paths = sorted(path for folder in ("tickets", "checkpoints") for path in (run / folder).glob("[!.]*"))
    return {"shown": _same(summary.show(run)), "files": {path.name: _digest(path) for path in paths}}


def _same(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _same(one) for key, one in value.items() if key not in _OWN}
    return [_same(one) for one in value] if isinstance(value, list) else value


def _digest(path: Path) -> str:
    """A hash of a file's content; safetensors writes its metadata in any order."""
    if path.suffix == ".json":
        return blake2b(path.read_bytes()).hexdigest()
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        metadata = sorted((file.metadata() or {}).items())
    told = [(name, str(one.dtype), one.shape, one.tobytes()) for name, one in tensors.items()]
    return blake2b(repr((metadata, told)).encode()).hexdigest()


def check_readable(run: Path) -> list[dict[str, Any]]:
    """Whatever happened to its engine, every file of a run is as it was or as it is to be; its events are returned.

    A round that an event calls finished has its mask on the disk, one that has a checkpoint its weights.
    """
    told = events.read(run / events.FILE)
    assert told.bad == 0, "no line of the events is torn"
    assert [one["seq"] for one in told.events] == list(range(len(told.events)))
    for name in ("spec.json", "status.json"):
        rundir.load_json(run / name)
    shown = summary.show(run)
    assert shown["events_skipped"] == 0
    for one in told.events:
        if one["event"] == "round_finished":
            checkpoint.load_mask(run, one["seed"], one["round"])
            checkpoint.load_rewind(run, one["seed"])
        elif one["event"] == "checkpoint":
            kept = checkpoint.load_standing(run, one["seed"])
            assert kept is not None and kept[0] >= one["round"]
    if shown["state"] == "finished":
        assert told.events[-1]["event"] == "run_finished" and shown["verdict"]
    return told.events


def trained_again(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """(seed, round) of each checkpoint told in `before` that an engine has trained for a second time since."""
    kept = {(one["seed"], one["round"]) for one in before if one["event"] == "checkpoint"}
    return [
        key
        for one in after[len(before) :]
        if one["event"] == "trained" and (key := (one["seed"], one["round"])) in kept
    ]
