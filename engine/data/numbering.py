"""Numbers the words of many texts at once. Run as a script it is a process that does nothing else.

It imports the standard library alone: such a process is there in 20 ms and takes 10 MiB, where one that imports
torchtext imports torch, which takes seconds and hundreds of MiB. The words are those of torchtext's `basic_english`,
found by `str.replace` on all texts together, three times as fast as by its regular expressions on one after another.
"""

import signal
import socket
import struct
import sys
from array import array
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

UNKNOWN = "<unk>"  # what a text without any word consists of

# torchtext's patterns are these very strings, replaced in this order: <br" /> goes too, once its quote has gone.
_REPLACED = (
    ("'", " '  "),
    ('"', ""),
    (".", " . "),
    ("<br />", " "),
    (",", " , "),
    ("(", " ( "),
    (")", " ) "),
    ("!", " ! "),
    ("?", " ? "),
    (";", " "),
    (":", " "),
)
_QUESTION = struct.Struct("<Q")  # bytes of text that follow
_ANSWER = struct.Struct("<QQQQ")  # bytes of words, of ids, of lengths that follow; texts cut


class Numbered(NamedTuple):
    """Some texts as numbers of words. `words` are those that the same `Numberer` had not met before, in order.

    `ids` holds the texts one after another, `lengths` how many ids each has; both are uint32. `cut` counts those
    that had more.
    """

    words: list[str]
    ids: bytes
    lengths: bytes
    cut: int


class Numberer:
    """Numbers words from 0 in order of first sight, through all the texts it is given; up to `max_tokens` of each."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._seen = _Seen()

    def number(self, lines: str) -> Numbered:
        """Each line is a text; one without words is one unknown word."""
        ids, lengths, cut = array("I"), array("I"), 0
        for line in _normalised(lines).split("\n"):
            words = line.split(None, self._max_tokens) or [UNKNOWN]
            if len(words) > self._max_tokens:
                words.pop()  # the rest of the line
                cut += 1
            ids.extend(map(self._seen.__getitem__, words))
            lengths.append(len(words))
        fresh, self._seen.fresh = self._seen.fresh, []
        return Numbered(fresh, ids.tobytes(), lengths.tobytes(), cut)


class _Seen(dict[str, int]):
    """Word -> number; a new word gets the next one, and is put among the `fresh`."""

    def __init__(self) -> None:
        self.fresh: list[str] = []

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        self.fresh.append(word)
        return number


def joined(texts: Iterable[str]) -> str:
    """The texts as lines. A newline inside a text becomes another white space, which parts words just as well."""
    return "\n".join([text.replace("\n", "\r") for text in texts])


def _normalised(lines: str) -> str:
    """`basic_english` of each line, but for the white space, which `split` passes over all the same."""
    lines = lines.lower()
    for given, meant in _REPLACED:
        lines = lines.replace(given, meant)
    return lines


def ask(other: socket.socket, lines: str) -> Numbered:
    """Have the `Numberer` of another process number some lines. Raises OSError or EOFError where it is gone."""
    text = lines.encode("utf-8", "surrogatepass")  # JSON may hold half a surrogate pair
    other.sendall(_QUESTION.pack(len(text)))
    other.sendall(text)
    *sizes, cut = _ANSWER.unpack(_receive(other, _ANSWER.size))
    words, ids, lengths = (bytes(_receive(other, size)) for size in sizes)
    return Numbered(words.decode("utf-8", "surrogatepass").split("\n") if words else [], ids, lengths, cut)


def answer(other: socket.socket, max_tokens: int) -> None:
    """Number what the other side sends until it is gone, even killed: then the connection ends."""
    numberer = Numberer(max_tokens)
    with suppress(OSError, EOFError):
        while True:
            (size,) = _QUESTION.unpack(_receive(other, _QUESTION.size))
            words, ids, lengths, cut = numberer.number(_receive(other, size).decode("utf-8", "surrogatepass"))
            told = "\n".join(words).encode("utf-8", "surrogatepass")
            other.sendall(_ANSWER.pack(len(told), len(ids), len(lengths), cut))
            other.sendall(told + ids + lengths)


def _receive(other: socket.socket, size: int) -> bytearray:
    """So many bytes. They are waited for in one call, for each return from one may have to queue for the GIL."""
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        got = other.recv_into(rest, 0, socket.MSG_WAITALL)
        if not got:
            raise EOFError
        rest = rest[got:]
    return data


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the process that asks, in the same terminal
    with socket.socket(fileno=0) as other:
        answer(other, int(sys.argv[1]))
