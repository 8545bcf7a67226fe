"""Files of pretrained word vectors: where they are, whether they fit. Imports nothing heavy, so a launch can ask."""

import gzip
import os
import zlib
from pathlib import Path

from engine.errors import BadInput
from engine.places import data_root

_SUFFIXES = ("", ".txt", ".vec", ".txt.gz", ".vec.gz")
_LONGEST_LINE = 1_000_000  # bytes


def find(vectors: str) -> Path:
    """A file of vectors by path, or by name in LTH_DATA/vectors or LTH_DATA/glove. Raises BadInput."""
    given = os.path.expanduser(vectors)
    for folder in (Path(), data_root() / "vectors", data_root() / "glove"):
        for suffix in _SUFFIXES:
            path = folder / f"{given}{suffix}"
            if os.path.isfile(path):
                return path.absolute()
    raise BadInput(
        f"model.vectors: {vectors!r} is not on this machine; put its text file (for GloVe: "
        f"https://nlp.stanford.edu/projects/glove) into {data_root() / 'vectors'}, or give a path or none."
    )


def check(path: Path, size: int) -> None:
    """Raise BadInput unless the first vector of the file, plain or gzipped, has `size` numbers."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            fields = file.readline(_LONGEST_LINE).split()
            if len(fields) == 2:  # word2vec's head: how many, how wide
                fields = file.readline(_LONGEST_LINE).split()
        [float(number) for number in fields[1:]]
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise unreadable(path, getattr(error, "strerror", None) or str(error)) from None
    width = len(fields) - 1
    if width < 1:
        raise unreadable(path, "it begins with no vector")
    if width != size:
        raise BadInput(
            f"model.vectors: {path} has vectors of {width} numbers, but model.embedding_dim is {size}; "
            f"give model.embedding_dim={width}, or other vectors."
        )


def unreadable(path: Path, why: str) -> BadInput:
    """The error for a file that holds no vectors."""
    return BadInput(
        f"model.vectors: {path} cannot be read as vectors ({why.rstrip('.')}); give a text file, a word and its "
        "numbers on each line."
    )
