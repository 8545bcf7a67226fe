"""Classic csv, the format of Zhang, Zhao and LeCun (2015): AG News, DBpedia, Yelp and others are published in it.

`train.csv` and `test.csv`, plain or gzipped, without a header: class (from 1), then columns of text (title,
description). Fields are quoted with ", quotes inside them doubled.
"""

import csv
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from engine import catalog
from engine.data.corpus import Corpus
from engine.errors import BadInput

LONGEST_FIELD = 1_000_000  # characters; what is longer is a quote that was never closed
_LONGEST_LINE = 8_000_000  # bytes


def read(name: str, folder: Path) -> Corpus:
    """The dataset in `folder`. Raises BadInput naming the file and the row of the first thing wrong with it."""
    return read_files(name, *files(folder), catalog.card("dataset", catalog.DATASETS, name).classes)


def fingerprint(folder: Path) -> tuple[object, ...] | None:
    """Path, size and time of change of both files; None where one is missing."""
    try:
        stats = [(str(file), file.stat()) for file in files(folder)]
    except (BadInput, OSError):
        return None
    return tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def files(folder: Path) -> tuple[Path, Path]:
    """The train and the test file of a folder, plain before gzipped. Raises BadInput where one is missing."""
    return _one(folder, "train"), _one(folder, "test")


def read_files(name: str, train: Path, test: Path, classes: Sequence[str]) -> Corpus:
    """Two files as a corpus; a text is its columns joined by a space, stripped.

    Texts of nothing but white space are left out, and the note counts them. Raises BadInput like `read`.
    """
    trained, columns = _read(train, classes, None)
    tested, _ = _read(test, classes, columns)
    escaped = _escapes(text for text, _ in trained + tested)
    full = _full(trained, escaped), _full(tested, escaped)
    empty = len(trained) + len(tested) - len(full[0]) - len(full[1])
    note = f"{empty} empty texts left out" if empty else ""
    return Corpus(name, tuple(classes), *full, note)


def _one(folder: Path, part: str) -> Path:
    for file in (folder / f"{part}.csv", folder / f"{part}.csv.gz"):
        if os.path.isfile(file):
            return file
    raise BadInput(f"dataset: {folder} holds no {part}.csv or {part}.csv.gz; put it there.")


def _read(path: Path, classes: Sequence[str], columns: int | None) -> tuple[list[tuple[str, int]], int]:
    """The texts of one file with their labels, and its number of columns, which must be `columns` if that is given."""
    label_of = {str(number): number - 1 for number in range(1, len(classes) + 1)}
    found: list[tuple[str, int]] = []
    for number, row in _rows(path):
        if len(row) < 2:
            raise _bad(path, number, "a single column given", "give a class and a text (class, title, description)")
        columns = columns or len(row)
        if len(row) != columns:
            given = f"{len(row)} columns given, not the {columns} of the rows before"
            raise _bad(path, number, given, "give all rows of both files as many")
        label = label_of.get(row[0].strip())
        if label is None:
            hint = " and no header line" if number == 1 else ""
            raise _bad(path, number, f"class {_short(row[0])} given", f"give a number from 1 to {len(classes)}{hint}")
        found.append((" ".join(row[1:]), label))
    if columns is None or not found:
        raise BadInput(f"dataset: {path} is empty; give rows of class, title, description.")
    return found, columns


def _full(found: list[tuple[str, int]], escaped: bool) -> list[tuple[str, int]]:
    return [(text, label) for text, label in ((_plain(text, escaped), label) for text, label in found) if text]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file, numbered from 1; blank ones are counted and passed over."""
    csv.field_size_limit(max(LONGEST_FIELD, csv.field_size_limit()))
    number = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            content = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if zipped else raw
            for row in csv.reader(_lines(path, content), strict=True):
                number += 1
                if row:
                    yield number, row
    except csv.Error as error:
        raise _bad(path, number + 1, f"not csv ({error})", 'put " around each field and double those in it') from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _bad(path, number + 1, f"the gzip file breaks off or is damaged ({error})", "copy it again") from None
    except OSError as error:
        raise BadInput(f"dataset: {path} cannot be read ({error.strerror}); check the file and its rights.") from None


def _lines(path: Path, content: BinaryIO) -> Iterator[str]:
    offset = number = 0
    while line := content.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise _bad(path, number, f"a line of more than {_LONGEST_LINE:,} bytes", "give a text file", "line")
        if (nul := line.find(0)) >= 0:
            raise _bad(path, number, f"a NUL at byte {offset + nul}, so this is no text", "give a csv file", "line")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            place = f"byte {offset + error.start} (0x{line[error.start]:02x}) is not UTF-8"
            raise _bad(path, number, place, "save the file as UTF-8", "line") from None
        offset += len(line)
        yield text.removeprefix("\ufeff") if number == 1 else text


def _escapes(texts: Iterable[str]) -> bool:
    r"""Whether `\n` stands for a newline, as in Yelp. In AG News a bare backslash does: `social\network`."""
    backslashes = newlines = 0
    for text in texts:
        backslashes += text.count("\\")
        newlines += text.count("\\n")
    return 2 * newlines >= backslashes


def _plain(text: str, escaped: bool) -> str:
    return (text.replace("\\n", " ").replace('\\"', '"') if escaped else text.replace("\\", " ")).strip()


def _bad(path: Path, number: int, given: str, remedy: str, unit: str = "row") -> BadInput:
    return BadInput(f"dataset: {path}, {unit} {number}: {given}; {remedy}.")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")
