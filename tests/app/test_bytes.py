"""What reaches the terminal while one watches: what changed, and nothing while nothing does. Bytes, no times."""

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import spec as specs
from engine.record import liveness, rundir
from tests.bench.live import ARMS, Hand
from tests.bench.terminal import on_terminal
from tests.cli.conftest import command

MOST = 600  # bytes for one change
QUIET = 3.0  # seconds, of which the app looks each


@pytest.fixture
def run(runs: Path) -> Path:
    """At work, and so old that its age does not change meanwhile."""
    content = specs.dump(specs.compose("cnn", "ag_news", settings={"training.epochs": 50, "schedule.rounds": 10}))
    begun = datetime.now() - timedelta(days=10, hours=5)
    old = runs / rundir.new_id("cnn", "ag_news", "imp", begun)
    rundir.create(runs, content, "cnn", "ag_news", "imp").rename(old)
    liveness.hold(old)
    progress = {"trainings": 31, "trainings_done": 4, "fraction": 0.5, "seconds_left": 3000.0}
    status = {"state": "running", "process": rundir.identity(), "started": begun.timestamp(), "progress": progress}
    rundir.write_status(old, status)
    return old


def test_a_change_of_one_run_writes_little_and_no_change_nothing(run: Path) -> None:
    with on_terminal(command()) as app:
        app.until("50%", app.began)
        app.quiet(QUIET)
        began = time.perf_counter()
        time.sleep(QUIET)
        assert app.since(began) == b""
        for percent in (51, 63):
            status = rundir.read_status(run)
            status["progress"] |= {"fraction": percent / 100}
            changed = time.perf_counter()
            rundir.write_status(run, status)
            app.until(f"{percent}%", changed)
            app.quiet(QUIET)
            assert 0 < len(app.since(changed)) <= MOST


def test_an_epoch_writes_little_on_the_runs_own_screen_and_no_change_nothing(run: Path) -> None:
    engine = Hand(run)
    engine.trained(0, "dense", 0.61)
    for arm in ARMS:
        engine.trained(1, arm, 0.6)
    engine.epoch(2, "ticket", 8)
    with on_terminal(command("--run", run.name)) as app:
        app.until("epoch 8 of 50", app.began)
        app.quiet(QUIET)
        began = time.perf_counter()
        time.sleep(QUIET)
        assert app.since(began) == b""
        for epoch in (9, 10):
            told = time.perf_counter()
            assert engine.epoch(2, "ticket") == epoch
            app.until(f"epoch {epoch} of 50", told)
            app.quiet(QUIET)
            assert 0 < len(app.since(told)) <= MOST
