"""Terminals that interrupt, hang up, or cannot show much: the engine outlives them all, and words say how to go on."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from engine.process import launch
from engine.record import finding, rundir
from lth_tui.follow import follow
from tests.cli.conftest import ROOT, call, command, lth, only_run, run_arguments, runs_here, until

LONG = "training.epochs=10000"  # no machine is through with these before it is asked to stop


def epoch_reached() -> bool:
    found = finding.run_dirs(runs_here())
    return bool(found) and bool(rundir.read_status(found[0]).get("epoch"))


@contextmanager
def in_a_long_step() -> Iterator[int]:
    """The engine of this test's run, which does nothing meanwhile, neither end nor obey."""
    engine = rundir.holder(only_run())
    os.kill(engine, signal.SIGSTOP)
    try:
        yield engine
    finally:
        os.kill(engine, signal.SIGCONT)


def in_terminal(*arguments: str, **environment: str) -> tuple[int, int]:
    """Start `lth` on a terminal of its own; its pid and our end of the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment}
        os.environ.pop("COLUMNS", None)
        words = command(*arguments)
        os.execv(words[0], words)
    return pid, terminal


def shown(terminal: int, words: bytes | None = None, seconds: float = 120.0) -> bytes:
    """What the terminal gets until these words stand there; without words, until the process ends."""
    found, deadline = b"", time.monotonic() + seconds
    while words is None or words not in found:
        assert time.monotonic() < deadline, f"waited in vain; on the terminal: {found!r}"
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                found += os.read(terminal, 65536)
            except OSError:
                break
    assert words is None or words in found, found
    return found


def code_of(pid: int) -> int:
    until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_interrupted_it_stops_cleanly_says_how_to_go_on_and_resume_finishes_it(news, tmp_path):
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as words, err.open("wb") as more:
        following = subprocess.Popen(
            command(*run_arguments("training.epochs=100", "schedule.rounds=1")),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=words,
            stderr=more,
            start_new_session=True,
        )
    until(epoch_reached)
    with in_a_long_step():  # or these few epochs could be over before the interrupt has come through
        following.send_signal(signal.SIGINT)
        until(lambda: b"Stopping" in err.read_bytes())
    assert following.wait(timeout=120) == 130
    assert out.read_bytes() == b""
    run = only_run()
    assert f"lth resume {run.name}" in err.read_text()
    assert "Traceback" not in err.read_text()
    assert rundir.state(run) == "stopped"
    assert call("ls", "--json").json[0]["state"] == "stopped"
    resumed = lth("resume", run.name)
    assert resumed.code == 0, resumed.err
    assert "finished" in resumed.out
    assert rundir.state(run) == "finished"


def test_ctrl_c_on_a_terminal_stops_the_engine_which_the_terminal_cannot_reach(news):
    pid, terminal = in_terminal(*run_arguments(LONG))
    until(epoch_reached)
    os.write(terminal, b"\x03")
    words = shown(terminal).decode(errors="replace")
    assert code_of(pid) == 130
    os.close(terminal)
    assert "Stopping" in words
    assert f"lth resume {only_run().name}" in words
    assert rundir.state(only_run()) == "stopped"


def test_a_second_ctrl_c_leaves_at_once_and_the_engine_stops_by_itself(news):
    pid, terminal = in_terminal(*run_arguments(LONG))
    until(epoch_reached)
    with in_a_long_step() as engine:
        os.write(terminal, b"\x03")
        shown(terminal, b"Stopping")
        os.write(terminal, b"\x03")
        words = shown(terminal).decode(errors="replace")
        assert code_of(pid) == 130, "and the engine has not moved"
        assert rundir.holder(only_run()) == engine
        assert only_run().name in words
        os.close(terminal)
    until(lambda: rundir.state(only_run()) == "stopped")


def test_two_ctrl_c_at_once_ask_the_engine_too(news):
    run = runs_here() / lth(*run_arguments(LONG), "--detach").out.strip()
    follow(run, Console(quiet=True), lambda: 2)
    until(lambda: rundir.state(run) == "stopped")


def test_a_closed_terminal_leaves_the_engine_running(news):
    pid, terminal = in_terminal(*run_arguments(LONG))
    until(epoch_reached)
    os.close(terminal)
    code_of(pid)
    before = rundir.read_status(only_run()).get("epoch")
    until(lambda: rundir.read_status(only_run()).get("epoch") != before)
    assert call("ls", "--json").json[0]["state"] == "running"


@pytest.mark.parametrize("moment", ["spawned", "started", "shown"])
def test_ctrl_c_at_the_start_never_leaves_an_engine_nobody_spoke_of(news, monkeypatch, moment):
    from rich.progress import Progress

    where = {"spawned": (launch, "spawn"), "started": (launch, "start"), "shown": (Progress, "start")}[moment]
    original, spawn, engines = getattr(*where), launch.spawn, []

    def spawned(*arguments):
        engines.append(spawn(*arguments))
        return engines[-1]

    def interrupted(*arguments, **options):
        result = spawned(*arguments) if moment == "spawned" else original(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(launch, "spawn", spawned)
    monkeypatch.setattr(*where, interrupted)
    try:
        said = call(*run_arguments(LONG))
        run = only_run()
        assert said.code == 130
        assert f"lth resume {run.name}" in said.err
        for engine in engines:
            engine.wait(timeout=120)
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
        watching.wait(timeout=120)
    finally:
        watching.kill()
        watching.wait()


def test_ctrl_c_while_watching_leaves_the_run_alone(news):
    name = lth(*run_arguments(LONG), "--detach").out.strip()
    pid, terminal = in_terminal("watch", name)
    shown(terminal, b"seed 1/1")
    os.write(terminal, b"\x03")
    words = shown(terminal).decode(errors="replace")
    assert code_of(pid) == 130
    os.close(terminal)
    assert "goes on" in words
    assert rundir.state(only_run()) == "running"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colour_gets_no_escape_code(environment):
    pid, terminal = in_terminal("show", "no-such-run", **environment)
    words = shown(terminal)
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
    assert finding.run_dirs(runs_here()) == []
