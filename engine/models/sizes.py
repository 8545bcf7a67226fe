"""How many parameters a model of the menu has, counted without building it, and how it narrows. Imports nothing heavy.

The padding row of an embedding is no parameter, as everywhere. Kinds are those of `network.kinds`: every vector is a
`bias`, and word vectors that are not trained are `frozen`.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
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


def shape(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a checkpoint's config.json tells of; None for anything but a BERT."""
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
    given: list[Any] = [config.get(name) for name in (*names, "max_position_embeddings", "vocab_size")]
    usual = config.get("model_type") == "bert" and config.get("type_vocab_size", 2) == 2
    return Shape(*given) if usual and all(type(one) is int and one > 0 for one in given) else None


def kinds(model: Mapping[str, Any], words: int, classes: int, shape: Shape | None = None) -> dict[str, int] | None:
    """Parameters by kind of the model that a spec names, by name and settings, over a vocabulary of so many words.

    None for a checkpoint that nobody gives the `shape` of.
    """
    from engine import catalog

    card = catalog.MODELS[model["name"]]
    if card.kinds is not None:
        found: dict[str, int] = catalog.load(card.kinds)(model, words, classes)
        return found
    return None if shape is None else bert_kinds(shape, classes)


def cnn(settings: Settings, words: int, classes: int) -> int:
    """Parameters of the CNN over a vocabulary of so many words, padding and the unknown word among them."""
    return sum(cnn_kinds(settings, words, classes).values())


def cnn_kinds(settings: Settings, words: int, classes: int) -> dict[str, int]:
    """The same by kind."""
    filters, widths = settings["filters"], settings["widths"]
    return {
        **_word_vectors(settings, words),
        "encoder": sum(filters * width * settings["embedding_dim"] for width in widths),
        "head": filters * len(widths) * classes,
        "bias": filters * len(widths) + classes,
    }


def rnn(settings: Settings, words: int, classes: int) -> int:
    """Parameters of Elman's network."""
    return sum(rnn_kinds(settings, words, classes).values())


def lstm(settings: Settings, words: int, classes: int) -> int:
    """Parameters of an LSTM."""
    return sum(lstm_kinds(settings, words, classes).values())


def gru(settings: Settings, words: int, classes: int) -> int:
    """Parameters of a GRU."""
    return sum(gru_kinds(settings, words, classes).values())


def rnn_kinds(settings: Settings, words: int, classes: int) -> dict[str, int]:
    """The same by kind."""
    return _recurrent(1, settings, words, classes)


def lstm_kinds(settings: Settings, words: int, classes: int) -> dict[str, int]:
    """The same by kind."""
    return _recurrent(4, settings, words, classes)


def gru_kinds(settings: Settings, words: int, classes: int) -> dict[str, int]:
    """The same by kind."""
    return _recurrent(3, settings, words, classes)


def bert(shape: Shape, classes: int) -> int:
    """Parameters of a BERT as a sequence classifier (Devlin et al. 2019), its pooler and head included."""
    return sum(bert_kinds(shape, classes).values())


def bert_kinds(shape: Shape, classes: int) -> dict[str, int]:
    """The same by kind; the pooler belongs to the encoder."""
    size, inner, norm = shape.hidden, shape.inner, 2 * shape.hidden
    return {
        "embedding": (shape.pieces - 1 + shape.positions + 2) * size,
        "encoder": shape.layers * (4 * size * size + 2 * size * inner) + size * size,
        "head": size * classes,
        "bias": norm + shape.layers * (4 * size + norm + inner + size + norm) + size + classes,
    }


def narrower_cnn(settings: Settings, words: int, classes: int, parameters: int) -> Settings | None:
    """The settings of the widest CNN of at most so many parameters, word vectors and filters shrunk in proportion."""
    return _narrower(cnn, "filters", settings, words, classes, parameters)


def narrower_rnn(settings: Settings, words: int, classes: int, parameters: int) -> Settings | None:
    """The settings of the widest Elman network of at most so many parameters."""
    return _narrower(rnn, "hidden", settings, words, classes, parameters)


def narrower_lstm(settings: Settings, words: int, classes: int, parameters: int) -> Settings | None:
    """The settings of the widest LSTM of at most so many parameters."""
    return _narrower(lstm, "hidden", settings, words, classes, parameters)


def narrower_gru(settings: Settings, words: int, classes: int, parameters: int) -> Settings | None:
    """The settings of the widest GRU of at most so many parameters."""
    return _narrower(gru, "hidden", settings, words, classes, parameters)


def widest(count: Callable[[int, int], int], limits: tuple[int, int], parameters: int) -> tuple[int, int] | None:
    """Two widths, each at most its limit, that `count` to at most `parameters`; None where widths of 1 have more.

    The first is as wide as it can be with the second in proportion; what is left widens the second beyond that, and
    then the first. So neither can be widened further, and more parameters never make a smaller network. The first is
    best the one whose step costs most. `count` must grow with both.
    """

    def most(limit: int, size: Callable[[int], int]) -> int:
        return bisect_right(range(1, limit + 1), parameters, key=size)

    first, second = limits
    start = max(1, most(first, lambda width: count(width, max(1, round(width * second / first)))))
    inner = most(second, lambda width: count(start, width))
    return (most(first, lambda width: count(width, inner)), inner) if inner else None


def _narrower(
    count: Callable[[Settings, int, int], int],
    width: str,
    settings: Settings,
    words: int,
    classes: int,
    parameters: int,
) -> Settings | None:
    """Narrower word vectors, random and tuned, and as much of the setting `width` as goes with them."""

    def narrowed(size: int, wide: int) -> Settings:
        return {**settings, "embedding_dim": size, width: wide, "vectors": None, "embeddings": "tuned"}

    limits = (settings["embedding_dim"], settings[width])
    found = widest(lambda size, wide: count(narrowed(size, wide), words, classes), limits, parameters)
    return None if found is None else narrowed(*found)


def _recurrent(gates: int, settings: Settings, words: int, classes: int) -> dict[str, int]:
    size, hidden, directions = settings["embedding_dim"], settings["hidden"], 2 if settings["bidirectional"] else 1
    inputs = [size, *[hidden * directions] * (settings["layers"] - 1)]
    return {
        **_word_vectors(settings, words),
        "encoder": sum(directions * gates * hidden * (width + hidden) for width in inputs),
        "head": hidden * directions * classes,
        "bias": len(inputs) * directions * gates * hidden * 2 + classes,
    }


def _word_vectors(settings: Settings, words: int) -> dict[str, int]:
    kind = "embedding" if settings["embeddings"] == "tuned" else "frozen"
    return {kind: (words - 1) * settings["embedding_dim"]}
