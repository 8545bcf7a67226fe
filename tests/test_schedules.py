"""Schedules of one's own: TOML files that differ from one of the menu; what is wrong with one is a sentence."""

import os
from pathlib import Path

import pytest

from engine import schedules
from engine.errors import BadInput


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "schedules"
    folder.mkdir()
    monkeypatch.setenv("LTH_SCHEDULES", str(folder))
    return folder


def test_a_file_differs_from_its_base_in_what_it_says(mine):
    (mine / "half.toml").write_text('base = "lth-2019"\nrate = 0.5\nrewind = "1ep"\n')
    card = schedules.find("half")
    assert (card.name, card.rate, card.rewind, card.factors) == ("half", 0.5, "1ep", {"head": 0.5})
    assert (card.rounds, card.citation) == (10, "your own")
    assert schedules.find(str(mine / "half.toml")) == card
    found, wrong = schedules.every()
    assert found == schedules.SCHEDULES | {"half": card}
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rewind = 500", 'rewind: 500 given; it should be a text such as "500it"'),
        ("prunable = []", "prunable: [] given; it should be at least one of embedding, encoder, head, bias."),
        ("prunable = 5", "prunable: 5 given; it should be at least one of"),
        ('criterion = ["a"]', "criterion: ['a'] given; it should be one of magnitude, snip"),
        ('criterion = "magnitud"', "criterion: 'magnitud' is not known; did you mean magnitude?"),
        ("rounds = true", "rounds: True given; it should be a whole number, at least 0 and at most 1000."),
        ("rounds = 2.5", "rounds: 2.5 given; it should be a whole number, at least 0"),
        ("rate = 2", "rate: 2 given; it should be a number, above 0 and below 1."),
        ("factors = 5", "factors: 5 given; it should be a number for each kind or layer"),
        ('factors = {head = "x"}', "factors.head: 'x' given; it should be a number above 0."),
        ("factors = {head = true}", "factors.head: True given; it should be a number above 0."),
        ("factors = {haed = 2}", "factors: 'haed' is no kind of parameters; give embedding,"),
        ("title = 3", "has title = 3; it should be a text in quotes."),
        ("ratio = 0.2", "has the unknown key 'ratio'; it can have base, title,"),
        ('base = "impp"', "has base = 'impp', no schedule of the menu;"),
        ("rate", "is no TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_a_sentence_that_names_it(mine, line, words):
    path = mine / "bad.toml"
    path.write_text(line + "\n")
    with pytest.raises(BadInput) as caught:
        schedules.find("bad")
    said = str(caught.value)
    assert said.startswith(f"schedule: {path}")
    assert words in said
    assert said.endswith((".", "?"))
    assert "\n" not in said
    assert schedules.every() == (schedules.SCHEDULES, [said])


def test_a_file_that_bears_a_name_of_the_menu_is_not_used_and_that_is_said(mine):
    (mine / "imp.toml").write_text("rounds = 3\n")
    found, (said,) = schedules.every()
    assert found == schedules.SCHEDULES
    assert said.startswith(f"schedule: {mine / 'imp.toml'} bears the name")
    assert schedules.find("imp").rounds == 10
    assert schedules.find(str(mine / "imp.toml")).rounds == 3


def test_a_file_whose_name_is_no_text_is_refused(mine):
    (mine / os.fsdecode(b"\xff.toml")).write_text("rounds = 3\n")
    found, (said,) = schedules.every()
    assert found == schedules.SCHEDULES
    assert said.endswith("has a name that is no text; rename the file.")
