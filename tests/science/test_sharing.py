"""A dense round that an earlier run shared: the experiment is the one it would have been, without training it again."""

from dataclasses import dataclass, field, replace

import pytest
import torch

from engine import lottery
from engine.lottery import Dense
from engine.pruning.mask import Weights
from tests.science.conftest import Memory, conducted, small_spec


@dataclass
class Sharing(Memory):
    """A journal that shares dense rounds: seed -> (the round, step -> the weights it passed there)."""

    shared: dict[int, tuple[Dense, dict[int, Weights]]] = field(default_factory=dict)

    def recall(self, seed: int, step: int | None) -> Dense | None:
        if seed not in self.shared:
            return None
        dense, passed = self.shared[seed]
        return replace(dense, trained=replace(dense.trained, passed=passed.get(step)), run="the first")

    def share(self, seed: int, step: int | None, dense: Dense) -> None:
        _, passed = self.shared.setdefault(seed, (replace(dense, trained=replace(dense.trained, passed=None)), {}))
        if step and dense.trained.passed is not None:
            passed[step] = dense.trained.passed


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """ "dense" for each dense training, "passed" for each that is gone through again to a step."""
    seen = []
    real_train, real_weights_at = lottery.train, lottery.weights_at

    def train(group, *rest):
        seen.extend(arm for arm in group if arm == "dense")
        return real_train(group, *rest)

    def weights_at(*given):
        seen.append("passed")
        return real_weights_at(*given)

    monkeypatch.setattr(lottery, "train", train)
    monkeypatch.setattr(lottery, "weights_at", weights_at)
    return seen


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def agree(later: Memory, alone: Memory) -> None:
    """All numbers, learning curves, rewind weights and tracks of two experiments are the same."""
    assert later.numbers() == alone.numbers()
    curves = [
        [{k: v for k, v in f.items() if k != "seconds"} for event, f in each.told if event == "epoch"]
        for each in (later, alone)
    ]
    assert curves[0] == curves[1]
    assert later.rewinds.keys() == alone.rewinds.keys()
    assert all(same(later.rewinds[seed], alone.rewinds[seed]) for seed in alone.rewinds)
    assert later.rounds.keys() == alone.rounds.keys()
    for key, standing in alone.rounds.items():
        assert same(later.rounds[key].trained, standing.trained)
        assert same(later.rounds[key].mask, standing.mask)


@pytest.mark.parametrize("first", ["init", "3it"])
@pytest.mark.parametrize(("rewind", "step"), [("3it", 3), ("9it", 9), ("1ep", 8), ("end", None), ("init", None)])
def test_a_later_run_is_the_one_it_would_have_been_alone_and_trains_no_dense_network(texts, calls, first, rewind, step):
    shared: dict[int, tuple[Dense, dict[int, Weights]]] = {}
    conducted(small_spec(seeds=2, **{"schedule.rewind": first}), texts, Sharing(shared=shared))
    spec = small_spec(seeds=2, **{"schedule.rewind": rewind, "schedule.rate": 0.4})
    alone = conducted(spec, texts)
    assert calls == ["dense"] * 4
    calls.clear()
    later = conducted(spec, texts, Sharing(shared=shared))
    again = [] if step is None or rewind == first else ["passed"] * 2
    assert calls == again, "what was not passed on is gone through again, once a seed, and nothing else"
    agree(later, alone)
    told = [f for event, f in later.told if event == "trained" and f["arm"] == "dense"]
    assert [f["shared"] for f in told] == ["the first"] * 2
    if step is not None:
        assert all(same(shared[seed][1][step], alone.rewinds[seed]) for seed in (0, 1))
    calls.clear()
    agree(conducted(spec, texts, Sharing(shared=shared)), alone)
    assert calls == [], "a third run finds those weights too"


def test_a_shared_round_that_stopped_early_serves_a_rewind_point_behind_its_end(texts, calls):
    training = {"training.epochs": 20, "training.patience": 1}
    shared: dict[int, tuple[Dense, dict[int, Weights]]] = {}
    conducted(small_spec(**training), texts, Sharing(shared=shared))
    assert len(shared[0][0].trained.epochs) < 19
    spec = small_spec(**training, **{"schedule.rewind": "19ep"})
    alone = conducted(spec, texts)
    calls.clear()
    agree(conducted(spec, texts, Sharing(shared=shared)), alone)
    assert calls == ["passed"]
