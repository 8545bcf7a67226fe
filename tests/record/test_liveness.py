"""Who is alive: asked of real processes, which are really killed."""

import os
import signal
import socket
from pathlib import Path

import pytest

from engine.record import liveness, rundir
from tests.record.real_runs import engine, make, python


def test_the_holder_is_known_until_it_is_killed_and_the_run_is_then_orphaned(runs: Path) -> None:
    run = make(runs, state="running")
    assert rundir.holder(run) is None
    assert rundir.state(run) == "orphaned"
    with engine(run) as child:
        for _ in range(3):  # asking does not take it
            assert rundir.holder(run) == child.pid
            assert rundir.state(run) == "running"
        with pytest.raises(rundir.LockHeld, match=str(child.pid)):
            rundir.hold(run)
        assert rundir.holder(run) == child.pid
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, but a zombie: nobody has collected it
        assert rundir.holder(run) is None
        assert rundir.state(run) == "orphaned"


def test_only_states_that_need_an_engine_can_be_orphaned(runs: Path) -> None:
    run = make(runs)
    for state in rundir.STATES:
        rundir.write_status(run, {"state": state})
        assert rundir.state(run) == ("orphaned" if state in ("running", "stopping") else state)


def test_a_run_of_another_machine_is_believed_while_it_gives_signs_of_life(runs: Path) -> None:
    run = make(runs, state="running", process={"pid": 1, "host": "elsewhere"})
    assert rundir.state(run) == "running"
    assert rundir.unverified(run, rundir.read_status(run)) == "elsewhere"
    for name in ("engine.lock", "status.json"):
        age(run / name, liveness.STALE + 5)
    assert rundir.state(run) == "orphaned"
    assert rundir.unverified(run, rundir.read_status(run)) is None
    liveness.heartbeat(run)()
    assert rundir.state(run) == "running"
    rundir.write_status(run, {"state": "running", "process": {"pid": 1, "host": socket.gethostname()}})
    assert rundir.state(run) == "orphaned", "one of this machine is asked, not believed"


def test_the_clocks_of_two_machines_may_differ(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(runs, state="running", process={"pid": 1, "host": "elsewhere"})
    for wrong in (-1e6, 1e6):
        monkeypatch.setattr(liveness, "_clocks", {})
        monkeypatch.setattr(liveness.time, "time", lambda wrong=wrong: wrong)
        assert rundir.state(run) == "running"


def test_a_sign_of_life_does_not_let_go_of_the_lock(runs: Path) -> None:
    run = make(runs, state="running")
    code = (
        "import sys, time; from pathlib import Path; from engine.record import liveness\n"
        "run = Path(sys.argv[1]); liveness.hold(run); beat = liveness.heartbeat(run, every=0)\n"
        "beat(); beat(); print('beaten', flush=True); time.sleep(600)"
    )
    engine = python(code, run)
    assert engine.stdout is not None
    engine.stdout.readline()
    assert rundir.holder(run) == engine.pid


def age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_the_lock_ends_with_its_engine_though_a_child_of_it_lives(runs: Path) -> None:
    run = make(runs, state="running")
    code = (
        "import os, sys, time; from pathlib import Path; from engine.record import rundir\n"
        "rundir.hold(Path(sys.argv[1])); child = os.fork()\n"
        "time.sleep(600) if child == 0 else print(child, flush=True); os._exit(0)"
    )
    parent = python(code, run)
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    try:
        parent.wait()
        os.kill(orphan, 0)
        assert rundir.holder(run) is None
    finally:
        os.kill(orphan, signal.SIGKILL)
        parent.stdout.close()


def test_an_engine_that_asks_for_its_own_lock_keeps_it(runs: Path) -> None:
    run = make(runs)
    code = (
        "import os, sys; from pathlib import Path; from engine.record import rundir\n"
        "run = Path(sys.argv[1]); rundir.hold(run)\n"
        "print(rundir.holder(run) == os.getpid(), flush=True); sys.stdin.read()"
    )
    child = python(code, run, stdin=-1)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        assert child.stdout.readline() == "True\n"
        assert rundir.holder(run) == child.pid
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def test_a_lock_that_cannot_be_asked_counts_as_held(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(runs, state="running")

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    assert rundir.holder(run) == 0


def test_a_process_is_itself() -> None:
    me = rundir.identity()
    assert me["pid"] == os.getpid()
    assert me["host"] == socket.gethostname()
    assert rundir.same_process(me)
    assert rundir.same_process(rundir.identity(os.getppid()))


def test_a_reused_pid_a_reboot_or_another_host_is_another_process() -> None:
    me = rundir.identity()
    other_host = {"host": "elsewhere", "boot_id": "another"}
    for other in ({"start_ticks": me["start_ticks"] + 1}, {"boot_id": "another"}, other_host):
        assert not rundir.same_process({**me, **other}), other
    assert rundir.same_process({**me, "host": "renamed"}), "the same boot is the same machine, whatever its name"


def test_a_dead_process_is_nobody() -> None:
    child = python("input()", stdin=-1)
    record = rundir.identity(child.pid)
    assert rundir.same_process(record)
    child.kill()
    child.communicate()
    assert not rundir.same_process(record)
    assert not rundir.same_process(rundir.identity(child.pid)), "an identity of nobody must match nobody"


@pytest.mark.parametrize(
    "record",
    [None, 5, [], {}, {"pid": -1}, {"pid": 0}, {"pid": True}, {"pid": "1"}, {"pid": 1.0}, {"pid": os.getpid()}],
)
def test_hostile_records_are_nobody(record: object) -> None:
    assert not rundir.same_process(record)
    if isinstance(record, dict) and type(record.get("pid")) is not int and record:
        assert not rundir.same_process({**rundir.identity(), **record})


def test_start_ticks_are_read_behind_a_name_with_spaces_and_parentheses(tmp_path: Path) -> None:
    code = "import ctypes; ctypes.CDLL(None).prctl(15, b'a) R 1 (b c)', 0, 0, 0); print('named', flush=True); input()"
    child = python(code, stdin=-1)
    assert child.stdout is not None
    assert child.stdout.readline() == "named\n"
    stat = Path(f"/proc/{child.pid}/stat").read_text()
    assert "(a) R 1 (b c))" in stat
    assert rundir.identity(child.pid)["start_ticks"] == int(stat.rpartition(")")[2].split()[19])
    assert rundir.same_process(rundir.identity(child.pid))
    child.kill()
    child.communicate()


def test_without_proc_only_the_holder_of_the_lock_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "_boot_id", lambda: None)
    monkeypatch.setattr(liveness, "_start_ticks", lambda pid: None)
    me = rundir.identity()
    assert not rundir.same_process(me)
    assert not rundir.same_process(me, holding=1)
    assert rundir.same_process(me, holding=os.getpid())
