"""Reads the texts of a corpus in chunks, tells how far it is, and ends where somebody asks it to."""

import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from operator import length_hint

from engine.data.corpus import Corpus
from engine.errors import Stopped

_CHUNK = 1_000_000  # characters: enough to be worth a message to another process, few enough to be nothing in memory
_PAUSE = 1.0  # seconds between two words about progress


class Reader:
    """Counts the texts that are read from both parts of one corpus. `labels` are kept, texts are handed on."""

    def __init__(self, source: Corpus, progress: Callable[[str], None], stop: Callable[[], bool]) -> None:
        self._name = source.name
        known = length_hint(source.train), length_hint(source.test)
        self._of = f" of {sum(known):,}" if all(known) else ""
        self._progress, self._stop = progress, stop
        self._read, self._told = 0, time.monotonic()

    def chunks(self, pairs: Iterable[tuple[str, int]], labels: "array[int]") -> Iterator[list[str]]:
        """The texts of one part, about a million characters at a time; their labels are appended to `labels`.

        Raises Stopped where `stop()` has become true.
        """
        texts: list[str] = []
        size = 0
        for text, label in pairs:
            texts.append(text)
            labels.append(label)
            size += len(text)
            if size >= _CHUNK:
                self._look_up(len(texts))
                yield texts
                texts, size = [], 0
        self._look_up(len(texts))
        if texts:
            yield texts

    def _look_up(self, texts: int) -> None:
        if self._stop():
            raise Stopped
        self._read += texts
        if (now := time.monotonic()) - self._told >= _PAUSE:
            self._told = now
            self._progress(f"encoding {self._name}: {self._read:,}{self._of} texts")
