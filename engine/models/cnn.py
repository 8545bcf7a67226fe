"""The convolutional text classifier of Kim (2014), as the 2020 study trained it.

Word vectors, filters of several widths over them, the maximum over time, dropout, one linear layer. A text's
logits depend on its own tokens alone: windows that reach past its end do not count, however far its batch is padded.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.models.dropout import dropout
from engine.models.embedding import WordVectors, take_words
from engine.models.initialisers import xavier_normal_


class _WindowMax(torch.autograd.Function):
    """max over t of <window_t, filter> for filters of several widths, and its exact gradient.

    Max-over-time pooling sends gradient to one window per text and filter, so the backward pass is a sum over
    `texts x filters x width` rows (an `embedding_bag` each way) rather than two further convolutions. It is made of
    operations that are differentiable themselves, so second derivatives follow; which window wins is held still.
    """

    @staticmethod
    def forward(ctx, vectors: Tensor, lengths: Tensor, *filters: Tensor) -> Tensor:
        """vectors [B, L, D], lengths [B], filters of [F, W, D] with W <= L -> [B, sum of F]."""
        texts, length, _ = vectors.shape
        maxima, starts = [], []
        for weight in filters:
            count, width, _ = weight.shape
            scores = _windows(vectors, width) @ weight.reshape(count, -1).t()
            scores = scores.view(texts, length - width + 1, count)
            last = (lengths - width).clamp_min(0)[:, None]
            outside = torch.arange(length - width + 1, device=vectors.device)[None] > last
            best, start = scores.masked_fill_(outside[..., None], float("-inf")).max(dim=1)
            maxima.append(best)
            starts.append(start)
        ctx.save_for_backward(vectors, *filters, *starts)
        return torch.cat(maxima, dim=1)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        vectors, *saved = ctx.saved_tensors
        filters, starts = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        texts, length, size = vectors.shape
        first_row = torch.arange(texts, device=vectors.device) * length
        # One entry per (filter, offset in the window, text): which row of `vectors` it read, with what gradient.
        rows, weights = [], []
        for weight, start, part in zip(filters, starts, gradient.split([f.shape[0] for f in filters], 1), strict=True):
            count, width, _ = weight.shape
            offsets = torch.arange(width, device=vectors.device)[None, :, None]
            rows.append(((start + first_row[:, None]).t()[:, None] + offsets).reshape(count * width, texts))
            weights.append(part.t()[:, None].expand(count, width, texts).reshape(count * width, texts))
        row, scale = torch.cat(rows), torch.cat(weights)
        by_filter = F.embedding_bag(row, vectors.reshape(-1, size), per_sample_weights=scale, mode="sum")
        # The same entries grouped by the row they read, to sum the filters' taps into each word vector.
        flat = row.view(-1)
        narrow = torch.int16 if texts * length < 2**15 else torch.int32  # sorts up to three times as fast
        order = torch.argsort(flat.to(narrow), stable=True)
        counts = torch.zeros(texts * length, dtype=torch.long, device=vectors.device)
        counts.scatter_add_(0, flat, torch.ones_like(flat))
        taps = torch.cat([weight.reshape(-1, size) for weight in filters])
        by_row = F.embedding_bag(
            order // texts,
            taps,
            offsets=counts.cumsum(0) - counts,
            per_sample_weights=scale.view(-1)[order],
            mode="sum",
        )
        by_tap = by_filter.split([weight.shape[0] * weight.shape[1] for weight in filters])
        return by_row.view_as(vectors), None, *(g.view_as(w) for g, w in zip(by_tap, filters, strict=True))


def _windows(vectors: Tensor, width: int) -> Tensor:
    """Every window of `width` word vectors as one row: [B, L, D] -> [B * (L - width + 1), width * D]."""
    texts, length, size = vectors.shape
    vectors = vectors.contiguous()
    shape, strides = (texts, length - width + 1, width * size), (length * size, size, 1)
    return vectors.as_strided(shape, strides).reshape(-1, width * size)


class Cnn(nn.Module):
    """Word vectors, filters, max over time, one linear layer."""

    homogeneous = True  # without biases, doubling a layer's weights doubles the logits

    def __init__(
        self,
        embedding: WordVectors,
        classes: int,
        filters: int,
        widths: tuple[int, ...],
        dropout: float,
        embedding_dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = embedding
        embedding_dim = embedding.weight.shape[1]
        self.convolutions: Iterable[_Filters] = nn.ModuleList(  # type: ignore[assignment]
            _Filters(filters, width, embedding_dim) for width in widths
        )
        self.head = nn.Linear(filters * len(widths), classes)
        self.widest = max(widths)
        self.dropout = dropout
        self.embedding_dropout = embedding_dropout

    def forward(self, tokens: Tensor, lengths: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """tokens [B, L] (0 is padding), lengths [B] -> logits [B, classes]; in training, dropout by `generator`."""
        if tokens.shape[1] < self.widest:
            tokens = F.pad(tokens, (0, self.widest - tokens.shape[1]))
        vectors = dropout(self.embedding(tokens), self.embedding_dropout if self.training else 0.0, generator)
        pooled = _WindowMax.apply(vectors, lengths, *(filters.weight for filters in self.convolutions))
        features = F.relu(pooled + torch.cat([filters.bias for filters in self.convolutions]))
        return self.head(dropout(features, self.dropout if self.training else 0.0, generator))

    def linear_flow(self) -> Tensor:
        """R of Tanaka et al. 2020: the sum of the logits, every word the mean of all, for weights >= 0 and biases 0.

        So ReLU is the identity, and all windows are alike: their maximum is any of them.
        """
        word = self.embedding.weight[1:].mean(dim=0)
        return self.head(torch.cat([(filters.weight @ word).sum(dim=1) for filters in self.convolutions])).sum()

    def initialise(self, generator: torch.Generator, control: bool = False) -> None:
        """Fresh weights: Xavier normal, biases 0 (the study's), drawn from `generator` alone."""
        self.embedding.initialise(generator, control)
        for filters in self.convolutions:
            count, width, size = filters.weight.shape
            xavier_normal_(filters.weight, width * size, width * count, generator=generator)
            nn.init.zeros_(filters.bias)
        xavier_normal_(self.head.weight, self.head.in_features, self.head.out_features, generator=generator)
        nn.init.zeros_(self.head.bias)


class _Filters(nn.Module):
    """Filters of one width: weight [F, W, D], bias [F]."""

    def __init__(self, count: int, width: int, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, width, size))
        self.bias = nn.Parameter(torch.empty(count))


def build(words: Sequence[str], classes: int, settings: dict[str, Any]) -> Cnn:
    """A network of this shape, its weights not yet drawn."""
    embedding, others = take_words(words, settings)
    return Cnn(embedding, classes, **others)
