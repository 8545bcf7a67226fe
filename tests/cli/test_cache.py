"""The shared dense rounds from the command line: what is kept, where, how much, and rid of it."""

import os
import time

import pytest

from engine.record import shared
from tests.cli.conftest import call, lth, one_sentence
from tests.record.dense_rounds import RUN, keep, parts_of, root
from tests.test_house import HEAVY, loaded


def sizes() -> int:
    return sum(path.stat().st_size for path in root().rglob("*") if path.is_file())


def test_ls_tells_each_dense_round_where_they_are_and_how_much_they_may_take(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    keep()
    keep(parts_of(4))
    said = call("cache", "ls")
    assert said.code == 0
    rows = [line.split() for line in said.out.splitlines() if "cnn on ag_news" in line]
    assert [row[3] for row in rows] == ["4", "3"], "the last used first"
    assert all(row[-1] == RUN for row in rows)
    assert said.err == f"2 dense rounds in {root()}, 0.0 MB of the 5.0 GB that LTH_CACHE_GB allows.\n"


def test_ls_json_is_whole_and_on_standard_output_alone(monkeypatch):
    keep()
    monkeypatch.setenv("LTH_CACHE_GB", "0.5")
    said = call("cache", "ls", "--json")
    assert said.err == ""
    (row,) = said.json.pop("entries")
    assert said.json | {"folder": str(root()), "cap": 500_000_000, "bytes": sizes()} == said.json
    assert row | {"model": "cnn", "dataset": "ag_news", "seed": 3, "run": RUN, "bytes": sizes()} == row
    assert row.keys() == {"key", "model", "dataset", "seed", "bytes", "created", "used", "run", "damaged"}


def test_clear_says_how_much_is_freed_and_leaves_nothing():
    keep()
    keep(parts_of(4))
    said = call("cache", "clear")
    assert (said.code, said.out) == (0, "")
    assert said.err == f"2 dense rounds removed from {root()}, 0.0 MB freed.\n"
    assert os.listdir(root()) == []
    assert call("cache", "clear").err.startswith("No dense rounds removed")
    assert "No dense rounds in" in call("cache", "ls").err


def test_clear_older_than_keeps_what_was_used_lately():
    old, new = keep(), keep(parts_of(4))
    freed = sum(path.stat().st_size for path in old.iterdir())
    os.utime(old / "entry.json", (time.time() - 40 * 86400,) * 2)
    for days, removed in (("60", 0), ("30", 1)):
        said = call("cache", "clear", "--older-than", days, "--json")
        assert said.json == {"folder": str(root()), "removed": removed, "bytes": removed * freed}
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("days", ["-1", "nan", "inf", "month"])
def test_a_number_of_days_that_is_none_is_one_sentence(days):
    folder = keep()
    assert "--older-than" in one_sentence(call("cache", "clear", "--older-than", days))
    assert folder.exists()


def test_a_cap_that_is_none_is_one_sentence(monkeypatch):
    monkeypatch.setenv("LTH_CACHE_GB", "lots")
    words = one_sentence(call("cache", "ls"))
    assert words.startswith("LTH_CACHE_GB: 'lots' given; give ")


@pytest.mark.parametrize("command", ["ls", "clear"])
def test_off_is_said_in_one_sentence_and_touches_nothing(monkeypatch, command):
    folder = keep()
    monkeypatch.setenv("LTH_CACHE", "off")
    said = call("cache", command)
    assert (said.code, said.out) == (0, "")
    assert said.err == "LTH_CACHE is off, so no dense rounds are kept for later runs.\n"
    assert call("cache", command, "--json").json["folder"] is None
    assert folder.exists()


def test_a_cache_that_is_a_file_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LTH_CACHE", str(tmp_path / "file"))
    for command in ("ls", "clear"):
        said = call("cache", command)
        assert said.code == 1
        assert said.err == f"{tmp_path / 'file'}: Not a directory.\n"


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202ecba\nrow [bold]x[/]"


def test_no_name_in_an_entry_acts_on_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    parts = {"model": {"name": HOSTILE}, "data": {"name": "x" * 5000}, "seed": HOSTILE}
    assert shared.save(shared.key(parts), parts, {}, {}, {}, HOSTILE) is None
    parts = {"model": HOSTILE, "data": [HOSTILE], "seed": -1}
    assert shared.save(shared.key(parts), parts, {}, {}, {}, "run") is None
    said = call("cache", "ls")
    assert said.code == 0
    assert all(line.isprintable() and len(line) <= 80 for line in said.out.splitlines())
    assert "[bold]" in said.out.replace("\n", "").replace(" ", ""), "shown as it is, not obeyed"
    rows = call("cache", "ls", "--json").json["entries"]
    assert {(row["model"], row["seed"]) for row in rows} == {(HOSTILE, None), (None, None)}


def test_a_damaged_entry_is_told_as_such():
    (keep() / "entry.json").write_bytes(b"\xff")
    assert "damaged" in call("cache", "ls").out


@pytest.mark.parametrize("command", ["ls", "clear"])
def test_no_command_about_the_cache_imports_torch(command):
    keep()
    assert not loaded("from lth_tui.cli import main; main()", "cache", command) & {*HEAVY, "textual"}


def test_a_relative_cache_is_where_one_stands_for_the_engine_too(monkeypatch, tmp_path):
    from engine.process.launch import _environment

    monkeypatch.chdir(tmp_path)
    for given, wanted in (("cache", str(tmp_path / "cache")), ("OFF", "off"), ("/x", "/x")):
        monkeypatch.setenv("LTH_CACHE", given)
        assert _environment()["LTH_CACHE"] == wanted
    monkeypatch.delenv("LTH_CACHE")
    assert "LTH_CACHE" not in _environment()
    assert lth("cache", "ls", LTH_CACHE="off").err.startswith("LTH_CACHE is off")
