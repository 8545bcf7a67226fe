"""What is in a dataset, in numbers: classes, lengths, examples, duplicates, unknown words. Plain data for a screen."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from engine.data import corpus, encoding
from engine.data.numbering import Numberer, joined
from engine.data.pairs import mark
from engine.spec import DataSpec

_EXAMPLES = 2  # a class
_SHOWN = 400  # characters of an example
_CHUNK = 500  # texts looked at together
_WHOLE = 1 << 62  # more tokens than a text has


def survey(data: DataSpec, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Everything `lth data show` tells of a dataset, read once more and encoded as a run of this spec would.

    Lengths are in tokens of the whole texts. A duplicate is a test text that stands among the training texts too, but
    for the case of its letters and its white space. Raises BadInput like `corpus.read` and `encoding.load`.
    """
    progress(f"reading {data.name}")
    source = corpus.read(data)
    corpus.check(source)
    progress(f"looking at {data.name}")
    train, test = _Part(source.train), _Part(source.test)
    twice = sum(one in train.marks for one in test.every)
    encoded = encoding.load(data, progress)
    unknown = int(np.count_nonzero(encoded.test.tokens == encoding.UNK))
    lengths = np.concatenate([np.frombuffer(part.lengths, np.uint32) for part in (train, test)])
    return {
        "name": data.name,
        "file": data.file,
        "note": source.note,
        "train": sum(train.counts.values()),
        "test": sum(test.counts.values()),
        "classes": [
            {
                "name": name,
                "train": train.counts[label],
                "test": test.counts[label],
                "examples": train.examples.get(label, []),
            }
            for label, name in enumerate(source.class_names)
        ],
        "lengths": _lengths(lengths, data.max_tokens),
        "duplicates": {
            "test_in_train": twice,
            "share": twice / len(test.every),
            "within_train": len(train.every) - len(train.marks),
        },
        "vocabulary": {
            "words": len(encoded.vocabulary) - len(encoding.SPECIALS),
            "test_tokens": len(encoded.test.tokens),
            "unknown": unknown,
            "unknown_share": unknown / len(encoded.test.tokens),
        },
    }


class _Part:
    """What one pass over a part of a corpus finds; no text of it is kept but the examples."""

    def __init__(self, pairs: Iterable[tuple[str, int]]) -> None:
        self.counts: Counter[int] = Counter()
        self.examples: dict[int, list[str]] = {}
        self.every = array("Q")  # a mark for each text
        self.lengths = array("I")  # and its tokens
        numberer = Numberer(_WHOLE)
        for chunk in _chunks(pairs):
            for text, label in chunk:
                self.counts[label] += 1
                self.every.append(mark(text))
                shown = self.examples.setdefault(label, [])
                if len(shown) < _EXAMPLES:
                    shown.append(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
            self.lengths.frombytes(numberer.number(joined(text for text, _ in chunk)).lengths)
        self.marks = set(self.every)


def _chunks(pairs: Iterable[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    rest = iter(pairs)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _lengths(lengths: np.ndarray, most: int) -> dict[str, Any]:
    """Median, 90 %, the longest, how many are cut at `most`, and a histogram with round edges."""
    edges = [1]
    while edges[-1] <= lengths.max():
        edges.append(_next(edges[-1]))
    counts, _ = np.histogram(lengths, edges)
    bars = [
        {"from": low, "to": high - 1, "texts": int(count)}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    while len(bars) > 1 and not bars[0]["texts"]:
        bars.pop(0)
    cut = int(np.count_nonzero(lengths > most))
    return {
        "median": int(np.median(lengths)),
        "ninety_percent": int(np.quantile(lengths, 0.9, method="inverted_cdf")),
        "longest": int(lengths.max()),
        "max_tokens": most,
        "longer": cut,
        "longer_share": cut / len(lengths),
        "histogram": bars,
    }


def _next(edge: int) -> int:
    """1, 5, 10, 20, 50, 100, 200, 500, and so on."""
    if edge < 10:
        return 5 if edge == 1 else 10
    return edge * 5 // 2 if str(edge).startswith("2") else edge * 2
