"""lth note: names, tags and notes of a run; bad ones are refused in one sentence."""

import pytest

from engine.record import rundir
from tests.cli.conftest import call, runs_here


@pytest.fixture
def run(news) -> str:
    return rundir.create(runs_here(), b"{}", "cnn", "news", "imp").name


def test_a_name_tags_and_a_note_are_kept_added_to_and_taken_away(run):
    assert call("note", run).err.startswith("Nothing is noted of")
    said = call("note", run, "first of five", "--name", "fold-1", "--tag", "old", "--tag", "study")
    assert said.code == 0, said.err
    assert said.out == "name fold-1\ntags old, study\nfirst of five\n"
    assert call("ls", "--json").json[0]["tags"] == ["old", "study"]
    assert call("ls", "--json").json[0]["name"] == "fold-1"
    said = call("note", run, "", "--untag", "old", "--tag", "kept", "--json")
    assert (said.json["name"], said.json["tags"], said.json["note"]) == ("fold-1", ["study", "kept"], "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tag", "a b"), "tag: 'a b' given"),
        (("--name", "../x"), "name: '../x' given"),
        (("--untag", "x"), "--untag: 'x' given"),
    ],
)
def test_what_is_no_name_or_tag_is_refused_in_one_sentence_and_changes_nothing(run, arguments, told):
    call("note", run, "kept")
    said = call("note", run, *arguments)
    assert said.code == 2
    assert said.err.startswith(told)
    assert said.err.count("\n") == 1
    assert call("note", run).out == "kept\n"
