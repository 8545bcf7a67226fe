"""The arms: what is done with the mask in a round. Each is one function, from what it may look at to where it starts.

Frankle and Carbin 2019, with the controls of Frankle et al. 2020 and others; `catalog.ARMS` has a card of each.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from engine.models import network
from engine.optimisation import Start
from engine.pruning import mask as masks
from engine.pruning.mask import Mask, Weights


@dataclass(frozen=True)
class Rewind:
    """The rewind point: its weights, and the step from which a training goes on there."""

    weights: Weights
    step: int


@dataclass(frozen=True)
class Turn:
    """What an arm may look at when its turn comes in a round."""

    rewind: Rewind
    mask: Mask  # the ticket's
    entries: Mask  # what are parameters at all
    own: Callable[[], Mask]  # the next mask of the arm's own track
    trained: Weights  # what the arm (one without a track: the ticket) trained to in the round before
    fresh: Callable[[], Weights]  # drawn for this round and arm, nothing pretrained but embeddings
    random: int  # a seed for what else it draws
    narrower: Callable[[int], nn.Module | None]  # the widest dense network of at most so many parameters

    @property
    def nonzero(self) -> int:
        """Parameters that the ticket has left."""
        pruned = sum(int(self.entries[name].sum() - kept.sum()) for name, kept in self.mask.items())
        return sum(int(present.sum()) for present in self.entries.values()) - pruned


def ticket(now: Turn) -> Start:
    """The ticket itself: its mask on the weights of the rewind point."""
    return Start(now.rewind.weights, now.mask, now.rewind.step)


def reinit(now: Turn) -> Start:
    """The ticket's mask on fresh weights: is it the initial weights, or is the structure enough?"""
    return Start(now.fresh(), now.mask)


def shuffle(now: Turn) -> Start:
    """The ticket's mask permuted inside each layer: is it which weights, or how many in each layer?"""
    generator = torch.Generator().manual_seed(now.random)
    return Start(now.rewind.weights, masks.permute(now.mask, now.entries, generator), now.rewind.step)


def same_sign(now: Turn) -> Start:
    """Fresh sizes under the rewound weights' signs (Zhou et al. 2019): is it the values, or their signs?"""
    sizes = now.fresh()
    signed = {name: weight.sign() * sizes[name].abs() for name, weight in now.rewind.weights.items()}
    return Start(signed, now.mask, now.rewind.step)


def finetune(now: Turn) -> Start:
    """Trained weights, pruned, go on at the final learning rate (Han et al. 2015)."""
    return Start(now.trained, now.own(), final=True)


def lr_rewind(now: Turn) -> Start:
    """Trained weights, pruned, go through the whole learning-rate schedule once more (Renda et al. 2020)."""
    return Start(now.trained, now.own())


def random(now: Turn) -> Start:
    """A uniformly random mask, inside that of the round before, on the weights of the rewind point."""
    return Start(now.rewind.weights, now.own(), now.rewind.step)


def reinit_own(now: Turn) -> Start:
    """Fresh weights every round, under a mask pruned from what they trained to: the 2020 study's random arm."""
    return Start(now.fresh(), now.own())


def small_dense(now: Turn) -> Start | None:
    """A narrower dense network with as many parameters as the ticket has left; None where none is so small."""
    module = now.narrower(now.nonzero)
    return None if module is None else Start(network.draw(module, now.random), {}, module=module)
