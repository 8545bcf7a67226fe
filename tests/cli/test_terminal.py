"""Terminals that interrupt, hang up, or cannot show much: the engine outlives them all, and words say how to go on."""

import os
import pty
import select
import signal
import subprocess
import time

import pytest

from engine.process import launch
from engine.record import rundir
from tests.cli.conftest import ROOT, call, command, lth, only_run, run_arguments, runs_here, until


def epoch_reached() -> bool:
    found = rundir.run_dirs(runs_here())
    return bool(found) and bool(rundir.read_status(found[0]).get("epoch"))


def in_terminal(*arguments: str, **environment: str) -> tuple[int, int]:
    """Start `lth` on a terminal of its own; its pid and our end of the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment}
        os.environ.pop("COLUMNS", None)
        words = command(*arguments)
        os.execv(words[0], words)
    return pid, terminal


def shown(terminal: int, pid: int, seconds: float = 60.0) -> bytes:
    """What the terminal gets until the process ends."""
    found, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                found += os.read(terminal, 65536)
            except OSError:
                break
    return found


def code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_interrupted_it_stops_cleanly_says_how_to_go_on_and_resume_finishes_it(news):
    following = subprocess.Popen(
        command(*run_arguments("training.epochs=12", "schedule.rounds=1")),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(epoch_reached)
    following.send_signal(signal.SIGINT)
    out, err = following.communicate(timeout=60)
    assert following.returncode == 130
    assert out == b""
    run = only_run()
    assert f"lth resume {run.name}" in err.decode()
    assert b"Traceback" not in err
    assert rundir.state(run) == "stopped"
    assert call("ls", "--json").json[0]["state"] == "stopped"
    resumed = lth("resume", run.name)
    assert resumed.code == 0, resumed.err
    assert "finished" in resumed.out
    assert rundir.state(run) == "finished"


def test_ctrl_c_on_a_terminal_stops_the_engine_which_the_terminal_cannot_reach(news):
    pid, terminal = in_terminal(*run_arguments("training.epochs=400"))
    until(epoch_reached)
    os.write(terminal, b"\x03")
    words = shown(terminal, pid).decode(errors="replace")
    assert code_of(pid) == 130
    os.close(terminal)
    assert "Stopping" in words
    assert f"lth resume {only_run().name}" in words
    assert rundir.state(only_run()) == "stopped"


def test_a_second_ctrl_c_leaves_at_once_and_the_engine_stops_by_itself(news):
    pid, terminal = in_terminal(*run_arguments("training.epochs=400"))
    until(epoch_reached)
    engine = rundir.holder(only_run())
    os.kill(engine, signal.SIGSTOP)  # an engine in a long step
    try:
        os.write(terminal, b"\x03")
        time.sleep(1)
        os.write(terminal, b"\x03")
        began = time.monotonic()
        words = shown(terminal, pid).decode(errors="replace")
        assert code_of(pid) == 130
        assert time.monotonic() - began < 5
        assert only_run().name in words
        os.close(terminal)
    finally:
        os.kill(engine, signal.SIGCONT)
    until(lambda: rundir.state(only_run()) == "stopped", seconds=30)


def test_a_closed_terminal_leaves_the_engine_running(news):
    pid, terminal = in_terminal(*run_arguments("training.epochs=400"))
    until(epoch_reached)
    os.close(terminal)
    code_of(pid)
    before = rundir.read_status(only_run()).get("epoch")
    until(lambda: rundir.read_status(only_run()).get("epoch") != before, seconds=20)
    assert call("ls", "--json").json[0]["state"] == "running"


@pytest.mark.parametrize("moment", ["spawned", "started", "shown"])
def test_ctrl_c_at_the_start_never_leaves_an_engine_nobody_spoke_of(news, monkeypatch, moment):
    from rich.progress import Progress

    where = {"spawned": (launch, "spawn"), "started": (launch, "start"), "shown": (Progress, "start")}[moment]
    original, spawn, engines = getattr(*where), launch.spawn, []

    def spawned(run):
        engines.append(spawn(run))
        return engines[-1]

    def interrupted(*arguments, **options):
        result = spawned(*arguments) if moment == "spawned" else original(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(launch, "spawn", spawned)
    monkeypatch.setattr(*where, interrupted)
    try:
        said = call(*run_arguments("training.epochs=400"))
        run = only_run()
        assert said.code == 130
        assert f"lth resume {run.name}" in said.err
        for engine in engines:
            engine.wait(timeout=20)
        assert rundir.state(run) in ("stopped", "queued")
    finally:
        for engine in engines:  # one that does not hold its lock yet is not found by its run
            engine.kill()
            engine.wait()


@pytest.mark.parametrize("arguments", [["watch"], ["watch", "--json"]])
def test_watching_a_run_that_no_engine_will_start_ends(news, arguments):
    from engine import spec as specs

    run = launch.new_run(runs_here(), specs.compose("cnn", "ag_news"))
    watching = subprocess.Popen(
        command(*arguments, run.name),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        watching.wait(timeout=5)
    finally:
        watching.kill()
        watching.wait()


def test_ctrl_c_while_watching_leaves_the_run_alone(news):
    name = lth(*run_arguments("training.epochs=400"), "--detach").out.strip()
    pid, terminal = in_terminal("watch", name)
    until(epoch_reached)
    time.sleep(1)
    os.write(terminal, b"\x03")
    words = shown(terminal, pid).decode(errors="replace")
    assert code_of(pid) == 130
    os.close(terminal)
    assert "goes on" in words
    assert rundir.state(only_run()) == "running"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colour_gets_no_escape_code(environment):
    pid, terminal = in_terminal("show", "no-such-run", **environment)
    words = shown(terminal, pid)
    assert code_of(pid) == 2
    os.close(terminal)
    assert b"\x1b" not in words


def test_ctrl_c_while_data_are_prepared_leaves_no_run(news, monkeypatch):
    from engine.data import store

    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(store, "validate", interrupted)
    said = call(*run_arguments())
    assert said.code == 130
    assert said.out == ""
    assert rundir.run_dirs(runs_here()) == []
