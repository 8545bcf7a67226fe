"""A run's directory: whole or not at all, private, and found by any part of its id."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.record import finding, rundir, trash
from tests.record.real_runs import SPEC, engine, leftovers, make


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_an_id_says_when_and_what() -> None:
    text = rundir.new_id("cnn", "ag_news", "imp", datetime.fromisoformat("2026-11-22T07:12:05"))
    assert re.fullmatch(r"20261122-071205-ag_news-cnn-imp-[0-9a-f]{4}", text)
    assert rundir.created(Path(text)) == "2026-11-22T07:12:05"


@given(st.text(), st.text(), st.text())
def test_every_id_is_a_safe_file_name(model: str, dataset: str, schedule: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", rundir.new_id(model, dataset, schedule))


def test_a_new_run_is_whole_queued_and_private_under_any_umask(runs: Path, umask: None) -> None:
    run = make(runs)
    assert orjson.loads((run / "spec.json").read_bytes()) == SPEC
    assert rundir.read_status(run) == {"state": "queued"}
    assert rundir.state(run) == "queued"
    assert {path.name for path in run.iterdir()} == {
        "spec.json",
        "status.json",
        "engine.lock",
        "tickets",
        "checkpoints",
    }
    rundir.write_atomically(run / "notes.json", b"{}")
    for path in [runs, run, *run.iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


SYSTEM_CALLS = ("write", "fsync", "replace", "rename", "mkdir", "chmod", "fchmod")


def failing(call: Any, at: int, error: int) -> Any:
    """`call`, which fails at its `at`-th use."""
    uses = iter(range(10**6))

    def fails(*arguments: Any, **options: Any) -> Any:
        if next(uses) == at:
            raise OSError(error, os.strerror(error))
        return call(*arguments, **options)

    return fails


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_a_run_is_made_whole_or_not_at_all_whichever_call_fails(
    runs: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: int
) -> None:
    make(runs)
    whole = set(runs.iterdir())
    real = getattr(os, name)
    for at in range(20):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing(real, at, error))
            try:
                make(runs)
            except BadInput as refusal:
                said = str(refusal)
                assert all(part in said for part in (str(runs), os.strerror(error), "LTH_RUNS")), said
                assert set(runs.iterdir()) == whole
            else:
                assert at > 0, f"os.{name} is never used; the test tests nothing"
                return
    pytest.fail(f"os.{name} was never left alone")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", ["write", "fchmod", "fsync", "replace"])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: int
) -> None:
    path = tmp_path / "status.json"
    rundir.write_atomically(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing(getattr(os, name), 0, error))
        with pytest.raises(OSError, match=re.escape(os.strerror(error))):
            rundir.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert not leftovers(tmp_path)


def test_where_only_the_folder_cannot_be_synced_the_new_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "status.json"
    rundir.write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", failing(os.fsync, 1, errno.EIO))
    with pytest.raises(OSError):
        rundir.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert not leftovers(tmp_path)


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    rundir.write_atomically(tmp_path / "file", b"more than three bytes")
    assert (tmp_path / "file").read_bytes() == b"more than three bytes"


def test_only_durable_writing_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(stat.S_IFMT(os.fstat(descriptor).st_mode)))
    rundir.write_atomically(tmp_path / "file", b"", durable=False)
    assert synced == []
    rundir.write_atomically(tmp_path / "file", b"")
    assert synced == [stat.S_IFREG, stat.S_IFDIR]


def test_a_runs_folder_that_is_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    for use in (lambda: make(tmp_path / "runs"), lambda: finding.run_dirs(tmp_path / "runs")):
        with pytest.raises(BadInput, match="LTH_RUNS"):
            use()


HOSTILE_STATUS = [
    b"",
    b"{",
    b"null",
    b"[1]",
    b"\xff\xfe",
    b'{"state": 7}',
    b'{"state": ["running"]}',
    b'{"state": "winning"}',
    b'{"state":"running","x":' + b"[" * 600 + b"]" * 600 + b"}",
    b'{"state":"running","x":"' + b"a" * (2 << 20) + b'"}',
]


@pytest.mark.parametrize("content", HOSTILE_STATUS)
def test_a_status_that_makes_no_sense_is_failed_in_words(runs: Path, content: bytes) -> None:
    run = make(runs)
    (run / "status.json").write_bytes(content)
    status = rundir.read_status(run)
    assert status["state"] == "failed"
    assert "status.json" in status["cause"]


def test_a_status_that_is_missing_a_folder_or_a_pipe_is_failed_in_words(runs: Path) -> None:
    run = make(runs)
    (run / "status.json").unlink()
    assert rundir.read_status(run)["state"] == "failed"
    (run / "status.json").mkdir()
    assert rundir.read_status(run)["state"] == "failed"
    (run / "status.json").rmdir()
    os.mkfifo(run / "status.json")  # opening it would wait for a writer
    assert rundir.read_status(run)["state"] == "failed"


def test_status_fields_have_their_type_or_are_absent_and_unknown_ones_pass(runs: Path) -> None:
    run = make(runs)
    good = {"state": "running", "seed": 1, "started": 5, "finished": 1.5, "best": {"a": 1}, "from_the_future": [1]}
    rundir.write_status(run, {**good, "round": "3", "epoch": True, "arm": 5, "cause": None, "process": "me"})
    assert rundir.read_status(run) == good


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["state", "round", "best", "process", "started", "finished", "cause", "progress", "x"])
statuses = st.binary() | st.dictionaries(keys, json_values | st.sampled_from(rundir.STATES)).map(
    lambda tree: repr(tree).encode("utf-8", "replace") if not _dumps(tree) else _dumps(tree)
)


def _dumps(tree: object) -> bytes:
    try:
        return orjson.dumps(tree)
    except TypeError:
        return b""


@given(statuses)
def test_no_content_of_a_status_raises(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    run = tmp_path_factory.getbasetemp() / "hostile-status"
    run.mkdir(exist_ok=True)
    (run / "status.json").write_bytes(content)
    status = rundir.read_status(run)
    assert status["state"] in rundir.STATES
    assert rundir.state(run) in (*rundir.STATES, "orphaned")


def named(runs: Path, *names: str) -> None:
    for name in names:
        (runs / name).mkdir(parents=True)
        (runs / name / "spec.json").write_bytes(b"{}")


def test_runs_are_listed_newest_first_and_nothing_else_is(runs: Path) -> None:
    named(runs, "20261122-071205-a-cnn-imp-0000", "20261123-000000-a-cnn-imp-0000", "20251231-235959-b-cnn-imp-ffff")
    named(runs, ".trash", "bad\nname", "-x", "x" * 129)
    (runs / "20270101-000000-no-spec-imp-0000").mkdir()
    (runs / "history.json").write_text("{}")
    listed = [run.name for run in finding.run_dirs(runs)]
    assert listed == [
        "20261123-000000-a-cnn-imp-0000",
        "20261122-071205-a-cnn-imp-0000",
        "20251231-235959-b-cnn-imp-ffff",
    ]


def test_of_two_runs_of_one_second_the_later_one_is_the_newest(runs: Path) -> None:
    named(runs, "20261122-071205-a-cnn-imp-ffff", "20261122-071205-a-cnn-imp-0000")
    os.utime(runs / "20261122-071205-a-cnn-imp-ffff" / "spec.json", ns=(10**9, 10**9))
    assert finding.find(runs, "@last").name.endswith("0000")
    os.utime(runs / "20261122-071205-a-cnn-imp-0000" / "spec.json", ns=(10**8, 10**8))
    assert finding.find(runs, "@last").name.endswith("ffff")


def test_any_unique_part_of_an_id_finds_it_and_a_whole_id_wins(runs: Path) -> None:
    named(runs, "20261122-071205-ag_news-cnn-imp-7f3a", "20261122-071206-pydoc-cnn-imp-11aa", "demo", "demo-2")
    assert finding.find(runs, "7f3a").name == "20261122-071205-ag_news-cnn-imp-7f3a"
    assert finding.find(runs, "pydoc").name == "20261122-071206-pydoc-cnn-imp-11aa"
    assert finding.find(runs, "demo").name == "demo"


def test_an_ambiguous_part_names_up_to_four_of_them(runs: Path) -> None:
    named(runs, *(f"20261122-07120{number}-a-cnn-imp-000{number}" for number in range(6)))
    with pytest.raises(BadInput) as error:
        finding.find(runs, "cnn")
    assert str(error.value).count("-a-cnn-imp-") == 4
    assert "6 ids" in str(error.value)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "/", "../runs", "/etc", "a/../b", "nope", "\x1b[2J", "@first", "x" * 9999]
)
def test_text_that_names_no_run_is_one_safe_sentence(runs: Path, text: str) -> None:
    named(runs, "20261122-071205-ag_news-cnn-imp-7f3a")
    (runs.parent / "spec.json").write_bytes(b"{}")
    with pytest.raises(BadInput) as error:
        finding.find(runs, text)
    assert "lth ls" in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_without_any_run_find_says_how_to_start_one(runs: Path) -> None:
    with pytest.raises(BadInput, match="lth run"):
        finding.find(runs, "@last")


def test_trash_moves_a_run_out_of_sight_and_keeps_an_earlier_one(runs: Path) -> None:
    run = make(runs)
    for wanted in (run.name, f"{run.name}.2"):
        named(runs, run.name) if not run.exists() else None
        gone = trash.put(run)
        assert gone == runs / ".trash" / wanted
        assert (gone / "spec.json").exists()
        assert finding.run_dirs(runs) == []


def test_trash_refuses_a_run_at_work(runs: Path) -> None:
    run = make(runs, state="running")
    with engine(run), pytest.raises(BadInput, match="lth stop"):
        trash.put(run)
    assert run.exists()
    trash.put(run)  # its engine is dead now
    assert not run.exists()


def test_of_an_engine_that_is_gone_it_is_said_how(tmp_path):
    run = rundir.create(tmp_path, b"{}", "cnn", "news", "imp")
    here = rundir.identity(1) | {"start_ticks": 0}  # no process that ever was

    def told(process: dict) -> str | None:
        status = {"state": "running", "process": process}
        return rundir.cause(status, rundir.state(run, status))

    assert "ended without a word" in told(here)
    assert "this machine was restarted" in told(here | {"boot_id": "another"})
    for name in ("status.json", rundir.LOCK):
        os.utime(run / name, (1, 1))
    assert "its engine on elsewhere has given no sign of life" in told(here | {"host": "elsewhere", "boot_id": "x"})
    assert rundir.cause({"state": "failed", "cause": "why"}, "failed") == "why"
