"""Dropout drawn from a generator that is handed in, so that every round and arm of a seed drops the same units."""

import torch
from torch import Tensor


def dropout(features: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """`features` with each entry dropped with probability `share`, the others scaled up (Srivastava et al. 2014)."""
    if not share:
        return features
    kept = torch.rand(features.shape, generator=generator, device=features.device) >= share
    return features * kept / (1 - share)
