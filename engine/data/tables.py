"""Files with named columns, read a row at a time: csv, tsv, jsonl (one object a line) and parquet.

All but parquet may be gzipped. A csv or tsv may lack its header where that can be told; its columns are then called
"column 1", "column 2" and so on.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from engine.data import columns, lines
from engine.data.lines import bad, short
from engine.errors import BadInput

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")
Rows = Iterator[tuple[int, Sequence[Any]]]

_BATCH = 1024  # rows of parquet in memory at a time
_LOOK = 1000  # rows looked at before it is said what a file's columns are
_LONGEST_NAME = 60  # characters of a column's name
_EXACT = 2**63  # orjson makes a float of a whole number that is larger, or refuses it
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?\s*")


@dataclass(frozen=True)
class Table:
    """A file's columns, and its rows as often as they are wanted: `rows(names)` gives numbers and values of those."""

    path: Path
    columns: tuple[str, ...]
    rows: Callable[[Sequence[str]], Rows]
    header: bool = True
    unit: str = "row"


def kind(path: Path) -> str:
    """What a file's name says it is, one of KINDS, or "" for something else."""
    name = path.name.lower()
    bare = name.removesuffix(".gz")
    return next((suffix for suffix in KINDS if bare.endswith(suffix) and (bare == name or suffix != ".parquet")), "")


def table(path: Path, stop: Callable[[], bool] = lambda: False) -> Table:
    """A file as a table; reading it, now and later, raises Stopped soon after `stop()` has become true.

    Raises BadInput where it is none of the four kinds, has two columns of one name, or is damaged, as far as is seen.
    """
    found = kind(path)
    if not found:
        raise BadInput(f"dataset: {path} is none of csv, tsv, jsonl and parquet; give a file that ends so.")
    if found == ".parquet":
        made = _parquet(path)
    else:
        made = _jsonl(path) if found == ".jsonl" else _csv(path, "," if found == ".csv" else "\t", stop)
    if twice := [name for name in made.columns if made.columns.count(name) > 1]:
        raise BadInput(f"dataset: {path} has two columns called {short(twice[0])}; give each its own name.")
    return replace(made, rows=lambda names: lines.heard(made.rows(names), stop))


def _csv(path: Path, delimiter: str, stop: Callable[[], bool]) -> Table:
    if delimiter == "\t":
        quoted = _parses(path, delimiter, stop)
    else:
        quoted, delimiter = True, _delimiter(path)
    sample = list(islice(lines.rows(path, delimiter, quoted), _LOOK))
    if not sample:
        raise BadInput(f"dataset: {path} is empty; give rows of a text and its label.")
    _, first = sample[0]
    if len(first) < 2:
        raise bad(path, 1, "a single column given", "give a text and its label, with a comma (csv) or a tab between")
    header = _is_header(path, first, [row for _, row in sample[1:]])
    given = [name.strip() if header else "" for name in first]
    names = tuple(name or f"column {number}" for number, name in enumerate(given, 1))

    def rows(wanted: Sequence[str]) -> Rows:
        places = [names.index(name) for name in wanted]
        whole = lines.rows(path, delimiter, quoted)
        for number, row in islice(whole, int(header), None):
            if len(row) != len(names):
                given = f"{len(row)} columns given, not the {len(names)} of row {sample[0][0]}"
                raise bad(path, number, given, "give all rows as many")
            yield number, [row[place] for place in places]

    return Table(path, names, rows, header)


def _delimiter(path: Path) -> str:
    """A comma, or the semicolon or tab of a spreadsheet where the first row has no comma."""
    first = next(iter(lines.lines(path)), (0, ""))[1]
    return next((sign for sign in ",;\t" if sign in first), ",")


def _parses(path: Path, delimiter: str, stop: Callable[[], bool]) -> bool:
    """Whether quotes in the file enclose fields. Many tsv files use none, and their texts begin with a quote or not."""
    try:
        return len({len(row) for _, row in lines.heard(lines.rows(path, delimiter), stop)}) == 1
    except BadInput as error:
        if "not csv" in str(error):
            return False
        raise


def _is_header(path: Path, first: list[str], others: list[list[str]]) -> bool:
    """Whether the first row names the columns. Raises BadInput where that cannot be told."""
    names = sum(columns.known(cell) for cell in first)
    again = any(len(row) > place and row[place] == cell for row in others for place, cell in enumerate(first) if cell)
    numbers = any(_NUMBER.fullmatch(cell) for cell in first)
    if names >= 2 or (names and not again and not numbers):
        return True
    if again or numbers:  # a label that occurs again, or that is a number
        return False
    if len(set(first)) == len(first) and all(len(cell) <= _LONGEST_NAME for cell in first):
        return True
    raise bad(path, 1, "neither plainly names of columns nor plainly a text and its label", "put a header: label,text")


def _jsonl(path: Path) -> Table:
    def objects() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in lines.lines(path):
            if line.isspace():
                continue
            found = _value(path, number, line)
            if not isinstance(found, dict):
                raise bad(path, number, f"{short(line.strip())} given", "give one object a line", "line")
            yield number, found

    def rows(wanted: Sequence[str]) -> Rows:
        for number, found in objects():
            yield number, [found.get(name) for name in wanted]

    names = tuple(dict.fromkeys(name for _, found in islice(objects(), _LOOK) for name in found))
    if not names:
        raise BadInput(f"dataset: {path} is empty; give one object a line, with a text and its label.")
    return Table(path, names, rows, unit="line")


def _value(path: Path, number: int, line: str) -> Any:
    """What a line of JSON says; by Python's slower reader where half a surrogate pair or a huge number stands in it."""
    import orjson

    try:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if "surrogate" not in error.msg:
                raise
            halved = json.dumps(json.loads(line), ensure_ascii=False)
            return json.loads(halved.encode("utf-8", "replace"))  # nothing that comes after could write the half
        if isinstance(found, dict) and any(isinstance(one, float) and abs(one) >= _EXACT for one in found.values()):
            return json.loads(line)
    except RecursionError:
        raise bad(path, number, "JSON that is nested too deeply", "give one object a line", "line") from None
    except json.JSONDecodeError as error:  # orjson's is one too
        raise bad(path, number, f"not JSON ({error.msg})", "give one object a line", "line") from None
    except ValueError:
        raise bad(path, number, "a number of thousands of digits", "give shorter ones", "line") from None
    return found


def _parquet(path: Path) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    def rows(wanted: Sequence[str]) -> Rows:
        number = 0
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(_BATCH, columns=list(dict.fromkeys(wanted)), use_threads=False):
                    places = [batch.schema.names.index(name) for name in wanted]
                    for values in zip(*(batch.column(place).to_pylist() for place in places), strict=True):
                        number += 1
                        yield number, values
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise _damaged(path, error) from None
        except OSError as error:
            raise (lines.unreadable(path, error) if error.errno else _damaged(path, error)) from None

    try:
        with parquet.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            empty = not file.metadata.num_rows
    except pa.ArrowException as error:
        raise _damaged(path, error) from None
    except OSError as error:
        raise (lines.unreadable(path, error) if error.errno else _damaged(path, error)) from None
    if empty:
        raise BadInput(f"dataset: {path} is empty; give rows of a text and its label.")
    return Table(path, names, rows)


def _damaged(path: Path, error: Exception) -> BadInput:
    first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return BadInput(f"dataset: {path} is no whole parquet file ({first[:120]}); copy it again.")
