"""A cache gives back what was put there, or nothing."""

import os

import numpy as np
import pytest

from engine.data import cache


def test_what_was_written_is_read_back_aligned_and_read_only(tmp_path):
    numbers = np.arange(1000)
    assert cache.write(tmp_path / "new" / "a", {"words": ["ä", "b"]}, [memoryview(numbers).cast("B"), b"end"])
    head, body = cache.read(tmp_path / "new" / "a")
    back = np.frombuffer(body[:8000], np.int64)
    assert head == {"words": ["ä", "b"]} and bytes(body[8000:]) == b"end" and np.array_equal(back, numbers)
    assert back.ctypes.data % 64 == 0 and body.readonly
    assert os.listdir(tmp_path / "new") == ["a"], "nothing but the cache is left behind"


def test_a_damaged_byte_is_noticed_wherever_it_is(tmp_path):
    path = tmp_path / "a"
    cache.write(path, {"key": 1}, [b"body"])
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert cache.read(path) is None, f"byte {place}"
        path.write_bytes(whole[:place])
        assert cache.read(path) is None, f"cut at {place}"
    path.write_bytes(whole + b"\0")
    assert cache.read(path) is None, "longer than written"
    path.write_bytes(whole)
    assert cache.read(path) is not None


def test_a_missing_cache_or_a_folder_in_its_place_is_no_cache(tmp_path):
    assert cache.read(tmp_path / "none") is None and cache.read(tmp_path) is None


def test_where_nothing_can_be_written_nothing_is_raised_and_nothing_left(tmp_path, monkeypatch):
    place = tmp_path / "caches"
    cache.write(place / "a", {"old": True})
    assert not cache.write(place / "a" / "b", {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert not cache.write(place / "a", {"old": False})
    assert os.listdir(place) == ["a"] and cache.read(place / "a")[0] == {"old": True}


@pytest.mark.parametrize("other", [("ag_news", "x", 1, 3), ("ag_news", "x", "1", 2), ("pydoc", "x", 1, 2)])
def test_another_part_of_the_key_is_another_place(other):
    assert cache.place("ag_news", "x", 1, 2) == cache.place("ag_news", "x", 1, 2) != cache.place(*other)
