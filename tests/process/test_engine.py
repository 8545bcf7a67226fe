"""The engine process: alive by its lock, stopped when asked, orphaned when killed, and going on to the same numbers."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from engine import spec as specs
from engine.places import runs_root
from engine.process import launch
from engine.record import checkpoint, events, rundir, summary

SETTINGS = {
    "model.embedding_dim": 8, "model.filters": 8, "model.widths": "2,3", "data.min_count": 1,
    "training.epochs": 2, "training.learning_rate": 0.01, "schedule.rounds": 2, "schedule.rate": 0.5, "threads": 1,
}  # fmt: skip


def new_run(**changes) -> Path:
    seeds = changes.pop("seeds", 1)
    changes = {key: "none" if value is None else value for key, value in changes.items()}
    return launch.new_run(runs_root(), specs.compose("cnn", "ag_news", seeds=seeds, settings=SETTINGS | changes))


def long_run() -> Path:
    """A run that would take minutes."""
    return new_run(**{"training.epochs": 10_000})


def read(run: Path) -> list[dict]:
    return events.read(run / events.FILE).events


def until(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def numbers(run: Path) -> dict:
    """What the trainings of a run came to, without times, and whoever trained them."""
    trained = [e for e in events.read(run / events.FILE).events if e["event"] == "trained"]
    own = ("seq", "time", "seconds", "crc32", "shared")
    return {(e["seed"], e["round"], e["arm"]): {k: v for k, v in e.items() if k not in own} for e in trained}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """One run to its end, shared by the tests that only look at it."""
    from tests.conftest import write_news

    folder = tmp_path_factory.mktemp("finished")
    write_news(folder / "data" / "ag_news")
    with pytest.MonkeyPatch.context() as patch:
        for name, part in (("LTH_RUNS", "runs"), ("LTH_DATA", "data"), ("XDG_CACHE_HOME", "cache")):
            patch.setenv(name, str(folder / part))
        run = new_run(seeds=3)
        assert launch.start(run).wait() == 0, (run / "engine.log").read_text()
    return run


def test_a_finished_run_shows_every_round_arm_and_seed(finished):
    shown = summary.show(finished)
    assert shown["state"] == "finished"
    assert [r["round"] for r in shown["rounds"]] == [0, 1, 2]
    assert [round(r["sparsity"], 2) for r in shown["rounds"]] == [0.0, 0.5, 0.75]
    assert list(shown["rounds"][1]["arms"]) == ["ticket", "reinit", "shuffle"]
    for entry in shown["rounds"]:
        for metrics in entry["arms"].values():
            for name in ("valid_accuracy", "test_accuracy", "test_macro_f1", "test_loss", "best_epoch", "seconds"):
                assert len(metrics[name]) == 3
                assert None not in metrics[name]
    assert shown["verdict"]["seeds"] == 3
    assert shown["verdict"]["sentence"]
    assert None not in shown["reference"]["per_seed"]
    assert shown["reference"]["texts"] == shown["reference"]["of"] == [216] * 3
    assert shown["data"] | {"train": 216, "valid": 24, "test": 80, "classes": 4} == shown["data"]
    assert shown["machine"]["threads"] == 1
    assert shown["machine"]["grouping"] == "one after another"
    assert shown["events_skipped"] == 0


def test_a_seeds_linear_reference_is_told_once_before_its_dense_training(finished):
    told = [(e["event"], e["seed"], e.get("round")) for e in events.read(finished / events.FILE).events if "seed" in e]
    for seed in (0, 1, 2):
        assert told.count(("reference", seed, None)) == 1
        assert told.index(("reference", seed, None)) < told.index(("round_started", seed, 0))
    final = events.read(finished / events.FILE).events[-1]
    assert final["reference"] == summary.show(finished)["reference"]


def test_a_reference_from_the_cache_changes_no_number_of_the_networks(news):
    runs = [new_run(**{"schedule.rounds": 1}) for _ in range(2)]
    for run in runs:
        assert launch.start(run).wait() == 0
    one, other = (summary.show(run)["reference"] for run in runs)
    assert one == other, "the seconds it took included, so the second was not computed"
    assert numbers(runs[0]) == numbers(runs[1])


def test_a_finished_run_left_a_ticket_for_every_seed_and_round(finished):
    for seed in (0, 1, 2):
        rewind = checkpoint.load_rewind(finished, seed)
        number, tracks = checkpoint.load_standing(finished, seed)
        mask, trained = tracks["ticket"]
        assert number == 2
        last = checkpoint.load_mask(finished, seed, 2)
        assert list(last) == list(mask)
        assert all((last[name] == mask[name]).all() for name in mask)
        assert not any(trained[name][~mask[name]].any() for name in mask)
        assert rewind.keys() == trained.keys()
        first = checkpoint.load_mask(finished, seed, 1)
        assert all((first[name] | ~last[name]).all() for name in last), "masks are nested"


def test_files_are_the_users_own(finished):
    for path in [finished, *finished.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_the_engine_is_alone_in_a_session_without_a_terminal(news):
    run = long_run()
    engine = launch.start(run)
    try:
        assert rundir.state(run) == "running"
        assert os.getsid(engine.pid) == engine.pid
        assert os.readlink(f"/proc/{engine.pid}/fd/0") == "/dev/null"
        assert os.readlink(f"/proc/{engine.pid}/fd/1") == str(run / "engine.log")
        os.kill(engine.pid, signal.SIGHUP)
        os.kill(engine.pid, signal.SIGINT)
        time.sleep(0.2)
        assert engine.poll() is None
    finally:
        engine.kill()
        engine.wait()


def test_a_worker_called_from_a_terminal_starts_a_session_of_its_own(news):
    run = new_run(**{"schedule.rounds": 1})
    command = [sys.executable, "-m", "engine.process.worker", str(run)]
    called = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert called.communicate(timeout=300) == (b"", None)
    assert called.returncode == 0
    assert rundir.state(run) == "finished"
    assert rundir.read_status(run)["process"]["pid"] != called.pid


def test_a_second_engine_is_refused(news):
    run = long_run()
    engine = launch.start(run)
    try:
        with pytest.raises(launch.LaunchFailed, match="held by another engine"):
            launch.start(run)
        assert rundir.state(run) == "running"
    finally:
        engine.kill()
        engine.wait()


def test_killed_at_any_moment_it_is_orphaned_readable_and_goes_on_to_the_same_numbers(news, finished):
    run = new_run(seeds=3)
    kills = 0
    for delay in (0.0, 0.3, 0.1, 0.6, 0.2):
        engine = launch.start(run)
        until(lambda gone=engine.poll: numbers(run) or gone() is not None)
        time.sleep(delay)
        if engine.poll() is not None:
            break
        engine.kill()
        kills += 1
        engine.wait()
        assert rundir.state(run) == "orphaned", "at the first look"
        shown = summary.show(run)
        assert shown["state"] == "orphaned"
        assert shown["events_skipped"] == 0
        done = [e for e in events.read(run / events.FILE).events if e["event"] == "round_finished"]
        for event in done:
            assert checkpoint.load_mask(run, event["seed"], event["round"])
    assert kills >= 2
    if rundir.state(run) != "finished":
        assert launch.start(run).wait() == 0
    assert numbers(run) == numbers(finished)
    whole, again = summary.show(finished), summary.show(run)
    assert again["verdict"] == whole["verdict"]
    assert again["reference"]["per_seed"] == whole["reference"]["per_seed"]
    told = [event["seed"] for event in events.read(run / events.FILE).events if event["event"] == "reference"]
    assert told == [0, 1, 2], "not again by an engine that goes on"
    for seed in (0, 1, 2):
        one, other = checkpoint.load_standing(finished, seed), checkpoint.load_standing(run, seed)
        (_, one), (_, other) = one[1]["ticket"], other[1]["ticket"]
        assert all((one[name] == other[name]).all() for name in one)


def test_asked_to_stop_it_stops_within_a_step_and_says_so(news):
    run = long_run()
    engine = launch.start(run)
    until(lambda: rundir.read_status(run).get("epoch"))
    assert launch.ask_to_stop(run)
    assert engine.wait(timeout=120) == 130
    assert rundir.state(run) == "stopped"
    assert events.read(run / events.FILE).events[-1]["event"] == "run_stopped"


def test_stop_now_kills_the_whole_group(news):
    run = long_run()
    engine = launch.start(run)
    assert launch.end(run)
    assert engine.wait(timeout=120) == -signal.SIGKILL
    assert rundir.state(run) == "stopped"
    assert rundir.cause(rundir.read_status(run), "stopped") == "killed by `lth stop --now`"
    assert not launch.end(run), "there is nobody to end any more"


@pytest.mark.parametrize("full", ["events", "status", "both"])
def test_a_disk_that_is_full_as_a_run_stops_raises_nothing_and_takes_the_state_where_it_can(monkeypatch, full):
    from engine.process.journal import RunJournal

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = rundir.create(runs_root(), b"{}", "cnn", "a", "imp")
    rundir.write_status(run, {"state": "running", "process": rundir.identity()})
    journal = RunJournal(run, lambda: True)
    if full != "status":
        monkeypatch.setattr(journal.log, "append", fails)
    if full != "events":
        monkeypatch.setattr(rundir, "write_status", fails)
    journal.stopped()
    assert rundir.read_status(run)["state"] == ("stopped" if full == "events" else "running")


def test_no_process_but_the_runs_own_engine_is_ever_signalled(news):
    run = new_run()
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        from engine.record import liveness

        rundir.write_status(run, {"state": "running", "process": liveness.identity(bystander.pid)})
        assert not launch.ask_to_stop(run), "alive and known, but it does not hold the lock"
        assert not launch.end(run)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_spec_of_a_newer_version_fails_in_one_sentence(news):
    run = new_run()
    spec = orjson.loads((run / "spec.json").read_bytes()) | {"version": 3}
    (run / "spec.json").write_bytes(orjson.dumps(spec))
    assert launch.start(run).wait() == 2
    status = rundir.read_status(run)
    assert status["state"] == "failed"
    assert "version 3" in status["cause"]
    assert "upgrade" in status["cause"]
    assert "Traceback" not in (run / "engine.log").read_text()


def test_an_unexpected_error_is_a_state_a_cause_and_a_traceback_in_the_log(news, tmp_path):
    run = new_run()
    (run / "tickets").rmdir()
    (run / "tickets").write_text("in the way")
    assert launch.start(run).wait() == 1
    status = rundir.read_status(run)
    assert status["state"] == "failed"
    assert "NotADirectoryError" in status["cause"]
    assert "Traceback" in (run / "engine.log").read_text()
    assert summary.show(run)["cause"] == status["cause"]


@pytest.mark.parametrize(
    ("damaged", "words"),
    [([""], "seed 0 goes on from the checkpoint before"), (["", ".before"], "seed 0 begins again")],
)
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_counts(news, damaged, words):
    run = new_run(**{"schedule.rounds": 1})
    assert launch.start(run).wait() == 0
    before = numbers(run)
    for ending in damaged:
        path = run / "checkpoints" / f"seed-0.safetensors{ending}"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    rundir.write_status(run, rundir.read_status(run) | {"state": "stopped"})
    assert launch.start(run).wait() == 0
    assert any(words in warning for warning in summary.show(run)["warnings"])
    assert numbers(run) == before


def test_a_resumed_run_keeps_the_threads_it_began_with(news):
    run = new_run(threads=None, **{"training.epochs": 10_000})
    engine = launch.start(run)
    until(lambda: rundir.read_status(run).get("epoch"))
    launch.ask_to_stop(run)
    assert engine.wait(timeout=120) == 130
    path = run / events.FILE
    began = next(e for e in events.read(path).events if e["event"] == "run_started")
    path.unlink()
    log = events.EventLog(run)
    own = ("seq", "time", "event")
    log.append("run_started", **{k: v for k, v in began.items() if k not in own} | {"threads": 3})
    log.close()
    engine = launch.start(run)
    until(lambda: any(e["event"] == "run_resumed" for e in events.read(path).events))
    engine.kill()
    engine.wait()
    assert next(e for e in events.read(path).events if e["event"] == "run_resumed")["threads"] == 3


def test_a_run_whose_data_changed_is_not_resumed(news):
    run = long_run()
    engine = launch.start(run)
    until(lambda: rundir.read_status(run).get("epoch"))
    launch.ask_to_stop(run)
    assert engine.wait(timeout=120) == 130
    train = news / "train.csv"
    train.write_text(train.read_text().replace("goal", "penalty"))
    assert launch.start(run).wait() == 2
    assert "ag_news has changed since this run began" in rundir.read_status(run)["cause"]


def test_a_folder_named_engine_where_it_starts_does_not_come_before_ours(news, tmp_path, monkeypatch):
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("raise SystemExit(9)")
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: real(*a, **k | {"cwd": str(tmp_path)}))
    engine = launch.start(long_run())
    engine.kill()
    engine.wait()


def test_an_engine_that_cannot_begin_is_a_failed_run_with_its_last_words(news, monkeypatch):
    run = new_run()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(launch.LaunchFailed):
        launch.start(run)
    assert rundir.state(run) == "failed"


def test_stopped_inside_a_round_it_goes_on_inside_it_to_the_same_numbers(news, finished):
    run = new_run()
    told = lambda: [(e["seed"], e["round"], e["arm"]) for e in read(run) if e["event"] == "trained"]  # noqa: E731
    stops = 0
    while rundir.state(run) != "finished":
        engine, before = launch.start(run), told()
        until(lambda before=before, gone=engine.poll: len(told()) > len(before) + 1 or gone() is not None)
        launch.ask_to_stop(run)
        assert engine.wait(timeout=120) in (0, 130)
        stops += 1
    assert stops >= 2
    kept = [e for e in read(run) if e["event"] == "checkpoint" and "step" in e]
    assert kept, "a training was put down between two steps"
    assert len(told()) == len(set(told())), "no network was trained twice"
    assert numbers(run) == {key: found for key, found in numbers(finished).items() if key[0] == 0}
    assert not list((run / "checkpoints").glob("*halfway*")), "of rounds that are done nothing halfway is kept"


def test_killed_inside_a_round_it_loses_no_more_than_since_the_last_checkpoint(news, finished, monkeypatch):
    monkeypatch.setenv("LTH_CHECKPOINT_MINUTES", "0")
    run = new_run(seeds=3)
    engine = launch.start(run)
    until(lambda: any(e["event"] == "checkpoint" and e.get("epoch") == 2 and e["round"] == 1 for e in read(run)))
    engine.kill()
    engine.wait()
    before = [e for e in read(run) if e["event"] == "checkpoint"][-1]
    monkeypatch.delenv("LTH_CHECKPOINT_MINUTES")
    assert launch.start(run).wait() == 0
    resumed = [e["event"] for e in read(run)].index("run_resumed")
    first = next(e for e in read(run)[resumed:] if e["event"] in ("epoch", "trained"))
    assert (first["seed"], first["round"], first["arm"]) == (before["seed"], before["round"], before["arm"])
    assert first.get("epoch", before["epoch"]) == before["epoch"], "no epoch before it was trained again"
    assert numbers(run) == numbers(finished)


def test_a_seed_whose_ticket_diverged_has_ended_only_once_its_other_arms_are_trained(news):
    from engine.process.journal import RunJournal

    run = new_run()
    log = events.EventLog(run)
    shape = {"sparsity": 0.5, "total_sparsity": 0.5, "parameters": 9, "nonzero": 4, "layers": {}}
    log.append("round_started", seed=0, round=1, arms=["ticket", "reinit"], **shape)
    log.append("trained", seed=0, round=1, arm="ticket", diverged=True)
    assert not RunJournal(run, lambda: False).ended(0)
    log.append("trained", seed=0, round=1, arm="reinit", diverged=False)
    log.close()
    assert RunJournal(run, lambda: False).ended(0)


@pytest.mark.parametrize("given", ["soon", "-1", "nan"])
def test_an_interval_that_is_none_fails_the_run_in_one_sentence(news, monkeypatch, given):
    monkeypatch.setenv("LTH_CHECKPOINT_MINUTES", given)
    run = new_run()
    assert launch.start(run).wait() == 2
    assert rundir.read_status(run)["cause"].startswith(f"LTH_CHECKPOINT_MINUTES: '{given}' given; give a number")
