"""The linear reference in a run: told once a seed, held against the dense network, never what a run fails of."""

from pathlib import Path

import pytest

from engine import spec as specs
from engine.errors import Stopped
from engine.places import runs_root
from engine.process import launch
from engine.process.journal import RunJournal
from engine.record import events, rundir, summary
from engine.reference import Reference

FOUND = Reference(0.82, 0.81, 0.83, 3.0, 216, 216, 1.5)


@pytest.fixture
def run(news) -> Path:
    return launch.new_run(runs_root(), specs.compose("cnn", "ag_news", seeds=2))


def journal(run: Path) -> RunJournal:
    """What an engine has once it has begun, or gone on."""
    made = RunJournal(run, lambda: False)
    made.started(specs.load(run / "spec.json"), device="cpu")
    return made


def dense(to: RunJournal, seed: int, accuracy: float | None) -> None:
    """The end of a dense training; without an accuracy it diverged."""
    outcome = {"diverged": True} if accuracy is None else {"test_accuracy": accuracy}
    to.tell("trained", seed=seed, round=0, arm="dense", sparsity=0.0, seconds=1.0, **outcome)


def test_it_is_told_and_shown_while_the_run_goes_on(run):
    engine = journal(run)
    engine.tell("epoch", seed=0, round=3, arm="ticket", epoch=1, epochs=6)
    doing = []

    def find() -> Reference:
        doing.append(rundir.read_status(run))
        return FOUND

    engine.refer(1, find)
    assert doing[0]["doing"] == "linear reference, seed 1"
    assert not {"seed", "round", "arm", "epoch"} & doing[0].keys(), "seed 0 is over"
    shown = summary.show(run)["reference"]
    assert shown["linear_test_accuracy"] == 0.82
    assert shown["per_seed"] == [None, 0.82]
    assert (shown["texts"], shown["of"]) == ([None, 216], [None, 216])
    assert summary.show(run)["events_skipped"] == 0


def test_an_engine_that_goes_on_does_not_look_for_it_again_and_still_compares(run):
    journal(run).refer(0, lambda: FOUND)
    again = journal(run)
    again.refer(0, lambda: pytest.fail("it is known"))
    dense(again, 0, 0.70)
    assert [e["event"] for e in events.read(run / events.FILE).events].count("reference") == 1
    assert any("12.0 points below" in words for words in summary.show(run)["warnings"])


@pytest.mark.parametrize(("accuracy", "warned"), [(0.799, True), (0.801, False), (0.80, False), (None, False)])
def test_a_dense_network_more_than_two_points_below_is_warned_of(run, accuracy, warned):
    engine = journal(run)
    engine.refer(0, lambda: FOUND)
    dense(engine, 0, accuracy)
    assert any("weak baselines manufacture tickets" in words for words in summary.show(run)["warnings"]) == warned
    assert rundir.read_status(run).get("warnings", 0) == warned


def test_a_dense_network_is_held_against_the_reference_of_its_own_seed(run):
    engine = journal(run)
    engine.refer(1, lambda: FOUND)
    dense(engine, 0, 0.5)
    engine.tell("trained", seed=1, round=1, arm="ticket", sparsity=0.2, test_accuracy=0.5, seconds=1.0)
    assert summary.show(run)["warnings"] == []


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "MemoryError"), (ImportError("No module named 'sklearn'"), "No module named 'sklearn'"),
     (OSError(5, "Input/output error"), "Input/output error")],
)  # fmt: skip
def test_a_reference_that_fails_is_a_warning_and_null(run, error, words):
    def fails() -> Reference:
        raise error

    engine = journal(run)
    engine.refer(0, fails)
    dense(engine, 0, 0.1)
    shown = summary.show(run)
    assert shown["reference"] is None
    (warning,) = shown["warnings"]
    assert "no linear reference for seed 0" in warning
    assert words in warning


def test_asked_to_stop_meanwhile_the_engine_stops_without_a_warning(run):
    def stops() -> Reference:
        raise Stopped

    with pytest.raises(Stopped):
        journal(run).refer(0, stops)
    assert summary.show(run)["warnings"] == []
