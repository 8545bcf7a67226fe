"""The dispatcher killed at random moments, again and again, while twenty jobs wait: each job is run once.

The engines are real processes of `worker --queued`: they take the lock, look whether the run is still queued, write
status and events, and wake a dispatcher at their end. Only their experiment is replaced, by a nap of at most 0.1 s in
place of the training, so that twenty of them take seconds: `sitecustomize` puts a light journal, and a torch that says
"stopped", where the worker imports the real ones.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from engine.places import runs_root
from engine.process import queue
from engine.record import events, liveness, rundir
from tests.faults.trials import figures, trials

JOBS = 20
LIGHT = """
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec


class Light(MetaPathFinder, Loader):
    def find_spec(self, name, path, target=None):
        return ModuleSpec(name, self) if name in ("torch", "engine.process.journal") else None

    def exec_module(self, module):
        if module.__name__ == "torch":
            from engine.errors import Stopped

            raise Stopped
        module.RunJournal = Journal


class Journal:
    def __init__(self, run, stop):
        import random, time
        from engine.record import events

        self.run = run
        began = any(one["event"] == "run_started" for one in events.read(run / events.FILE).events)
        self.log = events.EventLog(run)
        self.log.append("run_resumed" if began else "run_started")
        time.sleep(random.uniform(0, 0.1))

    def stopped(self):
        from engine.record import rundir

        self.log.append("run_finished")
        rundir.write_status(self.run, rundir.read_status(self.run) | {"state": "finished"}, durable=True)


sys.meta_path.insert(0, Light())
"""


@pytest.fixture
def _light_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "light").mkdir()
    (tmp_path / "light" / "sitecustomize.py").write_text(LIGHT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "light"))


@pytest.mark.usefixtures("_light_engines")
def test_a_dispatcher_killed_again_and_again_loses_no_job_and_runs_none_twice(monkeypatch, request):
    killed = jobs = 0
    count = trials(50, 5)
    for trial in range(count):
        chance = random.Random(trial)
        monkeypatch.setenv("LTH_SLOTS", str(chance.randint(2, 4)))
        monkeypatch.setenv("LTH_RUNS", str(runs_root().with_name(f"runs-{trial}")))
        runs = [rundir.create(runs_root(), b"{}", "cnn", "a", "imp") for _ in range(JOBS)]
        for run in runs:
            queue.submit(run)
        killed += _kill_until_all_are_over(runs, chance)
        jobs += len(runs)
        for run in runs:
            told = [one["event"] for one in events.read(run / events.FILE).events]
            assert told == ["run_started", "run_finished"], (trial, run.name, told)
            assert rundir.state(run) == "finished"
    assert killed > count
    figures(request)(f"dispatcher killed {killed} times while {jobs} jobs waited, {count} trials: 0 lost, 0 run twice")


def _kill_until_all_are_over(runs: list[Path], chance: random.Random) -> int:
    """Start dispatchers and kill them until nobody waits; how many were killed.

    Half of the times somebody starts runs at once, as `lth run` does: then the engine that the dead one began may not
    hold its lock yet, and has perhaps said its last word before the second one for the same run begins.
    """
    own, killed = queue.folder(runs_root()), 0
    deadline = time.monotonic() + 300
    while any(rundir.state(run) != "finished" for run in runs):
        assert time.monotonic() < deadline, [rundir.state(run) for run in runs]
        queue.tend(runs_root())
        patience = time.monotonic() + 0.5
        while liveness.holder(own) is None and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.25))
        process = rundir.read_status(own).get("process", {})
        pid = liveness.holder(own)
        if pid and pid == process.get("pid") and liveness.same_process(process, pid):
            os.kill(pid, signal.SIGKILL)
            killed += 1
            if chance.random() < 0.5:
                queue.dispatch(runs_root())
    return killed
