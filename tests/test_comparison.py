"""Runs held against one another: which rounds meet, which seeds pair, and what differs in their settings."""

import copy
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as known

from engine import comparison
from engine.record.summary import METRICS

DATA = {"name": "pydoc", "valid_fraction": 0.1, "train_size": None}


def run(
    name: str, rate: float = 0.2, rounds: int = 3, seeds: tuple[int, ...] = (0, 1, 2), **more: Any
) -> dict[str, Any]:
    """A run as `lth show --json` has it, its accuracies drawn from its name."""
    draw = np.random.default_rng(list(name.encode()))
    arms = more.pop("arms", ["ticket", "reinit"])
    spec = {"model": {"name": "cnn"}, "data": DATA, "schedule": {"name": "imp", "rate": rate}, "arms": arms}
    return {
        "id": name,
        "state": "finished",
        "spec": spec | more.pop("spec", {}),
        "seeds": list(seeds),
        "machine": {"versions": {"torch": "2.13.0"}, "device": "cpu", "threads": 2, "grouping": None},
        "data": {"train": 100, "valid": 10, "test": 50},
        "rounds": [
            {
                "round": number,
                "sparsity": 1 - (1 - rate) ** number,
                "arms": {
                    arm: {metric: (0.8 + 0.02 * draw.standard_normal(len(seeds))).tolist() for metric in METRICS}
                    for arm in (arms if number else ["dense"])
                },
            }
            for number in range(rounds + 1)
        ],
    } | more  # fmt: skip


def values(of: dict[str, Any], number: int, arm: str, metric: str = "test_accuracy") -> list[float]:
    return of["rounds"][number]["arms"][arm][metric]


def against(one: dict[str, Any], two: dict[str, Any], **more: Any) -> dict[str, Any]:
    (found,) = comparison.compare([one, two], **more)["comparisons"]
    return found


# Which rounds meet


def test_a_round_meets_the_one_of_nearest_density_if_it_is_within_a_tenth():
    one, two = run("a", 0.2, 10), run("b", 0.5, 3)
    found = against(one, two)
    met = {entry["round"]: (entry["baseline_round"], round(entry["baseline_sparsity"], 3)) for entry in found["rounds"]}
    assert met == {0: (0, 0.0), 1: (3, 0.488), 2: (6, 0.738), 3: (9, 0.866)}  # densities 0.512, 0.262, 0.134
    assert found["alone"] == []
    coarse = against(run("a", 0.5, 3), run("b", 0.2, 6))
    assert [entry["round"] for entry in coarse["rounds"]] == [0, 3, 6]
    assert coarse["alone"] == [1, 2, 4, 5]


def test_within_a_tenth_is_meant_of_the_density_not_of_the_sparsity():
    one, two = run("a", rounds=1), run("b", rounds=1)
    one["rounds"][1]["sparsity"] = 0.99
    for sparsity, meets in ((0.9909, True), (0.9912, False), (0.9889, True), (0.9887, False)):
        two["rounds"][1]["sparsity"] = sparsity
        assert len(against(one, two)["rounds"]) == 1 + meets, sparsity


def test_the_dense_round_meets_no_pruned_one():
    one, two = run("a", rounds=0), run("b", rate=0.01, rounds=1)
    found = against(one, two)
    assert [(entry["round"], entry["baseline_round"]) for entry in found["rounds"]] == [(0, 0)]
    assert found["alone"] == [1]


def test_a_round_of_unknown_sparsity_meets_none():
    one, two = run("a"), run("b")
    one["rounds"][2]["sparsity"] = two["rounds"][3]["sparsity"] = None
    found = against(one, two)
    assert [entry["round"] for entry in found["rounds"]] == [0, 1]
    assert found["alone"] == [2, 3]


# Which arms


def test_the_arms_both_have_are_compared_the_ticket_first():
    one, two = run("a", arms=["shuffle", "reinit", "ticket"]), run("b", arms=["reinit", "random", "ticket"])
    found = against(one, two)
    assert [list(entry["arms"]) for entry in found["rounds"]] == [["dense"], *[["ticket", "reinit"]] * 3]
    only = against(one, two, arm="reinit")
    assert [list(entry["arms"]) for entry in only["rounds"]] == [[], *[["reinit"]] * 3]


# Differences


def test_the_same_seeds_on_the_same_texts_are_paired():
    one, two = run("a", seeds=(0, 1, 2)), run("b", seeds=(5, 2, 1))
    found = against(one, two)["rounds"][2]["arms"]["ticket"]
    first = [values(one, 2, "ticket")[at] for at in (1, 2)]
    second = [values(two, 2, "ticket")[at] for at in (2, 1)]
    test = known.ttest_rel(second, first).confidence_interval(0.95)
    assert found["paired"] is True
    assert found["seeds"] == [2, 2]
    assert found["difference"] == pytest.approx(np.mean(second) - np.mean(first))
    assert found["ci95"] == pytest.approx([test.low, test.high])
    assert (found["baseline"], found["run"]) == (pytest.approx(np.mean(first)), pytest.approx(np.mean(second)))


@pytest.mark.parametrize(
    "data",
    [{"name": "imdb"}, {"valid_fraction": 0.2}, {"train_size": 90}, {"file": "/a.csv"}, {"test_file": "/b.csv"}, None],
)
def test_other_texts_are_not_paired_but_held_against_each_other_by_welch(data):
    one = run("a")
    two = run("b", spec={"data": DATA | data if data else None})
    found = against(one, two)
    assert found["same_data"] is False
    found = found["rounds"][1]["arms"]["reinit"]
    first, second = values(one, 1, "reinit"), values(two, 1, "reinit")
    test = known.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert (found["paired"], found["seeds"]) == (False, [3, 3])
    assert found["difference"] == pytest.approx(np.mean(second) - np.mean(first))
    assert found["ci95"] == pytest.approx([test.low, test.high])


def test_a_dataset_whose_counts_have_changed_is_another_one():
    one, two = run("a"), run("b")
    assert against(one, two)["same_data"] is True
    two["data"]["train"] = 99
    assert against(one, two)["same_data"] is False
    two["data"]["train"] = None  # not known yet
    assert against(one, two)["same_data"] is True


@pytest.mark.parametrize("seeds", [(7, 8, 9), (2, 8, 9)])
def test_with_fewer_than_two_seeds_in_common_all_are_compared_by_welch(seeds):
    found = against(run("a"), run("b", seeds=seeds))["rounds"][1]["arms"]["ticket"]
    assert (found["paired"], found["seeds"]) == (False, [3, 3])
    assert found["ci95"] is not None


def test_missing_and_diverged_networks_are_left_out_of_a_pair():
    one, two = run("a", seeds=(0, 1, 2, 3)), run("b", seeds=(0, 1, 2, 3))
    values(one, 1, "ticket")[0] = None
    values(two, 1, "ticket")[3] = None
    found = against(one, two)["rounds"][1]["arms"]["ticket"]
    assert (found["paired"], found["seeds"]) == (True, [2, 2])
    assert found["baseline"] == pytest.approx(np.mean(values(one, 1, "ticket")[1:3]))
    one["rounds"][1]["arms"]["ticket"]["test_accuracy"] = [None] * 4
    assert "ticket" not in against(one, two)["rounds"][1]["arms"]


def test_one_seed_has_a_difference_and_no_interval():
    one, two = run("a", seeds=(0,)), run("b", seeds=(0,))
    found = against(one, two)["rounds"][1]["arms"]["ticket"]
    assert found["difference"] == pytest.approx(values(two, 1, "ticket")[0] - values(one, 1, "ticket")[0])
    assert found["ci95"] is None


def test_any_metric_can_be_compared():
    one, two = run("a"), run("b")
    found = against(one, two, metric="test_loss")["rounds"][1]["arms"]["ticket"]
    assert found["baseline"] == pytest.approx(np.mean(values(one, 1, "ticket", "test_loss")))


def test_every_further_run_is_held_against_the_first():
    one, two, three = run("a"), run("b"), run("c")
    found = comparison.compare([one, two, three])
    assert found["baseline"] == "a"
    assert [entry["run"] for entry in found["comparisons"]] == ["b", "c"]
    for entry, other in zip(found["comparisons"], (two, three), strict=True):
        assert entry == against(one, other)


def test_a_run_without_networks_is_told_as_such():
    found = comparison.compare([run("a"), run("b") | {"rounds": [], "state": "queued"}])
    assert [(one["id"], one["trained"]) for one in found["runs"]] == [("a", True), ("b", False)]
    assert found["comparisons"][0]["rounds"] == []


# Settings


def test_only_settings_that_differ_are_told_by_dotted_path():
    one, two = run("a"), run("b", rate=0.5)
    two["spec"]["model"] = {"name": "lstm", "hidden": 128}
    two["spec"]["arms"] = ["ticket"]
    assert comparison.settings([one, two]) == {
        "model.name": {"a": "cnn", "b": "lstm"},
        "model.hidden": {"b": 128},
        "schedule.rate": {"a": 0.2, "b": 0.5},
        "arms": {"a": ["ticket", "reinit"], "b": ["ticket"]},
    }
    assert comparison.settings([one, run("c")]) == {}


def test_of_three_runs_all_values_of_a_setting_are_told_where_one_differs():
    found = comparison.settings([run("a"), run("b"), run("c", rate=0.5)])
    assert found == {"schedule.rate": {"a": 0.2, "b": 0.2, "c": 0.5}}


def test_machines_are_compared_as_far_as_they_are_known():
    one, two, three = run("a"), run("b"), run("c")
    two["machine"] = {"versions": {"torch": "2.14.0"}, "device": "cuda", "threads": 2, "grouping": None}
    three["machine"] = dict.fromkeys(one["machine"])  # it has not begun
    assert comparison.settings([one, three]) == {}
    assert comparison.settings([one, two, three]) == {
        "machine.versions.torch": {"a": "2.13.0", "b": "2.14.0"},
        "machine.device": {"a": "cpu", "b": "cuda"},
    }


def test_a_spec_that_cannot_be_read_is_no_obstacle():
    found = comparison.compare([run("a"), run("b") | {"spec": {}}])
    assert found["settings"]["model.name"] == {"a": "cnn"}
    assert found["comparisons"][0]["same_data"] is False
    nameless = [run(name, spec={"data": {}}) for name in "ab"]
    assert against(*nameless)["same_data"] is False, "two unknown datasets are not the same"


odd = st.sampled_from([None, 0.0, 1.0, 0.5, 1e308, -1e308, 3])
tree = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.integers(-3, 3),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.lists(inner, max_size=2),
)


@given(st.lists(odd, min_size=3, max_size=3), st.lists(odd, min_size=3, max_size=3), tree)
def test_whatever_stands_in_the_files_the_comparison_is_plain_json(first, second, spec):
    one, two = run("a", rounds=1), run("b", rounds=1)
    one["rounds"][1]["arms"]["ticket"]["test_loss"] = first
    two["rounds"][1]["arms"]["ticket"]["test_loss"] = second
    two["spec"] |= {"data": spec, "model": spec}
    before = copy.deepcopy([one, two])
    found = comparison.compare([one, two], "test_loss")
    assert orjson.loads(orjson.dumps(found)) == found
    assert [one, two] == before
