"""Texts as numbers of words: torchtext's `basic_english` and `Vocab`, streamed."""

from array import array
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from engine.data.corpus import Corpus
from engine.data.crew import Crew
from engine.data.encoding import SPECIALS, UNK, Encoded, Texts, compact
from engine.data.reader import Reader
from engine.errors import BadInput


class _Chunk(NamedTuple):
    """Some texts of a part. Token i is word `words[ids[i]]`, a number that holds for the whole corpus."""

    words: np.ndarray  # int32
    ids: np.ndarray  # uint16, or uint32 in a chunk of more words
    lengths: np.ndarray  # [texts] int64


class _Part(NamedTuple):
    chunks: list[_Chunk]
    labels: "array[int]"
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

    seen: dict[str, int] = {}  # word -> its number before the vocabulary is known, in order of first sight
    reader = Reader(source, progress, stop)
    with crew(max_tokens) as numbering:
        train = _read(reader, source.train, seen, numbering)
        counts = _counts(train, len(seen))
        test = _read(reader, source.test, seen, numbering)

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
    seen.clear()
    return Encoded(
        source.name,
        source.class_names,
        vocab.itos,
        source.note,
        _texts(train, final),
        _texts(test, final),
        train.cut + test.cut,
    )


def _read(reader: Reader, pairs: Any, seen: dict[str, int], crew: Crew) -> _Part:
    chunks, labels, cut = [], array("q"), 0
    for numbered in crew.number(reader.chunks(pairs, labels)):
        words = np.fromiter((seen.setdefault(word, len(seen)) for word in numbered.words), np.int32)
        ids = np.frombuffer(numbered.ids, np.uint32)
        chunks.append(
            _Chunk(
                words,
                ids.astype(np.uint16) if len(words) <= 2**16 else ids,
                np.frombuffer(numbered.lengths, np.uint32).astype(np.int64),
            )
        )
        cut += numbered.cut
    return _Part(chunks, labels, cut)


def _counts(part: _Part, words: int) -> np.ndarray:
    """How often each word occurs."""
    counts = np.zeros(words, np.int64)
    for chunk in part.chunks:
        counts[chunk.words] += np.bincount(chunk.ids, minlength=len(chunk.words))  # a chunk names a word once
    return counts


def _texts(part: _Part, final: np.ndarray) -> Texts:
    """The part in final ids. Its chunks are used up, so that it is never in memory twice."""
    lengths = np.concatenate([[0], *(chunk.lengths for chunk in part.chunks)])
    offsets = np.cumsum(lengths, dtype=np.int64)
    tokens = np.empty(offsets[-1], final.dtype)
    at = 0
    part.chunks.reverse()
    while part.chunks:
        chunk = part.chunks.pop()
        tokens[at : at + len(chunk.ids)] = final[chunk.words][chunk.ids]
        at += len(chunk.ids)
    tokens.flags.writeable = False  # as those from the cache are
    return Texts(tokens, offsets, np.array(part.labels, np.int64))
