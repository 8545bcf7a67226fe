"""runs/app.json: nothing is lost in it, by damage, by another app, or by a newer version."""

import multiprocessing
import os
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.record import history
from lth_tui import preferences


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_where_nothing_was_kept_there_is_nothing_and_no_folder_is_made(runs):
    assert preferences.read(runs) == ({}, "")
    assert preferences.get(runs, "theme", "dark") == "dark"
    assert preferences.presets(runs) == {}
    assert not runs.exists()


def test_a_setting_is_kept_and_forgotten(runs):
    assert preferences.set(runs, "theme", "light") == ""
    assert preferences.get(runs, "theme") == "light"
    preferences.set(runs, "theme", None)
    assert orjson.loads((runs / "app.json").read_bytes()) == {}


def test_presets_are_kept_by_name_beside_settings_of_a_newer_version(runs):
    runs.mkdir()
    (runs / "app.json").write_bytes(b'{"of tomorrow": {"x": [1]}}')
    preferences.keep_preset(runs, "my usual", {"model": "cnn"})
    preferences.keep_preset(runs, "další", {"model": "rnn"})
    preferences.keep_preset(runs, "my usual", {"model": "lstm"})
    preferences.drop_preset(runs, "další")
    preferences.drop_preset(runs, "none of that name")
    assert preferences.presets(runs) == {"my usual": {"model": "lstm"}}
    assert preferences.get(runs, "of tomorrow") == {"x": [1]}


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "a/b", "a\nb", "x" * 61, "\x1b[31m"])
def test_a_name_that_nobody_could_read_is_refused_in_a_sentence(runs, name):
    with pytest.raises(BadInput, match=r"preset: .* is no name; give") as told:
        preferences.keep_preset(runs, name, {})
    assert "\x1b" not in str(told.value)
    assert not runs.exists()


DAMAGED = [b"", b"{torn", b"[1]", b'{"presets": [1]}', b"\xff\xfe", b"null", b"\0" * 100]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_told_and_set_aside_as_it_is(runs, content):
    runs.mkdir()
    (runs / "app.json").write_bytes(content)
    values, trouble = preferences.read(runs)
    assert values == {}
    assert "app.json.damaged" in trouble
    assert (runs / "app.json.damaged").read_bytes() == content
    assert preferences.read(runs) == ({}, "")


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_that_is_met_when_writing_is_set_aside_too_and_no_earlier_one_lost(runs, content):
    runs.mkdir()
    (runs / "app.json.damaged").write_bytes(b"an earlier one")
    (runs / "app.json").write_bytes(content)
    assert "app.json.damaged-2" in preferences.set(runs, "theme", "light")
    assert (runs / "app.json.damaged").read_bytes() == b"an earlier one"
    assert (runs / "app.json.damaged-2").read_bytes() == content
    assert preferences.get(runs, "theme") == "light"


def test_a_file_that_cannot_be_read_is_left_as_it_is(runs, monkeypatch):
    preferences.keep_preset(runs, "mine", {"model": "cnn"})
    before = (runs / "app.json").read_bytes()

    def refused(*_: object) -> bytes:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr("engine.record.rundir.content", refused)
    assert "Permission denied" in preferences.read(runs).trouble
    with pytest.raises(BadInput, match=r"Permission denied.*nothing was changed in it\.$"):
        preferences.set(runs, "theme", "light")
    assert (runs / "app.json").read_bytes() == before


def test_a_folder_or_a_pipe_of_that_name_is_told_and_blocks_nobody(runs):
    runs.mkdir()
    (runs / "app.json").mkdir()
    assert "not a file" in preferences.read(runs).trouble
    (runs / "app.json").rmdir()
    os.mkfifo(runs / "app.json")
    assert "not a file" in preferences.read(runs).trouble
    with pytest.raises(BadInput, match="not a file"):
        preferences.set(runs, "theme", "light")


def test_a_runs_folder_that_is_a_file_is_one_sentence(runs):
    runs.write_text("no folder")
    assert preferences.read(runs) == ({}, "")
    with pytest.raises(BadInput, match=r"app.json: .* cannot be written \(Not a directory\)\."):
        preferences.set(runs, "theme", "light")


def test_what_is_kept_is_its_owners_alone_and_no_run(runs):
    preferences.set(runs, "theme", "light")
    assert (runs / "app.json").stat().st_mode & 0o777 == 0o600
    assert history.refresh(runs)[0] == []


def _keep(runs: Path, who: int) -> None:
    for number in range(20):
        preferences.keep_preset(runs, f"{who}-{number}", {"number": number})
        preferences.set(runs, f"setting-{who}", number)


def test_apps_at_once_lose_nothing_of_each_others(runs):
    context = multiprocessing.get_context("spawn")
    apps = [context.Process(target=_keep, args=(runs, who)) for who in range(3)]
    for app in apps:
        app.start()
    for app in apps:
        app.join()
    assert {app.exitcode for app in apps} == {0}
    assert set(preferences.presets(runs)) == {f"{who}-{number}" for who in range(3) for number in range(20)}
    assert [preferences.get(runs, f"setting-{who}") for who in range(3)] == [19] * 3


@given(st.binary(max_size=60))
def test_no_content_of_the_file_raises_or_is_lost(tmp_path_factory, content):
    runs = tmp_path_factory.mktemp("runs")
    (runs / "app.json").write_bytes(content)
    preferences.read(runs)
    preferences.set(runs, "theme", "dark")
    assert preferences.get(runs, "theme") == "dark"
    kept = [path.read_bytes() for path in runs.glob("app.json.damaged*")]
    try:
        tree = orjson.loads(content)
    except orjson.JSONDecodeError:
        tree = None
    assert kept == [content] or isinstance(tree, dict)
