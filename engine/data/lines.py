"""Lines of text and rows of csv from a file that may be gzipped, one after another, never the whole of it in memory.

What is wrong in a file is named by its path and by row or line, in one sentence.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from engine.errors import BadInput, Stopped

LONGEST_FIELD = 4_000_000  # characters; what is longer is a quote that was never closed
LONGEST_LINE = 16_000_000  # bytes
_BATCH = 1000  # rows between two looks at whether to stop

_Row = TypeVar("_Row")


def lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The lines of a text file with their ends, numbered from 1; gzip is known by its content.

    Raises BadInput for what is no text in this encoding, an endless line, a damaged gzip, a file that cannot be read.
    """
    offset = number = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            content = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if zipped else raw
            while line := content.readline(LONGEST_LINE):
                number += 1
                yield number, _decoded(path, number, offset, line, encoding)
                offset += len(line)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        given = f"the gzip file breaks off or is damaged ({error})"
        raise bad(path, number + 1, given, "copy it again", "line") from None
    except OSError as error:
        raise unreadable(path, error) from None


def rows(path: Path, delimiter: str = ",", quoted: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The rows of a csv file, numbered from 1; blank ones are counted and passed over. Raises BadInput like `lines`."""
    csv.field_size_limit(max(LONGEST_FIELD, csv.field_size_limit()))
    number = 0
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    text = (line for _, line in lines(path))
    try:
        for row in csv.reader(text, strict=True, delimiter=delimiter, quoting=quoting):  # type: ignore[arg-type]
            number += 1
            if row:
                yield number, row
    except csv.Error as error:
        raise bad(path, number + 1, f"not csv ({error})", 'put " around each field and double those in it') from None


def heard(rows: Iterable[_Row], stop: Callable[[], bool]) -> Iterator[_Row]:
    """The same rows; raises Stopped between some of them, soon after `stop()` has become true."""
    for number, row in enumerate(rows):
        if number % _BATCH == 0 and stop():
            raise Stopped
        yield row


def bad(path: Path, number: int, given: str, remedy: str, unit: str = "row") -> BadInput:
    """The error for one row of a file: what is given there, and what would do."""
    return BadInput(f"dataset: {path}, {unit} {number}: {given}; {remedy}.")


def unreadable(path: Path, error: OSError) -> BadInput:
    """The error for a file that the system does not give."""
    return BadInput(f"dataset: {path} cannot be read ({error.strerror or error}); check the file and its rights.")


def short(text: object) -> str:
    """A value as a sentence quotes it."""
    said = str(text)
    return repr(said if len(said) <= 40 else said[:40] + "...")


def _decoded(path: Path, number: int, offset: int, line: bytes, encoding: str) -> str:
    if len(line) == LONGEST_LINE:
        raise bad(path, number, f"a line of more than {LONGEST_LINE:,} bytes", "give a text file", "line")
    if (nul := line.find(0)) >= 0:
        raise bad(path, number, f"a NUL at byte {offset + nul}, so this is no text", "give a text file", "line")
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError as error:
        place = f"byte {offset + error.start} (0x{line[error.start]:02x}) is not {encoding.upper()}"
        raise bad(path, number, place, "save the file as UTF-8", "line") from None
    return text.removeprefix("\ufeff") if number == 1 else text
