"""Encoded datasets: texts as token ids, made once by `words` or `pieces`, then read back from the cache."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import cache, corpus
from engine.spec import DataSpec

PAD, UNK = 0, 1
SPECIALS = ("<pad>", "<unk>")
_FORMAT = 3  # raise it whenever what the same texts are made into changes


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

    Where a checkpoint's tokenizer encoded it, the ids and the vocabulary are that tokenizer's, padding included.
    `cut` counts the texts, of both parts, that were longer than they may be.
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
        digest.update("\n".join((*self.class_names, *self.vocabulary)).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def load(
    data: DataSpec,
    progress: Callable[[str], None] = lambda _: None,
    *,
    checkpoint: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Encoded:
    """The dataset of a spec, encoded now or read from the cache. `progress` is told in words of what takes seconds.

    By words: the vocabulary holds the `vocabulary_size` most frequent words that occur `min_count` times or more in
    the first `max_tokens` tokens of the training texts, most frequent first, equals by alphabet. It is one for all
    seeds, so it is counted over all training texts, those held out for validation or left unused by `train_size` with
    them; never over the test texts.

    By the tokenizer of `checkpoint`, a local transformers folder: its own pieces and special tokens, at most
    `max_tokens` and at most what the checkpoint can read; `vocabulary_size` and `min_count` mean nothing there.

    Where another process prepares the same, its work is waited for. Raises BadInput like `corpus.read` and for a
    checkpoint without a tokenizer, and Stopped soon after `stop()` has become true.
    """
    by: tuple[object, ...]
    if checkpoint is None:
        by = ("words", version("torchtext"), data.vocabulary_size, data.min_count)
    else:
        from engine.data import pieces

        by = ("pieces", version("tokenizers"), version("transformers"), pieces.fingerprint(checkpoint))
    path = cache.place(data.name, "encoded", _FORMAT, *by, data.max_tokens, corpus.fingerprint(data))
    if kept := cache.read(path):
        return _unpack(*kept)

    def waiting() -> None:
        progress(f"waiting for another process that prepares {data.name}")

    with cache.alone(path, waiting, stop):
        if kept := cache.read(path):
            return _unpack(*kept)
        cache.sweep()
        progress(f"reading {data.name}")
        source = corpus.read(data, stop)
        progress(f"encoding {data.name}")
        if checkpoint is None:
            from engine.data import words

            encoded = words.encode(source, data.max_tokens, data.vocabulary_size, data.min_count, progress, stop)
        else:
            encoded = pieces.encode(source, checkpoint, data.max_tokens, progress, stop)
        cache.write(path, *_pack(encoded))
    return encoded


def compact(words: int) -> type[np.integer[Any]]:
    """The type of the ids of so many words."""
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
    return head, [*(memoryview(values).cast("B") for values in arrays), json.dumps(encoded.vocabulary).encode()]


def _unpack(head: dict[str, Any], body: memoryview) -> Encoded:
    parts: dict[str, dict[str, np.ndarray]] = {"train": {}, "test": {}}
    for (part, field), (kind, size) in zip(_ARRAYS, head["arrays"], strict=True):
        values = np.frombuffer(body[:size], kind)
        parts[part][field] = values if field == "tokens" else values.copy()
        body = body[size:]
    return Encoded(
        head["name"],
        tuple(head["class_names"]),
        json.loads(bytes(body)),
        head["note"],
        Texts(**parts["train"]),
        Texts(**parts["test"]),
        head["cut"],
    )
