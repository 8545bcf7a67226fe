"""Initial weights, each drawn from a generator it is given, so that nothing else a program does can change them."""

import torch
from torch import Tensor, nn


def xavier_normal_(weight: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    """Normal, variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, eq. 12), in place."""
    nn.init.normal_(weight, std=(2 / (fan_in + fan_out)) ** 0.5, generator=generator)
