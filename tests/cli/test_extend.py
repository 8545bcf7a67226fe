"""`lth extend`: more seeds for a finished run; what cannot be extended is refused in a sentence."""

import pytest

from engine import spec as specs
from engine.places import runs_root
from engine.process import launch
from engine.record import extensions, rundir
from tests.cli.conftest import call, lth, one_sentence, run_arguments, runs_here
from tests.conftest import write_news


def test_extend_adds_seeds_and_says_what_that_costs_and_that_it_is_another_look(finished, journey):
    before = call("show", finished.name, "--json").json
    write_news(runs_here().parent / "data" / "ag_news")
    said = lth("extend", finished.name, "--seeds", "4", "--json")
    assert said.code == 0, said.err
    assert "7 further trainings of at most 2 epochs" in said.err
    assert "look 2 at the data" in said.err
    shown = said.json
    assert (shown["id"], shown["state"], shown["seeds"]) == (finished.name, "finished", [0, 1, 2, 3])
    assert (shown["verdict"]["seeds"], shown["verdict"]["looks"]) == (4, 2)
    for was, now in zip(before["rounds"], shown["rounds"], strict=True):
        for arm, metrics in was["arms"].items():
            assert now["arms"][arm]["test_accuracy"][:3] == metrics["test_accuracy"]
            assert None not in now["arms"][arm]["test_accuracy"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing to add", "3 seeds", "2 rounds"]),
        (["--seeds", "3"], ["nothing to add"]),
        (["--seeds", "3", "--rounds", "2"], ["nothing to add"]),
        (["--seeds", "2"], ["seeds: 2 given", "the run has 3"]),
        (["--rounds", "1"], ["rounds: 1 given", "the run has 2"]),
        (["--seeds", "5", "--rounds", "1"], ["rounds: 1 given"]),
    ],
)
def test_what_adds_nothing_or_takes_away_is_refused_in_a_sentence(finished, arguments, words):
    said = one_sentence(call("extend", finished.name, *arguments))
    assert all(word in said for word in words), said
    assert extensions.read(finished) == []
    assert rundir.state(finished) == "finished"


def test_a_run_that_is_not_there_cannot_be_extended(finished):
    assert "'x'" in one_sentence(call("extend", "x", "--seeds", "5"))


def test_a_run_that_is_not_finished_is_not_extended(news):
    arguments = run_arguments()
    settings = specs.parse_settings([arguments[at + 1] for at, word in enumerate(arguments) if word == "--set"])
    run = launch.new_run(runs_root(), specs.compose("cnn", "ag_news", seeds=1, settings=settings))
    said = one_sentence(call("extend", run.name, "--seeds", "5"))
    assert "is queued" in said
    assert f"lth resume {run.name}" in said
    assert extensions.read(run) == []
