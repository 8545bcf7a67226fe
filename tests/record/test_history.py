"""The index of runs: never wrong for long, never a reason to fail, rebuilt from the runs whenever it is not itself."""

import errno
import io
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from tinydb import TinyDB
from tinydb.table import Document

from engine.errors import BadInput
from engine.record import finding, history, rundir, trash
from tests.record.real_runs import engine, leftovers, make, many, python

KEYS = {
    "id", "state", "model", "dataset", "schedule", "arms", "seeds", "rounds", "created", "finished", "name", "tags",
    "best", "progress", "sentence", "winning_ticket", "cause", "note", "unverified", "stamp",
}  # fmt: skip


def stored(runs: Path) -> dict[str, Any]:
    """What stands in the file, as anybody may read it."""
    table: dict[str, Any] = orjson.loads((runs / "history.json").read_bytes())["runs"]
    return table


def finish(run: Path, **more: Any) -> None:
    rundir.write_status(run, {"state": "finished", **more})


def test_the_summary_of_a_run(runs: Path) -> None:
    run = make(runs)
    best = {"round": 1, "test_accuracy": 0.9, "deeper": {"x": 1}}
    finish(run, best=best, sentence="It holds a ticket.", progress={"trained": 10}, finished=time.time())
    (run / "notes.json").write_bytes(orjson.dumps({"name": "first try", "tags": ["a", 5, "b"], "note": "..."}))
    (found,), _ = history.refresh(runs)
    assert found.keys() == KEYS
    assert found["id"] == run.name
    assert found["state"] == "finished"
    assert found["created"] == rundir.created(run)
    assert (found["model"], found["dataset"], found["schedule"]) == ("cnn", "pydoc", "imp")
    assert (found["arms"], found["seeds"], found["rounds"]) == (["ticket", "reinit"], 2, 2)
    assert found["best"] == {"round": 1, "test_accuracy": 0.9}
    assert found["sentence"] == "It holds a ticket."
    assert found["name"] == "first try"
    assert found["tags"] == ["a", "b"]
    assert found["finished"] >= found["created"]


def test_an_empty_folder_has_no_runs_no_notice_and_gets_no_file(runs: Path) -> None:
    assert history.refresh(runs) == ([], None)
    runs.mkdir()
    assert history.refresh(runs) == ([], None)
    assert list(runs.iterdir()) == []


def test_a_missing_index_is_rebuilt_and_said_once(runs: Path) -> None:
    many(runs, 3)
    summaries, notice = history.refresh(runs)
    assert notice == "history.json was missing; rebuilt from 3 run directories."
    assert [one["id"] for one in summaries] == [run.name for run in finding.run_dirs(runs)]
    assert history.refresh(runs) == (summaries, None)


def test_the_first_launch_makes_the_index_without_a_notice(runs: Path) -> None:
    assert history.fold(runs, make(runs)) is None
    assert len(history.refresh(runs)[0]) == 1
    assert history.refresh(runs)[1] is None


def test_unchanged_runs_are_not_read_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(runs, 5)
    before = history.refresh(runs)[0]
    read: list[Path] = []
    real = rundir.read_status

    def noted(run: Path) -> dict[str, Any]:
        read.append(run)
        return real(run)

    monkeypatch.setattr(rundir, "read_status", noted)
    assert history.refresh(runs) == (before, None)
    assert read == []
    finish(runs / before[2]["id"], sentence="changed")
    assert history.refresh(runs)[0][2]["sentence"] == "changed"
    assert read == [runs / before[2]["id"]]


def test_a_new_name_is_noticed(runs: Path) -> None:
    (run,) = many(runs, 1)
    history.refresh(runs)
    rundir.write_atomically(run / "notes.json", b'{"name": "the good one"}')
    assert history.refresh(runs)[0][0]["name"] == "the good one"


def test_a_run_at_work_is_read_each_time_and_written_only_when_its_state_changes(runs: Path) -> None:
    run = make(runs, state="running", progress={"trained": 1})
    with engine(run):
        assert history.refresh(runs)[0][0]["state"] == "running"
        before = (runs / "history.json").stat()
        rundir.write_status(run, {"state": "running", "progress": {"trained": 2}})
        assert history.refresh(runs)[0][0]["progress"] == {"trained": 2}
        assert (runs / "history.json").stat() == before
    assert history.refresh(runs)[0][0]["state"] == "orphaned", "its status has not changed; its engine is dead"
    assert stored(runs)[run.name]["state"] == "orphaned"
    with engine(run):
        assert history.refresh(runs)[0][0]["state"] == "running", "resumed, before its first status"


def test_runs_that_are_gone_leave_and_others_enter(runs: Path) -> None:
    first, second = many(runs, 2)
    history.refresh(runs)
    trash.put(first)
    third = make(runs)
    assert {one["id"] for one in history.refresh(runs)[0]} == {second.name, third.name} == stored(runs).keys()
    shutil.rmtree(second)
    history.fold(runs, second)
    assert stored(runs).keys() == {third.name}


def test_many_small_folds_give_what_a_rebuild_gives(runs: Path) -> None:
    choice = random.Random(0)
    runs.mkdir()
    for step in range(60):
        kind = choice.choice(["new", "status", "status", "note", "gone", "refresh"])
        existing = finding.run_dirs(runs)
        if kind == "new" or not existing:
            history.fold(runs, make(runs))
        elif kind == "refresh":
            history.refresh(runs)
        else:
            run = choice.choice(existing)
            if kind == "gone":
                trash.put(run)
            elif kind == "note":
                rundir.write_atomically(run / "notes.json", orjson.dumps({"name": f"note {step}"}))
            else:
                rundir.write_status(run, {"state": choice.choice(rundir.STATES), "best": {"step": step}})
            history.fold(runs, run)
    folded = stored(runs)
    listed = history.refresh(runs)[0]
    assert stored(runs) == folded, "the folds had left something out"
    (runs / "history.json").unlink()
    assert history.refresh(runs)[0] == listed
    assert stored(runs) == folded
    assert history.reindex(runs) == len(folded)
    assert stored(runs) == folded


def damages(size: int) -> list[tuple[str, int]]:
    choice = random.Random(20261122)
    flips = [("flip", choice.randrange(size * 8)) for _ in range(25)]
    return [("delete", 0), ("empty", 0), *flips, *(("truncate", choice.randrange(size)) for _ in range(25))]


def damage(path: Path, how: str, where: int) -> None:
    data = bytearray(path.read_bytes())
    if how == "delete":
        path.unlink()
    elif how == "flip":
        data[where // 8] ^= 1 << where % 8
        path.write_bytes(data)
    else:
        path.write_bytes(data[:where])


def test_a_damaged_index_is_rebuilt_equal_and_said(runs: Path) -> None:
    many(runs, 12)
    original, _ = history.refresh(runs)
    path = runs / "history.json"
    whole = path.read_bytes()
    for how, where in damages(len(whole)):
        damage(path, how, where)
        summaries, notice = history.refresh(runs)
        what = "was missing" if how == "delete" else "was damaged (checksum)"
        assert notice == f"history.json {what}; rebuilt from 12 run directories.", (how, where)
        assert summaries == original
        assert history.refresh(runs) == (original, None)
        assert orjson.loads(path.read_bytes()) == orjson.loads(whole)


def test_every_single_bit_counts(runs: Path) -> None:
    many(runs, 1)
    history.refresh(runs)
    whole = (runs / "history.json").read_bytes()
    assert history._decoded(whole)[0] is not None
    for position in range(len(whole)):
        for bit in range(8):
            spoiled = bytearray(whole)
            spoiled[position] ^= 1 << bit
            assert history._decoded(bytes(spoiled))[0] is None, (position, bit)


@pytest.mark.parametrize(
    "content", [b"null", b"[]", b"{}", b'{"_checksum":{"1":{}},"runs":{}}', b'{"_default":{"1":{"a":1}}}', b"\xff" * 99]
)
def test_foreign_content_is_rebuilt(runs: Path, content: bytes) -> None:
    many(runs, 2)
    original, _ = history.refresh(runs)
    (runs / "history.json").write_bytes(content)
    summaries, notice = history.refresh(runs)
    assert summaries == original
    assert notice
    assert "damaged" in notice


def test_the_index_of_a_newer_version_is_rebuilt_and_said(runs: Path) -> None:
    many(runs, 1)
    original, _ = history.refresh(runs)
    (runs / "history.json").write_bytes(b'{"_checksum":{"1":{"format":2}},"shards":[]}')
    assert history.refresh(runs) == (
        original,
        "history.json was written by a newer version (format 2); rebuilt from 1 run directory.",
    )


def test_launching_on_a_damaged_index_rebuilds_all_of_it(runs: Path) -> None:
    many(runs, 3)
    (runs / "history.json").write_bytes(b"{")
    history.fold(runs, make(runs))
    assert len(stored(runs)) == 4


def test_plain_tinydb_reads_the_index(runs: Path) -> None:
    summaries = [history.summarise(run) for run in many(runs, 3)]
    history.refresh(runs)
    before = (runs / "history.json").read_bytes()
    with TinyDB(runs / "history.json", access_mode="r") as database:
        table = database.table("runs")
        assert database.tables() == {"_checksum", "runs"}
        assert len(table) == 3
        for one in summaries:
            found = table.get(doc_id=one["id"])
            assert isinstance(found, Document)
            assert dict(found) == one
    assert (runs / "history.json").read_bytes() == before


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_where_the_index_cannot_be_written_the_runs_are_still_listed(
    runs: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    many(runs, 2)
    before, _ = history.refresh(runs)
    whole = (runs / "history.json").read_bytes()
    finish(runs / before[0]["id"], sentence="new")

    def fails(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        for _ in range(2):  # a failed write must not be taken for a done one the second time
            summaries, notice = history.refresh(runs)
            assert summaries[0]["sentence"] == "new"
            assert notice
            assert "cannot be written" in notice
            assert os.strerror(error) in notice
        assert "reindex" in (history.fold(runs, finding.run_dirs(runs)[0]) or "")
        with pytest.raises(BadInput, match="cannot be written"):
            history.reindex(runs)
    assert (runs / "history.json").read_bytes() == whole
    assert not leftovers(runs)
    assert history.refresh(runs) == (summaries, None)
    assert stored(runs)[before[0]["id"]]["sentence"] == "new"


def test_files_are_private(runs: Path) -> None:
    before = os.umask(0)
    try:
        many(runs, 1)
        history.refresh(runs)
    finally:
        os.umask(before)
    for name in ("history.json", ".history.lock"):
        assert (runs / name).stat().st_mode & 0o777 == 0o600


def test_hostile_runs_are_summarised_and_never_raise(runs: Path) -> None:
    first, second, third = many(runs, 3)
    for name in ("spec.json", "status.json", "notes.json"):
        (first / name).write_bytes(
            b'{"state":"running","tags":5,"name":{},"seeds":"x","arms":[[]],"model":3,"schedule":[]}'
        )
        (second / name).write_bytes(b"\xff\x00")
    (third / "status.json").unlink()
    (third / "status.json").mkdir()
    finish(first, finished=1e300, best={"a": [1], "b": 1})
    summaries, _ = history.refresh(runs)
    assert [one["state"] for one in summaries] == ["failed", "failed", "finished"]
    assert all(one.keys() == KEYS and one["tags"] == [] for one in summaries)
    assert summaries[2]["finished"] is None
    assert summaries[2]["best"] == {"b": 1}
    assert summaries[2]["name"] is None


WRITER = """
import sys
from pathlib import Path
import orjson
from engine.record import finding, history, rundir, trash

runs, me, updates = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
mine = finding.run_dirs(runs)[me::4]
last = {}
for number in range(updates):
    run = mine[number % len(mine)]
    rundir.write_status(run, {"state": "finished", "best": {"by": me, "update": number}})
    assert history.fold(runs, run) is None
    last[run.name] = number
    table = orjson.loads((runs / "history.json").read_bytes())["runs"]
    for name, update in last.items():  # not one of my updates was lost to another's
        assert table[name]["best"] == {"by": me, "update": update}, (name, update, table[name])
print("done")
"""


def test_of_four_processes_with_500_updates_each_none_is_lost(runs: Path) -> None:
    many(runs, 40)
    history.refresh(runs)
    writers = [python(WRITER, runs, me, 500) for me in range(4)]
    outputs = [writer.communicate(timeout=600)[0] for writer in writers]
    assert outputs == ["done\n"] * 4
    assert [writer.returncode for writer in writers] == [0] * 4
    assert len(stored(runs)) == 40
    assert not leftovers(runs)
    updates = sorted(one["best"]["update"] for one in stored(runs).values())
    assert updates == sorted(number for _ in range(4) for number in range(490, 500))
    assert history.refresh(runs)[1] is None


def test_a_thousand_unchanged_runs_are_listed_from_one_file(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = many(runs, 1000)
    listed = history.refresh(runs)[0]
    history._storage.cache_clear()  # as a new process, that has parsed nothing
    opened: list[str] = []

    def noted(real: Any) -> Any:
        return lambda path, *given, **more: opened.append(str(path)) or real(path, *given, **more)

    for module in (io, os):
        monkeypatch.setattr(module, "open", noted(module.open))
    assert history.refresh(runs) == (listed, None)
    assert opened == [str(runs / "history.json")]
    assert history.refresh(runs) == (listed, None)
    assert len(opened) == 1, "nor is that parsed again"
    finish(made[7], sentence="changed")
    opened.clear()
    history.refresh(runs)
    assert str(made[7] / "status.json") in opened, "what is opened is seen here"
