"""What makes a weight unimportant: one function a criterion, from evidence to scores.

The entries of lowest score are pruned first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from engine.data.batches import Part
from engine.pruning.mask import Mask, Weights


@dataclass(frozen=True)
class Evidence:
    """What a criterion may look at when a round prunes. Weights and masks are on the CPU."""

    trained: Weights  # of the round before, at the best validation epoch
    rewound: Weights  # at the rewind point; the initial weights where that is `init`
    mask: Mask  # what is kept before this round; its keys are the prunable layers
    whole: Mask  # the same layers before any pruning
    module: nn.Module  # to compute in, on the device; may be overwritten
    train: Part  # the training texts, on the device
    batch_size: int
    prune: Callable[[Weights, Mask, float], Mask]  # how this schedule removes a share of what is kept
    rate: float  # the share of this round
    seed: int  # for what is drawn at random
    stop: Callable[[], bool]


def magnitude(evidence: Evidence) -> Weights:
    """Absolute trained weight (Han et al. 2015; Frankle and Carbin 2019)."""
    return {name: evidence.trained[name].abs() for name in evidence.mask}


def random(evidence: Evidence) -> Weights:
    """Uniform numbers: every set of survivors of the right size is as likely as any other."""
    generator = torch.Generator().manual_seed(evidence.seed)
    return {name: torch.rand(kept.shape, generator=generator) for name, kept in evidence.mask.items()}
