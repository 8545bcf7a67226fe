"""Rewinding: to which step, to exactly which weights, and that a training goes on from there as dense training did."""

import math

import pytest
import torch
from torch import nn

from engine import catalog, lottery, steps
from engine.errors import BadInput
from engine.models import network
from engine.optimisation import Plan, Running, Start, final_rate, learning_rate
from engine.pruning import mask as masks
from engine.randomness import derive
from engine.training import train, weights_at
from tests.science.conftest import CLASSES, WORDS, conducted, laboratory, small_spec

PLAN = Plan(
    epochs=3, batch_size=16, learning_rate=0.01, lr_schedule="linear", warmup=0.0, weight_decay=0.0, max_norm=0.0,
    patience=0, seed=7,
)  # fmt: skip
ALL = list(catalog.ARMS)
AN_EPOCH = math.ceil(120 / 16)  # of the made-up corpus


@pytest.fixture
def module() -> nn.Module:
    return network.build(small_spec().model, WORDS, CLASSES)


@pytest.mark.parametrize(
    ("text", "step"), [("init", 0), ("0it", 0), ("5it", 5), ("1ep", AN_EPOCH), ("2ep", 2 * AN_EPOCH), ("end", None)]
)
def test_a_rewind_point_is_a_step(text, step):
    assert steps.within(steps.check(text), 3, AN_EPOCH) == step


@pytest.mark.parametrize("text", ["", "it", "-1it", "1.5ep", "5 it", "1EP", "01ep", "5its", "init ", "99999999999it"])
def test_what_is_no_step_is_refused(text):
    with pytest.raises(BadInput, match="500it"):
        steps.check(text)


@pytest.mark.parametrize("text", ["24it", "3ep", "1000it"])
def test_a_step_behind_the_training_is_refused(text):
    with pytest.raises(BadInput, match=r"schedule\.rewind"):
        steps.within(text, 3, AN_EPOCH)


@pytest.mark.parametrize("step", [1, AN_EPOCH - 1, AN_EPOCH, AN_EPOCH + 3, 3 * AN_EPOCH - 1])
def test_the_weights_kept_at_a_step_are_those_of_a_training_that_ended_there(module, texts, step):
    start = Start(network.draw(module, 1), {})
    passed = train({"dense": start}, PLAN, module, texts, keep=step)["dense"].passed
    again = weights_at(step, start, PLAN, module, texts)
    assert passed.keys() == again.keys() == start.weights.keys()
    assert all(torch.equal(passed[name], again[name]) for name in passed)
    by_hand = Running(start, PLAN, module, texts.train)
    for epoch in range(1, 4):
        for _ in by_hand.epoch(epoch):
            if by_hand.step == step:
                weights = network.weights(module)
    assert all(torch.equal(passed[name], weights[name]) for name in passed)


def test_keeping_a_step_changes_no_number(module, texts):
    start = Start(network.draw(module, 1), {})
    plain = train({"dense": start}, PLAN, module, texts)["dense"]
    kept = train({"dense": start}, PLAN, module, texts, keep=5)["dense"]
    assert plain.passed is None
    assert plain.test == kept.test
    assert all(torch.equal(plain.weights[name], kept.weights[name]) for name in plain.weights)


@pytest.fixture
def steps_seen(monkeypatch):
    """(texts of the batch by their tokens, learning rate, seed of the dropout) of every step of every training."""
    seen = []
    real, real_reseed = Running.__init__, Running._reseed

    def begin(self, *rest):
        real(self, *rest)
        seen.append([])
        forward = type(self.module).forward

        def watched(tokens, lengths, generator=None):
            if self.module.training:
                rate = self.optimizer.learning_rate
                seen[-1].append((tokens.sum().item(), tuple(lengths.tolist()), rate, generator.initial_seed()))
            return forward(self.module, tokens, lengths, generator)

        self.module.forward = watched

    monkeypatch.setattr(Running, "__init__", begin)
    assert real_reseed is Running._reseed
    return seen


@pytest.mark.parametrize("step", [0, 3, AN_EPOCH, AN_EPOCH + 5])
def test_from_its_rewind_point_a_ticket_meets_the_order_rate_and_dropout_that_dense_training_met(
    module, texts, steps_seen, step
):
    weights = network.draw(module, 1)
    train({"dense": Start(weights, {}), "ticket": Start(weights, {}, begin=step)}, PLAN, module, texts)
    dense, ticket = steps_seen
    assert len(dense) == 3 * AN_EPOCH
    assert ticket == dense[step:]
    assert len({rate for _, _, rate, _ in dense}) == len(dense), "the rate falls with every step"


def test_a_copy_has_an_order_and_dropout_of_its_own(module, texts, steps_seen):
    weights = network.draw(module, 1)
    for copy in (0, 1, 2):
        train({"dense": Start(weights, {})}, Plan(**(PLAN.__dict__ | {"copy": copy})), module, texts)
    orders = [tuple(one[:2] for one in run) for run in steps_seen]
    assert len(set(orders)) == 3
    assert len({seed for run in steps_seen for *_, seed in run}) == 9 * AN_EPOCH


def test_finetuning_is_a_whole_training_at_the_final_rate(module, texts, steps_seen):
    weights = network.draw(module, 1)
    train({"finetune": Start(weights, {}, final=True)}, PLAN, module, texts)
    rates = [rate for _, _, rate, _ in steps_seen[0]]
    assert len(rates) == 3 * AN_EPOCH
    assert set(rates) == {final_rate(PLAN, AN_EPOCH)}


def test_the_final_rate_is_the_mean_of_the_last_epoch():
    constant = Plan(**(PLAN.__dict__ | {"lr_schedule": "constant", "warmup": 0.1}))
    assert final_rate(constant, AN_EPOCH) == constant.learning_rate
    last = [learning_rate(PLAN, step, 3 * AN_EPOCH) for step in range(2 * AN_EPOCH, 3 * AN_EPOCH)]
    assert final_rate(PLAN, AN_EPOCH) == pytest.approx(sum(last) / len(last))
    assert 0 < final_rate(PLAN, AN_EPOCH) < PLAN.learning_rate / 4


@pytest.fixture
def groups(monkeypatch) -> list:
    """Every group that an experiment trains: arm -> start."""
    seen = []
    real = lottery.train

    def train_(group, *rest):
        seen.append(dict(group))
        return real(group, *rest)

    monkeypatch.setattr(lottery, "train", train_)
    return seen


BEGINS = {
    "ticket": 5, "shuffle": 5, "same-sign": 5, "random": 5,  # on weights that dense training passed there
    "reinit": 0, "reinit-own": 0, "small-dense": 0,  # fresh weights train the whole way
    "finetune": 0, "lr-rewind": 0,  # trained weights too: as often as they were trained
}  # fmt: skip


@pytest.mark.parametrize("arm", ALL)
def test_of_a_late_rewind_point_every_arm_begins_where_its_weights_stand(texts, groups, arm):
    conducted(small_spec(arms=sorted({"ticket", arm}), **{"schedule.rewind": "5it"}), texts)
    dense, *later = (group[arm] if arm in group else group["dense"] for group in groups)
    assert (dense.begin, dense.final) == (0, False)
    assert [(start.begin, start.final) for start in later] == [(BEGINS[arm], arm == "finetune")] * 2


@pytest.mark.parametrize(("rewind", "step"), [("init", 0), ("5it", 5), ("1ep", AN_EPOCH)])
def test_tickets_start_from_exactly_the_weights_of_the_rewind_point(texts, groups, module, rewind, step):
    spec = small_spec(**{"schedule.rewind": rewind})
    journal = conducted(spec, texts)
    initial = groups[0]["dense"]
    plan = Plan(**spec.training.model_dump(), seed=0)
    expected = weights_at(step, initial, plan, module, texts) if step else initial.weights
    assert all(torch.equal(journal.rewinds[0][name], expected[name]) for name in expected)
    for group in groups[1:]:
        for arm in ("ticket", "shuffle"):
            assert group[arm].begin == step
            assert all(torch.equal(group[arm].weights[name], expected[name]) for name in expected)
        assert group["reinit"].begin == 0, "fresh weights train the whole way"


def test_the_end_is_the_dense_networks_trained_weights_and_a_whole_training(texts, groups):
    journal = conducted(small_spec(**{"schedule.rewind": "end"}), texts)
    dense = journal.rounds[0, 0].trained
    for group in groups[1:]:
        assert group["ticket"].begin == 0
        assert all(torch.equal(group["ticket"].weights[name], dense[name]) for name in dense)


@pytest.mark.parametrize("rewind", ["init", "5it", "end"])
def test_what_an_arm_starts_from_is_a_copy_that_no_training_changes(texts, monkeypatch, rewind):
    given = []
    real = lottery.train

    def train_(group, *rest):
        for arm, start in group.items():
            parts = (start.weights, start.mask)
            given.extend((arm, part, {name: each.clone() for name, each in part.items()}) for part in parts)
        return real(group, *rest)

    monkeypatch.setattr(lottery, "train", train_)
    journal = conducted(small_spec(arms=ALL, **{"schedule.rewind": rewind}), texts)
    assert {arm for arm, _, _ in given} == {"dense", *ALL}
    for arm, part, before in given:
        assert all(torch.equal(each, before[name]) for name, each in part.items()), arm
    first = next(before for arm, _, before in given if arm == "ticket")
    assert all(torch.equal(journal.rewinds[0][name], first[name]) for name in first)


def test_pruned_at_rate_0_and_rewound_to_init_a_ticket_trains_identically_to_dense(texts, monkeypatch):
    real = masks.prune
    monkeypatch.setattr(lottery.masks, "prune", lambda scores, mask, rate, scope: real(scores, mask, 0.0, scope))
    told = conducted(small_spec(arms=["ticket"], **{"training.weight_decay": 0.01}), texts).numbers()
    dense = told[0, 0, "dense"]
    assert told[0, 1, "ticket"][4:] == told[0, 2, "ticket"][4:] == dense[4:]


def test_a_rewind_point_behind_where_the_dense_network_stopped_early_is_found_by_training_on_and_told(texts, module):
    spec = small_spec(seeds=[3], **{"schedule.rewind": "19ep", "training.epochs": 20, "training.patience": 1})
    journal = conducted(spec, texts)
    epochs = [f["epoch"] for event, f in journal.told if event == "epoch" and f["round"] == 0]
    assert len(epochs) < 19, "the dense network did stop early"
    start = Start(network.draw(module, derive(3, "init")), {})
    expected = weights_at(19 * AN_EPOCH, start, laboratory(spec, texts).plan(3), module, texts)
    assert all(torch.equal(journal.rewinds[3][name], expected[name]) for name in expected)
    assert (3, 2, "ticket") in journal.numbers(), "the run goes on"
    warnings = [f for event, f in journal.told if event == "warning"]
    assert any(f.get("seed") == 3 or "seed 3" in f["message"] for f in warnings)


def test_a_rewind_point_before_an_early_stop_warns_of_nothing(texts):
    spec = small_spec(seeds=[3], **{"schedule.rewind": "1ep", "training.epochs": 20, "training.patience": 1})
    assert not any(event == "warning" for event, _ in conducted(spec, texts).told)
