"""A training that is put down and taken up, wherever that was, comes to the same bits as one left alone."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.errors import Stopped
from engine.halfway import Bookmark, Halfway
from engine.models import network
from engine.optimisation import Plan, Start
from engine.outcomes import Diverged, Epoch, Trained
from engine.pruning import mask as masks
from engine.record import checkpoint
from engine.training import Texts, train
from tests.science.conftest import CLASSES, WORDS, by_magnitude, small_spec

PLAN = Plan(
    epochs=3, batch_size=32, learning_rate=0.02, lr_schedule="linear", warmup=0.1, weight_decay=0.01, max_norm=1.0,
    patience=0, seed=7,
)  # fmt: skip


class OnDisk(Bookmark):
    """Keeps as a run does; is due before every step or never."""

    def __init__(self, run: Path, always: bool = False):
        self.run, self.always = run, always
        (run / "checkpoints").mkdir(exist_ok=True)

    def found(self) -> Halfway | None:
        return checkpoint.load_halfway(self.run, "seed-7")

    def due(self) -> bool:
        return self.always

    def keep(self, halfway: Halfway) -> None:
        checkpoint.save_halfway(self.run, "seed-7", halfway)


@dataclass
class Told:
    """What was told, and stops when it was asked so often."""

    after: float = math.inf
    asked: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)

    def stop(self) -> bool:
        self.asked += 1
        return self.asked > self.after


def built() -> nn.Module:
    return network.build(small_spec().model, WORDS, CLASSES)


def group() -> dict[str, Start]:
    """A masked network that begins inside an epoch, a dense one from elsewhere, and one of another shape."""
    module = built()
    weights, other = network.draw(module, 1), network.draw(module, 2)
    entries = masks.support(weights)
    prunable = {name: entries[name] for name, weight in weights.items() if weight.dim() > 1}
    mask = masks.prune(by_magnitude(weights, prunable), prunable, 0.7, "layerwise")
    narrow = network.build(small_spec(**{"model.filters": 3}).model, WORDS, CLASSES)
    return {
        "ticket": Start(weights, mask, begin=2),
        "reinit": Start(other, mask, final=True),
        "small-dense": Start(network.draw(narrow, 3), {}, module=narrow),
    }


def trained(texts: Texts, plan: Plan, told: Told, bookmark: Bookmark | None = None, keep: int | None = 5):
    return train(
        group(), plan, built(), texts, told.epochs.append, lambda arm, _: told.trained.append(arm), told.stop, keep,
        bookmark,
    )  # fmt: skip


def bits(outcomes: dict) -> dict:
    """All of it but the seconds, the bits of weights."""

    def plain(outcome):
        if isinstance(outcome, Diverged):
            return outcome.epoch
        weights = [
            {n: w.numpy().tobytes() for n, w in (one or {}).items()} for one in (outcome.weights, outcome.passed)
        ]
        epochs = [replace(epoch, seconds=0) for epoch in outcome.epochs]
        return weights, outcome.best_epoch, outcome.valid, outcome.test, epochs

    return {arm: plain(outcome) for arm, outcome in outcomes.items()}


WAYS = {
    "adam": {},
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1},
    "no momentum": {"optimizer": "sgd", "learning_rate": 0.1},
    "patience": {"patience": 1, "epochs": 6, "learning_rate": 0.1},
    "divergence": {"optimizer": "sgd", "learning_rate": 1e18, "max_norm": 0.0},
}


@pytest.mark.parametrize("way", WAYS)
def test_stopped_at_any_moment_it_goes_on_to_the_same_bits_and_tells_each_thing_once(texts, tmp_path, way):
    plan = replace(PLAN, **WAYS[way])
    whole = Told()
    expected = trained(texts, plan, whole)
    if way == "divergence":
        assert any(isinstance(outcome, Diverged) for outcome in expected.values())
    assert any(isinstance(one, Trained) and one.passed for one in expected.values()) or way == "divergence"
    for moment in range(whole.asked):
        run = tmp_path / str(moment)
        run.mkdir()
        first, second = Told(after=moment), Told()
        with pytest.raises(Stopped):
            trained(texts, plan, first, OnDisk(run))
        found = trained(texts, plan, second, OnDisk(run))
        assert bits(found) == bits(expected), moment
        assert list(found) == list(expected)
        assert first.trained + second.trained == whole.trained, moment
        told = [(e.arm, e.number, e.train_loss) for e in first.epochs + second.epochs]
        assert told == [(e.arm, e.number, e.train_loss) for e in whole.epochs], moment


def test_stopped_again_and_again_after_a_step_or_two_it_still_comes_to_the_same_bits(texts, tmp_path):
    expected = trained(texts, PLAN, Told())
    turns = 0
    while True:
        turns += 1
        assert turns < 1000
        try:
            found = trained(texts, PLAN, Told(after=1 + turns % 2), OnDisk(tmp_path))
        except Stopped:
            continue
        break
    assert turns > 20
    assert bits(found) == bits(expected)


def test_keeping_before_every_step_changes_nothing(texts, tmp_path):
    assert bits(trained(texts, PLAN, Told(), OnDisk(tmp_path, always=True))) == bits(trained(texts, PLAN, Told()))


def test_what_was_kept_of_another_group_or_plan_is_left_alone(texts, tmp_path):
    with pytest.raises(Stopped):
        trained(texts, PLAN, Told(after=9), OnDisk(tmp_path))
    other = replace(PLAN, learning_rate=0.03)
    assert bits(trained(texts, other, Told(), OnDisk(tmp_path))) == bits(trained(texts, other, Told()))


def test_seconds_go_on_where_they_were(texts, tmp_path):
    with pytest.raises(Stopped):
        trained(texts, PLAN, Told(after=9), OnDisk(tmp_path))
    kept = checkpoint.load_halfway(tmp_path, "seed-7")
    long_ago = Halfway(kept.tensors, kept.facts | {"seconds": 5000.0, "epoch_seconds": 4000.0})
    checkpoint.save_halfway(tmp_path, "seed-7", long_ago)
    told = Told()
    found = trained(texts, PLAN, told, OnDisk(tmp_path))["ticket"]
    assert 5000 <= found.seconds < 6000
    assert 4000 <= told.epochs[0].seconds < 5000
    assert told.epochs[1].seconds < 1000


def kept(run: Path) -> Path:
    return run / "checkpoints" / "seed-7-halfway.safetensors"


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_of_two_checkpoints_the_older_one_serves_where_the_newer_is_damaged(tmp_path, damage):
    (tmp_path / "checkpoints").mkdir()
    for step in (1, 2):
        checkpoint.save_halfway(tmp_path, "seed-7", Halfway({"w": torch.full((50,), float(step))}, {"step": step}))
    whole = kept(tmp_path).read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    damaged = {"cut": whole[:-9], "flip": bytes(flipped), "empty": b"", "gone": None}[damage]
    if damaged is None:
        kept(tmp_path).unlink()
    else:
        kept(tmp_path).write_bytes(damaged)
    said: list[str] = []
    assert checkpoint.load_halfway(tmp_path, "seed-7", said.append).facts == {"step": 1}
    assert len(said) == (damage != "gone")
    kept(tmp_path).with_name(kept(tmp_path).name + ".before").write_bytes(b"no")
    with pytest.raises(checkpoint.Damaged):
        checkpoint.load_halfway(tmp_path, "seed-7")


def test_one_flipped_bit_anywhere_in_a_checkpoint_is_noticed_or_harmless(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    halfway = Halfway({"w": torch.arange(9.0), "m": torch.tensor([True, False])}, {"step": 3, "loss": math.inf})
    checkpoint.save_halfway(tmp_path, "seed-7", halfway)
    whole = kept(tmp_path).read_bytes()
    noticed = 0
    for place in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        kept(tmp_path).write_bytes(damaged)
        try:
            found = checkpoint.load_halfway(tmp_path, "seed-7")
        except checkpoint.Damaged:
            noticed += 1
        else:
            assert found.facts == halfway.facts
            assert {n: t.tolist() for n, t in found.tensors.items()} == {"w": list(range(9)), "m": [True, False]}
    assert noticed > 0.9 * 8 * len(whole)


def test_the_checkpoint_before_is_kept_until_the_new_one_is_in_its_place(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    checkpoint.save_halfway(tmp_path, "seed-7", Halfway({}, {"step": 1}))
    real, calls = Path.replace, []

    def failing(self, target):
        calls.append(target)
        if len(calls) == wanted:
            raise OSError(5, "no")
        return real(self, target)

    for wanted in (1, 2, 3):
        calls.clear()
        monkeypatch.setattr(Path, "replace", failing)
        with pytest.raises(OSError, match="no"):
            checkpoint.save_halfway(tmp_path, "seed-7", Halfway({}, {"step": 2}))
        monkeypatch.undo()
        assert checkpoint.load_halfway(tmp_path, "seed-7").facts == {"step": 1}, wanted
