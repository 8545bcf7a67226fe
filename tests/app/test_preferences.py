"""What the app remembers is whole, and everybody's own."""

import threading
from pathlib import Path

import pytest

from engine.errors import BadInput
from lth_tui import preferences


def test_each_keeps_a_key_and_leaves_those_of_others(runs: Path) -> None:
    assert preferences.load(runs) == {}
    preferences.save(runs, presets={"quick": {"model": "cnn"}})
    preferences.save(runs, theme="light")
    assert preferences.load(runs) == {"presets": {"quick": {"model": "cnn"}}, "theme": "light"}
    preferences.save(runs, theme=None)
    assert preferences.load(runs) == {"presets": {"quick": {"model": "cnn"}}}


@pytest.mark.parametrize("held", [b"", b"{torn", b"[1]", b'"x"', b"\xff\xfe", b"{" * 10_000])
def test_a_damaged_file_is_as_good_as_none(runs: Path, held: bytes) -> None:
    runs.mkdir()
    (runs / preferences.FILE).write_bytes(held)
    assert preferences.load(runs) == {}
    assert preferences.save(runs, theme="dark") == {"theme": "dark"}


def test_two_apps_at_once_lose_nothing(runs: Path) -> None:
    other = threading.Thread(target=lambda: [preferences.save(runs, one=n) for n in range(25)])
    other.start()
    for number in range(25):
        preferences.save(runs, two=number)
    other.join()
    assert preferences.load(runs) == {"one": 24, "two": 24}


def test_a_folder_that_is_a_file_is_told_in_a_sentence(runs: Path) -> None:
    runs.write_text("not a folder")
    with pytest.raises(BadInput, match="cannot be written"):
        preferences.save(runs, theme="dark")
