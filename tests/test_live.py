"""The reader of the runs: what changed is seen, what did not is the same object, and most looks are cheap."""

import os
import shutil
import time
from pathlib import Path

import orjson
import pytest

from engine.errors import BadInput
from engine.process import queue
from engine.record import history, notes, trash
from lth_tui import live
from tests.app.story import Story


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As with ten thousand runs: a look at all of them takes so long that it is rare; how often it is made."""
    times: list[int] = []
    refresh = history.refresh

    def counted(runs: Path):
        times.append(len(times))
        return refresh(runs)

    monkeypatch.setattr(history, "refresh", counted)
    monkeypatch.setattr(live, "SHARE", 1e9)
    monkeypatch.setattr(live, "URGENT", 0)
    return times


def states(found: live.Found) -> list[str]:
    return [one["state"] for one in found.summaries]


def test_what_did_not_change_is_the_same_object_and_where_nothing_did_the_same_list(runs: Path) -> None:
    Story(runs, "finished")
    story = Story(runs, "running", progress={"fraction": 0.1})
    reader = live.Reader(runs)
    first = reader.look(fresh=True)
    again = reader.look(fresh=True)
    assert again.summaries is first.summaries
    story.say(progress={"fraction": 0.2})
    for fresh in (False, True):
        then = reader.look(fresh)
        assert then.summaries is not first.summaries
        assert [new is old for new, old in zip(then.summaries, first.summaries, strict=True)] == [False, True]
        assert then.summaries[0]["progress"] == {"fraction": 0.2}


def test_most_looks_read_only_the_runs_that_can_still_change(runs: Path, rarely: list[int], monkeypatch) -> None:
    for _ in range(5):
        Story(runs, "finished")
    story = Story(runs, "running")
    reader = live.Reader(runs)
    reader.look()
    reader.look()  # the index was written by the look before
    read: list[str] = []
    summarise = history.summarise
    monkeypatch.setattr(history, "summarise", lambda run: read.append(run.name) or summarise(run))
    before = reader.look().summaries
    assert all(reader.look().summaries is before for _ in range(2))
    assert len(rarely) == 2
    assert read == [story.run.name] * 3


def test_a_run_that_comes_or_goes_is_seen_though_looks_at_all_are_rare(runs: Path, rarely: list[int]) -> None:
    story = Story(runs, "finished")
    reader = live.Reader(runs)
    reader.look()
    second = Story(runs, "running")
    assert [one["id"] for one in reader.look().summaries] == [second.run.name, story.run.name]
    second.say("finished")
    assert states(reader.look()) == ["finished", "finished"]
    trash.put(second.run)
    assert [one["id"] for one in reader.look().summaries] == [story.run.name]


def test_what_another_process_noted_is_seen(runs: Path, rarely: list[int]) -> None:
    story = Story(runs, "finished")
    reader = live.Reader(runs)
    reader.look()
    notes.write(story.run, tags=["kept"])
    history.fold(runs, story.run)
    assert reader.look().summaries[0]["tags"] == ["kept"]


def test_a_run_that_ends_comes_into_the_index_as_soon_as_a_look_at_all_is_due(
    runs: Path, rarely: list[int], monkeypatch
) -> None:
    story = Story(runs, "running")
    reader = live.Reader(runs)
    reader.look()
    reader.look()
    story.say("finished", sentence="It is one.")
    monkeypatch.setattr(live, "URGENT", 1e9)
    reader.look()
    reader.look()
    assert len(rarely) == 2
    monkeypatch.setattr(live, "URGENT", 0)
    reader.look()
    assert orjson.loads((runs / history.FILE).read_bytes())["runs"][story.run.name]["sentence"] == "It is one."


def test_a_run_that_ends_is_final_at_the_very_next_look(runs: Path, monkeypatch) -> None:
    story = Story(runs, "running")
    reader = live.Reader(runs)
    reader.look()
    monkeypatch.setattr(live, "SHARE", 1e9)
    monkeypatch.setattr(live, "URGENT", 1e9)
    story.say("failed", cause="the disk is full")
    assert reader.look().summaries[0]["cause"] == "the disk is full"


def test_the_first_picture_is_the_index_with_what_is_at_work_as_it_is_now(runs: Path) -> None:
    for state in ("finished", "running", "failed"):
        Story(runs, state, progress={"fraction": 0.1})
    story = Story(runs, "running", progress={"fraction": 0.1})
    history.refresh(runs)
    story.say(progress={"fraction": 0.7})
    reader = live.Reader(runs)
    first = reader.stored()
    assert first is not None
    then = reader.look()
    assert then.summaries == first.summaries
    assert all(new is old for new, old in zip(then.summaries, first.summaries, strict=True))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"_checksum":{"1":{"format":1,"blake2b":"0"}},"runs":{"x":{"id":3}}}', bytes(100)],
)
def test_an_index_that_is_no_good_gives_no_first_picture_and_the_look_mends_it(runs: Path, content: bytes) -> None:
    Story(runs, "finished")
    (runs / history.FILE).write_bytes(content)
    reader = live.Reader(runs)
    assert reader.stored() is None
    found = reader.look()
    assert states(found) == ["finished"]
    assert found.notice
    assert "history.json" in found.notice


def test_a_missing_folder_is_empty_and_a_file_is_refused(runs: Path) -> None:
    reader = live.Reader(runs)
    assert reader.stored() is None
    assert reader.look() == ([], None)
    runs.write_text("not a folder")
    with pytest.raises(BadInput, match="runs folder"):
        reader.look(fresh=True)


def test_half_written_runs_and_what_is_none_break_no_look(runs: Path, rarely: list[int]) -> None:
    story = Story(runs, "running")
    reader = live.Reader(runs)
    reader.look()
    (runs / "20261122-071205-half-cnn-imp-0001").mkdir()
    (runs / "20261122-071205-empty-cnn-imp-0002").mkdir()
    (runs / "20261122-071205-empty-cnn-imp-0002" / "spec.json").touch()
    (runs / "a file").touch()
    (story.run / "status.json").write_bytes(b'{"state": "run')
    found = reader.look()
    assert states(found) == ["failed", "failed"]
    shutil.rmtree(story.run)
    assert len(reader.look().summaries) == 1
    assert len(reader.look().summaries) == 1


def test_a_queue_that_is_paused_says_why_and_one_that_is_not_is_tended_once(runs: Path, monkeypatch) -> None:
    tended: list[Path] = []
    monkeypatch.setattr(queue, "tend", lambda runs, seen=None: tended.append(runs))
    story = Story(runs, "queued")
    reader = live.Reader(runs)
    reader.look()
    assert reader.queue() is None
    assert tended == [], "nobody waits"
    monkeypatch.setattr(queue, "dispatch", lambda runs: [])
    queue.submit(story.run)
    reader.look(fresh=True)
    assert reader.queue() is None
    assert reader.queue() is None
    assert tended == [runs]
    queue.pause(runs, "for lunch")
    assert reader.queue() == "for lunch"
    assert tended == [runs]


def test_looks_at_all_runs_take_a_small_share_of_the_time(runs: Path, monkeypatch) -> None:
    """By a made-up clock on which one takes a tenth of a second: each ten seconds, and at once where a run came."""
    clock = [0.0]
    looks: list[float] = []

    def slow(runs: Path):
        looks.append(clock[0])
        clock[0] += 0.1
        return [], None

    monkeypatch.setattr(history, "refresh", slow)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    runs.mkdir()
    reader = live.Reader(runs)
    for _ in range(100):
        reader.look()
        clock[0] += 1
    assert 9 <= len(looks) <= 11
    later = time.time_ns() + 10**9
    os.utime(runs, ns=(later, later))
    before = len(looks)
    reader.look()
    assert len(looks) == before + 1
