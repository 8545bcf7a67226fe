"""An engine that needs no two seconds to import torch: a process that has all of it in memory, and forks one a trial.

What runs is the same `engine.process.worker.main`, in a session of its own, with its output in the run's engine.log.
The process itself trains once before, so that all it ever imports is there; with one thread, so that none is lost in a
fork.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.faults import injection

ROOT = Path(__file__).resolve().parents[2]


class Engine:
    """One engine of a run, forked by the process that waits for its end too."""

    def __init__(self, server: "Warm", pid: int) -> None:
        self.server, self.pid = server, pid

    def wait(self) -> int:
        """Its exit code; a negative signal where it was killed. Until then its pid is nobody else's."""
        self.server.say({"wait": self.pid})
        code: int = self.server.told()["code"]
        return code


class Warm:
    """Our end of the process that forks engines, one after another."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def start(self, run: Path, fault: injection.Fault | None = None, trace: Path | None = None) -> Engine:
        """Start the engine of a run, in our environment. With a fault, or a file for its calls, it counts those."""
        self.say({"run": str(run), "environment": dict(os.environ), "trace": trace and str(trace), "fault": fault})
        return Engine(self, self.told()["pid"])

    def say(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process that forks engines has ended"
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def warm(run: Path) -> Iterator[Warm]:
    """The process that forks engines, once it has worked this run to its end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.faults.warm", str(run)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Warm(process)
    finally:
        process.kill()
        process.communicate()


def _serve(run: Path) -> None:
    from engine.process import worker

    to_test = os.fdopen(os.dup(1), "w")
    _output_to(run)
    assert worker.work(run, worker._StopFlag()) == worker.DONE
    print("ready", file=to_test, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])}
        elif pid := os.fork():
            answer = {"pid": pid}
        else:
            os._exit(_engine(request))
        print(json.dumps(answer), file=to_test, flush=True)


def _engine(plan: dict[str, Any]) -> int:
    from engine.process import worker

    os.setsid()
    os.environ.clear()
    os.environ.update(plan["environment"])
    run = Path(plan["run"])
    _output_to(run)
    calls = None
    if plan["trace"] or plan["fault"]:
        calls = injection.install(run, plan["fault"])
    try:
        return worker.main([str(run)])
    except BaseException:  # what an interpreter does at its end
        with suppress(OSError):
            traceback.print_exc()
        return 1
    finally:
        if calls is not None and plan["trace"]:
            calls.keep(Path(plan["trace"]))


def _output_to(run: Path) -> None:
    """As `launch.detached` has it."""
    log = os.open(run / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
