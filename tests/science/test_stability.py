"""Linear mode connectivity: what is trained, what lies on the line between, and what a barrier is."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine import spec as specs
from engine import stability
from engine.errors import Stopped
from engine.randomness import derive
from engine.record import kinds
from engine.stability import along, barrier, mixed, steps
from tests.science.conftest import Memory, conducted, laboratory, small_spec


def asked(spec, number=2, points=11):
    origin = {"question": "stability", "run": "source", "round": number, "points": points}
    return specs.changed(spec, origin=origin, arms=["ticket"])


@pytest.fixture(params=["init", "5it", "end"])
def source(request, texts):
    """A spec of two seeds and the journal of its run, from which the tickets come."""
    spec = small_spec(seeds=2, arms=["ticket"], **{"schedule.rewind": request.param})
    return spec, conducted(spec, texts)


def answered(source, texts, number=2, journal=None):
    spec, before = source
    journal = journal or Memory()
    spec = asked(spec, number)
    stability.experiment(laboratory(spec, texts), journal, lambda seed: ticket(before, seed, number))
    return journal


def ticket(before: Memory, seed: int, number: int):
    return before.rewinds[seed], before.rounds[seed, number].mask


def told(journal, kind):
    return [fields for event, fields in journal.told if event == kind]


@pytest.fixture
def trainings(monkeypatch):
    """(arm, start, plan, result) of every copy."""
    seen = []
    real = stability.train

    def train(group, plan, *rest):
        results = real(group, plan, *rest)
        seen.extend((arm, start, plan, results[arm]) for arm, start in group.items())
        return results

    monkeypatch.setattr(stability, "train", train)
    return seen


def test_two_copies_of_the_dense_network_and_of_the_ticket_train_from_the_rewind_point(source, texts, trainings):
    answered(source, texts)
    spec, before = source
    assert [(arm, plan.seed, plan.copy) for arm, _, plan, _ in trainings] == [
        (arm, seed, copy) for seed in (0, 1) for arm in ("dense", "ticket") for copy in (1, 2)
    ]
    for arm, start, plan, _ in trainings:
        assert all(torch.equal(start.weights[name], weight) for name, weight in before.rewinds[plan.seed].items())
        assert start.begin == {"init": 0, "5it": 5, "end": 0}[spec.schedule.rewind]
        mask = before.rounds[plan.seed, 0 if arm == "dense" else 2].mask
        assert all(torch.equal(start.mask[name], mask[name]) for name in mask)
        assert replace(plan, copy=0) == laboratory(spec, texts).plan(plan.seed), "only the noise differs"


def test_the_copies_differ_from_each_other_and_from_the_runs_own_training(source, texts, trainings):
    answered(source, texts)
    for seed in (0, 1):
        own = source[1].rounds[seed, 2].trained
        one, other = (found.weights for arm, _, plan, found in trainings if arm == "ticket" and plan.seed == seed)
        for a, b in ((one, other), (one, own), (other, own)):
            assert not torch.equal(a["convolutions.0.weight"], b["convolutions.0.weight"])


def test_the_ends_of_the_line_are_the_copies_themselves(source, texts):
    for found in told(answered(source, texts), "stability"):
        one, other = found["valid_accuracy"]
        assert (found["errors"][0], found["errors"][-1]) == (1 - one, 1 - other)
        assert found["barrier"] == max(found["errors"]) - (found["errors"][0] + found["errors"][-1]) / 2
        assert found["alphas"] == pytest.approx([place / 10 for place in range(11)])
        assert kinds.sound({"event": "stability", **found})


def test_between_copies_of_the_same_noise_the_line_is_flat(source, texts, monkeypatch):
    monkeypatch.setattr(stability, "COPIES", (1, 1))
    for found in told(answered(source, texts), "stability"):
        assert found["barrier"] == 0
        assert len(set(found["errors"])) == 1


def test_the_line_is_the_same_from_each_of_its_ends(source, texts, trainings):
    answered(source, texts)
    lab = laboratory(asked(source[0]), texts)
    (_, start, _, one), (_, _, _, other) = trainings[2:4]
    there = along(lab, texts, one.weights, other.weights, start.mask, 21)
    back = along(lab, texts, other.weights, one.weights, start.mask, 21)
    assert there == back[::-1]
    assert barrier(there) == barrier(back)
    assert len(set(there)) > 1


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=8), st.integers(11, 101), st.data())
def test_on_the_line_what_is_equal_stays_and_what_is_pruned_is_zero(values, points, data):
    one = {"layer": torch.tensor(values)}
    mask = {"layer": torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))}
    place = data.draw(st.integers(0, points - 1))
    share, rest = (points - 1 - place) / (points - 1), place / (points - 1)
    between = mixed(one, one, share, rest, mask)["layer"]
    assert torch.equal(between[mask["layer"]], one["layer"][mask["layer"]])
    assert not between[~mask["layer"]].any()


@given(st.lists(st.floats(0, 1), min_size=11, max_size=21))
def test_a_barrier_is_symmetric_in_its_ends_and_never_below_zero(errors):
    assert barrier(errors) == barrier(errors[::-1]) >= 0
    assert barrier([errors[0]] * 11) == 0


def test_a_barrier_is_the_rise_over_the_mean_of_the_ends():
    assert barrier([0.1, 0.5, 0.3]) == pytest.approx(0.3)
    assert barrier([0.1, 0.2, 0.3]) == pytest.approx(0.1)
    assert steps(11) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])


def test_of_round_0_the_dense_network_alone_is_asked(source, texts, trainings):
    journal = answered(source, texts, number=0)
    assert {arm for arm, *_ in trainings} == {"dense"}
    assert [found["round"] for found in told(journal, "stability")] == [0, 0]


def test_the_number_of_trainings_is_known_beforehand(source, texts, trainings):
    for number in (0, 2):
        trainings.clear()
        answered(source, texts, number)
        assert asked(source[0], number).trainings == len(trainings)


@pytest.mark.parametrize("stop_after", [1, 5, 9, 13])
def test_going_on_trains_no_compared_pair_again_and_finds_what_an_uninterrupted_run_finds(texts, stop_after):
    spec = small_spec(seeds=2, arms=["ticket"])
    source = spec, conducted(spec, texts)
    whole = told(answered(source, texts), "stability")
    journal = Memory(stop_after=stop_after)
    with pytest.raises(Stopped):
        answered(source, texts, journal=journal)
    done = {(found["seed"], found["arm"]) for found in told(journal, "stability")}
    journal.stop_after, before = None, len(journal.told)
    answered(source, texts, journal=journal)
    assert told(journal, "stability") == whole
    again = {(f["seed"], f["arm"]) for event, f in journal.told[before:] if event == "trained"}
    assert not again & done


def test_a_copy_that_diverges_leaves_no_barrier_and_is_said(source, texts, monkeypatch):
    monkeypatch.setattr(stability, "train", _diverging(stability.train))
    journal = answered(source, texts)
    for found in told(journal, "stability"):
        assert (found["errors"], found["barrier"]) == (None, None)
        assert kinds.sound({"event": "stability", **found})


def _diverging(real):
    from engine.outcomes import Diverged

    def train(group, plan, module, texts, on_epoch, on_trained, *rest):
        (arm,) = group
        return (
            {arm: Diverged(1, 0.1)} if plan.copy == 2 else real(group, plan, module, texts, on_epoch, on_trained, *rest)
        )

    return train


def test_no_copy_shares_its_noise_with_anything_else():
    seeds = [derive(seed, "order", epoch, *copy) for seed in range(5) for epoch in range(20)
             for copy in ((), ("copy 1",), ("copy 2",))]  # fmt: skip
    assert len(set(seeds)) == len(seeds)
