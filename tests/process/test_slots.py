"""The machine's slots, shared by everybody: taken by the process that works, and free when it is gone."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.places import runs_root, slots_file
from engine.process import launch, placing, queue, slots
from engine.record import liveness, rundir, waiting
from tests.process.test_engine import long_run, new_run, until

CLAIMS = """
import sys, time
from engine.process import slots
try:
    slots.claim(int(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3]))
except slots.Taken as error:
    print(error, flush=True)
else:
    print("taken", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def engine():
    """A process that claims a slot, and what it says."""
    begun = []

    def begin(most: int, card: str = "", each: int = 9) -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-c", CLAIMS, str(most), card, str(each)]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(slots.__file__).parents[2]))
        return begun[-1], begun[-1].stdout.readline().strip()

    yield begin
    for one in begun:
        one.kill()
        one.wait()


def test_no_more_processes_than_slots_have_one_and_a_killed_one_gives_its_own_back(engine):
    first, said = engine(2)
    second, also = engine(2)
    assert (said, also) == ("taken", "taken")
    assert engine(2)[1] == "no slot of this machine is free"
    assert sorted(slots.others([])) == sorted([first.pid, second.pid])
    first.kill()
    first.wait()
    assert slots.others([]) == [second.pid]
    assert engine(2)[1] == "taken"
    assert engine(3)[1] == "taken", "who is told of more slots takes one"
    assert len(slots.others([])) == 3


def test_a_gpu_has_slots_of_its_own_beside_those_of_the_machine(engine):
    on_card, said = engine(9, "GPU-a", 1)
    assert said == "taken"
    assert engine(9, "GPU-a", 1)[1] == "no slot of GPU GPU-a is free"
    other, said = engine(9, "GPU-b", 1)
    assert said == "taken"
    assert slots.others([], "GPU-a") == [on_card.pid]
    assert slots.others([], "GPU-b") == [other.pid]
    assert sorted(slots.others([])) == sorted([on_card.pid, other.pid]), "the refused one gave the machine's back"


def test_the_file_is_everybodys_under_any_umask_and_holds_nothing(engine):
    before = os.umask(0o077)
    try:
        engine(1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(slots_file().stat().st_mode) == 0o666
    assert slots_file().read_bytes() == b""


@pytest.mark.parametrize("spoil", ["link", "folder", "fifo", "nowhere"])
def test_a_file_that_is_none_keeps_nobody_from_working(spoil, engine, tmp_path, monkeypatch):
    path = slots_file()
    if spoil == "link":
        (tmp_path / "target").write_text("mine")
        path.symlink_to(tmp_path / "target")
    elif spoil == "folder":
        path.mkdir()
    elif spoil == "fifo":
        os.mkfifo(path)
    else:
        monkeypatch.setenv("LTH_SLOTS_FILE", str(tmp_path / "no" / "such" / "slots"))
    assert engine(1)[1] == engine(1)[1] == "taken"
    assert slots.others([]) == []


def test_runs_of_two_folders_share_the_slots(news, tmp_path, monkeypatch):
    monkeypatch.setenv("LTH_SLOTS", "1")
    first = long_run()
    engine = queue.launch_in_turn(first)
    assert engine is not None
    monkeypatch.setenv("LTH_RUNS", str(tmp_path / "other"))
    run = new_run(**{"schedule.rounds": 1, "training.epochs": 1})
    assert queue.launch_in_turn(run) is None
    why = placing.turn(waiting.look(runs_root()), None, 1)
    assert f"process {engine.pid}" in why
    assert "1 slot, held by a run of" in why
    launch.end(first)
    until(lambda: rundir.state(run) == "finished")
    pid = liveness.holder(queue.folder(runs_root()))
    if pid:
        until(lambda: liveness.holder(queue.folder(runs_root())) is None)


def test_a_run_whose_slot_is_taken_at_the_last_moment_stays_the_first_and_is_started_later(news, engine, monkeypatch):
    monkeypatch.setenv("LTH_SLOTS", "1")
    other, _ = engine(1)
    monkeypatch.setattr(slots, "others", lambda *_: [])  # seen a moment before it was taken
    runs = [new_run(**{"schedule.rounds": 1, "training.epochs": 1}) for _ in range(2)]
    assert [queue.launch_in_turn(run) for run in runs] == [None, None]
    assert [one.run for one in waiting.look(runs_root()).ours] == runs
    other.kill()
    other.wait()
    until(lambda: [rundir.state(run) for run in runs] == ["finished"] * 2)


def test_who_locks_all_of_the_file_holds_all_slots_and_no_run_fails_of_it(news, engine):
    engine(1)
    code = "import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 0, 5)"
    code += "; print('taken', flush=True); time.sleep(600)"
    hog = subprocess.Popen([sys.executable, "-c", code, str(slots_file())], stdout=subprocess.PIPE, text=True)
    try:
        assert hog.stdout.readline() == "taken\n"
        run = new_run()
        queue.submit(run)
        assert queue.dispatch(runs_root()) == []
        assert f"process {hog.pid}" in placing.turn(waiting.look(runs_root()), None, 1)
        assert rundir.state(run) == "queued"
    finally:
        hog.kill()
        hog.wait()


def test_a_file_system_without_locks_keeps_nobody_from_working(monkeypatch):
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", none)
    monkeypatch.setattr(fcntl, "fcntl", none)
    assert slots.claim(1) is None
    assert slots.others([]) == []


def test_an_engine_that_finds_its_slot_taken_leaves_its_run_waiting(news, engine):
    run = new_run()
    queue.pause(runs_root(), "for a moment")
    queue.submit(run)
    before = rundir.read_status(run)
    engine(1)
    assert launch.spawn(run, ["--queued", "--slots", "1"]).wait(timeout=120) == 0
    assert rundir.read_status(run) == before
    assert rundir.holder(run) is None


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", " 1", "99999"])
def test_what_is_no_number_of_slots_is_refused(given, monkeypatch):
    monkeypatch.setenv("LTH_SLOTS", given)
    with pytest.raises(BadInput, match="LTH_SLOTS"):
        slots.asked()
