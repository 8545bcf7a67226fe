"""Runs of real files in a temporary folder, and a child process that holds a run's lock as an engine does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from engine.record import rundir

ROOT = Path(rundir.__file__).resolve().parents[2]
SPEC: dict[str, Any] = {
    "version": 1,
    "model": {"name": "cnn"},
    "data": {"name": "pydoc"},
    "schedule": {"name": "imp", "rounds": 2},
    "arms": ["ticket", "reinit"],
    "seeds": [7, 3],
}


def make(runs: Path, **status: Any) -> Path:
    """A new run; with a status where one is given."""
    run = rundir.create(runs, orjson.dumps(SPEC), "cnn", "pydoc", "imp")
    if status:
        rundir.write_status(run, status)
    return run


def many(runs: Path, count: int, state: str = "finished") -> list[Path]:
    """So many runs, a second apart, made faster than `create` makes them."""
    made = []
    for number in range(count):
        run = runs / f"20261122-{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}-pydoc-cnn-imp-{number:04x}"
        run.mkdir(parents=True)
        (run / "spec.json").write_bytes(orjson.dumps(SPEC))
        best = {"round": number % 3, "test_accuracy": number / 7}
        (run / "status.json").write_bytes(orjson.dumps({"state": state, "best": best}))
        made.append(run)
    return made


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".") and path.name != ".history.lock"]


def python(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@contextmanager
def engine(run: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the run's lock, and says so before this yields."""
    code = (
        "import sys, time; from pathlib import Path; from engine.record import rundir\n"
        "rundir.hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
    )
    child = python(code, run)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "held\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
