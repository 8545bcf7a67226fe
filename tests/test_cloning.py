"""A spec fills the launch form, and the form then says that very spec; what it cannot say it refuses in a sentence."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from engine import spec as specs
from engine.errors import BadInput
from lth_tui.screens import choice as choices
from lth_tui.screens import cloning


def tree(spec: specs.RunSpec) -> dict[str, Any]:
    return orjson.loads(specs.dump(spec))


SPECS = {
    "as usual": ("cnn", "pydoc"),
    "of its own seeds": ("cnn", "ag_news", "imp", None, [0, 3, 7]),
    "of one seed": ("rnn", "imdb", "imp-global", None, [5]),
    "of one counted seed": ("rnn", "imdb", "imp-global", None, 1),
    "arms in an order of their own": ("cnn", "pydoc", "imp", ["ticket", "small-dense", "shuffle", "reinit"], 5),
    "one arm": ("gru", "pydoc", "late-1ep", ["ticket"]),
    "settings": (
        *("lstm", "ag_news", "lth-2019", ["random", "reinit-own"], 4),
        {
            "training.learning_rate": "0.00123456789",
            "schedule.rate": "0.3333333333333333",
            "schedule.factors": "head:0.5,embedding:1.1",
            "model.pooling": "last",
            "model.bidirectional": "false",
            "data.train_size": "2000",
            "device": "cpu",
            "threads": "1",
            "verdict.margin": "0.02",
        },
    ),
    "a checkpoint": ("bert", "imdb", "bert-2020", None, 3, {"model.checkpoint": "org/name with 'quote'"}),
    "the same values as other fields have": ("cnn", "imdb", "imp", None, 3, {"training.epochs": "6"}),
}


@pytest.mark.parametrize("arguments", SPECS.values(), ids=SPECS)
def test_the_form_says_the_spec_that_filled_it(arguments: tuple[Any, ...]) -> None:
    spec = specs.compose(*arguments)
    filled = cloning.of_spec(tree(spec))
    checked = choices.check(filled.choice)
    assert checked.errors == {}
    assert checked.spec == spec
    assert filled.remark == ""


def test_a_file_of_ones_own_and_its_test_file_are_filled_in(tmp_path: Path) -> None:
    files = [tmp_path / "my texts.csv", tmp_path / "te'st [b].csv"]
    for file in files:
        file.write_text("text,label\n")
    spec = specs.compose("cnn", str(files[0]), settings={"data.test_file": str(files[1]), "data.text_column": "a+b"})
    filled = cloning.of_spec(tree(spec))
    assert filled.choice.texts[choices.FILE] == str(files[0])
    assert choices.check(filled.choice).spec == spec
    files[0].unlink()
    assert choices.check(filled.choice).errors.keys() == {choices.FILE}


def test_a_schedule_that_was_edited_since_keeps_the_values_of_the_run(mine: Path) -> None:
    (mine / "mine.toml").write_text("rounds = 4\nrate = 0.3\n")
    spec = specs.compose("cnn", "pydoc", "mine")
    (mine / "mine.toml").write_text('rounds = 5\nrate = 0.25\nscope = "global"\n')
    filled = cloning.of_spec(tree(spec))
    assert choices.check(filled.choice).spec == spec
    assert "schedule mine, as it is now" in filled.remark
    (mine / "mine.toml").unlink()
    filled = cloning.of_spec(tree(spec))
    assert "schedule mine is not here" in filled.remark
    found = choices.check(filled.choice).spec
    assert found is not None
    assert found.schedule == spec.schedule.model_copy(update={"name": "imp"})


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "schedules"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("question", "line"),
    [("transfer", "lth transfer RUN --round 3 -d ag_news"), ("stability", "lth stability RUN --round 3")],
)
def test_a_question_about_anothers_tickets_is_refused_with_how_to_ask_anew(question: str, line: str) -> None:
    origin = {"question": question, "run": "RUN", "round": 3}
    with pytest.raises(BadInput, match=line):
        cloning.of_spec(tree(specs.compose("cnn", "ag_news")) | {"origin": origin})


@pytest.mark.parametrize("wild", ["a\x1b]0;b", "\u202egnp", "\x9b2J", "a\nb"])
def test_signs_that_a_field_would_hand_to_the_terminal_are_refused(wild: str) -> None:
    with pytest.raises(BadInput, match="further: it holds signs"):
        cloning.of_spec(tree(specs.compose("bert", "imdb", settings={"model.checkpoint": f"x{wild}y"})))


@pytest.mark.parametrize(
    "broken", [{}, {"model": 3}, {"version": 99}, {"seeds": []}, {"unknown": 1}, {"data": {"name": "x"}}]
)
def test_what_is_no_spec_is_refused_in_a_sentence(broken: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        cloning.of_spec(tree(specs.compose("cnn", "pydoc")) | broken if broken else {})


def test_a_spec_of_the_first_version_fills_the_form() -> None:
    whole = tree(specs.compose("cnn", "pydoc", seeds=[2, 9]))
    old = {
        **whole,
        "version": 1,
        "schedule": {k: v for k, v in whole["schedule"].items() if k not in ("factors", "retrain")},
    }
    checked = choices.check(cloning.of_spec(old).choice)
    assert checked.spec is not None
    assert checked.spec.seeds == (2, 9)


@pytest.mark.parametrize(
    ("text", "meant"), [("4", (0, 1, 2, 3)), ("0,3,7", (0, 3, 7)), (" 7 , ", (7,)), ("9, 2", (9, 2)), ("1", (0,))]
)
def test_seeds_are_a_number_or_a_list(text: str, meant: tuple[int, ...]) -> None:
    checked = choices.check(choices.Choice("cnn", "pydoc", "imp", texts={"seeds": text}))
    assert checked.spec is not None
    assert checked.spec.seeds == meant
    assert (checked.command == "") == (meant != tuple(range(len(meant))))


@pytest.mark.parametrize("text", ["", "0", "1001", "1.5", "-1", "1,1", "1,-2", "1,x", ",", f"0,{2**31}", "²,3", "\x1b"])
def test_other_seeds_have_a_sentence_at_their_field(text: str) -> None:
    errors = choices.check(choices.Choice("cnn", "pydoc", "imp", texts={"seeds": text})).errors
    assert list(errors) == ["seeds"]
    assert errors["seeds"].startswith("seeds: ")
