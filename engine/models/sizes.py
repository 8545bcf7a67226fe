"""How many parameters a model of the menu has, counted without building it. Imports nothing heavy.

The padding row of an embedding is no parameter, as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """A BERT: layers, width, width inside a layer's feed-forward part, longest text, pieces of its vocabulary."""

    layers: int
    hidden: int
    heads: int
    inner: int
    positions: int = 512
    pieces: int = 30_522


BERTS = {
    "bert-base-uncased": Shape(12, 768, 12, 3072),
    "bert-tiny": Shape(2, 128, 2, 512, pieces=8_000),
    "bert-mini": Shape(4, 256, 4, 1024, pieces=8_000),
}


def cnn(settings: Settings, words: int, classes: int) -> int:
    """Parameters of the CNN over a vocabulary of so many words, padding and the unknown word among them."""
    filters, size = settings["filters"], settings["embedding_dim"]
    convolutions = sum(filters * width * size + filters for width in settings["widths"])
    return (words - 1) * size + convolutions + _linear(filters * len(settings["widths"]), classes)


def rnn(settings: Settings, words: int, classes: int) -> int:
    """Parameters of Elman's network."""
    return _recurrent(1, settings, words, classes)


def lstm(settings: Settings, words: int, classes: int) -> int:
    """Parameters of an LSTM."""
    return _recurrent(4, settings, words, classes)


def gru(settings: Settings, words: int, classes: int) -> int:
    """Parameters of a GRU."""
    return _recurrent(3, settings, words, classes)


def bert(shape: Shape, classes: int) -> int:
    """Parameters of a BERT as a sequence classifier (Devlin et al. 2019), its pooler and head included."""
    size, inner = shape.hidden, shape.inner
    norm = 2 * size
    embeddings = (shape.pieces - 1 + shape.positions + 2) * size + norm
    layer = 4 * _linear(size, size) + norm + _linear(size, inner) + _linear(inner, size) + norm
    return embeddings + shape.layers * layer + _linear(size, size) + _linear(size, classes)


def _recurrent(gates: int, settings: Settings, words: int, classes: int) -> int:
    size, hidden, directions = settings["embedding_dim"], settings["hidden"], 2 if settings["bidirectional"] else 1
    inputs = [size, *[hidden * directions] * (settings["layers"] - 1)]
    layers = sum(directions * gates * hidden * (width + hidden + 2) for width in inputs)
    return (words - 1) * size + layers + _linear(hidden * directions, classes)


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs
