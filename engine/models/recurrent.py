"""Recurrent text classifiers: Elman's network, LSTM, GRU, as the 2020 study used them, but reading valid tokens only.

Each direction of each layer is a network of its own that runs over the texts from their first valid token: the backward
ones over texts reversed without their padding. So a text's logits depend on its own tokens alone, no lengths need be
known on the host as packed sequences would, and a step on a CPU costs a third to a seventh of theirs.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.dropout import dropout
from engine.models.embedding import WordVectors, take_words
from engine.models.initialisers import xavier_normal_

_CELLS: dict[str, Callable[..., nn.Module]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
_FLOW_STEPS = 2


class _Layer(nn.Module):
    """One layer: forward, and if asked backward. Their outputs [B, L, H] stand side by side."""

    def __init__(self, cell: str, inputs: int, hidden: int, bidirectional: bool):
        super().__init__()
        self.ahead = _CELLS[cell](inputs, hidden, batch_first=True)
        self.back = _CELLS[cell](inputs, hidden, batch_first=True) if bidirectional else None

    def forward(self, vectors: Tensor, reverse: Tensor) -> list[Tensor]:
        """vectors [B, L, D], reverse [B, L] -> states of each direction in the order of reading."""
        states = [self.ahead(vectors)[0]]
        if self.back is not None:
            states.append(self.back(_reorder(vectors, reverse))[0])
        return states


class Recurrent(nn.Module):
    """Word vectors, recurrent layers, the pooled states of the last one, a linear layer."""

    def __init__(
        self,
        embedding: WordVectors,
        classes: int,
        cell: str,
        hidden: int,
        layers: int,
        bidirectional: bool,
        pooling: str,
        dropout: float,
    ):
        super().__init__()
        self.embedding = embedding
        width = hidden * (2 if bidirectional else 1)
        sizes = [embedding.weight.shape[1], *[width] * (layers - 1)]
        self.layers: Iterable[_Layer] = nn.ModuleList(  # type: ignore[assignment]
            _Layer(cell, inputs, hidden, bidirectional) for inputs in sizes
        )
        self.head = nn.Linear(width, classes)
        self.gates, self.hidden = _GATES[cell], hidden
        self.homogeneous = cell == "rnn"  # in the limit of small states, where tanh is the identity
        self.pooling = pooling
        self.dropout = dropout

    def forward(self, tokens: Tensor, lengths: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """tokens [B, L] (0 is padding), lengths [B] -> logits [B, classes]; in training, dropout by `generator`."""
        share = self.dropout if self.training else 0.0
        places = torch.arange(tokens.shape[1], device=tokens.device)
        valid = places < lengths[:, None]
        # The text backwards, its padding left where it is: an involution, so it also turns states back.
        reverse = torch.where(valid, lengths[:, None] - 1 - places, places)
        vectors = self.embedding(tokens)
        states: list[Tensor] = []
        for layer in self.layers:
            if states:
                vectors = torch.cat([states[0], *(_reorder(back, reverse) for back in states[1:])], dim=-1)
            states = layer(dropout(vectors, share, generator), reverse)
        pooled = torch.cat([_pool(each, valid, lengths, self.pooling) for each in states], dim=-1)
        return self.head(dropout(pooled, share, generator))

    def linear_flow(self) -> Tensor:
        """R of Tanaka et al. 2020: the sum of the logits, every word the mean of all, for weights >= 0 and biases 0.

        Of Elman's network, tanh taken as the identity, over a text of two words: the shortest whose flow crosses the
        recurrence, and the one of which no path crosses a weight twice, so that no layer's scores add up to more than
        R. Over longer texts the recurrence would count once for every step, and grow as a power of its norm.
        """
        vectors = self.embedding.weight[1:].mean(dim=0).expand(_FLOW_STEPS, -1)
        states: list[Tensor] = []
        for layer in self.layers:
            if states:
                vectors = torch.cat([states[0], *(back.flip(0) for back in states[1:])], dim=-1)
            states = [_linear_states(layer.ahead, vectors)]
            if layer.back is not None:
                states.append(_linear_states(layer.back, vectors.flip(0)))
        size = torch.tensor([_FLOW_STEPS], device=vectors.device)
        valid = torch.ones(1, _FLOW_STEPS, dtype=torch.bool, device=vectors.device)
        return self.head(torch.cat([_pool(each[None], valid, size, self.pooling) for each in states], dim=-1)).sum()

    def initialise(self, generator: torch.Generator, control: bool = False) -> None:
        """Fresh weights from `generator` alone: Xavier normal inputs, orthogonal recurrence, gate by gate, biases 0."""
        self.embedding.initialise(generator, control)
        for name, weight in self.layers.named_parameters():  # type: ignore[attr-defined]
            if "weight_ih" in name:
                for gate in weight.detach().chunk(self.gates):
                    xavier_normal_(gate, weight.shape[1], self.hidden, generator=generator)
            elif "weight_hh" in name:
                for gate in weight.detach().chunk(self.gates):
                    nn.init.orthogonal_(gate, generator=generator)
            else:
                nn.init.zeros_(weight)
        xavier_normal_(self.head.weight, self.head.in_features, self.head.out_features, generator=generator)
        nn.init.zeros_(self.head.bias)


def _reorder(vectors: Tensor, order: Tensor) -> Tensor:
    """[B, L, D] with each text's positions in the order given, [B, L]."""
    return vectors.gather(1, order[..., None].expand_as(vectors))


def _linear_states(cell: Any, vectors: Tensor) -> Tensor:
    """[L, D] -> [L, H]: the states of Elman's recurrence without biases and tanh."""
    state = vectors.new_zeros(cell.hidden_size)
    states = []
    for vector in vectors:
        state = cell.weight_ih_l0 @ vector + cell.weight_hh_l0 @ state
        states.append(state)
    return torch.stack(states)


def _pool(states: Tensor, valid: Tensor, lengths: Tensor, pooling: str) -> Tensor:
    """[B, L, H] states in the order of reading -> [B, H]: the last valid one, or their maximum or mean."""
    if pooling == "last":
        return states[torch.arange(len(states), device=states.device), lengths - 1]
    if pooling == "max":
        return states.masked_fill(~valid[..., None], float("-inf")).amax(dim=1)
    return states.masked_fill(~valid[..., None], 0.0).sum(dim=1) / lengths[:, None]


def build_rnn(words: Sequence[str], classes: int, settings: dict[str, Any]) -> Recurrent:
    """Elman's network, its weights not yet drawn."""
    return _build("rnn", words, classes, settings)


def build_lstm(words: Sequence[str], classes: int, settings: dict[str, Any]) -> Recurrent:
    """An LSTM, its weights not yet drawn."""
    return _build("lstm", words, classes, settings)


def build_gru(words: Sequence[str], classes: int, settings: dict[str, Any]) -> Recurrent:
    """A GRU, its weights not yet drawn."""
    return _build("gru", words, classes, settings)


def _build(cell: str, words: Sequence[str], classes: int, settings: dict[str, Any]) -> Recurrent:
    embedding, others = take_words(words, settings)
    return Recurrent(embedding, classes, cell, **others)
