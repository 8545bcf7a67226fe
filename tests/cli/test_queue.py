"""`lth queue`, and what the other commands do where every slot is taken."""

import os
import re
import signal

import pytest

from engine.process import launch, queue
from engine.record import finding, rundir, waiting
from tests.cli.conftest import call, lth, one_sentence, run_arguments, runs_here, until
from tests.cli.test_terminal import LONG, code_of, in_terminal, shown

QUICK = ("training.epochs=1", "schedule.rounds=1")


@pytest.fixture(autouse=True)
def _one_slot(monkeypatch):
    monkeypatch.setenv("LTH_SLOTS", "1")


@pytest.fixture
def blocker(news):
    """A run that holds the only slot for minutes."""
    return runs_here() / call(*run_arguments(LONG), "--detach").out.strip()


def newest():
    return finding.run_dirs(runs_here())[0]


def waits() -> bool:
    return waiting.of(newest()) is not None


def test_detached_on_a_busy_machine_it_queues_and_the_queue_shows_it_and_stop_takes_it_out(blocker):
    said = lth(*run_arguments(*QUICK), "--detach", "--json")
    assert said.code == 0
    name = said.json["id"]
    assert said.json == {"id": name, "state": "queued"}
    assert f"1 slot, held by {blocker.name}" in said.err
    second = call(*run_arguments(*QUICK), "--detach")
    last = second.out.strip()
    assert "1 run before it" in second.err

    told = lth("queue", "--json").json
    assert told["others"] == []
    assert told.keys() == {"slots", "others", "running", "waiting", "paused", "why", "orphaned"}
    assert (told["slots"], told["paused"], told["why"], told["orphaned"]) == (1, False, None, [])
    assert [(one["id"], one["gpu"]) for one in told["running"]] == [(blocker.name, None)]
    assert [(one["id"], one["place"]) for one in told["waiting"]] == [(name, 1), (last, 2)]
    assert told["waiting"][0]["why"] == f"1 slot, held by {blocker.name}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", told["waiting"][0]["since"])
    words = call("queue").out
    assert all(run in words for run in (blocker.name, name, last))

    assert "place 1" in call("queue", "move", last, "first").err
    assert [one["id"] for one in call("queue", "--json").json["waiting"]] == [last, name]
    assert call("stop", last).code == 0
    assert rundir.state(runs_here() / last) == "stopped"
    again = call("resume", last, "--detach", "--json")
    assert again.json == {"id": last, "state": "queued"}
    assert call("resume", last, "--detach", "--json").json == again.json, "and keeps its place"
    assert call("rm", last).code == 0
    assert [one["id"] for one in call("queue", "--json").json["waiting"]] == [name]
    launch.ask_to_stop(blocker)
    until(lambda: rundir.state(runs_here() / name) == "finished")


def test_in_the_foreground_it_waits_visibly_and_ctrl_c_takes_it_out(blocker):
    pid, terminal = in_terminal(*run_arguments(*QUICK))
    shown(terminal, b"held by")
    os.write(terminal, b"\x03")
    words = shown(terminal).decode(errors="replace")
    assert code_of(pid) == 130
    os.close(terminal)
    assert f"lth resume {newest().name}" in words
    assert rundir.state(newest()) == "stopped"
    assert rundir.state(blocker) == "running"


def test_a_lost_terminal_leaves_it_in_the_queue_and_it_is_run_in_its_turn(blocker):
    pid, terminal = in_terminal(*run_arguments(*QUICK))
    shown(terminal, b"held by")
    run = newest()
    os.close(terminal)
    code_of(pid)
    assert waits()
    launch.ask_to_stop(blocker)
    until(lambda: rundir.state(run) == "finished")


def test_watching_a_run_that_waits_sees_it_to_its_end(blocker):
    name = call(*run_arguments(*QUICK), "--detach").out.strip()
    pid, terminal = in_terminal("watch", name)
    shown(terminal, b"held by")
    launch.ask_to_stop(blocker)
    words = shown(terminal).decode(errors="replace")
    assert code_of(pid) == 0
    os.close(terminal)
    assert "finished" in words


def test_paused_it_starts_nothing_and_says_so_wherever_one_looks(news):
    assert "does not exist" in one_sentence(call("queue", "pause"))
    first = call(*run_arguments(LONG), "--detach").out.strip()
    assert call("queue", "pause").code == 0
    name = call(*run_arguments(*QUICK), "--detach").out.strip()
    launch.ask_to_stop(runs_here() / first)
    until(lambda: rundir.state(runs_here() / first) == "stopped")
    told = call("queue", "--json").json
    assert (told["paused"], told["running"]) == (True, [])
    assert "lth queue pause" in told["why"]
    assert "paused" in told["waiting"][0]["why"]
    assert "lth queue go" in call("queue").out
    assert "paused" in call("ls").err
    assert call("ls", "--json").json[0]["state"] == "queued"
    assert "paused" in call("resume", name, "--detach").err
    assert call("queue", "go").code == 0
    until(lambda: rundir.state(runs_here() / name) == "finished")


def test_a_run_whose_engine_was_killed_is_named_and_offered(blocker):
    os.kill(rundir.holder(blocker), signal.SIGKILL)
    until(lambda: rundir.holder(blocker) is None)
    assert call("queue", "--json").json["orphaned"] == [blocker.name]
    assert f"lth resume {blocker.name}" in call("queue").out


@pytest.mark.parametrize("to", ["0", "-1", "second", "１", "1.5"])
def test_a_place_that_is_none_is_refused_in_a_sentence(news, to):
    run = runs_here() / call(*run_arguments(LONG), "--detach").out.strip()
    assert repr(to) in one_sentence(call("queue", "move", "--", run.name, to))


def test_what_does_not_wait_cannot_be_moved(blocker):
    assert "does not wait" in one_sentence(call("queue", "move", blocker.name, "first"))


def test_slots_that_are_no_number_are_refused_in_a_sentence_and_leave_no_run(news, monkeypatch):
    monkeypatch.setenv("LTH_SLOTS", "many")
    assert "LTH_SLOTS" in one_sentence(call(*run_arguments(*QUICK), "--detach"))
    assert not runs_here().exists() or finding.run_dirs(runs_here()) == []


def test_the_app_launches_into_the_queue_too(blocker):
    from engine import spec as specs
    from lth_tui.screens.choice import Choice
    from lth_tui.screens.launching import Launched, launch_run

    choice = Choice(model="cnn", dataset="ag_news", schedule="imp", arms=("ticket",), texts={})
    launched = launch_run(runs_here(), specs.compose("cnn", "ag_news"), choice, lambda *_: None)
    assert isinstance(launched, Launched)
    assert launched.engine is None
    assert queue.withdraw(launched.run)
