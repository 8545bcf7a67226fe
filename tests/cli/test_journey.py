"""The main job from the command line: run, look, remove, bring back. JSON alone on stdout, words on stderr."""

import os
import signal
import subprocess

import orjson
import pytest

from engine.record import events, rundir
from tests.cli.conftest import (
    ROOT,
    call,
    command,
    lth,
    one_sentence,
    only_run,
    run_arguments,
    runs_here,
    until,
)

METRICS = {"valid_accuracy", "test_accuracy", "test_macro_f1", "test_loss", "best_epoch", "seconds"}


def check_shape(shown: dict, arms: tuple[str, ...] = ("ticket", "reinit", "shuffle")) -> None:
    """The shape that other programs read, whatever the run has reached."""
    assert {"id", "state", "spec", "seeds", "data", "reference", "rounds", "verdict"} <= shown.keys()
    assert shown["spec"]["model"]["name"] == "cnn"
    assert {"name", "classes", "train", "valid", "test"} <= shown["data"].keys()
    assert shown["data"]["name"] == "ag_news"
    for entry in shown["rounds"]:
        assert {"round", "sparsity", "total_sparsity", "parameters", "nonzero", "layers", "arms"} <= entry.keys()
        assert set(entry["arms"]) <= ({"dense"} if entry["round"] == 0 else set(arms))
        assert entry["arms"], "a round is listed once it has a trained network"
        for metrics in entry["arms"].values():
            assert metrics.keys() >= METRICS
            for name in METRICS:
                assert len(metrics[name]) == len(shown["seeds"])
            assert all(0 <= a <= 1 for a in metrics["test_accuracy"] if a is not None), "accuracies are fractions"


def test_run_json_prints_what_show_prints_and_says_its_words_elsewhere(journey, finished):
    ran, _ = journey
    assert ran.code == 0, ran.err
    shown = ran.json
    check_shape(shown)
    assert shown["state"] == "finished"
    assert shown["seeds"] == [0, 1, 2]
    assert [round(entry["sparsity"], 2) for entry in shown["rounds"]] == [0.0, 0.5, 0.75]
    assert list(shown["rounds"][1]["arms"]) == ["ticket", "reinit", "shuffle"]
    assert {"winning_ticket", "matching_round", "matching_sparsity", "margin", "seeds", "looks", "region", "against",
            "sentence"} <= shown["verdict"].keys()  # fmt: skip
    assert len(shown["reference"]["per_seed"]) == 3
    assert 0.25 < shown["reference"]["linear_test_accuracy"] < 1
    assert set(shown["verdict"]["against"]) == {"reinit", "shuffle"}
    for comparison in shown["verdict"]["against"].values():
        assert comparison.keys() == {"gap", "ci95", "p"}
        assert len(comparison["ci95"]) == 2
    assert "21 trainings" in ran.err
    assert shown["id"] in ran.err
    assert call("show", "@last", "--json").json == shown


def test_without_json_the_result_is_on_stdout_and_progress_is_not(finished):
    said = call("show", finished.name)
    assert said.code == 0
    assert said.err == ""
    for part in (finished.name, "finished", "ticket", "reinit", "shuffle", "dense", "50.0", "75.0"):
        assert part in said.out
    verdict = call("show", finished.name, "--json").json["verdict"]["sentence"]
    assert verdict.split()[:6] == said.out[said.out.rindex(verdict.split(":", maxsplit=1)[0]) :].split()[:6]


def test_each_cell_of_the_table_is_the_mean_over_seeds_in_percent(finished):
    shown = call("show", finished.name, "--json").json
    words = call("show", finished.name).out
    for entry in shown["rounds"]:
        for metrics in entry["arms"].values():
            mean = 100 * sum(metrics["test_accuracy"]) / 3
            assert any(f"{mean + by:.1f} ±" in words for by in (-1e-9, 1e-9)), "a tie may be rounded either way"


def test_show_has_macro_f1_and_loss_for_every_arm_on_asking(finished):
    shown = call("show", finished.name, "--json").json
    for metric, name, factor, digits in (("macro-f1", "test_macro_f1", 100, 1), ("loss", "test_loss", 1, 3)):
        words = call("show", finished.name, "--metric", metric).out
        for entry in shown["rounds"]:
            for metrics in entry["arms"].values():
                assert f"{factor * sum(metrics[name]) / 3:.{digits}f} ±" in words
    assert "macro-f1" in one_sentence(call("show", finished.name, "--metric", "macro"))


def test_show_and_ls_follow_a_detached_run_from_its_first_moment_to_its_last(news):
    began = lth(*run_arguments("training.epochs=10000"), "--detach", "--json")
    assert began.code == 0, began.err
    assert began.json == {"id": only_run().name, "state": "running"}
    assert f"lth watch {began.json['id']}" in began.err
    run = only_run()
    assert began.json["id"] == run.name
    engine = rundir.holder(run)
    assert engine is not None, "the engine works when the command returns"
    os.kill(engine, signal.SIGSTOP)  # so that it has found nothing yet when we look
    shown = lth("show", run.name, "--json").json
    check_shape(shown)
    assert shown["state"] == "running"
    assert shown["verdict"] is None
    assert shown["reference"] is None
    listed = lth("ls", "--json").json
    assert [(one["id"], one["state"]) for one in listed] == [(run.name, "running")]
    os.kill(engine, signal.SIGCONT)
    until(lambda: rundir.read_status(run).get("epoch"))
    refused = lth("resume", run.name)
    assert "running" in one_sentence(refused)
    assert "stop" in one_sentence(lth("rm", run.name))

    stopped = lth("stop", run.name)
    assert (stopped.code, stopped.out) == (0, "")
    assert f"lth resume {run.name}" in stopped.err
    assert rundir.holder(run) is None
    shown = lth("show", run.name, "--json").json
    check_shape(shown)
    assert shown["state"] == "stopped"
    assert "stopped" in one_sentence(lth("stop", run.name))


def test_stop_now_kills_and_says_how_to_go_on(news):
    name = lth(*run_arguments("training.epochs=10000"), "--detach").out.strip()
    said = lth("stop", "--now", name)
    assert said.code == 0
    assert f"lth resume {name}" in said.err
    assert call("ls", "--json").json[0]["state"] == "stopped"
    assert "killed by `lth stop --now`" in lth("show", name).out + lth("show", name, "--json").out


def test_resume_finishes_a_killed_run_which_ls_shows_as_orphaned_at_its_first_look(news):
    name = lth(*run_arguments("schedule.rounds=1", "training.epochs=100"), "--detach").out.strip()
    run = runs_here() / name
    until(lambda: rundir.read_status(run).get("epoch"))
    os.kill(rundir.holder(run), signal.SIGKILL)
    until(lambda: rundir.holder(run) is None)
    assert call("ls", "--json").json[0]["state"] == "orphaned"
    listed = call("ls")
    assert "orphaned" in listed.out
    assert f"1 run lost the engine; go on with: lth resume {name}" in listed.err
    shown = call("show", name, "--json").json
    check_shape(shown)
    assert "ended without a word" in shown["cause"]
    done = lth("resume", name, "--json")
    assert done.code == 0, done.err
    assert done.json["state"] == "finished"
    check_shape(done.json)
    assert len(done.json["rounds"]) == 2


def test_watch_json_streams_every_event_of_a_run_and_ends_with_it(news):
    name = lth(*run_arguments("schedule.rounds=1"), "--detach", "--json").json["id"]
    watched = lth("watch", name, "--json")
    assert watched.code == 0
    told = [orjson.loads(line) for line in watched.out.splitlines()]
    assert told[-1]["event"] == "run_finished"
    assert told == events.read(runs_here() / name / events.FILE).events
    assert [e["arm"] for e in told if e["event"] == "trained"] == ["dense", "ticket", "reinit", "shuffle"]


def test_watch_without_a_terminal_tells_each_trained_network_and_ends_with_the_result(news):
    name = lth(*run_arguments("schedule.rounds=1"), "--detach").out.strip()
    watched = lth("watch", name)
    assert watched.code == 0
    for arm in ("dense", "ticket", "reinit", "shuffle"):
        assert sum(line.startswith("seed 0 ") and f" {arm} " in line for line in watched.err.splitlines()) == 1
    assert watched.err.count("linear reference (TF-IDF + logistic regression)") == 1
    assert "linear reference (TF-IDF + logistic regression)" in watched.out
    assert "finished" in watched.out
    assert "\x1b" not in watched.out + watched.err


def test_ls_is_newest_first_in_words_and_as_json(finished, monkeypatch):
    older = rundir.create(runs_here(), (finished / "spec.json").read_bytes(), "cnn", "ag_news", "imp")
    older = older.rename(older.with_name("20200101-000000-ag_news-cnn-imp-aaaa"))
    newer = older.with_name("20990101-000000-ag_news-cnn-imp-bbbb")
    rundir.create(runs_here(), (finished / "spec.json").read_bytes(), "cnn", "ag_news", "imp").rename(newer)
    listed = call("ls", "--json").json
    assert [one["id"] for one in listed] == [newer.name, finished.name, older.name]
    for one in listed:
        assert {"id", "state", "model", "dataset", "schedule", "created"} <= one.keys()
    wanted = {"state": "finished", "model": "cnn", "dataset": "ag_news", "schedule": "imp"}
    assert listed[1] | wanted == listed[1]
    assert listed[0]["created"] == "2099-01-01T00:00:00"
    assert [one["id"] for one in call("ls", "--json", "-n", "1").json] == [newer.name]
    monkeypatch.setenv("COLUMNS", "200")
    lines = call("ls").out.splitlines()[-3:]
    assert [line.split()[0] for line in lines] == [newer.name, finished.name, older.name]
    assert call("show", "@last", "--json").json["id"] == newer.name


def test_no_runs_are_an_empty_list_and_a_word_on_where_to_begin():
    assert call("ls", "--json") == (0, "[]\n", "")
    said = call("ls")
    assert (said.code, said.out) == (0, "")
    assert "lth demo" in said.err
    assert not runs_here().exists(), "looking makes nothing"


def test_logs_are_the_engines_last_words(finished):
    whole = call("logs", finished.name, "-n", "0").out.splitlines()
    assert "run_started" in whole[0]
    assert "run_finished" in whole[-1]
    assert call("logs", finished.name, "-n", "2").out.splitlines() == whole[-2:]


def test_logs_obey_no_terminal_code_that_stands_in_them(finished):
    with (finished / "engine.log").open("ab") as log:
        log.write(b"\x1b]0;owned\x07\x9b31m\xc2\x9b31m \xff\xfe\n")
    said = lth("logs", finished.name, "-n", "1")
    assert not set(said.out) & {"\x1b", "\x07", "\x9b"}
    assert "owned" in said.out


def test_logs_take_json(finished):
    assert call("logs", finished.name, "--json").code == 0


def test_a_removed_run_comes_back_as_it_was(finished):
    before = call("show", finished.name, "--json").json
    removed = call("rm", finished.name[-4:])
    assert (removed.code, removed.out) == (0, "")
    assert f"lth rm --undo {finished.name}" in removed.err
    assert call("ls", "--json").json == []
    assert "holds no runs" in one_sentence(call("show", finished.name))
    back = call("rm", "--undo", finished.name)
    assert (back.code, back.out) == (0, "")
    assert call("show", finished.name, "--json").json == before
    assert len(call("ls", "--json").json) == 1


def test_nothing_to_bring_back_is_said_as_such():
    assert "lth run" not in one_sentence(call("rm", "--undo", "@last"))


@pytest.mark.parametrize("damage", ["deleted", "truncated", "flipped"])
def test_a_damaged_history_is_rebuilt_equal_and_said_in_one_line(finished, damage):
    before = call("ls", "--json").json
    path = runs_here() / "history.json"
    content = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    after = call("ls", "--json")
    assert after.json == before
    assert after.err.count("\n") == 1
    assert "rebuilt" in after.err
    assert call("ls", "--json") == (0, after.out, ""), "said once"


def test_reindex_says_how_many_runs_the_history_holds(finished):
    (runs_here() / "history.json").write_text("nonsense")
    said = call("reindex")
    assert (said.code, said.out) == (0, "")
    assert "1 run " in said.err
    assert call("ls", "--json").err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["logs", "@last", "-n", "0"],
        ["show", "@last", "--json"],
        ["run", "--help"],
        ["ls"],
        ["show", "@last"],
        ["models"],
    ],
)
def test_a_reader_that_leaves_early_is_no_error(finished, arguments):
    call("reindex")
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command(*arguments), check=False, stdout=write, stderr=subprocess.PIPE, env=environment)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("arguments", [["show", "@last"], ["schedules", "show", "imp"]])
def test_a_locale_without_these_signs_is_no_error(finished, arguments, encoding):
    said = lth(*arguments, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert said.code == 0
    assert "Traceback" not in said.err


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_nothing_is_wider_than_the_terminal(finished, columns):
    for arguments in (["ls"], ["show", "@last"], ["models"], ["datasets"], ["schedules"], ["arms"], ["data", "ls"]):
        for line in lth(*arguments, COLUMNS=str(columns)).out.splitlines():
            assert len(line) <= columns
            assert "…" not in line, f"cut off at {columns} columns: {line}"


@pytest.mark.parametrize(
    "name",
    [
        "20261123-132831-ag_news-cnn-imp-757e",
        "20251123-132831-ag_news-cnn-imp-global-757e",
    ],
)
def test_ls_keeps_each_run_on_one_line_that_can_be_copied(finished, name):
    finished.rename(finished.with_name(name))
    lines = lth("ls", COLUMNS="80").out.splitlines()
    assert len([line for line in lines if line.strip(" ─")]) == 2, lines
    assert name in lines[-1]


def test_counts_agree_with_their_nouns(news):
    ran = lth(*run_arguments("schedule.rounds=1", "training.epochs=1"))
    assert ran.code == 0
    words = " ".join((ran.out + ran.err).split())
    assert [plural for plural in ("1 rounds", "1 epochs", "1 seeds") if f" {plural}" in words] == []
