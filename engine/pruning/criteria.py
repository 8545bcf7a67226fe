"""What makes a weight unimportant: one function a criterion, from what a round may look at to scores.

The entries of lowest score are pruned first. The criteria that differentiate the network stand in files of their own:
`saliency.py` (snip, grasp) and `synflow.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from engine.data.batches import Part
from engine.pruning.mask import Mask, Weights


@dataclass(frozen=True)
class Evidence:
    """What a criterion may look at when a round prunes."""

    trained: Weights  # of the round before, at the best validation epoch; on the CPU
    rewound: Weights  # at the rewind point (init: the initial weights); on the CPU
    mask: Mask  # what is kept before this round; its keys are the prunable layers
    whole: Mask  # the same layers before any pruning: False only where an entry is no parameter (the padding row)
    module: nn.Module  # a network to compute in, on the device; overwritten freely
    train: Part  # the training texts, on the device
    batch_size: int
    prune: Callable[[Weights, Mask, float], Mask]  # the schedule's: without that share, lowest scores first
    rate: float  # the share that this round removes
    seed: int  # for what is drawn at random
    stop: Callable[[], bool]  # asked once a batch or iteration; Stopped is raised when it becomes true


def magnitude(evidence: Evidence) -> Weights:
    """Absolute trained weight (Han et al. 2015; Frankle and Carbin 2019)."""
    return {name: evidence.trained[name].abs() for name in evidence.mask}


def random(evidence: Evidence) -> Weights:
    """Uniform numbers from the seed alone: the control that any other criterion has to beat.

    In 64 bits, since among millions of 32-bit ones many are equal, and of equals the earlier entry goes first.
    """
    generator = torch.Generator().manual_seed(evidence.seed)
    return {
        name: torch.rand(kept.shape, generator=generator, dtype=torch.float64) for name, kept in evidence.mask.items()
    }
