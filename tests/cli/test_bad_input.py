"""Bad input: one sentence on stderr that names the field, what was given and what would do; exit code 2; no traces."""

import orjson
import pytest

from engine.record import finding, rundir
from tests.cli.conftest import call, fill, lth, one_sentence, only_run, run_arguments, runs_here
from tests.conftest import write_news

RUN = ["run", "-m", "cnn", "-d", "ag_news"]


def no_trace() -> None:
    left = [path.name for path in runs_here().glob("*")] if runs_here().is_dir() else []
    assert left == [], f"left in the runs folder: {left}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "cnnn", "-d", "ag_news"], ("model", "cnnn", "did you mean cnn or")),
        (["-m", "zebra", "-d", "ag_news"], ("model", "zebra", "cnn")),
        (["-m", "cnn", "-d", "agnews"], ("dataset", "agnews", "ag_news?")),
        (["-m", "cnn", "-d", "pydocs"], ("dataset", "pydocs", "pydoc?")),
        (["-m", "cnn", "-d", "ag_news", "-s", "im"], ("schedule", "im", "imp")),
        (["-m", "cnn", "-d", "ag_news", "-a", "tickets"], ("arm", "tickets", "ticket?")),
        (["-m", "cnn", "-d", "ag_news", "-a", "renit", "-a", "ticket"], ("arm", "renit", "reinit or reinit-own?")),
        (["-m", "cnn", "-d", "ag_news", "-a", "ticket", "-a", "ticket"], ("arm", "twice")),
        (["-m", "cnn", "-d", "../../etc"], ("dataset", "../../etc")),
        (["-m", "", "-d", "ag_news"], ("model", "cnn")),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(news, arguments, said):
    words = one_sentence(call("run", *arguments))
    for part in said:
        assert part in words
    no_trace()


def test_terminal_codes_in_a_name_are_not_sent_back(news):
    words = one_sentence(call("run", "-m", "cnn", "-d", "\x1b]0;x\x07\u202e"))
    assert words.isprintable()


@pytest.mark.parametrize("rate", ["0", "1", "-0.1", "1.5", "nan", "inf", "much", "", "0,2"])
def test_a_rate_outside_of_0_to_1_is_refused(news, rate):
    words = one_sentence(call(*RUN, "--set", f"schedule.rate={rate}"))
    assert words.startswith("schedule.rate: ")
    assert f"'{rate}'" in words
    no_trace()


@pytest.mark.parametrize(
    "setting",
    ["training.epochs=0", "training.epochs=-1", "training.epochs=2.5", "training.epochs=many", "schedule.rounds=-1",
     "training.batch_size=0", "training.learning_rate=nan", "training.learning_rate=-1", "data.valid_fraction=1",
     "data.train_size=1", "data.train_size=241", "model.dropout=1", "model.filters=0", "model.widths=3,x",
     "model.widths=", "schedule.prunable=embedding,foo", "schedule.prunable=", "schedule.scope=local",
     "schedule.criterion=magic", "schedule.rewind=500it", "device=gpu", "threads=0", "verdict.margin=0",
     "training.lr_schedule=cosine", f"model.filters={10**30}"],
)  # fmt: skip
def test_a_setting_out_of_bounds_is_named_with_what_was_given(news, setting):
    words = one_sentence(call(*RUN, "--set", setting))
    field, _, given = setting.partition("=")
    assert words.startswith(f"{field}: ")
    assert given.rpartition(",")[2] in words
    no_trace()


@pytest.mark.parametrize("setting", ["schedule.rate=much", "training.epochs=many", "model.widths=3,x"])
def test_a_number_that_is_none_is_answered_in_the_houses_words(news, setting):
    assert "parse" not in one_sentence(call(*RUN, "--set", setting))


@pytest.mark.parametrize("rate", ["0", "1.5"])
def test_a_rate_out_of_bounds_is_answered_with_both_bounds(news, rate):
    words = one_sentence(call(*RUN, "--set", f"schedule.rate={rate}")).partition("given")[2]
    assert "0" in words
    assert "1" in words


@pytest.mark.parametrize("seeds", ["0", "-1", "1001"])
def test_a_number_of_seeds_that_makes_no_sense_is_refused(news, seeds):
    words = one_sentence(call(*RUN, "--seeds", seeds))
    assert words.startswith("seeds: ")
    assert seeds in words
    no_trace()


def test_an_unknown_setting_is_answered_with_the_nearest_or_all(news):
    assert "training.epochs?" in one_sentence(call(*RUN, "--set", "training.epoch=3")).replace(" or", "?")
    words = one_sentence(call(*RUN, "--set", "zzz=3"))
    for known in ("training.epochs", "schedule.rate", "model.dropout", "data.max_tokens", "verdict.margin"):
        assert known in words
    no_trace()


@pytest.mark.parametrize("setting", ["training.epochs", "=3", "", "3"])
def test_a_setting_without_key_and_value_is_shown_how(news, setting):
    words = one_sentence(call(*RUN, "--set", setting))
    assert "key=value" in words
    assert "--set training.epochs=3" in words
    no_trace()


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["run", "-m", "cnn"], [*RUN, "--seeds", "few"], ["ls", "-n", "-1"], ["shwo"], ["ls", "--jsn"], ["show"]],
)
def test_what_the_parser_notices_is_one_sentence_too(arguments):
    words = call(*arguments).err.strip()
    assert words.count("\n") <= 1
    assert "Usage" not in words


def broken(folder, kind: str) -> str:
    """A dataset with one thing wrong in its train.csv; what the sentence must name."""
    path = write_news(folder) / "train.csv"
    lines = path.read_text().splitlines()
    if kind == "a missing column":
        path.write_text("\n".join([*lines[:6], '"1"', *lines[6:]]))
        return "row 7"
    if kind == "one class":
        path.write_text("\n".join(line for line in lines if line.startswith('"1"')))
        return "one class"
    if kind == "unequal columns":
        path.write_text("\n".join([*lines[:11], '"1","a","b","c"', *lines[11:]]))
        return "row 12"
    if kind == "not text":
        path.write_bytes(bytes(range(256)) * 40)
        return "no text"
    if kind == "not UTF-8":
        path.write_bytes(path.read_bytes() + b'"1","caf\xe9","x"\n')
        return "line 241"
    if kind == "a class that is not there":
        path.write_text("\n".join([*lines, '"5","a","b"']))
        return "row 241"
    if kind == "a header in one part only":
        path.write_text("\n".join(["class,title,description", *lines]))
        return "test.csv has no column 'title'"
    if kind == "nothing in it":
        path.write_text("")
        return "empty"
    path.unlink()
    return "train.csv"


KINDS = ["a missing column", "one class", "unequal columns", "not text", "not UTF-8", "a class that is not there",
         "a header in one part only", "nothing in it", "no train.csv"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_dataset_is_refused_at_import_naming_the_row(tmp_path, kind):
    named = broken(tmp_path / "bad", kind)
    words = one_sentence(call("data", "import", "ag_news", str(tmp_path / "bad")))
    assert named in words
    assert not (tmp_path / "data" / "ag_news").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_dataset_is_found_before_a_run_is_made(tmp_path, kind):
    named = broken(tmp_path / "data" / "ag_news", kind)
    assert named in one_sentence(call(*RUN))
    no_trace()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["agnews", "."], "ag_news"),
        (["pydoc", "."], "built in"),
        (["ag_news", "nowhere"], "nowhere"),
        (["ag_news", "/dev/null"], "/dev/null"),
        (["ag_news", "x" * 5000], "does not exist"),
        (["../x", "."], "dataset"),
    ],
)
def test_an_import_of_nothing_is_refused(arguments, named):
    assert named in one_sentence(call("data", "import", *arguments))


@pytest.mark.parametrize("name", ["show", "watch", "logs", "stop", "rm", "resume"])
def test_a_run_that_matches_none_or_several_is_said(finished, name):
    rundir.create(runs_here(), (finished / "spec.json").read_bytes(), "cnn", "ag_news", "imp")
    words = one_sentence(call(name, "no-such-run"))
    assert "no-such-run" in words
    assert "lth ls" in words
    words = one_sentence(call(name, "ag_news-cnn"))
    assert "2 ids" in words
    assert finished.name in words
    assert len(finding.run_dirs(runs_here())) == 2


def test_nothing_is_left_to_do_for_a_finished_run(finished):
    assert "finished" in one_sentence(call("resume", finished.name))
    assert "finished" in one_sentence(call("stop", finished.name))


def newer(run) -> None:
    spec = orjson.loads((run / "spec.json").read_bytes()) | {"version": 3}
    (run / "spec.json").write_bytes(orjson.dumps(spec))


def test_resume_refuses_a_spec_of_a_newer_version(finished):
    newer(finished)
    rundir.write_status(finished, {"state": "stopped"})
    words = one_sentence(call("resume", finished.name))
    assert "version 3" in words
    assert "upgrade" in words
    assert rundir.read_status(finished) == {"state": "stopped"}


def test_show_refuses_a_spec_of_a_newer_version(finished):
    newer(finished)
    assert "version 3" in one_sentence(call("show", finished.name))


def test_ls_lists_a_run_of_a_newer_version(finished):
    newer(finished)
    assert call("ls", "--json").json[0]["id"] == finished.name


@pytest.mark.parametrize("spec", [b"", b"{", b"[]", b"{}", b'{"version": 1, "foo": 2}', b"\xff"])
def test_resume_refuses_a_spec_that_is_none(finished, spec):
    (finished / "spec.json").write_bytes(spec)
    rundir.write_status(finished, {"state": "stopped"})
    assert "spec" in one_sentence(call("resume", finished.name))
    for name in ("show", "logs", "ls"):
        assert call(name, *([finished.name] if name != "ls" else [])).code == 0


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("file", ["ls"]),
        ("file", ["show", "@last"]),
        ("file", RUN),
        ("file", ["reindex"]),
        ("file", ["rm", "--undo", "x"]),
        ("file/below", RUN),
        ("file/below", ["ls"]),
        ("file/below", ["show", "@last"]),
        ("file/below", ["reindex"]),
    ],
)
def test_a_runs_folder_that_is_a_file_is_said(news, tmp_path, monkeypatch, place, arguments):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("LTH_RUNS", str(tmp_path / place))
    words = one_sentence(call(*arguments))
    assert str(tmp_path / "file") in words
    assert "File exists" not in words
    assert "no runs yet" not in words
    assert (tmp_path / "file").read_text() == "mine"


def test_a_runs_folder_that_cannot_be_written_is_said(news, monkeypatch):
    monkeypatch.setenv("LTH_RUNS", "/proc/lth-runs")  # refused to root too
    words = one_sentence(call(*RUN))
    assert "/proc/lth-runs" in words
    assert "LTH_RUNS" in words


def test_a_data_folder_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    source = write_news(tmp_path / "downloaded")
    monkeypatch.setenv("LTH_DATA", "/proc/lth-data")
    words = one_sentence(call("data", "import", "ag_news", str(source)))
    assert "LTH_DATA" in words


def test_a_full_disk_is_said_and_leaves_no_run(news, small_disk, monkeypatch):
    monkeypatch.setenv("LTH_RUNS", str(small_disk / "runs"))
    (small_disk / "runs").mkdir()
    fill(small_disk)
    words = one_sentence(call(*RUN))
    assert "No space left" in words
    no_trace()


def test_a_full_disk_is_said_at_import_and_leaves_no_dataset(tmp_path, small_disk, monkeypatch):
    source = write_news(tmp_path / "downloaded", train=8000)
    monkeypatch.setenv("LTH_DATA", str(small_disk))
    assert "No space left" in one_sentence(call("data", "import", "ag_news", str(source)))
    assert not (small_disk / "ag_news").exists()
    assert not [path for path in small_disk.rglob("*") if path.is_file() and not path.name.endswith(".lock")]


def test_a_disk_that_fills_up_under_a_run_is_its_cause_in_words_and_it_stays_readable(news, small_disk, monkeypatch):
    monkeypatch.setenv("LTH_RUNS", str(small_disk / "runs"))
    said = lth(*run_arguments("model.embedding_dim=400", "model.filters=100", "schedule.rounds=1"))
    assert said.code in (1, 2)
    assert said.out == ""
    assert "Traceback" not in said.err
    run = only_run()
    if rundir.read_status(run)["state"] == "failed":
        assert "disk is full" in said.err
    assert call("show", run.name, "--json").json["id"] == run.name
    assert call("ls", "--json").json[0]["state"] in ("failed", "orphaned")


def test_bad_input_that_only_the_engine_can_notice_is_one_sentence_too(news):
    said = lth(*run_arguments("device=cuda:63"))
    assert said.code == 2
    last = said.err.strip().splitlines()[-1]
    assert "cuda:63" in last
    assert not last.endswith("..")
