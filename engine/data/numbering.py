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
from collections import defaultdict
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
    """Texts as numbers of words: number n is `words[n]`, in order of first sight.

    `ids` holds the texts one after another, `lengths` how many ids each has; both are uint32. `cut` counts those
    that had more.
    """

    words: list[str]
    ids: bytes
    lengths: bytes
    cut: int


def joined(texts: Iterable[str]) -> str:
    """The texts as lines. A newline inside a text becomes another white space, which parts words just as well."""
    return "\n".join([text.replace("\n", "\r") for text in texts])


def number(lines: str, max_tokens: int) -> Numbered:
    """Number the words of each line, up to `max_tokens` of them; a line without words is one unknown word."""
    seen: defaultdict[str, int] = defaultdict()
    seen.default_factory = seen.__len__
    ids, lengths, cut = array("I"), array("I"), 0
    for line in _normalised(lines).split("\n"):
        words = line.split(None, max_tokens) or [UNKNOWN]
        if len(words) > max_tokens:
            words.pop()  # the rest of the line
            cut += 1
        ids.extend(map(seen.__getitem__, words))
        lengths.append(len(words))
    return Numbered(list(seen), ids.tobytes(), lengths.tobytes(), cut)


def _normalised(lines: str) -> str:
    """`basic_english` of each line, but for the white space, which `split` passes over all the same."""
    lines = lines.lower()
    for given, meant in _REPLACED:
        lines = lines.replace(given, meant)
    return lines


def ask(other: socket.socket, lines: str) -> Numbered:
    """Have another process number some lines. Raises OSError or EOFError where it is gone."""
    text = lines.encode("utf-8", "surrogatepass")  # JSON may hold half a surrogate pair
    other.sendall(_QUESTION.pack(len(text)))
    other.sendall(text)
    *sizes, cut = _ANSWER.unpack(_receive(other, _ANSWER.size))
    words, ids, lengths = (bytes(_receive(other, size)) for size in sizes)
    return Numbered(words.decode("utf-8", "surrogatepass").split("\n"), ids, lengths, cut)


def answer(other: socket.socket, max_tokens: int) -> None:
    """Number what the other side sends until it is gone, even killed: then the connection ends."""
    with suppress(OSError, EOFError):
        while True:
            (size,) = _QUESTION.unpack(_receive(other, _QUESTION.size))
            words, ids, lengths, cut = number(_receive(other, size).decode("utf-8", "surrogatepass"), max_tokens)
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
