"""`lth keys`, and the options that open the app somewhere."""

import gc
import os
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from engine.record import rundir
from lth_tui import __main__ as door
from lth_tui import keymap
from lth_tui.keys import PLACES
from tests.cli.conftest import call, one_sentence
from tests.test_house import loaded

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- keys -->", "<!-- /keys -->"  # between them stands what `lth keys --markdown` prints


def keys_toml(text: str) -> None:
    Path(os.environ["LTH_KEYS"]).write_text(text)


def test_every_key_is_listed_in_words_and_as_json():
    rows = call("keys", "--json").json
    assert [row["name"] for row in rows] == list(keymap.named())
    assert next(row for row in rows if row["name"] == "runs.stop") == {
        "place": "runs",
        "where": "On a run",
        "name": "runs.stop",
        "keys": ["s"],
        "does": "Stop",
    }
    words = call("keys").out
    assert all(row["name"] in words for row in rows)


def test_moved_keys_are_listed_and_the_usual_ones_where_they_are_asked_for():
    keys_toml('runs.stop = ["S", "f9"]')
    shown = {row["name"]: row["keys"] for row in call("keys", "--json").json}
    assert shown["runs.stop"] == ["S", "F9"]
    assert "S F9" in call("keys").out
    usual = {row["name"]: row["keys"] for row in call("keys", "--json", "--default").json}
    assert usual["runs.stop"] == ["s"]


def test_what_is_wrong_with_the_file_is_told_beside_the_table():
    keys_toml('runs.stpo = "S"')
    said = call("keys", "--json")
    assert said.code == 0
    assert said.json
    assert "did you mean runs.stop" in said.err
    assert call("keys", "--default").err == ""


def test_the_table_for_the_readme_has_every_name_and_no_moved_key():
    keys_toml('runs.stop = "S"')
    lines = call("keys", "--markdown").out.splitlines()
    assert len(lines) == 2 + len(keymap.named())
    assert all(line.replace("\\|", "").count("|") == 5 for line in lines)
    assert any("`s`" in line and "`runs.stop`" in line for line in lines)


def test_the_readme_has_the_keys_that_there_are():
    text = README.read_text(encoding="utf-8")
    if BEGIN not in text:
        pytest.skip("the README has no table of keys")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == keymap.markdown()


def test_listing_the_keys_imports_no_textual():
    assert "textual" not in loaded("from lth_tui.cli import main; main()", "keys")


# Opening the app somewhere


def test_a_place_that_there_is_not_is_one_sentence_with_those_that_there_are():
    words = one_sentence(call("--screen", "attic"))
    assert words.startswith("--screen: ")
    assert all(place in words for place in PLACES)
    assert "did you mean runs?" in one_sentence(call("--screen", "rnus"))


def test_a_run_that_there_is_not_is_one_sentence():
    assert "nowhere" in one_sentence(call("--run", "nowhere"))


def test_a_place_and_a_run_or_a_command_beside_them_are_refused():
    assert "give one of them" in one_sentence(call("--screen", "runs", "--run", "x"))
    assert "ls" in one_sentence(call("--screen", "runs", "ls"))
    assert "ls" in one_sentence(call("--run", "x", "ls"))
    assert one_sentence(call("--fast", "ls")) == (
        "--fast: is of the app, and the command ls was given too; give one of them."
    )


def test_an_option_that_is_given_nothing_is_no_option_that_is_not_given(opened):
    assert one_sentence(call("--screen", "")).startswith("--screen: '' is not known; choose from")
    assert one_sentence(call("--run", "")).startswith("run: '' given")
    assert opened == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--screen"], "--screen"), (["--run"], "--run"), (["--scren", "runs"], "--scren"), (["keys", "all"], "all"),
        (["keys", "--defalt"], "--defalt"), (["queue", "slots"], "NUMBER"), (["queue", "slots", "2", "3"], "3"),
        (["queue", "slto"], "slto"),
    ],
)  # fmt: skip
def test_what_the_parser_notices_names_what_was_given_and_where_to_look(arguments, named):
    words = one_sentence(call(*arguments))
    assert named in words.partition(";")[0]
    assert words.endswith("--help` shows what it takes.")


@pytest.mark.parametrize("given", ["0", "-1", "10000", "many", "", "１", "1.5"])
def test_slots_that_are_no_number_are_shown_with_what_would_do(given):
    assert one_sentence(call("queue", "slots", given)) == f"slots: {given!r} given; give 1 to 9999, or auto."


@pytest.mark.parametrize("screen", PLACES)
def test_the_app_opens_at_a_place(screen, opened):
    assert call("--screen", screen).code == 0
    assert opened == [(screen, None)]


def test_the_app_opens_at_a_run_named_by_a_part_of_its_id(opened):
    run = rundir.create(Path(os.environ["LTH_RUNS"]), b"{}", "cnn", "pydoc", "imp")
    assert call("--run", run.name[-4:]).code == 0
    assert call("--run", "@last").code == 0
    assert call().code == 0
    assert opened == [(None, run), (None, run), (None, None)]


@pytest.mark.parametrize("terminal", [True, False])
def test_lth_alone_opens_the_app_at_a_terminal_alone(monkeypatch, opened, capsys, terminal):
    monkeypatch.setattr(sys, "argv", ["lth"])
    for name in ("lth_tui.__main__", "lth_tui.cli"):
        monkeypatch.setattr(f"{name}.at_a_terminal", lambda: terminal)
    with nullcontext() if terminal else pytest.raises(SystemExit, match="2"):
        door.main()
    gc.enable()  # as the app does once it has painted
    assert opened == [(None, None)] * terminal
    assert ("needs a terminal" in capsys.readouterr().err) is not terminal


@pytest.fixture
def opened(monkeypatch) -> list[tuple[str | None, Path | None]]:
    """Where the app was opened, instead of opening it."""
    found: list[tuple[str | None, Path | None]] = []
    monkeypatch.setattr("lth_tui.app.run_app", lambda screen=None, run=None, fast=False: found.append((screen, run)))
    monkeypatch.setattr("lth_tui.cli.at_a_terminal", lambda: True)
    return found
