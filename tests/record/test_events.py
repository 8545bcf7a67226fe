"""The event log: every acknowledged line is read back, and nothing else is believed."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.record.events import EventLog, read


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def told(path: Path) -> list[str]:
    return [event["event"] for event in read(path).events]


def test_what_is_appended_is_read_back_in_order(log: EventLog, path: Path) -> None:
    log.append("run_started", device="cpu", versions={"torch": "2.13"})
    log.append("epoch", durable=True, seed=0, train_loss=0.5, words="line\nbreak \u2028 é")
    first, second = read(path).events
    assert (first["seq"], first["event"], first["versions"]) == (0, "run_started", {"torch": "2.13"})
    assert (second["seq"], second["words"], second["train_loss"]) == (1, "line\nbreak \u2028 é", 0.5)
    assert abs(first["time"] - path.stat().st_mtime) < 5
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_is_json_that_ends_in_its_checksum(log: EventLog, path: Path) -> None:
    log.append("epoch", seed=0)
    line = path.read_bytes()
    assert list(orjson.loads(line)) == ["seq", "time", "event", "seed", "crc32"]
    assert line.count(b"\n") == 1


def test_numbers_that_are_none_become_null(log: EventLog, path: Path) -> None:
    log.append("epoch", losses=[float("nan"), float("inf"), -float("inf"), 1.0])
    assert read(path).events[0]["losses"] == [None, None, None, 1.0]


def test_the_logs_own_fields_cannot_be_given(log: EventLog, path: Path) -> None:
    for name in ("seq", "time", "crc32"):
        with pytest.raises(ValueError, match="own"):
            log.append("epoch", **{name: 5})  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        log.append("epoch", value=object())
    log.append("epoch")
    assert [event["seq"] for event in read(path).events] == [0]


def test_a_torn_last_line_waits_and_is_cut_off_on_resume(log: EventLog, path: Path) -> None:
    log.append("one")
    log.append("two")
    whole = path.read_bytes()
    for length in range(len(whole) - 1, whole.index(b"\n"), -1):
        path.write_bytes(whole[:length])
        tail = read(path)
        assert [event["event"] for event in tail.events] == ["one"]
        assert tail.bad == 0
        resumed = EventLog(path.parent)
        resumed.append("again")
        resumed.close()
        assert [(event["seq"], event["event"]) for event in read(path, tail.offset).events] == [(1, "again")]
        assert read(path).bad == 0


def test_seq_goes_on_behind_the_last_good_line(log: EventLog, path: Path) -> None:
    for name in ("one", "two", "three"):
        log.append(name)
    path.write_bytes(path.read_bytes().replace(b"two", b"twa") + b"garbage\n")
    EventLog(path.parent).append("four")
    assert [event["seq"] for event in read(path).events] == [0, 2, 3]
    assert read(path).bad == 2


def test_any_flipped_bit_spoils_its_line_and_no_other(log: EventLog, path: Path) -> None:
    for name in ("one", "two", "three"):
        log.append(name)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for position in range(start, whole.index(b"\n", start)):
        for bit in range(8):
            spoiled = bytearray(whole)
            spoiled[position] ^= 1 << bit
            path.write_bytes(spoiled)
            assert told(path) == ["one", "three"], (position, bit)
            assert read(path).bad == (2 if spoiled[position] == 10 else 1)


@pytest.mark.parametrize("cut_works", [True, False])
def test_after_a_short_write_the_next_event_is_on_a_fresh_line(
    log: EventLog, path: Path, monkeypatch: pytest.MonkeyPatch, cut_works: bool
) -> None:
    log.append("one")
    write = os.write

    def eio(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:20]))
        if not cut_works:
            patch.setattr(os, "ftruncate", eio)
        with pytest.raises(OSError, match="20 of"):
            log.append("lost")
    log.append("two")
    log.append("three")
    assert [(event["seq"], event["event"]) for event in read(path).events] == [(0, "one"), (1, "two"), (2, "three")]
    assert read(path).bad == (0 if cut_works else 1)


def test_a_full_disk_is_said_and_nothing_is_kept_of_the_line(
    log: EventLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append("one")
    before = path.read_bytes()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            log.append("lost")
    assert path.read_bytes() == before


def test_a_line_that_the_disk_did_not_confirm_keeps_its_number(
    log: EventLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def eio(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", eio)
        with pytest.raises(OSError):
            log.append("perhaps", durable=True)
    log.append("next")
    assert [event["seq"] for event in read(path).events] == [0, 1]


def test_reading_on_finds_only_what_is_new(log: EventLog, path: Path) -> None:
    assert read(path) == ([], 0, 0)
    log.append("one")
    tail = read(path)
    assert read(path, tail.offset) == ([], tail.offset, 0)
    log.append("two")
    assert [event["event"] for event in read(path, tail.offset).events] == ["two"]


def test_a_missing_file_an_empty_one_and_a_folder_have_no_events(tmp_path: Path) -> None:
    assert read(tmp_path / "no.jsonl") == ([], 0, 0)
    assert read(tmp_path) == ([], 0, 0)
    (tmp_path / "empty").touch()
    assert read(tmp_path / "empty", 99) == ([], 0, 0)


def test_a_file_that_became_shorter_is_read_from_its_start(log: EventLog, path: Path) -> None:
    log.append("one")
    assert [event["event"] for event in read(path, 10**6).events] == ["one"]


def test_a_log_that_cannot_be_read_is_not_taken_for_an_empty_one(
    log: EventLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append("one")
    before = path.read_bytes()
    real = os.fstat

    def eio(_: int) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fstat", eio)
    with pytest.raises(OSError):
        EventLog(path.parent)
    monkeypatch.setattr(os, "fstat", real)
    assert path.read_bytes() == before


garbage = st.binary().map(lambda data: data.replace(b"\n", b"")) | st.sampled_from(
    [b"{}", b"null", b"[]", b'{"seq":0}', b'{"seq":0,"time":1,"event":"epoch","crc32":"00000000"}', b"\x00" * 50]
)


@given(st.lists(st.one_of(garbage, st.none()), max_size=12), st.binary(max_size=30))
def test_garbage_never_raises_and_never_hides_an_intact_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes | None], torn: bytes
) -> None:
    folder = tmp_path_factory.mktemp("garbage")
    log = EventLog(folder)
    path = folder / "events.jsonl"
    for line in lines:
        if line is None:
            log.append("intact")
        else:
            with path.open("ab") as file:
                file.write(line + b"\n")
    log.close()
    with path.open("ab") as file:
        file.write(torn.replace(b"\n", b""))
    tail = read(path)
    intact = lines.count(None)
    assert len(tail.events) == intact
    assert tail.bad == len(lines) - intact
    assert tail.offset == path.stat().st_size - len(torn.replace(b"\n", b""))
    EventLog(folder).append("resumed")
    assert told(path) == ["intact"] * intact + ["resumed"]
