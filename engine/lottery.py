"""The experiment: train dense; then, round by round, prune, and for every arm initialise, train, evaluate.

Frankle and Carbin 2019, with the controls of Frankle et al. 2020, all from one shared dense round a seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from engine import catalog
from engine.errors import BadInput
from engine.models import network
from engine.pruning import mask as masks
from engine.pruning.criteria import Evidence
from engine.pruning.mask import Mask, Weights
from engine.randomness import derive
from engine.spec import RunSpec
from engine.training import Diverged, Epoch, Plan, Start, Texts, Trained, train


@dataclass(frozen=True)
class Round:
    """What an arm may look at when it decides where to start."""

    seed: int
    number: int
    mask: Mask  # the ticket's
    rewound: Weights  # the weights at the rewind point
    support: Mask
    draw: Callable[[int], Weights]  # fresh weights from a seed, nothing pretrained but embeddings

    def random(self, arm: str) -> int:
        """A seed of this round's and arm's own."""
        return derive(self.seed, "fresh", self.number, arm)


def ticket(now: Round) -> Start:
    """The ticket itself: its mask on the weights of the rewind point."""
    return Start(now.rewound, now.mask)


def reinit(now: Round) -> Start:
    """The ticket's mask on fresh weights: is it the initial weights, or is the structure enough?"""
    return Start(now.draw(now.random("reinit")), now.mask)


def shuffle(now: Round) -> Start:
    """The ticket's mask permuted inside each layer: is it which weights, or how many in each layer?"""
    generator = torch.Generator().manual_seed(now.random("shuffle"))
    return Start(now.rewound, masks.permute(now.mask, now.support, generator))


@dataclass(frozen=True)
class Standing:
    """Where a replicate stands after a round: enough to go on from it."""

    number: int
    mask: Mask
    trained: Weights  # the ticket's (in round 0 the dense network's), at its best epoch


class Journal(Protocol):
    """What becomes of the experiment's findings; the worker writes them to the run directory."""

    def tell(self, event: str, **fields: Any) -> None: ...
    def standing(self, seed: int) -> Standing | None: ...
    def keep_rewind(self, seed: int, weights: Weights) -> None: ...
    def keep_round(self, seed: int, standing: Standing) -> None: ...
    def stop_asked(self) -> bool: ...


@dataclass(frozen=True)
class Laboratory:
    """What every replicate of a run shares."""

    spec: RunSpec
    module: nn.Module  # trained in, on the device
    template: nn.Module  # drawn from, on the CPU, so that fresh weights are the same on every device
    texts: Callable[[int], Texts]  # the split of a seed
    refer: Callable[[int], None] = lambda seed: None  # tells what a linear model reaches on that split


def experiment(lab: Laboratory, journal: Journal) -> None:
    """Every replicate, seed by seed. What is done already is not done again. Raises Stopped when asked."""
    for seed in lab.spec.seeds:
        replicate(lab, journal, seed)


def replicate(lab: Laboratory, journal: Journal, seed: int) -> None:
    """One seed: train dense, then prune, rewind and train, round by round."""
    rounds = lab.spec.schedule.rounds
    before = journal.standing(seed)
    if before is not None and before.number >= rounds:
        return
    texts = lab.texts(seed)
    initial = network.draw(lab.template, derive(seed, "init"))
    entries = masks.support(initial, network.padding(lab.template))
    if before is None:
        journal.keep_rewind(seed, initial)
        dense = Start(initial, {})
        whole = {name: entries[name] for name, kind in network.kinds(lab.template).items() if _prunable(lab, kind)}
        if not whole:
            given = ", ".join(lab.spec.schedule.prunable)
            raise BadInput(f"schedule.prunable: {given} given, but {lab.spec.model.name} trains no such layers here.")
        lab.refer(seed)
        before = train_round(lab, journal, texts, seed, 0, whole, entries, {"dense": dense})
    while before is not None and before.number < rounds:
        number = before.number + 1
        mask = prune(lab, journal, texts, seed, before, initial, entries)
        now = Round(seed, number, mask, initial, entries, lambda key: network.draw(lab.template, key, control=True))
        group = {arm: catalog.load(catalog.ARMS[arm].start)(now) for arm in lab.spec.arms}
        before = train_round(lab, journal, texts, seed, number, mask, entries, group)


def prune(
    lab: Laboratory, journal: Journal, texts: Texts, seed: int, before: Standing, initial: Weights, entries: Mask
) -> Mask:
    """The next round's mask, from the weights that the round before trained."""
    schedule = lab.spec.schedule
    score = catalog.load(catalog.CRITERIA[schedule.criterion].score)

    def without(scores: Weights, mask: Mask, rate: float) -> Mask:
        return masks.prune(scores, mask, rate, schedule.scope)

    evidence = Evidence(
        trained=before.trained,
        rewound=initial,
        mask=before.mask,
        whole={name: entries[name] for name in before.mask},
        module=lab.module,
        train=texts.train,
        batch_size=lab.spec.training.batch_size,
        prune=without,
        rate=schedule.rate,
        seed=derive(seed, "random mask", before.number + 1),
        stop=journal.stop_asked,
    )
    return without(score(evidence), before.mask, schedule.rate)


def train_round(
    lab: Laboratory,
    journal: Journal,
    texts: Texts,
    seed: int,
    number: int,
    mask: Mask,
    entries: Mask,
    group: dict[str, Start],
) -> Standing | None:
    """Train the arms of one round; None where its leading arm diverged, so that nothing can follow it."""
    counts = count(mask, entries, network.kinds(lab.template))
    journal.tell("round_started", seed=seed, round=number, arms=list(group), **counts)
    for layer, density in counts["layers"].items():
        if density == 0:
            journal.tell("warning", seed=seed, round=number, message=f"layer {layer} is emptied by pruning")

    def on_epoch(epoch: Epoch) -> None:
        journal.tell(
            "epoch",
            seed=seed,
            round=number,
            arm=epoch.arm,
            sparsity=counts["sparsity"],
            epoch=epoch.number,
            epochs=lab.spec.training.epochs,
            train_loss=epoch.train_loss,
            valid_accuracy=epoch.valid.accuracy,
            valid_loss=epoch.valid.loss,
            seconds=epoch.seconds,
        )

    def on_trained(arm: str, trained: Trained | Diverged) -> None:
        journal.tell("trained", seed=seed, round=number, arm=arm, sparsity=counts["sparsity"], **_numbers(trained))
        if isinstance(trained, Diverged):
            message = f"{arm} diverged in epoch {trained.epoch}; try a lower training.learning_rate"
            journal.tell("warning", seed=seed, round=number, message=message)

    plan = Plan(**lab.spec.training.model_dump(), seed=seed)
    arms = train(group, plan, lab.module, texts, on_epoch, on_trained, journal.stop_asked)
    leader = arms["ticket" if number else "dense"]
    if isinstance(leader, Diverged):
        return None
    standing = Standing(number, mask, leader.weights)
    journal.keep_round(seed, standing)
    return standing


def _prunable(lab: Laboratory, kind: str) -> bool:
    return kind in lab.spec.schedule.prunable


def count(mask: Mask, entries: Mask, kinds: dict[str, str]) -> dict[str, Any]:
    """Parameters, non-zeros, sparsity of the prunable ones, of all and of each kind, and each layer's density."""
    sizes = {name: int(present.sum()) for name, present in entries.items()}
    kept = {name: int(mask[name].sum()) if name in mask else size for name, size in sizes.items()}
    prunable = sum(sizes[name] for name in mask)
    parameters = sum(sizes.values())
    nonzero = sum(kept.values())

    def sparsity_of(kind: str) -> float:
        names = [name for name in sizes if kinds[name] == kind]
        return 1 - sum(kept[name] for name in names) / sum(sizes[name] for name in names)

    return {
        "sparsity": (parameters - nonzero) / prunable,
        "total_sparsity": (parameters - nonzero) / parameters,
        "parameters": parameters,
        "nonzero": nonzero,
        "kinds": {kind: sparsity_of(kind) for kind in dict.fromkeys(kinds.values())},
        "layers": masks.densities(mask, entries),
    }


def _numbers(trained: Trained | Diverged) -> dict[str, Any]:
    if isinstance(trained, Diverged):
        return {"diverged": True, "seconds": trained.seconds}
    return {
        "best_epoch": trained.best_epoch,
        "valid_accuracy": trained.valid.accuracy,
        "valid_loss": trained.valid.loss,
        "test_accuracy": trained.test.accuracy,
        "test_macro_f1": trained.test.macro_f1,
        "test_loss": trained.test.loss,
        "seconds": trained.seconds,
        "diverged": False,
    }
