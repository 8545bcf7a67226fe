"""From encoded texts to batches on a device: by length, in an order by seed, padded no further than the batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.data.encoding import Texts

_POOL = 50  # batches sorted by length together: enough to save padding, too few to order an epoch by length


class Batch(NamedTuple):
    tokens: Tensor  # [B, L] int, 0 is padding, L the longest text of this batch
    lengths: Tensor  # [B] int64
    labels: Tensor  # [B] int64


@dataclass(frozen=True)
class Part:
    """Some texts (of the training, validation or test set), their tokens resident on the device."""

    tokens: Tensor  # all tokens, one after another
    starts: Tensor  # [N] where each text begins in `tokens`
    lengths: Tensor  # [N]
    labels: Tensor  # [N]
    host_lengths: np.ndarray  # [N] the lengths once more, where planning needs no wait for the device

    def __len__(self) -> int:
        return len(self.host_lengths)

    def take(self, rows: np.ndarray) -> "Part":
        """Only these texts, in this order; the tokens are shared."""
        chosen = torch.from_numpy(rows).to(self.tokens.device)
        return Part(
            self.tokens, self.starts[chosen], self.lengths[chosen], self.labels[chosen], self.host_lengths[rows]
        )


def part(texts: Texts, device: str | torch.device = "cpu") -> Part:
    """All of a set's texts, on `device`."""
    offsets = np.asarray(texts.offsets, dtype=np.int64)
    lengths = np.diff(offsets)
    return Part(
        tokens=torch.from_numpy(np.asarray(texts.tokens).astype(np.int32)).to(device),
        starts=torch.from_numpy(offsets[:-1].copy()).to(device),
        lengths=torch.from_numpy(lengths).to(device),
        labels=torch.from_numpy(np.asarray(texts.labels, dtype=np.int64)).to(device),
        host_lengths=lengths,
    )


def shuffled(part: Part, size: int, seed: int, skip: int = 0) -> Iterator[Batch]:
    """One epoch: every text once, batches of similar length, texts and batches in an order `seed` alone decides.

    Without the first `skip` batches.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    order = random.permutation(len(part))
    pool = _POOL * size
    for start in range(0, len(order), pool):
        texts = order[start : start + pool]
        order[start : start + pool] = texts[np.argsort(part.host_lengths[texts], kind="stable")]
    batches = np.arange(0, len(order), size)
    random.shuffle(batches)
    return _gather(part, [order[start : start + size] for start in batches[skip:]])


def by_length(part: Part, size: int) -> Iterator[Batch]:
    """Every text once, shortest first: for evaluation, where order does not matter."""
    order = np.argsort(part.host_lengths, kind="stable")
    return _gather(part, [order[start : start + size] for start in range(0, len(order), size)])


def _gather(part: Part, batches: list[np.ndarray]) -> Iterator[Batch]:
    if not batches:
        return
    device = part.tokens.device
    rows = torch.from_numpy(np.concatenate(batches)).to(device)
    last = len(part.tokens) - 1
    at = 0
    for batch in batches:
        chosen = rows[at : at + len(batch)]
        at += len(batch)
        lengths = part.lengths[chosen]
        columns = torch.arange(int(part.host_lengths[batch].max()), device=device)
        positions = (part.starts[chosen][:, None] + columns).clamp_max_(last)
        tokens = part.tokens[positions].masked_fill_(columns >= lengths[:, None], 0)
        yield Batch(tokens, lengths, part.labels[chosen])
