"""Runs small enough to be broken by the hundred, and what must be the same however often one was.

A run has one seed, two pruning rounds with two controls, and 240 texts: seven networks in under two seconds.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Any

from safetensors import safe_open

from engine import spec as specs
from engine.places import runs_root
from engine.process import launch
from engine.record import summary

SETTINGS = {
    "model.embedding_dim": 8, "model.filters": 8, "model.widths": "2,3", "data.min_count": 1,
    "training.epochs": 2, "training.learning_rate": 0.01, "schedule.rounds": 2, "schedule.rate": 0.5, "threads": 1,
}  # fmt: skip

# By nature not the same twice: when and where, how long, and of what id.
_OWN = {"id", "created", "seconds", "time", "seconds_left", "linear_seconds", "versions", "process", "host", "shared"}


def new_run(runs: Path | None = None, seeds: int = 1, **changes: Any) -> Path:
    """A queued run of the small ag_news."""
    return launch.new_run(
        runs or runs_root(), specs.compose("cnn", "ag_news", seeds=seeds, settings=SETTINGS | changes)
    )


def final(run: Path) -> dict[str, Any]:
    """All that a finished run came to: what `lth show --json` says of it, and its masks and weights to the last bit."""
    paths = sorted(path for folder in ("tickets", "checkpoints") for path in (run / folder).iterdir())
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
