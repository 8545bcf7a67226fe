"""A preparation that is interrupted, or meets another, leaves nothing in anybody's way."""

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.data import cache, encoding
from engine.errors import BadInput, Stopped
from engine.places import encoded_root
from engine.spec import DataSpec
from tests.data.same import same

_SPEC = DataSpec(name="ag_news", min_count=1)
# A process that prepares as an engine does, and tells what it is at. In the middle of the test texts it waits for the
# file that it is given to exist.
_PREPARE = """
import sys, time, torchtext.vocab
from dataclasses import replace
from pathlib import Path
from engine.data import corpus, encoding
from engine.spec import DataSpec
read = corpus.read
def slowly(pairs):
    for number, pair in enumerate(pairs):
        if number == 3:
            print("midway", flush=True)
            while not Path(sys.argv[1]).exists():
                time.sleep(0.01)
        yield pair
def source(data, stop):
    found = read(data, stop)
    return replace(found, train=list(found.train), test=slowly(found.test))
corpus.read = source
%s
got = encoding.load(DataSpec(name="ag_news", min_count=1), lambda words: print(words, flush=True))
print(got.vocabulary, got.train.tokens.tolist(), got.test.tokens.tolist(), got.cut)
"""


_NEVER = Path("/nowhere/at/all")
_started: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def _none_outlives_its_test() -> Iterator[None]:
    yield
    for process in _started:
        process.kill()
        process.wait()
    _started.clear()


def _start(pause: Path = Path("/"), more: str = "") -> subprocess.Popen:
    code = [sys.executable, "-c", _PREPARE % more, str(pause)]
    _started.append(subprocess.Popen(code, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True))
    return _started[-1]


def _until(process: subprocess.Popen, words: str) -> None:
    assert any(line.startswith(words) for line in process.stdout), f"it never said {words!r}"


def _names() -> list[str]:
    return sorted(path.name for path in encoded_root().iterdir())


def _one_cache() -> bool:
    return [name.partition(".")[2] for name in _names()] == ["encoded"]


_AT_THE_RENAME = """
import pathlib
pathlib.Path.replace = lambda *_: print("renaming", flush=True) or time.sleep(60)
"""


@pytest.mark.parametrize(
    ("more", "words", "left"), [("", "midway", [".lock"]), (_AT_THE_RENAME, "renaming", [".lock", ".part"])]
)
def test_after_a_kill_the_next_preparation_starts_again_and_clears_away(ag_news, more, words, left):
    killed = _start(Path("/") if more else _NEVER, more)
    _until(killed, words)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert sorted(Path(name).suffix for name in _names()) == left
    assert len(encoding.load(_SPEC).test) == 8
    assert _one_cache()


def test_what_a_killed_preparation_of_another_setting_left_is_cleared_away_too(ag_news):
    killed = _start(more=_AT_THE_RENAME)
    _until(killed, "renaming")
    killed.kill()
    killed.wait()
    encoding.load(DataSpec(name="ag_news", max_tokens=5))
    assert _one_cache()


def test_two_processes_that_prepare_the_same_do_the_work_once(ag_news, tmp_path):
    first = _start(tmp_path / "go on")
    _until(first, "midway")
    second = _start()
    _until(second, "waiting for another process that prepares ag_news")
    (tmp_path / "go on").touch()
    told = second.communicate(timeout=120)[0].splitlines()
    assert len(told) == 1, "what it was told, and nothing about reading or encoding"
    assert first.communicate(timeout=120)[0].splitlines()[-1:] == told
    assert _one_cache()


def test_who_waits_for_a_process_that_is_killed_does_the_work(ag_news):
    first = _start(_NEVER)
    _until(first, "midway")
    second = _start()
    _until(second, "waiting for another process")
    first.kill()
    first.wait()
    told = second.communicate(timeout=120)[0].splitlines()
    assert "encoding ag_news" in told and told[-1].startswith("['<pad>', '<unk>'")
    assert _one_cache()


def test_two_processes_that_prepare_at_once_both_get_it(ag_news, tmp_path):
    code = f"""
import sys, time, torchtext.vocab
from pathlib import Path
from engine.data import encoding
from engine.spec import DataSpec
from tests.data.same import same
Path({str(tmp_path)!r}, sys.argv[1]).touch()
while not (Path({str(tmp_path)!r}, "0").exists() and Path({str(tmp_path)!r}, "1").exists()):
    time.sleep(0.001)
for round in range(20):
    got = encoding.load(DataSpec(name="ag_news", min_count=1, max_tokens=5 + round))
    print(got.vocabulary, got.train.tokens.tolist(), got.test.tokens.tolist(), got.cut)
"""
    two = [subprocess.Popen([sys.executable, "-c", code, n], stdout=subprocess.PIPE, text=True) for n in "01"]
    said = [process.communicate(timeout=120)[0] for process in two]
    assert [process.returncode for process in two] == [0, 0]
    assert said[0] == said[1] and len(said[0].splitlines()) == 20
    assert len(_names()) == 20, "one cache a setting, and no leftovers"


def test_a_preparation_at_work_is_not_swept_away(ag_news):
    at_work = _start(_NEVER)
    _until(at_work, "midway")
    before = _names()
    cache.sweep()
    assert _names() == before != []
    encoding.load(DataSpec(name="ag_news", max_tokens=5))
    assert set(_names()) > set(before)


def test_a_part_that_is_being_written_is_not_swept_away(home):
    encoded_root().mkdir()
    left, held = encoded_root() / ".a.part", encoded_root() / ".b.part"
    left.touch()
    with held.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cache.sweep()
        assert _names() == [".b.part"]


def test_who_asks_to_stop_stops_a_preparation_at_once_and_nothing_is_left(ag_news):
    with pytest.raises(Stopped):
        encoding.load(_SPEC, stop=lambda: True)
    assert _names() == []
    assert len(encoding.load(_SPEC).test) == 8


def test_who_waits_for_another_preparation_can_be_stopped(ag_news):
    other = _start(_NEVER)
    _until(other, "midway")
    said: list[str] = []
    with pytest.raises(Stopped):
        encoding.load(_SPEC, said.append, stop=lambda: True)
    assert said == ["waiting for another process that prepares ag_news"] and other.poll() is None


def test_bad_input_leaves_nothing_and_keeps_nobody_waiting(ag_news):
    (ag_news / "test.csv").write_text('"9","x","y"\n')
    for _ in range(2):
        with pytest.raises(BadInput, match="class '9' given"):
            encoding.load(_SPEC)
    assert _names() == []


def test_where_locks_cannot_be_had_the_work_is_done_all_the_same(ag_news, monkeypatch):
    def refuse(*_, **__):
        raise OSError(38, "Function not implemented")

    first = encoding.load(_SPEC)
    for path in encoded_root().iterdir():
        path.unlink()
    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert same(encoding.load(_SPEC), first) and _one_cache()


def test_whoever_says_stop_is_heard_before_the_texts_are_all_read(ag_news):
    said: list[str] = []
    with pytest.raises(Stopped):
        encoding.load(_SPEC, said.append, stop=lambda: True)
    assert said == ["reading ag_news"]
