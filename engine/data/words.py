"""Texts as numbers of words: torchtext's `basic_english` and `Vocab`, streamed."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from engine.data.corpus import Corpus
from engine.data.crew import NOBODY, Crew
from engine.data.encoding import SPECIALS, UNK, Encoded, Texts, compact
from engine.data.numbering import Numbered
from engine.data.reader import Reader
from engine.errors import BadInput

_SLICE = 1_000_000  # ids that are counted or made final at a time


class _Part(NamedTuple):
    """A part of a corpus in ids that were given before the vocabulary was known."""

    ids: "array[int]"  # uint32, all texts one after another
    lengths: "array[int]"  # uint32, of each text
    labels: "array[int]"  # int64
    cut: int


def encode(
    source: Corpus,
    max_tokens: int,
    vocabulary_size: int,
    min_count: int,
    progress: Callable[[str], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    crew: Callable[[int], Crew] = Crew,
) -> Encoded:
    """Tokenise every text once and number its words; how many processes take part changes nothing in the result.

    Raises BadInput where no word of the training texts occurs `min_count` times, and Stopped.
    """
    from torchtext.vocab import Vocab  # with torch it takes seconds to import, and a cached dataset needs neither

    reader, numbering = Reader(source, progress, stop), _Numbering()
    seen = numbering.seen
    with crew(max_tokens) as members:
        train = _read(reader, source.train, numbering, members)
        counts = _counts(train, len(seen))
        test = _read(reader, source.test, numbering, members)

    # The words that are too rare are most of all words, and Vocab would sort them only to leave them out.
    frequent = {word: count for word, count in zip(seen, counts.tolist(), strict=False) if count >= min_count}
    vocab = Vocab(Counter(frequent), max_size=vocabulary_size, min_freq=min_count, specials=SPECIALS)
    if len(vocab.itos) == len(SPECIALS):
        raise BadInput(
            f"data.min_count: {min_count} given, but the most frequent word of {source.name} occurs "
            f"{max(counts.tolist())} times; give less."
        )
    # `or`: a text may spell out <pad>, which must not become padding.
    final = np.fromiter((vocab.stoi.get(word, UNK) or UNK for word in seen), compact(len(vocab.itos)), len(seen))
    return Encoded(
        source.name,
        source.class_names,
        vocab.itos,
        source.note,
        _texts(train, final),
        _texts(test, final),
        train.cut + test.cut,
    )


class _Numbering:
    """One numbering of words for all who number them, in order of first sight. Each of those has met other words."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self._meant: dict[int, np.ndarray] = {}  # by who numbers: what their numbers are here

    def of(self, who: int, numbered: Numbered) -> np.ndarray:
        """The numbers here of some texts' words: uint32, as many as `numbered.ids`."""
        new = np.fromiter((self.seen.setdefault(word, len(self.seen)) for word in numbered.words), np.uint32)
        meant = np.concatenate([self._meant.get(who, new[:0]), new])
        if who != NOBODY:
            self._meant[who] = meant
        return meant[np.frombuffer(numbered.ids, np.uint32)]


def _read(reader: Reader, pairs: Iterable[tuple[str, int]], numbering: _Numbering, crew: Crew) -> _Part:
    ids, lengths, labels, cut = array("I"), array("I"), array("q"), 0
    for who, numbered in crew.number(reader.chunks(pairs, labels)):
        ids.frombytes(numbering.of(who, numbered).tobytes())
        lengths.frombytes(numbered.lengths)
        cut += numbered.cut
    return _Part(ids, lengths, labels, cut)


def _slices(ids: np.ndarray) -> Iterator[slice]:
    return (slice(at, at + _SLICE) for at in range(0, len(ids), _SLICE))


def _counts(part: _Part, words: int) -> np.ndarray:
    """How often each word occurs."""
    ids = np.frombuffer(part.ids, np.uint32)
    return sum((np.bincount(ids[some], minlength=words) for some in _slices(ids)), np.zeros(words, np.int64))


def _texts(part: _Part, final: np.ndarray) -> Texts:
    """The part in final ids. They take the place of those they are made of, so that both are never in memory."""
    before = np.frombuffer(part.ids, np.uint32)
    after = np.frombuffer(part.ids, final.dtype, len(before))  # its slices never lie behind those of `before`
    for some in _slices(before):
        after[some] = final[before[some]]
    count = len(before)
    del before, after  # an array that is looked at cannot shrink
    del part.ids[-(-count * final.itemsize // part.ids.itemsize) :]
    tokens = np.frombuffer(part.ids, final.dtype, count)
    tokens.flags.writeable = False  # as those from the cache are
    offsets = np.zeros(len(part.lengths) + 1, np.int64)
    np.cumsum(part.lengths, out=offsets[1:])
    return Texts(tokens, offsets, np.array(part.labels, np.int64))
