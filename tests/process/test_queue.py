"""The queue: in order, one a slot, none lost, none twice; paused after a restart; no secret of an environment kept."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.places import runs_root
from engine.process import dispatcher, gpus, launch, placing, queue
from engine.record import events, liveness, rundir, trash, waiting
from tests.conftest import write_news
from tests.process.test_engine import long_run, new_run, until

QUICK = {"schedule.rounds": 1, "training.epochs": 1}


@pytest.fixture(autouse=True)
def _one_slot(monkeypatch):
    monkeypatch.setenv("LTH_SLOTS", "1")


def told(run: Path, event: str) -> list[dict]:
    return [one for one in events.read(run / events.FILE).events if one["event"] == event]


def states(*runs: Path) -> list[str]:
    return [rundir.state(run) for run in runs]


def order() -> list[Path]:
    return [one.run for one in waiting.look(runs_root()).ours]


def light(name: str = "a") -> Path:
    """A queued run whose spec is none: enough for whatever starts no engine."""
    return rundir.create(runs_root(), b"{}", "cnn", name, "imp")


def restart() -> None:
    """Make all that was written look as if this machine had been started anew since."""
    for path in [queue.folder(runs_root()) / queue.FILE, *runs_root().glob("*/status.json")]:
        path.write_bytes(path.read_bytes().replace(liveness.identity()["boot_id"].encode(), b"an-earlier-boot"))


def dispatcher_is_gone() -> bool:
    return liveness.holder(queue.folder(runs_root())) is None


def kill_dispatchers() -> None:
    """Until none is left that was just being started."""
    seen = 0.0
    while time.monotonic() - seen < 1.5 or not seen:
        if pid := liveness.holder(queue.folder(runs_root())):
            os.kill(pid, signal.SIGKILL)
            seen = time.monotonic()
        time.sleep(0.02)


def test_runs_work_one_after_another_in_the_order_they_were_submitted_whatever_happens_to_dispatchers(news):
    first, *others = runs = [long_run(), *(new_run(**QUICK) for _ in range(3))]
    assert queue.launch_in_turn(first) is not None
    assert [queue.launch_in_turn(run) for run in others] == [None] * 3
    assert states(*runs) == ["running", "queued", "queued", "queued"]
    assert order() == others
    assert queue.move(others[2], 1) == 1
    kill_dispatchers()
    assert states(*runs) == ["running", "queued", "queued", "queued"]
    launch.ask_to_stop(first)  # an engine that ends has another dispatcher started
    until(lambda: states(*runs) == ["stopped", *["finished"] * 3])
    began = {told(run, "run_started")[0]["time"]: run for run in runs}
    assert [began[when] for when in sorted(began)] == [first, others[2], others[0], others[1]]
    ends = sorted(one["time"] for run in runs for one in told(run, "run_finished") + told(run, "run_stopped"))
    assert all(end < start for end, start in zip(ends, sorted(began)[1:], strict=False)), "one slot, one at a time"
    assert all(len(told(run, "run_started")) == 1 and not told(run, "run_resumed") for run in runs)
    until(dispatcher_is_gone)


def test_of_many_engines_started_for_one_waiting_run_one_works_and_the_others_leave_in_peace(news):
    run = new_run(**QUICK)
    queue.pause(runs_root(), "for a moment")
    queue.submit(run)
    engines = [launch.spawn(run, ["--queued"]) for _ in range(4)]
    assert [engine.wait(timeout=120) for engine in engines] == [0] * 4
    engines = [launch.spawn(run, ["--queued"])]  # by a dispatcher that saw it wait, and was very slow
    assert engines[0].wait(timeout=120) == 0
    assert states(run) == ["finished"]
    assert len(told(run, "run_started")) == 1
    assert not told(run, "run_resumed")
    assert len(told(run, "run_finished")) == 1


def test_a_run_taken_up_by_the_engine_of_a_dispatcher_that_died_is_not_failed_by_the_next(news, monkeypatch):
    run, spawn, others = new_run(), launch.spawn, []
    queue.submit(run)
    before = rundir.read_status(run)
    holds = "import sys, time; from pathlib import Path; from engine.record import liveness\n"
    holds += "liveness.hold(Path(sys.argv[1])); time.sleep(600)"

    def after_another(*arguments):
        others.append(subprocess.Popen([sys.executable, "-c", holds, str(run)], cwd=Path(queue.__file__).parents[2]))
        until(lambda: rundir.holder(run))
        return spawn(*arguments)

    monkeypatch.setattr(launch, "spawn", after_another)
    try:
        assert queue.dispatch(runs_root()) == [queue.Started(run)]
        assert rundir.read_status(run) == before, "for the engine that holds it to take up"
    finally:
        others[0].kill()
        others[0].wait()


def test_a_withdrawn_run_is_not_started_and_resume_goes_on_with_it(news):
    first, second = long_run(), new_run(**QUICK)
    queue.launch_in_turn(first)
    queue.launch_in_turn(second)
    assert queue.withdraw(second)
    assert not queue.withdraw(second)
    assert states(second) == ["stopped"]
    assert waiting.of(second) is None
    assert launch.spawn(second, ["--queued"]).wait(timeout=120) == 0
    assert not (second / events.FILE).exists()
    queue.launch_in_turn(second)
    assert states(second) == ["queued"]
    launch.ask_to_stop(first)
    until(lambda: states(second) == ["finished"])


def test_a_removed_run_is_never_started(news):
    first, second = long_run(), new_run(**QUICK)
    queue.launch_in_turn(first)
    queue.launch_in_turn(second)
    gone = queue.remove(second)
    launch.ask_to_stop(first)
    until(lambda: states(first) == ["stopped"])
    until(dispatcher_is_gone)
    assert not (gone / events.FILE).exists()
    assert rundir.state(trash.restore(runs_root(), second.name)) == "stopped"


def test_submitted_twice_a_run_keeps_its_place_and_submitted_at_work_it_is_refused(news):
    first, second, third = long_run(), light(), light()
    queue.launch_in_turn(first)
    queue.pause(runs_root(), "for a moment")
    for run in (second, third, second):
        queue.submit(run)
    assert order() == [second, third]
    with pytest.raises(BadInput, match="has a working engine"):
        queue.submit(first)
    assert states(first) == ["running"]


def test_after_a_restart_of_the_machine_nothing_starts_unasked_and_one_is_told_so(news):
    run = new_run(**QUICK)
    queue.submit(run)
    restart()
    assert queue.paused(runs_root()) == queue.REBOOTED
    assert queue.dispatch(runs_root()) == []
    later = new_run(**QUICK)
    assert queue.launch_in_turn(later) is None, "nor what is submitted after it"
    assert states(run, later) == ["queued", "queued"]
    assert queue.paused(runs_root()) == queue.REBOOTED, "kept, though the boot is known now"
    queue.go(runs_root())
    until(lambda: states(run, later) == ["finished", "finished"])


def test_a_restart_while_nobody_waited_pauses_nothing(news):
    run = new_run(**QUICK)
    queue.pause(runs_root(), "for a moment")
    queue.go(runs_root())
    restart()
    assert queue.launch_in_turn(run) is not None


def test_a_lost_queue_file_pauses_only_what_waits_since_an_earlier_boot(news):
    run = light()
    queue.pause(runs_root(), "for a moment")
    queue.submit(run)
    (queue.folder(runs_root()) / queue.FILE).unlink()
    assert queue.paused(runs_root()) is None
    queue.pause(runs_root(), "for a moment")
    restart()
    (queue.folder(runs_root()) / queue.FILE).unlink()
    assert queue.paused(runs_root()) == queue.REBOOTED


@pytest.mark.parametrize("other", [{"host": "another-host"}, {"uid": 12345}])
def test_what_waits_for_another_host_or_user_is_seen_and_never_started_until_it_is_taken_over(news, other):
    run = new_run(**QUICK)
    entry = waiting.entry(1.0, {}) | other
    rundir.write_status(run, {"state": "queued", "waiting": entry})
    assert queue.dispatch(runs_root()) == []
    (one,) = waiting.look(runs_root()).waiting
    assert not one.ours
    assert (one.host, one.uid) == (entry["host"], entry["uid"])
    assert queue.launch_in_turn(run) is not None


def test_of_an_environment_only_our_own_variables_are_kept_and_the_engine_gets_those_of_its_submission(
    tmp_path, monkeypatch
):
    write_news(tmp_path / "here" / "ag_news")
    monkeypatch.setenv("LTH_DATA", str(tmp_path / "here"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", "hub")
    monkeypatch.setenv("HF_TOKEN", "hf_a-secret-of-mine")
    run = new_run(**QUICK)
    queue.pause(runs_root(), "for a moment")
    queue.submit(run)
    kept = orjson.loads((run / "status.json").read_bytes())["waiting"]["env"]
    places = {"LTH_DATA": "here", "LTH_CACHE": "dense", "XDG_CACHE_HOME": "cache", "HF_HOME": "hub"}
    assert kept == {name: str(tmp_path / folder) for name, folder in places.items()}
    monkeypatch.setenv("LTH_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("LTH_CACHE_GB", "no number")
    queue.go(runs_root())
    until(lambda: states(run) == ["finished"])
    until(dispatcher_is_gone)
    for path in runs_root().rglob("*"):
        assert not path.is_file() or b"hf_a-secret" not in path.read_bytes(), path
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_run_that_cannot_be_started_has_failed_with_a_cause_and_the_next_is_tried(news):
    blocker, bad, good = long_run(), light(), new_run(**QUICK)
    (bad / "engine.log").mkdir()
    for run in (blocker, bad, good):
        queue.launch_in_turn(run)
    launch.ask_to_stop(blocker)
    until(lambda: states(bad, good) == ["failed", "finished"])
    assert "could not be started" in rundir.read_status(bad)["cause"]
    assert waiting.of(bad) is None
    with pytest.raises(launch.LaunchFailed, match="could not be started"):
        queue.launch_in_turn(bad)


def test_an_engine_that_ends_before_it_began_fails_the_launch(news, monkeypatch):
    run = new_run()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(launch.LaunchFailed):
        queue.launch_in_turn(run)
    assert states(run) == ["failed"]
    assert "waiting" not in rundir.read_status(run)


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "１", " 1", "99999"])
def test_slots_that_are_no_number_are_refused_before_anything_is_queued(given, monkeypatch):
    run = light()
    monkeypatch.setenv("LTH_SLOTS", given)
    with pytest.raises(BadInput, match="LTH_SLOTS"):
        queue.launch_in_turn(run)
    assert rundir.read_status(run) == {"state": "queued"}


def test_engines_that_were_started_past_the_queue_take_slots_too(news, monkeypatch):
    launch.start(long_run())
    run = new_run(**QUICK)
    assert queue.launch_in_turn(run) is None
    assert "1 slot, held by" in placing.turn(waiting.look(runs_root()), None, 1)
    queue.set_slots(runs_root(), 2)
    assert [one.run for one in queue.dispatch(runs_root())] in ([run], [])
    until(lambda: states(run) == ["finished"])


def test_a_dispatcher_whose_runs_are_gone_leaves_and_makes_nothing_anew(tmp_path):
    assert dispatcher.main([str(tmp_path / "nowhere")]) == 0
    assert not (tmp_path / "nowhere").exists()


def test_removing_a_run_reads_no_other(tmp_path, monkeypatch):
    """Of ten thousand that are removed at once each would be read ten thousand times."""
    over, waits = light(), light()
    rundir.write_status(over, {"state": "finished"})
    queue.pause(runs_root(), "by hand")
    queue.submit(waits)
    monkeypatch.setattr(waiting, "look", lambda runs: pytest.fail("all runs were read"))
    gone = [queue.remove(run) for run in (over, waits)]
    assert [rundir.read_status(run)["state"] for run in gone] == ["finished", "stopped"]


def test_one_dispatcher_works_at_a_time(news):
    blocker, run = long_run(), light()
    queue.launch_in_turn(blocker)
    queue.launch_in_turn(run)
    until(lambda: not dispatcher_is_gone())
    command = [sys.executable, "-m", "engine.process.dispatcher", str(runs_root())]
    assert subprocess.run(command, check=False, timeout=120, cwd=Path(queue.__file__).parents[2]).returncode == 0


@pytest.mark.parametrize(
    ("spec", "env"),
    [
        (b"{}", {"LTH_DATA": "a\0b"}),
        (b"{}", {"LTH_DATA": "\udfff"}),
        (b'{"device": "cuda:x"}', {}),
        (b'{"device": "cuda:99999999"}', {}),
        (b'{"model": {"name": ["cnn"]}, "data": 1}', {}),
        (b'{"model": 3}', None),
    ],
)
def test_a_run_that_is_damaged_keeps_no_other_from_its_turn(news, monkeypatch, spec, env):
    monkeypatch.setattr(gpus, "every", lambda: [gpus.Gpu("GPU-a", 0, "made up", 80 << 30, 80 << 30)])
    bad, good = rundir.create(runs_root(), spec, "cnn", "bad", "imp"), new_run(**QUICK)
    for run in (bad, good):
        queue.submit(run)
    status = rundir.read_status(bad)
    told = status | {"waiting": status["waiting"] | {"env": env}}
    (bad / "status.json").write_text(json.dumps(told))
    until(lambda: queue.dispatch(runs_root()) is not None and states(bad, good) == ["failed", "finished"])


@pytest.mark.parametrize(
    ("broken", "count"), [("spawn", 3), ("reserve", 3), ("log", 3), ("spawn", 1), ("reserve", 1), ("log", 1)]
)
def test_a_disk_that_is_full_for_a_moment_fails_no_run_that_waits(news, monkeypatch, broken, count):
    runs = [new_run(**QUICK) for _ in range(count)]
    for run in runs:
        queue.submit(run)
    if broken == "spawn":
        full = OSError(errno.ENOSPC, "No space left on device")
        with monkeypatch.context() as patch:
            patch.setattr(launch, "spawn", lambda *_: (_ for _ in ()).throw(full))
            (one,) = queue.dispatch(runs_root())
    else:  # inside the engine, as it begins
        here = runs_root().parent
        module, name = ("rundir", "reserve") if broken == "reserve" else ("events", "EventLog")
        code = f"import errno, os\nfrom engine.record import {module}\nbefore = {module}.{name}\ndef full(run):\n"
        code += f"    if not os.path.exists({str(here / 'full')!r}): return before(run)\n"
        code += f"    raise OSError(errno.ENOSPC, 'No space left on device')\n{module}.{name} = full\n"
        (here / "sitecustomize.py").write_text(code)
        (here / "full").touch()
        monkeypatch.setenv("PYTHONPATH", str(here))
        one = queue.dispatch(runs_root())[0]
        until(lambda: queue.paused(runs_root()))
        (here / "full").unlink()
    assert one.run == runs[0]
    assert "disk is full" in (one.held or ("disk is full" if broken == "log" else "")), "seen to work before it failed"
    until(lambda: states(*runs) == ["queued"] * count)
    until(lambda: order() == runs)
    until(lambda: "disk is full" in (queue.paused(runs_root()) or ""))
    assert queue.dispatch(runs_root()) == []
    queue.go(runs_root())
    until(lambda: states(*runs) == ["finished"] * count)


def test_a_run_that_fails_of_the_machine_pauses_the_queue_for_those_that_wait(news, monkeypatch):
    code = "import errno\nfrom engine.data import encoding\ndef broken(*_, **__):\n"
    code += "    raise OSError(errno.EIO, 'Input/output error')\nencoding.load = broken\n"
    (runs_root().parent / "broken.py").write_text(code)
    (runs_root().parent / "sitecustomize.py").write_text("import sys\n" + LATE)
    monkeypatch.setenv("PYTHONPATH", str(runs_root().parent))
    bad, good = new_run(**QUICK), new_run(**QUICK)
    queue.pause(runs_root(), "for a moment")
    queue.submit(bad)
    queue.submit(good)
    queue.go(runs_root())
    until(lambda: states(bad) == ["failed"])
    assert "input/output error" in rundir.read_status(bad)["cause"]
    assert states(good) == ["queued"]
    assert "input/output error" in queue.paused(runs_root())
    until(dispatcher_is_gone)
    monkeypatch.delenv("PYTHONPATH")
    queue.go(runs_root())
    until(lambda: states(good) == ["finished"])


# Replaces a function of `engine.data.encoding` once that is imported.
LATE = """
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

class Late(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "engine.data.encoding":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module
        def and_break(module):
            execute(module)
            exec(open(__file__.replace("sitecustomize", "broken")).read(), {})
        spec.loader.exec_module = and_break
        return spec

sys.meta_path.insert(0, Late())
"""


def test_an_engine_that_is_too_slow_is_ended_and_its_run_waits_on(news, monkeypatch):
    run, spawn = new_run(**QUICK), launch.spawn
    queue.submit(run)
    before = rundir.read_status(run)
    asleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(launch, "_LOCK_WAIT", 0.3)
    monkeypatch.setattr(launch, "spawn", lambda *_: subprocess.Popen(asleep, start_new_session=True))
    (one,) = queue.dispatch(runs_root())
    assert "no sign of life" in one.held
    assert rundir.read_status(run) == before
    assert queue.paused(runs_root()) is None
    monkeypatch.setattr(launch, "_LOCK_WAIT", 60.0)
    monkeypatch.setattr(launch, "spawn", spawn)
    assert [one.run for one in queue.dispatch(runs_root())] == [run]


def test_the_queue_keeps_how_many_may_work_and_lth_slots_counts_as_it_was_at_the_last_launch(news, monkeypatch):
    monkeypatch.delenv("LTH_SLOTS")
    monkeypatch.setattr(gpus, "every", list)
    assert queue.slot_count(runs_root()) == 1
    monkeypatch.setenv("LTH_SLOTS", "3")
    assert queue.slot_count(runs_root()) == 1, "who only looks says nothing"
    queue.submit(light())
    monkeypatch.setenv("LTH_SLOTS", "5")
    assert queue.slot_count(runs_root()) == 3
    monkeypatch.delenv("LTH_SLOTS")
    queue.submit(light())
    queue.pause(runs_root(), "for a moment")
    assert queue.slot_count(runs_root()) == 3
    queue.set_slots(runs_root(), None)
    assert queue.slot_count(runs_root()) == 1
    assert queue.paused(runs_root()) == "for a moment"
    queue.set_slots(runs_root(), 7)
    (queue.folder(runs_root()) / queue.FILE).write_text('{"slots": "x", "paused": 1, "why": []}')
    assert queue.slot_count(runs_root()) == 1


@given(moves=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 7)), max_size=60))
def test_moves_do_to_the_queue_what_they_would_do_to_a_list(tmp_path_factory, moves):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTH_RUNS", str(tmp_path_factory.mktemp("runs")))
        expected = [light(str(number)) for number in range(5)]
        runs = list(expected)
        for run in runs:
            queue.submit(run)
        for which, place in moves:
            at = queue.move(runs[which], place)
            expected.remove(runs[which])
            expected.insert(place - 1, runs[which])
            assert expected[at - 1] == runs[which]
            assert order() == expected


def test_between_two_places_that_touch_there_is_still_room():
    runs = [light(str(number)) for number in range(3)]
    for run, place in zip(runs, (1.0, 1.0, 2.0), strict=True):
        rundir.write_status(run, {"state": "queued", "waiting": waiting.entry(place, {})})
    first, second = order()[:2]
    assert queue.move(runs[2], 2) == 2
    assert order() == [first, runs[2], second]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
keys = ("since", "place", "host", "boot_id", "uid", "env")


@given(told=values | st.fixed_dictionaries({}, optional=dict.fromkeys(keys, values)))
def test_whatever_stands_in_a_status_the_queue_is_read_and_goes_on(tmp_path_factory, told):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTH_RUNS", str(tmp_path_factory.mktemp("runs")))
        strange, run = light(), light()
        if isinstance(told, dict) and isinstance(told.get("host"), str):
            told = told | {"host": socket.gethostname(), "uid": os.getuid()}
        (strange / "status.json").write_bytes(orjson.dumps({"state": "queued", "waiting": told}))
        queue.submit(run)
        assert run in order()
        queue.move(run, 1)
        assert order()[0] == run
        assert all(isinstance(value, str) for one in waiting.look(runs_root()).waiting for value in one.env.values())
