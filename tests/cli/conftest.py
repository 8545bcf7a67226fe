"""What the tests of the command line share: `lth` as a process, `call` in this one, a run to look at, a full disk."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from engine.record import finding
from tests.conftest import write_news

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "model.embedding_dim=8", "model.filters=8", "model.widths=2,3", "data.min_count=1",
    "training.epochs=2", "training.learning_rate=0.01", "schedule.rounds=2", "schedule.rate=0.5", "threads=1",
]  # fmt: skip


def run_arguments(*more: str, seeds: int = 1, dataset: str = "ag_news") -> list[str]:
    """The arguments of a run that takes seconds; `more` are further --set."""
    settings = [part for setting in (*SMALL, *more) for part in ("--set", setting)]
    return ["run", "-m", "cnn", "-d", dataset, "--seeds", str(seeds), *settings]


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return orjson.loads(self.out)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lth_tui.cli", *arguments]


def lth(*arguments: str, **environment: str) -> Said:
    """`lth` as a person runs it: a process of its own, its output kept."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        command(*arguments),
        check=False,
        capture_output=True,
        env=environment,
        timeout=300,
        stdin=subprocess.DEVNULL,
        cwd=environment["HOME"],
    )
    return Said(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def call(*arguments: str) -> Said:
    """`lth` in this process, for what starts no engine."""
    from lth_tui import cli

    result: Result = CliRunner().invoke(cli.app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until the condition holds; so long that only what never comes is waited for in vain."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def runs_here() -> Path:
    return Path(os.environ["LTH_RUNS"])


def only_run() -> Path:
    """The one run of this test."""
    (run,) = finding.run_dirs(runs_here())
    return run


def one_sentence(said: Said) -> str:
    """The one sentence on standard error of a command that was given bad input: exit code 2, nothing else said."""
    assert said.code == 2, said
    assert said.out == ""
    words = said.err.strip("\n")
    assert "\n" not in words, f"more than a sentence: {words}"
    assert "Traceback" not in words
    assert words[-1:] in (".", "?"), f"no sentence: {words}"
    assert words[-2:] != ".."
    assert ": " in words, f"names no field: {words}"
    return words


@pytest.fixture(scope="session")
def journey(tmp_path_factory: pytest.TempPathFactory) -> tuple[Said, Path]:
    """`lth run --json` of three seeds to its end: what it said, and the folder that holds its runs and data."""
    folder = tmp_path_factory.mktemp("journey")
    write_news(folder / "data" / "ag_news")
    places = {"LTH_RUNS": str(folder / "runs"), "LTH_DATA": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "c")}
    return lth(*run_arguments(seeds=3), "--json", **places), folder


@pytest.fixture
def finished(journey: tuple[Said, Path]) -> Path:
    """A finished run of three seeds, this test's own copy of it."""
    (run,) = finding.run_dirs(journey[1] / "runs")
    runs_here().mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(run, runs_here() / run.name))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass
