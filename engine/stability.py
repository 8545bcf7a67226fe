"""Do two trainings that differ in their noise alone end in one valley? Linear mode connectivity (Frankle et al. 2020).

Two copies of a network train from the rewind point with data orders and dropout of their own; then the validation error
is read along the straight line between what they trained to. Asked of the dense network and of a ticket.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import torch

from engine import lottery
from engine.evaluation import evaluate_at
from engine.lottery import Laboratory
from engine.models import network
from engine.optimisation import Start
from engine.outcomes import Diverged, Trained
from engine.pruning import mask as masks
from engine.pruning.mask import Mask, Weights
from engine.training import Texts, train

COPIES = (1, 2)  # 0 is the run's own training
Tickets = Callable[[int], tuple[Weights, Mask]]


class Journal(lottery.Journal, Protocol):
    """What becomes of the findings; it also knows those of an earlier engine."""

    def compared(self, seed: int, arm: str) -> bool: ...


def experiment(lab: Laboratory, journal: Journal, tickets: Tickets) -> None:
    """Every replicate, seed by seed. A pair that was compared is not trained again. Raises Stopped when asked."""
    for seed in lab.spec.seeds:
        replicate(lab, journal, seed, tickets)


def replicate(lab: Laboratory, journal: Journal, seed: int, tickets: Tickets) -> None:
    """One seed: the dense network, then the ticket, each from the weights of the rewind point."""
    origin = lab.spec.origin
    assert origin is not None, "a question has a run that it asks about"
    weights, mask = tickets(seed)
    entries = masks.support(weights, network.padding(lab.template))
    networks = {"dense": (0, lottery.prunable(lab, entries))}
    if origin.round:
        networks["ticket"] = (origin.round, mask)
    missing = {arm: one for arm, one in networks.items() if not journal.compared(seed, arm)}
    if not missing:
        return
    texts = lab.texts(seed)
    for arm, (number, kept) in missing.items():
        compare(lab, journal, texts, seed, number, arm, weights, kept, entries)


def compare(
    lab: Laboratory,
    journal: Journal,
    texts: Texts,
    seed: int,
    number: int,
    arm: str,
    weights: Weights,
    mask: Mask,
    entries: Mask,
) -> None:
    """Train the copies under one mask and tell how much the error rises between them."""
    assert lab.spec.origin is not None
    start = Start(weights, mask, lottery.rewind_step(lab, texts) or 0)
    told = lottery.announce(lab, journal, seed, number, mask, entries, [arm])
    ends: list[Trained] = []
    for copy in COPIES:
        teller, plan = replace(told, copy=copy), replace(lab.plan(seed), copy=copy)
        stop, bookmark = journal.stop_asked, journal.bookmark(seed, number, copy)
        group = {arm: start}
        found = train(group, plan, lab.module, texts, teller.epoch, teller.trained, stop, None, bookmark)[arm]
        if not isinstance(found, Diverged):
            ends.append(found)
    alphas = steps(lab.spec.origin.points)
    errors = None
    if len(ends) == len(COPIES):
        errors = along(lab, texts, ends[0].weights, ends[1].weights, mask, len(alphas), journal.stop_asked)
    journal.tell(
        "stability",
        seed=seed,
        round=number,
        arm=arm,
        sparsity=told.sparsity,
        alphas=alphas,
        errors=errors,
        barrier=None if errors is None else barrier(errors),
        valid_accuracy=[end.valid.accuracy for end in ends],
        test_accuracy=[end.test.accuracy for end in ends],
    )


def steps(points: int) -> list[float]:
    """Where on the line the error is read: evenly from 0 to 1, both among them."""
    return [place / (points - 1) for place in range(points)]


def along(
    lab: Laboratory,
    texts: Texts,
    one: Weights,
    other: Weights,
    mask: Mask,
    points: int,
    stop: Callable[[], bool] = lambda: False,
) -> list[float]:
    """The validation error (a share) of the networks on the straight line from one to the other, in evaluation mode."""
    errors = []
    for place in range(points):
        between = mixed(one, other, (points - 1 - place) / (points - 1), place / (points - 1), mask)
        errors.append(1 - evaluate_at(between, lab.module, texts.valid, stop).accuracy)
    return errors


def mixed(one: Weights, other: Weights, share: float, rest: float, mask: Mask) -> Weights:
    """share * one + rest * other, pruned entries 0.0.

    In 64 bits: so the ends, and what is equal at both, come out bit for bit; and so the line is the same from each end.
    """
    found = {name: (share * one[name].double() + rest * other[name].double()).to(one[name].dtype) for name in one}
    return {name: torch.where(mask[name], weight, 0.0) if name in mask else weight for name, weight in found.items()}


def barrier(errors: list[float]) -> float:
    """By how much the highest error on the line exceeds the mean of those at its ends."""
    return max(errors) - (errors[0] + errors[-1]) / 2
