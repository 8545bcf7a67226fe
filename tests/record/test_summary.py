"""`lth show --json`: the promised shape from the moment a run exists, whatever stands in its files."""

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.record import barriers, events, rundir, summary
from engine.record.kinds import KINDS
from tests.record.real_runs import SPEC, make

SHOWN = {
    "id", "state", "created", "cause", "progress", "spec", "seeds", "machine", "data", "reference", "rounds",
    "diverged", "verdict", "warnings", "events_skipped", "stability", "unverified",
}  # fmt: skip


@pytest.fixture
def run(runs: Path) -> Path:
    return make(runs)


def tell(run: Path, *told: dict[str, Any]) -> None:
    log = events.EventLog(run)
    for event in told:
        log.append(**event)
    log.close()


def begun(seed: int, number: int, **more: Any) -> dict[str, Any]:
    event = {"event": "round_started", "seed": seed, "round": number, "sparsity": 0.2 * number, "total_sparsity": 0.19}
    shape = {
        "parameters": 100,
        "nonzero": 100 - 20 * number,
        "layers": {"embedding.weight": 0.8},
        "kinds": {"head": 1.0},
    }
    return {**event, **shape, "arms": ["ticket"], **more}


def trained(seed: int, number: int, arm: str, accuracy: float | None = 0.8, **more: Any) -> dict[str, Any]:
    event = {"event": "trained", "seed": seed, "round": number, "arm": arm, "sparsity": 0.2 * number, "best_epoch": 3}
    scores = {"valid_accuracy": 0.81, "valid_loss": 0.5, "test_accuracy": accuracy, "test_macro_f1": 0.79}
    return {**event, **scores, "test_loss": 0.6, "seconds": 61.2, "diverged": False, **more}


def epoch(seed: int, number: int, arm: str, at: int, **more: Any) -> dict[str, Any]:
    where = {"event": "epoch", "seed": seed, "round": number, "arm": arm, "sparsity": 0.0, "epoch": at, "epochs": 4}
    return {**where, "train_loss": 1 / (at or 1), "valid_accuracy": 0.5, "valid_loss": 0.7, "seconds": 7.0, **more}


DATA = {"event": "data_ready", "name": "pydoc", "classes": 6, "class_names": ["a"], "train": 9000, "valid": 1000}
DATA |= {"test": 2500, "vocabulary": 20_000, "note": None}


def test_a_run_that_has_only_begun_to_exist_can_be_shown(run: Path) -> None:
    shown = summary.show(run)
    assert shown.keys() == SHOWN
    assert (shown["id"], shown["state"], shown["spec"], shown["seeds"]) == (run.name, "queued", SPEC, [7, 3])
    assert shown["rounds"] == []
    assert shown["warnings"] == []
    assert shown["events_skipped"] == 0
    assert shown["reference"] is None
    assert shown["verdict"] is None
    assert shown["cause"] is None
    assert shown["data"]["name"] == "pydoc"
    assert shown["data"]["train"] is None
    assert shown["progress"]["trained"] == 0
    assert shown["progress"]["trainings"] == 2 * (1 + 2 * 2)
    orjson.dumps(shown)


def test_the_shape_of_a_finished_run(run: Path) -> None:
    verdict, reference = {"winning_ticket": True, "seeds": 2}, {"linear_test_accuracy": 0.91}
    tell(
        run,
        {"event": "run_started", "device": "cpu", "threads": 2, "versions": {"torch": "2"}, "grouping": "one"},
        DATA,
    )
    for seed in (7, 3):
        tell(run, begun(seed, 0), trained(seed, 0, "dense"), begun(seed, 1))
        tell(run, trained(seed, 1, "reinit", 0.7), trained(seed, 1, "ticket", 0.8))
    tell(run, {"event": "run_finished", "verdict": verdict, "reference": reference})
    rundir.write_status(run, {"state": "finished"})
    shown = summary.show(run)
    assert shown.keys() == SHOWN
    assert shown["state"] == "finished"
    assert shown["verdict"] == verdict
    assert shown["reference"] == reference
    assert shown["data"] == {name: value for name, value in DATA.items() if name != "event"}
    assert shown["machine"] == {"device": "cpu", "threads": 2, "versions": {"torch": "2"}, "grouping": "one"}
    dense, pruned = shown["rounds"]
    assert {name: dense[name] for name in dense if name != "arms"} == {
        "round": 0, "sparsity": 0.0, "total_sparsity": 0.19, "parameters": 100, "nonzero": 100,
        "layers": {"embedding.weight": 0.8}, "kinds": {"head": 1.0},
    }  # fmt: skip
    assert list(dense["arms"]) == ["dense"]
    assert list(pruned["arms"]) == ["ticket", "reinit"], "in the order of the spec"
    assert pruned["arms"]["reinit"] == {
        "valid_accuracy": [0.81, 0.81], "valid_loss": [0.5, 0.5], "test_accuracy": [0.7, 0.7],
        "test_macro_f1": [0.79, 0.79], "test_loss": [0.6, 0.6], "best_epoch": [3, 3], "seconds": [61.2, 61.2],
    }  # fmt: skip
    assert shown["progress"]["trained"] == 6
    assert shown["progress"]["fraction"] == 1.0


def referred(seed: int, accuracy: Any, **more: Any) -> dict[str, Any]:
    sizes = {"texts": 90, "of": 90, "seconds": 1.5}
    return {"event": "reference", "seed": seed, "linear_test_accuracy": accuracy, **sizes, **more}


def test_the_linear_reference_is_a_mean_over_the_seeds_that_have_one(run: Path) -> None:
    tell(run, referred(3, 0.91, linear_test_macro_f1=0.9))
    assert summary.show(run)["reference"] == {
        "linear_test_accuracy": 0.91, "per_seed": [None, 0.91], "test_macro_f1": [None, 0.9],
        "texts": [None, 90], "of": [None, 90], "seconds": [None, 1.5],
    }  # fmt: skip
    tell(run, referred(7, 0.5), referred(7, 0.93))
    reference = summary.show(run)["reference"]
    assert reference["linear_test_accuracy"] == pytest.approx(0.92)
    assert reference["per_seed"] == [0.93, 0.91], "in seed order, and the latest counts"
    tell(run, {"event": "run_finished", "reference": {"linear_test_accuracy": 0.1}})
    assert summary.show(run)["reference"] == reference, "the seeds' own events say more"


def test_lists_have_one_entry_a_seed_in_seed_order_null_where_missing_or_diverged(run: Path) -> None:
    tell(run, begun(3, 1), trained(3, 1, "ticket", 0.9), trained(7, 1, "reinit", None, diverged=True))
    (only,) = summary.show(run)["rounds"]
    assert only["arms"]["ticket"]["test_accuracy"] == [None, 0.9]
    assert all(lists == [None, None] for lists in only["arms"]["reinit"].values())
    assert summary.show(run)["diverged"] == [{"seed": 7, "round": 1, "arm": "reinit"}]


def test_a_round_without_a_trained_network_is_not_shown(run: Path) -> None:
    tell(run, begun(7, 0), epoch(7, 0, "dense", 1))
    assert summary.show(run)["rounds"] == []


def test_densities_and_counts_are_means_over_the_seeds(run: Path) -> None:
    layers = [{"a": 0.5, "only-here": 0.25}, {"a": 1.0}]
    for seed, nonzero, density in zip((7, 3), (80, 83), layers, strict=True):
        tell(run, begun(seed, 1, nonzero=nonzero, sparsity=0.1, layers=density), trained(seed, 1, "ticket"))
    (only,) = summary.show(run)["rounds"]
    assert only["layers"] == {"a": 0.75, "only-here": 0.25}
    assert only["nonzero"] == 82


def test_the_mean_of_equal_numbers_is_that_number(run: Path) -> None:
    (run / "spec.json").write_bytes(orjson.dumps({**SPEC, "seeds": [0, 1, 2]}))
    for seed in range(3):  # (0.36 + 0.36 + 0.36) / 3 is not 0.36
        tell(run, begun(seed, 1, sparsity=0.36), trained(seed, 1, "ticket"))
    assert summary.show(run)["rounds"][0]["sparsity"] == 0.36


def test_a_round_whose_beginning_was_lost_still_has_its_sparsity(run: Path) -> None:
    tell(run, trained(7, 2, "ticket"))
    (only,) = summary.show(run)["rounds"]
    assert only["sparsity"] == 0.4
    assert only["nonzero"] is None
    assert only["layers"] == {}


def test_the_latest_event_counts(run: Path) -> None:
    tell(run, trained(7, 1, "ticket", 0.1), epoch(7, 1, "ticket", 2, train_loss=9.0), epoch(7, 1, "ticket", 1))
    tell(run, trained(7, 1, "ticket", 0.8), epoch(7, 1, "ticket", 2, train_loss=0.5))
    assert summary.show(run)["rounds"][0]["arms"]["ticket"]["test_accuracy"] == [0.8, None]
    snapshot = summary.fold(None, events.read(run / "events.jsonl").events)
    curve = summary.curve(snapshot, 7, 1, "ticket")
    assert [(one["epoch"], one["train_loss"]) for one in curve] == [(1, 1.0), (2, 0.5)]
    assert summary.curve(snapshot, 7, 9, "ticket") == []


def test_progress_counts_networks_and_epochs_of_those_at_work(run: Path) -> None:
    tell(run, trained(7, 0, "dense"), epoch(7, 1, "ticket", 1), epoch(7, 1, "reinit", 2))
    progress = summary.show(run)["progress"]
    assert progress["fraction"] == pytest.approx((1 + 0.25 + 0.5) / 10)
    assert (progress["seed"], progress["round"], progress["arm"], progress["epoch"]) == (7, 1, "reinit", 2)


def test_a_finished_run_is_all_done_though_an_arm_was_left_out(run: Path) -> None:
    tell(run, trained(7, 0, "dense"), trained(3, 0, "dense"), trained(7, 1, "ticket"))
    assert summary.show(run)["progress"]["fraction"] == 0.3
    tell(run, {"event": "run_finished"})
    rundir.write_status(run, {"state": "finished"})
    progress = summary.show(run)["progress"]
    assert (progress["fraction"], progress["trained"], progress["trainings"]) == (1.0, 3, 10)
    rundir.write_status(run, {"state": "queued"})
    assert summary.show(run)["progress"]["fraction"] == 0.3, "extended, it has more to do while it still waits"
    tell(run, {"event": "run_resumed"}, begun(7, 2))
    assert summary.show(run)["progress"]["fraction"] == 0.3, "an extended run has more to do"


def test_a_failed_run_says_why_and_a_resumed_one_no_longer(run: Path) -> None:
    tell(run, {"event": "run_failed", "cause": "out of memory"})
    rundir.write_status(run, {"state": "failed"})
    assert summary.show(run)["cause"] == "out of memory"
    rundir.write_status(run, {"state": "failed", "cause": "killed by the kernel"})
    assert summary.show(run)["cause"] == "killed by the kernel"
    rundir.write_status(run, {"state": "queued"})
    assert summary.show(run)["cause"] is None, "only a failed run has a cause of failure"
    tell(run, {"event": "run_resumed"})
    rundir.write_status(run, {"state": "failed"})
    assert summary.show(run)["cause"] is None, "failed again, and not of the old cause"


def test_each_warning_is_shown_once_in_order(run: Path) -> None:
    warnings = [{"event": "warning", "message": text, "seed": 7} for text in ("weak baseline", "empty layer")]
    tell(run, *warnings, *warnings)
    assert summary.show(run)["warnings"] == ["weak baseline", "empty layer"]


NONSENSE: list[dict[str, Any]] = [
    trained(99, 1, "ticket"),  # a seed the spec has not
    begun(99, 1),
    trained(7, 10**9, "ticket"),
    trained(7, -1, "ticket"),
    trained(7, True, "ticket"),
    trained(7, 1, "../../etc"),
    trained(7, 1, "\x1b[2J"),
    trained(7, 1, ["ticket"]),  # type: ignore[arg-type]
    trained(7, 0, "ticket"),  # round 0 is dense training
    trained(7, 1, "dense"),
    trained(7, 1, "ticket", 87.5),  # accuracies are fractions
    trained(7, 1, "ticket", "0.9"),  # type: ignore[arg-type]
    trained(7, 1, "ticket", test_loss=[1]),
    trained(7, 1, "ticket", diverged="no"),
    begun(7, 1, layers=[0.5]),
    begun(7, 1, layers={"a": "b"}),
    begun(7, 1, nonzero=None),
    epoch(7, 1, "ticket", 0),
    epoch(7, 1, "ticket", 10**12),
    {"event": "trained"},
    {"event": "epoch", "seed": 7, "round": 1},
    referred(99, 0.9),
    referred(7, 91.2),
    referred(7, None),
    referred(7, 0.9, texts="all"),
    {"event": "warning", "message": None},
    {"event": "run_finished", "verdict": "won"},
    {**DATA, "train": "many"},
]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=range(len(NONSENSE)))
def test_an_event_that_makes_no_sense_is_counted_and_changes_nothing(run: Path, nonsense: dict[str, Any]) -> None:
    tell(run, begun(3, 1), trained(3, 1, "ticket"))
    before = summary.show(run)
    tell(run, nonsense)
    after = summary.show(run)
    assert after["events_skipped"] == 1
    hidden = {"events_skipped", "progress"}
    assert {k: v for k, v in after.items() if k not in hidden} == {k: v for k, v in before.items() if k not in hidden}


def test_kinds_of_a_newer_version_are_passed_over_uncounted_and_bad_lines_are_counted(run: Path) -> None:
    tell(run, {"event": "from_the_future", "seed": "x"}, trained(7, 0, "dense"))
    with (run / "events.jsonl").open("ab") as file:
        file.write(b"garbage\n\n")
    shown = summary.show(run)
    assert shown["events_skipped"] == 2
    assert len(shown["rounds"]) == 1


ASKED = SPEC | {"arms": ["ticket"], "origin": {"question": "stability", "run": "another", "round": 2}}


def compared(seed: int, number: int, arm: str, errors: list[float] | None, **more: Any) -> dict[str, Any]:
    barrier = None if errors is None else max(errors) - (errors[0] + errors[-1]) / 2
    where = {"event": "stability", "seed": seed, "round": number, "arm": arm, "sparsity": 0.2 * number}
    ends = {"valid_accuracy": [0.8, 0.9], "test_accuracy": [0.8, 0.9]}
    return {**where, "alphas": [0.0, 0.5, 1.0], "errors": errors, "barrier": barrier, **ends, **more}


def asked(runs: Path) -> Path:
    run = make(runs)
    (run / "spec.json").write_bytes(orjson.dumps(ASKED))
    return run


def test_what_was_found_between_copies_has_an_entry_a_seed(runs: Path) -> None:
    run = asked(runs)
    assert summary.show(run)["stability"] == []
    tell(run, compared(3, 2, "ticket", [0.1, 0.11, 0.1]), compared(3, 0, "dense", [0.1, 0.5, 0.3]))
    tell(run, compared(7, 0, "dense", None), compared(99, 0, "dense", [0.1, 0.1, 0.1]))
    shown = summary.show(run)
    dense, ticket = shown["stability"]
    assert (dense["arm"], dense["round"], dense["sparsity"], dense["stable"]) == ("dense", 0, 0.0, False)
    assert dense["barrier"] == [None, pytest.approx(0.3)]
    assert dense["errors"] == [None, [0.1, 0.5, 0.3]]
    assert (ticket["round"], ticket["stable"], ticket["errors"]) == (2, True, [None, [0.1, 0.11, 0.1]])
    assert shown["events_skipped"] == 1
    said = barriers.sentence(shown["stability"])
    assert said.startswith(
        "The dense network is not stable, with an error barrier of 30.0 points; the ticket of round 2"
    )
    assert "is stable, with an error barrier of 1.0 points" in said


def test_below_two_points_is_stable_and_two_are_not(runs: Path) -> None:
    for rise, stable in ((0.0199, True), (0.02, False)):
        run = asked(runs)
        tell(run, compared(3, 0, "dense", [0.0, rise, 0.0]))
        assert summary.show(run)["stability"][0]["stable"] is stable


def test_two_copies_are_shown_as_their_mean_and_counted_as_two_trainings(runs: Path) -> None:
    run = asked(runs)
    tell(run, begun(7, 0), *(trained(7, 0, "dense", (0.8, 0.9)[which], copy=which + 1) for which in range(2)))
    tell(run, trained(3, 0, "dense", 0.7, copy=1), epoch(3, 0, "dense", 2, copy=2))
    shown = summary.show(run)
    dense = shown["rounds"][0]["arms"]["dense"]
    assert dense["test_accuracy"] == [pytest.approx(0.85), None], "one copy alone is not yet the network"
    assert dense["seconds"] == [pytest.approx(122.4), None]
    assert shown["progress"] | {"trained": 3, "trainings": 8, "fraction": 3.5 / 8} == shown["progress"]
    tell(run, trained(3, 0, "dense", None, copy=2, diverged=True))
    shown = summary.show(run)
    assert shown["diverged"] == [{"seed": 3, "round": 0, "arm": "dense"}]
    assert shown["rounds"][0]["arms"]["dense"]["test_accuracy"] == [pytest.approx(0.85), None]


@pytest.mark.parametrize(
    "nonsense",
    [{"alphas": [0.0]}, {"alphas": [0.0, 0.5, 2.0]}, {"errors": [0.1, 0.2]}, {"errors": "flat"}, {"barrier": "high"},
     {"arm": "ticket"}, {"round": 3}, {"test_accuracy": [0.1, 0.2, 0.3]}],
)  # fmt: skip
def test_a_comparison_that_makes_no_sense_is_counted_and_passed_over(runs: Path, nonsense: dict[str, Any]) -> None:
    run = asked(runs)
    tell(run, compared(7, 0, "dense", [0.1, 0.2, 0.1]) | nonsense)
    shown = summary.show(run)
    assert (shown["stability"], shown["events_skipped"]) == ([], 1)


def test_an_unreadable_log_is_said(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def eio(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(events, "read", eio)
    assert summary.show(run)["warnings"] == ["events.jsonl cannot be read (Input/output error)"]


some_events = st.one_of(
    st.builds(
        trained, st.sampled_from([7, 3, 99]), st.integers(1, 2), st.sampled_from(["ticket", "reinit"]), st.floats()
    ),
    st.builds(begun, st.sampled_from([7, 3, 99]), st.integers(0, 2)),
    st.builds(epoch, st.sampled_from([7, 3]), st.integers(1, 2), st.just("ticket"), st.integers(0, 4)),
    st.builds(referred, st.sampled_from([7, 3, 99]), st.floats()),
    st.sampled_from([DATA, {"event": "run_resumed"}, {"event": "run_failed", "cause": "x"}, {"event": "new"}]),
    st.sampled_from([{"event": "warning", "message": "w"}, {"event": "run_finished", "verdict": {"seeds": 2}}]),
)


@given(st.lists(some_events, max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_folding_in_parts_is_folding_at_once(told: list[dict[str, Any]], cuts: list[int]) -> None:
    told = [orjson.loads(orjson.dumps(event)) for event in told]
    whole = summary.fold(None, copy.deepcopy(told))
    parts, start = None, 0
    for cut in [*sorted(cuts), len(told)]:
        parts = summary.fold(parts, told[start:cut])
        start = max(start, cut)
    assert parts == whole
    run = Path("20261122-071205-pydoc-cnn-imp-0000")
    assert summary.view(run, "running", SPEC, whole) == summary.view(run, "running", SPEC, parts)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    sorted({name for checks in KINDS.values() for name in checks} | {"kinds", "grouping", "sparsity"})
)
hostile_events = st.dictionaries(fields, values | st.sampled_from([0, 1, 7, 3, "dense", "ticket", {"a": 1}])).flatmap(
    lambda event: st.sampled_from([*KINDS, "new"]).map(lambda kind: {**event, "event": kind})
)


@given(
    st.lists(hostile_events, max_size=8),
    st.dictionaries(st.sampled_from([*SPEC, "origin"]), values | st.just({"question": "stability", "round": 1})),
    st.binary(max_size=20),
)
def test_no_content_of_a_run_raises_and_what_is_shown_is_json(
    tmp_path_factory: pytest.TempPathFactory, told: list[dict[str, Any]], spec: dict[str, Any], status: bytes
) -> None:
    run = tmp_path_factory.mktemp("hostile")
    tell(run, *told, trained(7, 0, "dense"))
    (run / "spec.json").write_bytes(orjson.dumps(spec))
    (run / "status.json").write_bytes(status)
    shown = summary.show(run)
    assert shown.keys() == SHOWN
    orjson.dumps(shown)
    (run / "spec.json").write_bytes(orjson.dumps(SPEC))
    dense = [one for one in summary.show(run)["rounds"] if one["round"] == 0]
    assert dense[0]["arms"]["dense"]["test_accuracy"][0] == 0.8, "an intact event was hidden"


def test_deep_nests_are_not_shown_where_they_could_not_be_written(run: Path) -> None:
    deep = "[" * 253 + "]" * 253
    (run / "spec.json").write_text('{"seeds":[7],"x":' + deep + "}")
    verdict = orjson.loads('{"x":' + deep + "}")
    snapshot = summary.fold(None, [{"event": "run_finished", "verdict": verdict}])
    shown = summary.view(run, "finished", rundir.read_json(run / "spec.json"), snapshot)
    assert shown["verdict"] is None
    assert shown["spec"] == {}
    assert orjson.dumps([[shown]])
