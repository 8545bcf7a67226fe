"""Is a ticket one on other data too? It is moved to another dataset and trained there (Morcos et al. 2019).

Beside it are trained that dataset's own dense network, drawn from the seed as any run of it would, and the controls
that need no more than the ticket's mask.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from engine import lottery
from engine.data.alignment import Alignment
from engine.errors import BadInput
from engine.lottery import Journal, Laboratory, Rewind, Standing, Track, Turn
from engine.models import network
from engine.outcomes import Diverged
from engine.pruning import mask as masks
from engine.pruning.carry import carry
from engine.pruning.mask import Mask, Weights
from engine.randomness import derive

ROUND = 1  # of the moved ticket, whichever round of its own run it comes from


@dataclass(frozen=True)
class Moving:
    """The tickets of a run on other data, by seed, and what of them has a place here."""

    ticket: Callable[[int], tuple[Weights, Mask]]
    found: Alignment


def experiment(lab: Laboratory, journal: Journal, moving: Moving) -> None:
    """Every replicate, seed by seed. What is done already is not done again. Raises Stopped when asked."""
    for seed in lab.spec.seeds:
        replicate(lab, journal, seed, moving)


def replicate(lab: Laboratory, journal: Journal, seed: int, moving: Moving) -> None:
    """One seed: train dense, carry the ticket over, train it and its controls."""
    if journal.ended(seed):
        return
    before = journal.standing(seed)
    if before is not None and before.number >= ROUND:
        return
    texts = lab.texts(seed)
    initial = network.draw(lab.template, derive(seed, "init"))
    entries = masks.support(initial, network.padding(lab.template))
    if before is None:
        lab.refer(seed)
        begun = lottery.train_dense(lab, journal, texts, seed, initial, entries)
        if begun is None:
            return
        before, _ = begun
    weights, mask = carried(lab, seed, moving, initial, entries)
    journal.keep_rewind(seed, weights)
    trained, rewind = before.trained, Rewind(weights, 0)  # its learning rate begins anew with the data

    def turn(arm: str) -> Turn:
        return Turn(
            rewind=rewind,
            mask=mask,
            entries=entries,
            own=lambda: mask,
            trained=trained,
            fresh=lambda: network.draw(lab.template, derive(seed, "fresh", ROUND, arm), control=True),
            random=derive(seed, "fresh", ROUND, arm),
            narrower=lab.narrower,
        )

    group = lottery.start_arms(lab, journal, seed, ROUND, list(lab.spec.arms), turn)
    ticket = lottery.train_arms(lab, journal, texts, seed, ROUND, mask, entries, group)["ticket"]
    if not isinstance(ticket, Diverged):
        journal.keep_round(seed, Standing(ROUND, {"ticket": Track(mask, ticket.weights)}))


def carried(lab: Laboratory, seed: int, moving: Moving, fresh: Weights, entries: Mask) -> tuple[Weights, Mask]:
    """The ticket of a seed as it starts here. Raises BadInput where it does not fit the network."""
    weights, mask = moving.ticket(seed)
    padding = network.padding(lab.template)
    table, output = padding and padding[0], network.output(lab.template)
    generator = torch.Generator().manual_seed(derive(seed, "mask", ROUND, "carried"))
    try:
        return carry(weights, mask, moving.found, fresh, entries, table, output, generator)
    except ValueError as error:
        raise BadInput(
            f"model.name: the ticket of seed {seed} does not fit the {lab.spec.model.name} built here: {error}; "
            "choose a run of the same model and settings."
        ) from None
