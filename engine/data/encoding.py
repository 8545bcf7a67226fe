"""From texts to token ids: torchtext's `basic_english` and `Vocab`, once; then read back from the cache."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import numpy as np

from engine.data import cache, corpus
from engine.errors import BadInput
from engine.spec import DataSpec

PAD, UNK = 0, 1
SPECIALS = ("<pad>", "<unk>")
_FORMAT = 1  # raise it whenever what this module makes of the same texts changes


@dataclass(frozen=True, eq=False)
class Texts:
    """Encoded texts: text i is `tokens[offsets[i]:offsets[i + 1]]`, at least one id long, and has `labels[i]`.

    `tokens` is uint16 where the vocabulary fits, else int32, and read-only: it may be mapped from a file that other
    processes read. `offsets` (n + 1) and `labels` (n) are int64.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Encoded:
    """A dataset as token ids. `vocabulary[id]` is a word, 0 is padding and 1 an unknown word.

    `cut` counts the texts, of both parts, that were longer than `max_tokens`.
    """

    name: str
    class_names: tuple[str, ...]
    vocabulary: list[str]
    note: str
    train: Texts
    test: Texts
    cut: int

    def fingerprint(self) -> str:
        """A hash of everything a network could learn from: the texts, their labels, what the ids mean."""
        digest = blake2b(digest_size=16)
        for part in (self.train, self.test):
            for numbers in (part.tokens, part.offsets, part.labels):
                digest.update(np.ascontiguousarray(numbers).data)
        digest.update("\n".join((*self.class_names, *self.vocabulary)).encode())
        return digest.hexdigest()


def load(spec: DataSpec, progress: Callable[[str], None] = lambda _: None) -> Encoded:
    """The dataset of a spec, encoded now or read from the cache.

    The vocabulary holds the `vocabulary_size` most frequent words that occur `min_count` times or more in the first
    `max_tokens` tokens of the training texts, most frequent first, equals by alphabet. It is one for all seeds, so it
    is counted over all training texts, those held out for validation or left unused by `train_size` with them; never
    over the test texts. `progress` is told in words of what takes seconds. Raises BadInput like `corpus.read`.
    """
    path = cache.place(
        spec.name,
        "encoded",
        _FORMAT,
        version("torchtext"),
        spec.max_tokens,
        spec.vocabulary_size,
        spec.min_count,
        corpus.fingerprint(spec),
    )
    if kept := cache.read(path):
        return _unpack(*kept)
    progress(f"reading {spec.name}")
    source = corpus.read(spec)
    progress(f"encoding {spec.name}")
    encoded = encode(source, spec.max_tokens, spec.vocabulary_size, spec.min_count)
    cache.write(path, *_pack(encoded))
    return encoded


def encode(source: corpus.Corpus, max_tokens: int, vocabulary_size: int, min_count: int) -> Encoded:
    """Tokenise every text once and number its words. Raises BadInput where no word occurs `min_count` times."""
    from torchtext.vocab import Vocab  # with torch it takes seconds to import, and a cached dataset needs neither

    seen: defaultdict[str, int] = defaultdict()  # word -> provisional id, in order of first sight
    seen.default_factory = seen.__len__
    train_ids, train_offsets, train_labels, train_cut = _number(source.train, seen, max_tokens)
    counts = Counter(dict(zip(seen, np.bincount(train_ids).tolist(), strict=True)))
    test_ids, test_offsets, test_labels, test_cut = _number(source.test, seen, max_tokens)

    vocab = Vocab(counts, max_size=vocabulary_size, min_freq=min_count, specials=SPECIALS)
    if len(vocab.itos) == len(SPECIALS):
        raise BadInput(
            f"data.min_count: {min_count} given, but the most frequent word of {source.name} occurs "
            f"{max(counts.values())} times; give less."
        )
    # `or`: a text may spell out <pad>, which must not become padding.
    final = np.array([vocab.stoi.get(word, UNK) or UNK for word in seen], _compact(len(vocab.itos)))
    train, test = final[train_ids], final[test_ids]
    train.flags.writeable = test.flags.writeable = False  # as those from the cache are
    return Encoded(
        source.name,
        source.class_names,
        vocab.itos,
        source.note,
        Texts(train, train_offsets, train_labels),
        Texts(test, test_offsets, test_labels),
        train_cut + test_cut,
    )


def _number(
    pairs: Iterable[tuple[str, int]], seen: dict[str, int], max_tokens: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Provisional ids of all tokens one after another, the texts' offsets in them, labels, how many texts were cut."""
    from torchtext.data.utils import get_tokenizer

    tokenise = get_tokenizer("basic_english")
    ids, offsets, labels, cut = array("i"), [0], [], 0
    for text, label in pairs:
        tokens = tokenise(text) or SPECIALS[UNK:]
        cut += len(tokens) > max_tokens
        ids.extend(map(seen.__getitem__, tokens[:max_tokens]))
        offsets.append(len(ids))
        labels.append(label)
    return np.frombuffer(ids, np.intc), np.array(offsets, np.int64), np.array(labels, np.int64), cut


def _compact(words: int) -> type[np.integer[Any]]:
    return np.uint16 if words <= 2**16 else np.int32


# Wide arrays first, so that each lies aligned in the file.
_ARRAYS = tuple((part, field) for field in ("offsets", "labels", "tokens") for part in ("train", "test"))


def _pack(encoded: Encoded) -> tuple[dict[str, Any], list[memoryview | bytes]]:
    """An encoded dataset as the head and body of a cache."""
    arrays = [getattr(getattr(encoded, part), field) for part, field in _ARRAYS]
    head = {
        "name": encoded.name,
        "class_names": encoded.class_names,
        "note": encoded.note,
        "cut": encoded.cut,
        "arrays": [(values.dtype.str, values.nbytes) for values in arrays],
    }
    words = "\n".join(encoded.vocabulary)  # a token holds no white space
    return head, [*(memoryview(values).cast("B") for values in arrays), words.encode()]


def _unpack(head: dict[str, Any], body: memoryview) -> Encoded:
    parts: dict[str, dict[str, np.ndarray]] = {"train": {}, "test": {}}
    for (part, field), (kind, size) in zip(_ARRAYS, head["arrays"], strict=True):
        values = np.frombuffer(body[:size], kind)
        parts[part][field] = values if field == "tokens" else values.copy()
        body = body[size:]
    return Encoded(
        head["name"],
        tuple(head["class_names"]),
        bytes(body).decode().split("\n"),
        head["note"],
        Texts(**parts["train"]),
        Texts(**parts["test"]),
        head["cut"],
    )
