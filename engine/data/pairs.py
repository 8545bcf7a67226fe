"""Pairs of a text and its label that are read anew from their files each time, so that none need be in memory."""

from collections.abc import Callable, Iterator
from hashlib import blake2b

from engine.data.lines import heard

Read = Callable[[], Iterator[tuple[str, int]]]  # everything, from the beginning


class Streamed:
    """The pairs that `read` gives, without those whose text is nothing but white space; `empty` counts these.

    Unless a pass was made that `counted` the texts, one is made now: so the file is known to be well formed. That pass
    raises Stopped soon after `stop()` has become true.
    """

    def __init__(self, read: Read, counted: int | None = None, stop: Callable[[], bool] = lambda: False) -> None:
        self._read = read
        self._count, self.empty = counted or 0, 0
        for text, _ in heard(read(), stop) if counted is None else ():
            if text.strip():
                self._count += 1
            else:
                self.empty += 1

    def __iter__(self) -> Iterator[tuple[str, int]]:
        for text, label in self._read():
            if kept := text.strip():
                yield kept, label

    def __length_hint__(self) -> int:
        return self._count


def mark(text: str) -> int:
    """64 bits that equal texts share, however they are cased and spaced."""
    return int.from_bytes(blake2b(same(text).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def same(text: str) -> str:
    """A text as it is compared: letters in one case, white space as single spaces."""
    return " ".join(text.lower().split())


def thresholds(marks: dict[int, list[int]], share: float) -> dict[int, int]:
    """For each label the mark below which a text is held out for testing, so that a `share` of each label's texts is.

    Equal texts of a label stay together, whichever other texts there are. A label keeps two texts to train on and to
    validate with, and gives one for testing where it has three.
    """
    found = {}
    for label, of_label in marks.items():
        ordered = sorted(of_label)
        held = min(max(round(share * len(ordered)), 1), max(len(ordered) - 2, 0))
        while 0 < held < len(ordered) - 2 and ordered[held] == ordered[0]:  # one text so often that it would be none
            held += 1
        found[label] = ordered[held] if held else 0
    return found


def parted(read: Read, below: dict[int, int]) -> tuple[Read, Read]:
    """The texts to train on, and those whose marks are below their label's."""

    def only(held: bool) -> Iterator[tuple[str, int]]:
        for text, label in read():
            if (mark(text.strip()) < below.get(label, 0)) is held:
                yield text, label

    return lambda: only(False), lambda: only(True)
