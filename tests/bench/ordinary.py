"""The same network and the same step as most people write them, to compare with."""

import time
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune

from engine import training
from engine.data.batches import Part, shuffled


class ConvCnn(nn.Module):
    """Kim's network of nn.Conv1d and max_pool1d; called as the engine's models are, so that its loop can train it."""

    def __init__(
        self,
        vocabulary: int,
        classes: int,
        embedding_dim: int = 100,
        filters: int = 100,
        widths: tuple[int, ...] = (3, 4, 5),
        dropout: float = 0.5,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding_dim, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding_dim, filters, width) for width in widths)
        self.head = nn.Linear(filters * len(widths), classes)
        self.dropout = dropout

    def forward(self, tokens: Tensor, lengths: Tensor, generator: torch.Generator | None = None) -> Tensor:
        vectors = self.embedding(tokens).transpose(1, 2)
        pooled = [F.max_pool1d(scores, scores.shape[2]).squeeze(2) for scores in self._scores(vectors)]
        return self.head(F.dropout(torch.cat(pooled, dim=1), self.dropout, self.training))

    def _scores(self, vectors: Tensor) -> list[Tensor]:
        return [F.relu(convolution(vectors)) for convolution in self.convolutions]


class OrdinaryTraining:
    """Masks by `torch.nn.utils.prune`, Adam neither fused nor foreach: a loop of one's own, kept between readings."""

    def __init__(self, module: nn.Module, mask: dict[str, Tensor], part: Part, batch_size: int, learning_rate: float):
        for name, kept in mask.items():
            owner, _, weight = name.rpartition(".")
            prune.custom_from_mask(module.get_submodule(owner), weight, kept.float())
        self.module, self.part, self.batch_size = module, part, batch_size
        self.optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate, foreach=False, fused=False)
        self.epoch = 0

    def step_seconds(self, steps: int, warm_up: int) -> list[float]:
        """Seconds of each of `steps` steps behind `warm_up` others, fetching the batch included."""
        self.epoch += 1
        self.module.train()
        times = [time.perf_counter()]
        for batch in shuffled(self.part, self.batch_size, self.epoch):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.module(batch.tokens, batch.lengths), batch.labels)
            loss.backward()
            self.optimizer.step()
            times.append(time.perf_counter())
            if len(times) > warm_up + steps:
                break
        return [later - earlier for earlier, later in pairwise(times)][warm_up:]


def half_of(module: nn.Module) -> dict[str, Tensor]:
    """A random half of every layer but the biases."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.rand(weight.shape, generator=generator) < 0.5
        for name, weight in module.named_parameters()
        if weight.dim() > 1
    }


def start_of(module: nn.Module) -> training.Start:
    """Where the engine's loop starts this network."""
    weights = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    return training.Start(weights, half_of(module))
