"""Trains a group of networks for one round under one plan, and evaluates them.

The group is the arms of a round. They are trained one after another here; nobody above this module knows or cares.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from torch import nn

from engine import memory
from engine.data.batches import Part
from engine.errors import Stopped
from engine.evaluation import evaluate
from engine.halfway import Bookmark, Halfway, named
from engine.models import network
from engine.optimisation import Plan, Running, Start
from engine.outcomes import Diverged, Epoch, Metrics, Outcome, Trained, epochs, told
from engine.outcomes import of as outcome_of
from engine.pruning.mask import Weights
from engine.randomness import NUMBERS

GROUPING = "one after another"


@dataclass(frozen=True)
class Texts:
    """The three sets of one replicate, on the device."""

    train: Part
    valid: Part
    test: Part


def train(
    group: Mapping[str, Start],
    plan: Plan,
    module: nn.Module,
    texts: Texts,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_trained: Callable[[str, Outcome], None] = lambda arm, outcome: None,
    stop: Callable[[], bool] = lambda: False,
    keep: int | None = None,
    bookmark: Bookmark | None = None,
) -> dict[str, Outcome]:
    """Train each arm of `group` in `module` (overwritten). Raises Stopped within a step of `stop()` becoming true.

    Whenever it is due, and when stopped, the group is put down at `bookmark`; what is found there is taken up, and was
    told already. The weights before step `keep` are kept too.
    """
    bookmark, about = bookmark or Bookmark(), _about(group, plan)
    halfway = bookmark.found()
    if halfway is not None and {name: halfway.facts.get(name) for name in about} != about:
        halfway = None
    results = {} if halfway is None else _outcomes(halfway)
    for arm, start in group.items():
        if arm in results:
            continue
        own = module if start.module is None else start.module.to(texts.train.tokens.device)
        training = _Training(arm, start, plan, own, texts, about, results)
        if halfway is not None and halfway.facts["arm"] == arm:
            training.take_up(halfway)
        try:
            outcome = training.run(on_epoch, stop, keep, bookmark)
        except Stopped:
            bookmark.keep(training.put_down())
            raise
        results[arm] = outcome
        on_trained(arm, outcome)
    return {arm: results[arm] for arm in group}


class _Training:
    """One arm in training: the network, the epoch it is in, and what it has come to.

    `about` says what group it is of, and `done` what others of that have come to.
    """

    def __init__(
        self,
        arm: str,
        start: Start,
        plan: Plan,
        module: nn.Module,
        texts: Texts,
        about: dict[str, Any],
        done: Mapping[str, Outcome],
    ):
        self.about, self.done = about, done
        self.arm, self.plan, self.module, self.texts = arm, plan, module, texts
        self.running = Running(start, plan, module, texts.train)
        self.epoch = start.begin // self.running.steps_an_epoch + 1
        self.epochs: list[Epoch] = []
        self.best: tuple[int, Metrics, Weights] | None = None
        self.passed: Weights | None = None
        self.trained = False  # only the test is left
        self.began = self.epoch_began = perf_counter()  # earlier, by what it took before it was put down

    def run(
        self, on_epoch: Callable[[Epoch], None], stop: Callable[[], bool], keep: int | None, bookmark: Bookmark
    ) -> Outcome:
        """To its end; between two steps it is put down where that is due."""
        while not self.trained:
            for _ in self.running.epoch(self.epoch):
                if stop():
                    raise Stopped
                if self.running.step == keep:
                    self.passed = network.weights(self.module)
                if bookmark.due():
                    bookmark.keep(self.put_down())
            train_loss = self.running.loss()
            valid = evaluate(self.module, self.texts.valid, stop)
            if not (math.isfinite(train_loss) and math.isfinite(valid.loss)):
                return Diverged(self.epoch, perf_counter() - self.began)
            self.epochs.append(Epoch(self.arm, self.epoch, train_loss, valid, perf_counter() - self.epoch_began))
            on_epoch(self.epochs[-1])
            memory.give_back()
            if self.best is None or valid.accuracy > self.best[1].accuracy:
                self.best = self.epoch, valid, network.weights(self.module)
            patient = not self.plan.patience or self.epoch - self.best[0] < self.plan.patience
            self.trained = self.epoch == self.plan.epochs or not patient
            self.epoch, self.epoch_began = self.epoch + 1, perf_counter()
        assert self.best is not None, "a training begins before its last step"
        best_epoch, valid, weights = self.best
        if best_epoch != self.epoch - 1:
            network.load(self.module, weights)
        test = evaluate(self.module, self.texts.test, stop)
        seconds = perf_counter() - self.began
        return Trained(weights, best_epoch, valid, test, seconds, self.passed, tuple(self.epochs))

    def put_down(self) -> Halfway:
        """This arm as it is, with those of its group that are done. Between two steps, or in an evaluation."""
        tensors = self.running.tensors() if not self.trained else {}
        tensors |= named(self.best and self.best[2], "best") | named(self.passed, "passed")
        for arm, outcome in self.done.items():
            if isinstance(outcome, Trained):
                tensors |= named(outcome.weights, "done", arm) | named(outcome.passed, "passed by", arm)
        now = perf_counter()
        facts = {
            **self.about,
            "done": {arm: told(outcome) for arm, outcome in self.done.items()},
            "arm": self.arm,
            "step": self.running.step,
            "seen": self.running.seen,
            "epoch": self.epoch,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best": self.best and {"epoch": self.best[0], "valid": asdict(self.best[1])},
            "trained": self.trained,
            "seconds": now - self.began,
            "epoch_seconds": now - self.epoch_began,
        }
        return Halfway(tensors, facts)

    def take_up(self, halfway: Halfway) -> None:
        """Be where `put_down` was."""
        facts = halfway.facts
        self.epoch, self.epochs, self.trained = facts["epoch"], list(epochs(facts["epochs"])), facts["trained"]
        if facts["best"]:
            self.best = facts["best"]["epoch"], Metrics(**facts["best"]["valid"]), halfway.under("best")
        self.passed = halfway.under("passed") or None
        if self.trained:  # as the network of its last epoch, where that was the best one
            network.load(self.module, halfway.under("best"))
        else:
            self.running.restore(halfway, facts["step"], facts["seen"])
        now = perf_counter()
        self.began, self.epoch_began = now - facts["seconds"], now - facts["epoch_seconds"]


def _about(group: Mapping[str, Start], plan: Plan) -> dict[str, Any]:
    """What tells one group's training from another's, and from that of another version of this code."""
    return {"numbers": NUMBERS, "grouping": GROUPING, "arms": list(group), "plan": asdict(plan)}


def _outcomes(halfway: Halfway) -> dict[str, Outcome]:
    """The arms that were done when the group was put down."""
    return {
        arm: outcome_of(numbers, halfway.under("done", arm), halfway.under("passed by", arm) or None)
        for arm, numbers in halfway.facts["done"].items()
    }


def weights_at(
    step: int, start: Start, plan: Plan, module: nn.Module, texts: Texts, stop: Callable[[], bool] = lambda: False
) -> Weights:
    """The weights that a training passes before its step `step`: exactly those that `train` keeps there."""
    run = Running(start, plan, module, texts.train)
    for epoch in range(start.begin // run.steps_an_epoch + 1, plan.epochs + 1):
        for _ in run.epoch(epoch):
            if stop():
                raise Stopped
            if run.step == step:
                return network.weights(module)
    raise AssertionError("a rewind point lies inside the training")
