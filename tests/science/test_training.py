"""Training: masks that hold, rewinding that restores, validation that chooses, divergence that is said."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch import nn

from engine.data.batches import by_length, part, shuffled
from engine.errors import Stopped
from engine.evaluation import evaluate
from engine.models import network
from engine.optimisation import Plan, Start, learning_rate
from engine.optimizers import AdamW
from engine.outcomes import Diverged
from engine.pruning import mask as masks
from engine.randomness import derive
from engine.training import train
from tests.science.conftest import CLASSES, WORDS, by_magnitude, encoded, small_spec

PLAN = Plan(
    epochs=3,
    batch_size=16,
    learning_rate=0.01,
    lr_schedule="constant",
    warmup=0.0,
    weight_decay=0.0,
    max_norm=0.0,
    patience=0,
    seed=7,
)


def changed(**fields) -> Plan:
    return Plan(**(PLAN.__dict__ | fields))


@pytest.fixture
def module() -> nn.Module:
    return network.build(small_spec().model, WORDS, CLASSES)


@pytest.fixture
def start(module) -> Start:
    weights = network.draw(module, 1)
    entries = masks.support(weights)
    prunable = {name: entries[name] for name, weight in weights.items() if weight.dim() > 1}
    return Start(weights, masks.prune(by_magnitude(weights, prunable), prunable, 0.7, "layerwise"))


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": "adam"},
        {"optimizer": "adam", "lr_schedule": "linear"},
        {"optimizer": "adam", "weight_decay": 0.1},
        {"optimizer": "adam", "weight_decay": 0.1, "max_norm": 0.5},
        {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1},
        {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1, "weight_decay": 0.01, "max_norm": 0.5},
    ],
    ids=lambda how: " ".join(map(str, how.values())),
)
def test_pruned_weights_stay_exactly_0(module, start, texts, how):
    weights = train({"ticket": start}, changed(**how), module, texts)["ticket"].weights
    for name, kept in start.mask.items():
        assert not weights[name][~kept].any(), name
        assert (weights[name][kept] != start.weights[name][kept]).any(), f"{name} was not trained"


def test_pruned_weights_have_no_part_in_the_norm_that_gradients_are_clipped_to(module, start, texts, monkeypatch):
    from engine import training

    seen = []

    def clip(weights, norm, **_):
        seen.append({name: weight.grad.clone() for name, weight in module.named_parameters()})

    monkeypatch.setattr(training.nn.utils, "clip_grad_norm_", clip)
    train({"ticket": start}, changed(max_norm=1.0, epochs=1), module, texts)
    assert seen
    assert not any(gradients[name][~kept].any() for gradients in seen for name, kept in start.mask.items())


def test_a_mask_that_keeps_everything_trains_identically_to_dense(module, texts):
    weights = network.draw(module, 1)
    entries = masks.support(weights)
    whole = masks.prune(by_magnitude(weights, entries), entries, 1e-9, "layerwise")
    results = train({"dense": Start(weights, {}), "ticket": Start(weights, whole)}, PLAN, module, texts)
    dense, ticket = results["dense"], results["ticket"]
    assert all(torch.equal(dense.weights[name], ticket.weights[name]) for name in weights)
    assert dense.test == ticket.test


def test_training_repeats_bit_by_bit_and_leaves_its_start_alone(module, start, texts):
    before = {name: weight.clone() for name, weight in start.weights.items()}
    first = train({"ticket": start}, PLAN, module, texts)["ticket"]
    again = train({"reinit": Start(network.draw(module, 9), start.mask), "ticket": start}, PLAN, module, texts)[
        "ticket"
    ]
    assert all(torch.equal(start.weights[name], before[name]) for name in before), "the rewind weights were trained on"
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in before)


def test_the_best_validation_epoch_is_kept_and_the_earliest_of_equals(module, start, texts):
    seen = []
    result = train({"ticket": start}, changed(epochs=6), module, texts, on_epoch=seen.append)["ticket"]
    accuracies = [epoch.valid.accuracy for epoch in seen]
    assert result.best_epoch == 1 + accuracies.index(max(accuracies))
    assert result.valid.accuracy == max(accuracies)
    for name, parameter in module.named_parameters():
        parameter.data = result.weights[name].clone()
    assert evaluate(module, texts.valid) == result.valid
    assert evaluate(module, texts.test) == result.test


def test_of_equal_epochs_the_earliest_is_kept(module, start, texts):
    result = train({"ticket": start}, changed(learning_rate=1e-12), module, texts)["ticket"]
    assert result.best_epoch == 1


def test_dropout_is_of_the_seed_and_the_step_and_the_same_in_every_arm(module, start, texts, monkeypatch):
    seeds = []
    real = type(module).forward

    def forward(self, tokens, lengths, dropout=None):
        if self.training:
            seeds.append(dropout.initial_seed())
        return real(self, tokens, lengths, dropout)

    monkeypatch.setattr(type(module), "forward", forward)
    train({"a": start, "b": start}, PLAN, module, texts)
    an_epoch = math.ceil(len(texts.train) / PLAN.batch_size)
    expected = [derive(PLAN.seed, "dropout", step // an_epoch + 1, step) for step in range(3 * an_epoch)]
    assert seeds == expected * 2


def test_the_test_set_is_read_once_for_each_network(module, start, texts, monkeypatch):
    from engine import training

    read = []
    real = training.evaluate
    monkeypatch.setattr(training, "evaluate", lambda m, p, *rest: read.append(p) or real(m, p, *rest))
    training.train({"a": start, "b": start}, PLAN, module, texts)
    assert sum(p is texts.test for p in read) == 2
    assert sum(p is texts.valid for p in read) == 2 * PLAN.epochs


def test_patience_stops_early(module, start, texts):
    seen = []
    plan = changed(epochs=50, patience=2)
    result = train({"ticket": start}, plan, module, texts, on_epoch=seen.append)["ticket"]
    assert len(seen) < 50
    assert seen[-1].number == result.best_epoch + 2


def test_divergence_is_said_and_the_next_arm_trains_on(module, start, texts):
    hot = {name: weight * 1e30 for name, weight in start.weights.items()}
    results = train({"hot": Start(hot, start.mask), "ticket": start}, PLAN, module, texts)
    assert isinstance(results["hot"], Diverged)
    assert math.isfinite(results["ticket"].test.loss)


def test_a_stop_is_noticed_within_a_step(module, start, texts):
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Stopped):
        train({"ticket": start}, PLAN, module, texts, stop=stop)
    assert len(asked) == 4


def test_the_linear_schedule_falls_to_0_over_one_training(module, start, texts, monkeypatch):
    rates = []
    real = AdamW.step

    def step(self):
        rates.append(self.learning_rate)
        return real(self)

    monkeypatch.setattr(AdamW, "step", step)
    train({"a": start, "b": start}, changed(lr_schedule="linear"), module, texts)
    steps = PLAN.epochs * math.ceil(len(texts.train) / PLAN.batch_size)
    assert rates == pytest.approx([0.01 * (1 - i / steps) for i in range(steps)] * 2)


def test_accuracy_f1_and_loss_are_per_example(module, texts):
    network.draw(module, 3)
    module.eval()
    logits, labels = [], []
    for batch in by_length(texts.test, 7):
        logits.append(module(batch.tokens, batch.lengths).detach())
        labels.append(batch.labels)
    logits, labels = torch.cat(logits), torch.cat(labels)
    metrics = evaluate(module, texts.test)
    guesses = logits.argmax(1)
    assert metrics.accuracy == pytest.approx((guesses == labels).double().mean().item())
    assert metrics.loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    expected = f1_score(labels, guesses, average="macro", labels=[0, 1, 2], zero_division=0)
    assert metrics.macro_f1 == pytest.approx(expected)


def test_an_epoch_has_every_text_once_and_no_padding_beyond_its_batch():
    texts = encoded(333, 4)
    whole = part(texts)
    seen = []
    for batch in shuffled(whole, 10, seed=3):
        assert batch.tokens.shape[1] == int(batch.lengths.max())
        for tokens, length, label in zip(batch.tokens, batch.lengths.tolist(), batch.labels.tolist(), strict=True):
            assert not tokens[length:].any()
            assert tokens[:length].all()
            seen.append((label, *tokens[:length].tolist()))
    own = [(int(texts.labels[i]), *texts.tokens[texts.offsets[i] : texts.offsets[i + 1]].tolist()) for i in range(333)]
    assert sorted(seen) == sorted(own)


def test_the_order_of_an_epoch_follows_from_its_seed():
    whole = part(encoded(200, 4))

    def order(seed: int) -> list:
        return [batch.tokens.tolist() for batch in shuffled(whole, 16, seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_batches_hold_texts_of_similar_length():
    texts = encoded(1000, 4)
    whole = part(texts)
    padded = sum(batch.tokens.numel() for batch in shuffled(whole, 16, 0))
    assert padded < 1.15 * np.diff(texts.offsets).sum()


def test_weight_decay_falls_on_matrices_alone():
    layer = nn.Linear(2, 2)
    before = {name: weight.detach().clone() for name, weight in layer.named_parameters()}
    for weight in layer.parameters():
        weight.grad = torch.zeros_like(weight)
    AdamW(list(layer.parameters()), 0.1, 0.5).step()
    assert torch.allclose(layer.weight, before["weight"] * 0.95)
    assert torch.equal(layer.bias, before["bias"])


def test_the_learning_rate_rises_over_the_warm_up_and_falls_in_a_line():
    plan = changed(learning_rate=1.0, lr_schedule="linear", warmup=0.2)
    rates = [learning_rate(plan, step, 10) for step in range(10)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    steady = changed(learning_rate=1.0, lr_schedule="constant", warmup=0.0)
    assert {learning_rate(steady, step, 10) for step in range(10)} == {1.0}
