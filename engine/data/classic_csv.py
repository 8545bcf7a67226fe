"""Classic csv, the format of Zhang, Zhao and LeCun (2015): AG News, DBpedia, Yelp and others are published in it.

`train.csv` and `test.csv`, plain or gzipped, without a header: class (from 1), then columns of text (title,
description). Fields are quoted with ", quotes inside them doubled.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from engine.data import lines
from engine.data.corpus import Corpus
from engine.data.lines import bad, short
from engine.data.pairs import Streamed
from engine.errors import BadInput


def read_files(
    name: str,
    train: Path,
    test: Path,
    classes: Sequence[str],
    backslash: str = "itself",
    stop: Callable[[], bool] = lambda: False,
) -> Corpus:
    """Two files as a corpus; a text is its columns joined by a space, stripped.

    Texts of nothing but white space are left out, and the note counts them. What a backslash means stands in the
    dataset's card. Raises BadInput naming the file and the row of the first thing wrong, and Stopped.
    """
    columns = columns_of(train)
    reads = [partial(pairs, path, classes, columns, backslash) for path in (train, test)]
    first, second = (Streamed(read, stop=stop) for read in reads)
    return Corpus(name, tuple(classes), first, second, left_out(first.empty + second.empty))


def columns_of(path: Path) -> int:
    """How many columns the first row has. Raises BadInput where there is none, or a single one."""
    for number, row in lines.rows(path):
        if len(row) < 2:
            raise bad(path, number, "a single column given", "give a class and a text (class, title, description)")
        return len(row)
    raise _empty(path)


def pairs(path: Path, classes: Sequence[str], columns: int, backslash: str = "itself") -> Iterator[tuple[str, int]]:
    """The texts of one file with their labels. Raises BadInput for a row of another width or class."""
    label_of = {str(number): number - 1 for number in range(1, len(classes) + 1)}
    number = 0
    for number, row in lines.rows(path):
        if len(row) != columns:
            given = "a single column" if len(row) == 1 else f"{len(row)} columns"
            raise bad(path, number, f"{given} given, not the {columns} of the rows before", "give all rows as many")
        label = label_of.get(row[0].strip())
        if label is None:
            hint = " or a header that names the columns" if number == 1 else ""
            raise bad(path, number, f"class {short(row[0])} given", f"give a number from 1 to {len(classes)}{hint}")
        yield unescaped(" ".join(row[1:]), backslash), label
    if not number:
        raise _empty(path)


def unescaped(text: str, backslash: str) -> str:
    """A published text as it was meant. In AG News a bare backslash is a newline: `social\\network`."""
    if "\\" not in text or backslash == "itself":
        return text
    return text.replace("\\", " ") if backslash == "newline" else text.replace("\\n", " ").replace('\\"', '"')


def left_out(empty: int) -> str:
    """What a note says of texts of nothing but white space."""
    return f"{empty:,} empty text{'s' if empty > 1 else ''} left out" if empty else ""


def _empty(path: Path) -> BadInput:
    return BadInput(f"dataset: {path} is empty; give rows of class, title, description.")
