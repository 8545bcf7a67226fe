"""The line that makes a run: read by the command line itself, it gives the very same spec, and says nothing in vain."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine import catalog
from engine import spec as specs
from engine.errors import BadInput
from engine.places import schedules_root
from engine.spec import RunSpec
from lth_tui import cli, command_line
from lth_tui.commands import start


def read_back(line: list[str]) -> RunSpec:
    """The spec that `lth run ...` would launch."""
    caught: list[RunSpec] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "launch", lambda spec, *_: caught.append(spec) or 0)
        result = CliRunner().invoke(cli.app, line[1:])
    assert caught, result.output
    return caught[0]


def tree(spec: RunSpec) -> dict[str, Any]:
    return orjson.loads(specs.dump(spec))


def through_the_shell(spec: RunSpec) -> RunSpec:
    return read_back(shlex.split(command_line.line(tree(spec))))


def test_what_is_usual_is_not_said() -> None:
    assert command_line.line(tree(specs.compose("cnn", "pydoc"))) == "lth run -m cnn -d pydoc"
    assert command_line.line(tree(specs.compose("bert", "imdb", "bert-2020"))) == "lth run -m bert -d imdb -s bert-2020"


def test_what_differs_is_said_once() -> None:
    spec = specs.compose("cnn", "imdb", "imp", ["ticket"], 5, {"training.epochs": 9, "data.train_size": 100})
    assert command_line.line(tree(spec)) == (
        "lth run -m cnn -d imdb -a ticket --seeds 5 --set data.train_size=100 --set training.epochs=9"
    )


@pytest.mark.parametrize("schedule", catalog.SCHEDULES)
@pytest.mark.parametrize("model", catalog.MODELS)
def test_every_model_with_every_schedule_comes_back(model: str, schedule: str) -> None:
    try:
        spec = specs.compose(model, "pydoc", schedule)
    except BadInput:
        return  # a criterion that cannot score this model
    assert through_the_shell(spec) == spec
    assert "--set" not in command_line.of(tree(spec))


CHANGES: dict[str, Any] = {
    "model.embedding_dim": st.integers(1, 4096),
    "model.widths": st.lists(st.integers(1, 64), min_size=1, max_size=4).map(tuple),
    "model.dropout": st.floats(0, 0.95),
    "model.vectors": st.sampled_from(["none", "glove.6B.100d", "my vectors; rm -rf $HOME"]),
    "model.reinit_vectors": st.booleans(),
    "data.train_size": st.none() | st.integers(2, 10_000),
    "data.valid_fraction": st.floats(0.01, 0.99),
    "schedule.rate": st.floats(1e-6, 0.45),
    "schedule.rounds": st.integers(0, 20),
    "schedule.rewind": st.sampled_from(["init", "500it", "1ep", "end"]),
    "schedule.scope": st.just("layerwise"),
    "schedule.prunable": st.lists(st.sampled_from(["embedding", "encoder", "head", "bias"]), min_size=1, unique=True),
    "schedule.factors": st.sampled_from(["none", "head:0.5", "head:0.1,embedding.weight:2"]),
    "training.learning_rate": st.floats(1e-9, 1),
    "training.optimizer": st.sampled_from(["adam", "sgd"]),
    "verdict.margin": st.floats(0.001, 0.5),
    "device": st.sampled_from(["auto", "cpu", "cuda:1"]),
    "threads": st.none() | st.integers(1, 8),
}


@settings(max_examples=40, deadline=None)
@given(
    changes=st.fixed_dictionaries({}, optional=CHANGES),
    schedule=st.sampled_from(["imp", "lth-2019", "study-2020-late", "one-shot-90"]),
    arms=st.lists(st.sampled_from(list(catalog.ARMS)), unique=True, max_size=4),
    seeds=st.integers(1, 12),
)
def test_any_spec_comes_back_through_the_shell(changes, schedule: str, arms: list[str], seeds: int) -> None:
    try:
        spec = specs.compose("cnn", "pydoc", schedule, arms, seeds, changes)
    except BadInput:
        reject()  # changes that do not go together
    assert through_the_shell(spec) == spec


def test_a_file_of_ones_own_and_its_test_file_come_back(tmp_path: Path) -> None:
    name = tmp_path / "it's $(mine) [x].csv"
    spec = specs.compose("gru", str(name), settings={"data.test_file": str(tmp_path / "other one.csv")})
    assert through_the_shell(spec) == spec
    assert "--test-file" in command_line.of(tree(spec))


def test_a_schedule_of_ones_own_is_named_while_it_is_there_and_told_afterwards() -> None:
    path = schedules_root() / "mine.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("rate = 0.3\nrounds = 4\n")
    spec = specs.compose("cnn", "pydoc", "mine")
    assert command_line.line(tree(spec)) == "lth run -m cnn -d pydoc -s mine"
    path.unlink()
    line = command_line.line(tree(spec))
    assert line == "lth run -m cnn -d pydoc --set schedule.rate=0.3 --set schedule.rounds=4"
    assert read_back(shlex.split(line)).schedule.model_dump(exclude={"name"}) == spec.schedule.model_dump(
        exclude={"name"}
    )


def test_a_setting_that_a_schedule_cannot_do_without_stays() -> None:
    spec = specs.compose("lstm", "pydoc", "synflow", settings={"schedule.criterion": "magnitude"})
    assert through_the_shell(spec) == spec


def test_an_older_spec_has_its_line_too() -> None:
    old = tree(specs.compose("cnn", "pydoc")) | {"version": 1}
    assert command_line.line(old) == "lth run -m cnn -d pydoc"


def test_what_no_line_can_say_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="seeds: 3, 5 are chosen by no option"):
        command_line.of(tree(specs.compose("cnn", "pydoc", seeds=[3, 5])))
    spaced = tree(specs.compose("cnn", "pydoc"))
    spaced["model"]["vectors"] = " spaced "
    with pytest.raises(BadInput, match=r"model\.vectors"):
        command_line.of(spaced)
    for broken in ({}, {"model": 3}, tree(specs.compose("cnn", "pydoc")) | {"strange": 1}):
        with pytest.raises(BadInput):
            command_line.of(broken)


def test_a_question_names_the_run_that_is_asked_about() -> None:
    asked = tree(specs.compose("cnn", "pydoc", arms=["ticket"]))
    origin = {"question": "stability", "run": "20260101-000000-pydoc-cnn-imp-abcd", "round": 5, "points": 21}
    assert command_line.line(asked | {"origin": origin}) == (
        "lth stability 20260101-000000-pydoc-cnn-imp-abcd --round 5 --points 21"
    )
    moved = tree(specs.compose("cnn", "imdb", settings={"training.epochs": 7}))
    moved["schedule"] |= {"rounds": 1}
    del origin["points"]
    assert command_line.line(moved | {"origin": origin | {"question": "transfer"}}) == (
        "lth transfer 20260101-000000-pydoc-cnn-imp-abcd --round 5 -d imdb --set training.epochs=7"
    )


def test_importing_it_costs_nothing() -> None:
    code = "import sys, lth_tui.command_line; print([m for m in ('torch', 'pydantic', 'textual') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
