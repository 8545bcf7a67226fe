"""Who lives and who does not, where pids, boots, hosts and lock files are not what a status says; and nobody is hurt.

Further cases, one function at a time, are in tests/record/test_liveness.py.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.process import launch
from engine.record import history, liveness, rundir
from tests.cli.conftest import call, one_sentence
from tests.faults.trials import figures
from tests.record.real_runs import ROOT, engine, make


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Where `lth` looks too."""
    return tmp_path / "runs"


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is none of ours, leading a group of its own with a child in it; both must be alive at the end."""
    process = subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        yield process
        assert process.poll() is None, "a foreign process was signalled"
        os.kill(child, 0)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def seconds_until(run: Path, state: str) -> float:
    """How long until `lth ls` and `lth show` tell the state; they must within 2 s."""
    began = time.monotonic()
    while True:
        ((listed,), _), shown = history.refresh(run.parent), call("show", run.name, "--json").json["state"]
        if listed["state"] == shown == state == call("ls", "--json").json[0]["state"]:
            return time.monotonic() - began
        assert time.monotonic() - began < 2, f"{listed['state']}, {shown} and not {state}"


def leave_alone(run: Path) -> None:
    """No kind of stop may signal anybody."""
    assert not launch.ask_to_stop(run)
    assert not launch.end(run)
    for more in ([], ["--now"]):
        one_sentence(call("stop", run.name, *more))


def recorded(run: Path, pid: int, **forged: Any) -> None:
    rundir.write_status(run, {"state": "running", "process": {**liveness.identity(pid), **forged}})


FORGED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "a reused pid": lambda me: {"start_ticks": me["start_ticks"] - 100},
    "a changed boot id": lambda me: {"boot_id": "0f0f0f0f-0000-4000-8000-000000000000"},
    "a reused pid after a reboot": lambda me: {"boot_id": "another", "start_ticks": me["start_ticks"] - 100},
    "no start": lambda me: {"start_ticks": None},
}


@pytest.mark.parametrize("how", FORGED)
def test_the_pid_of_a_dead_engine_is_now_a_strangers(
    runs: Path, bystander: "subprocess.Popen[bytes]", request: pytest.FixtureRequest, how: str
) -> None:
    run = make(runs)
    recorded(run, bystander.pid, **FORGED[how](liveness.identity(bystander.pid)))
    seconds = seconds_until(run, "orphaned")
    leave_alone(run)
    figures(request)(f"{how}: orphaned after {seconds:.2f} s, no foreign signal")


@pytest.mark.parametrize("how", FORGED)
def test_a_stranger_that_holds_the_lock_is_not_signalled_either(
    runs: Path, request: pytest.FixtureRequest, how: str
) -> None:
    run = make(runs)
    with engine(run) as stranger:
        recorded(run, stranger.pid, **FORGED[how](liveness.identity(stranger.pid)))
        seconds = seconds_until(run, "running")
        leave_alone(run)
        recorded(run, 1)
        leave_alone(run)
        recorded(run, os.getpid())
        leave_alone(run)
        assert stranger.poll() is None
    figures(request)(f"{how}, its lock held: running after {seconds:.2f} s, no foreign signal")


def test_an_engine_that_is_a_zombie_is_dead(runs: Path, request: pytest.FixtureRequest) -> None:
    run = make(runs)
    with engine(run) as child:
        recorded(run, child.pid)
        seconds_until(run, "running")
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        seconds = seconds_until(run, "orphaned")
        leave_alone(run)
    figures(request)(f"a zombie: orphaned after {seconds:.2f} s")


def test_an_engine_of_another_host_is_what_its_status_says(
    runs: Path, bystander: "subprocess.Popen[bytes]", request: pytest.FixtureRequest
) -> None:
    run = make(runs)
    recorded(run, bystander.pid, host="elsewhere", boot_id="another")
    seconds = seconds_until(run, "running")
    leave_alone(run)
    recorded(run, bystander.pid, host="elsewhere", boot_id=None)
    leave_alone(run)
    figures(request)(f"another host: running after {seconds:.2f} s, no foreign signal")


def test_a_host_that_was_renamed_since_is_this_one(runs: Path, request: pytest.FixtureRequest) -> None:
    run = make(runs)
    with engine(run) as child:
        recorded(run, child.pid, host="the old name")
        seconds_until(run, "running")
    seconds = seconds_until(run, "orphaned")
    figures(request)(f"a renamed host: orphaned after {seconds:.2f} s")


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_an_engine_whose_lock_file_was_taken_away_lives_and_stays_the_only_one(
    runs: Path, request: pytest.FixtureRequest, how: str
) -> None:
    run = make(runs)
    with engine(run) as child:
        recorded(run, child.pid)
        (run / rundir.LOCK).unlink()
        if how == "replaced":
            (run / rundir.LOCK).touch()
        seconds = seconds_until(run, "running")
        with pytest.raises(launch.LaunchFailed, match="held by another engine"):
            launch.start(run)
        assert rundir.state(run) == "running"
        assert "follow it with" in one_sentence(call("resume", run.name))
        assert "working engine" in one_sentence(call("rm", run.name))
        leave_alone(run)
        assert child.poll() is None
    dead = seconds_until(run, "orphaned")
    figures(request)(f"a lock file {how}: running after {seconds:.2f} s, once killed orphaned after {dead:.2f} s")


IN_A_NAMESPACE = """
import sys, time
from pathlib import Path
from engine.record import liveness, rundir

run = Path(sys.argv[1])
rundir.hold(run)
rundir.write_status(run, {"state": "running", "process": liveness.identity()})
print("held", flush=True)
time.sleep(600)
"""


def test_an_engine_of_another_pid_namespace_lives_and_is_not_taken_for_the_process_of_that_number_here(
    runs: Path, request: pytest.FixtureRequest
) -> None:
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode
    ):
        pytest.skip("a pid namespace can be made by root only")
    run = make(runs)
    words = [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        sys.executable,
        "-c",
        IN_A_NAMESPACE,
        str(run),
    ]
    container = subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert container.stdout is not None
    try:
        assert container.stdout.readline() == b"held\n"
        process = orjson.loads((run / "status.json").read_bytes())["process"]
        assert process["pid"] == 1, "which is another process out here"
        assert process["host"] == socket.gethostname()
        seconds = seconds_until(run, "running")
        leave_alone(run)
        assert container.poll() is None
    finally:
        container.kill()
        container.wait()
        container.stdout.close()
    dead = seconds_until(run, "orphaned")
    leave_alone(run)
    figures(request)(f"another pid namespace: running after {seconds:.2f} s, once killed orphaned after {dead:.2f} s")
