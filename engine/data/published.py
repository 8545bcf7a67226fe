"""The study's sets from any form in which they are published, by one reader that streams."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from engine import catalog
from engine.data import classic_csv, columns, forms, lines, tables
from engine.data.cards import DatasetCard
from engine.data.corpus import Corpus
from engine.data.lines import bad, short
from engine.data.pairs import Read, Streamed, mark, parted, thresholds
from engine.errors import BadInput

_ROWS = 4096  # written at a time
_MANY = 100  # files; what more of them hang on is folded into one hash


def read(name: str, folder: Path, stop: Callable[[], bool] = lambda: False) -> Corpus:
    """The dataset of the menu in `folder`.

    Raises BadInput naming the file and the row of the first thing wrong, and Stopped soon after `stop()` is true.
    """
    card = catalog.card("dataset", catalog.DATASETS, name)
    found = forms.find(folder)
    train: Read
    test: Read
    if found.form == forms.SENTENCES:
        train, test = partial(_sentences, card, found.train[0]), partial(_sentences, card, found.test[0])
    elif found.form == forms.REVIEWS:
        train, test = partial(_reviews, found.train), partial(_reviews, found.test)
    elif found.form == forms.SINGLE:
        return _single(card, found.train[0], stop)
    elif ".csv" in found.train[0].name.lower() and not _has_header(found.train[0]):
        return classic_csv.read_files(name, found.train[0], found.test[0], card.classes, card.backslash, stop)
    else:
        train, test = _tables(card, found.train, found.test, stop)
    first, second = Streamed(train, stop=stop), Streamed(test, stop=stop)
    return Corpus(name, card.classes, first, second, classic_csv.left_out(first.empty + second.empty))


def fingerprint(folder: Path) -> tuple[object, ...] | None:
    """Path, size and time of change of all files; None where the dataset is not there, or not whole."""
    try:
        stats = [(str(file), file.stat()) for file in files(folder)]
    except (BadInput, OSError):
        return None
    facts = tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)
    if len(facts) <= _MANY:
        return facts
    return str(folder), len(facts), blake2b(repr(facts).encode("utf-8", "backslashreplace")).hexdigest()


def files(folder: Path) -> tuple[Path, ...]:
    """The files in `folder` that make up the dataset. Raises BadInput where there is none, or half of one."""
    return forms.find(folder).files


def put(corpus: Corpus, folder: Path, target: Path) -> None:
    """Copy the files of the dataset in `folder` to the folder `target`; aclImdb's 50,000 become two parquet files.

    `corpus` is what was read from them. Raises OSError where the disk does not take it.
    """
    found = forms.find(folder)
    if found.form == forms.REVIEWS:
        for part, pairs in (("train", corpus.train), ("test", corpus.test)):
            _write_parquet(pairs, target / f"{part}.parquet")
        return
    for file in found.files:
        shutil.copyfile(file, target / file.name)


def _write_parquet(pairs: Iterable[tuple[str, int]], target: Path) -> None:
    """Texts and labels as `lth data fetch` leaves those of a set with one column of texts."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([("text", pa.string()), ("label", pa.int64())])
    rows = iter(pairs)
    with ParquetWriter(target, schema) as writer:
        while some := list(islice(rows, _ROWS)):
            texts, labels = zip(*some, strict=True)
            writer.write_table(pa.table([texts, labels], schema))


def _sentences(card: DatasetCard, path: Path) -> Iterator[tuple[str, int]]:
    """`label text` a line, in latin-1."""
    number = 0
    for number, line in lines.lines(path, "latin-1"):
        label, _, text = line.strip().partition(" ")
        if label not in ("0", "1"):
            if line.isspace():
                continue
            raise bad(path, number, f"label {short(label)} given", f"give 0 ({card.classes[0]}) or 1, a space", "line")
        yield text, int(label)
    if not number:
        raise BadInput(f"dataset: {path} is empty; give lines of a label and a text.")


def _reviews(paths: Sequence[Path]) -> Iterator[tuple[str, int]]:
    """A file a review, its label the name of its folder."""
    for path in paths:
        yield "".join(line for _, line in lines.lines(path)), ("neg", "pos").index(path.parent.name)


def _has_header(path: Path) -> bool:
    """Whether the first row of a csv names its columns; else it is classic."""
    first = next((row for _, row in lines.rows(path)), [])
    return sum(map(columns.known, first)) >= 2 and not first[0].strip().isdigit()


def _tables(
    card: DatasetCard, train: Sequence[Path], test: Sequence[Path], stop: Callable[[], bool]
) -> tuple[Read, Read]:
    """Files with named columns: csv with a header, jsonl, parquet of the hub or of `lth data fetch`."""
    first = tables.table(train[0], stop)
    chosen = _columns(card, first)
    rows = ((path, row) for path in train for row in columns.pairs(_table(path, chosen), *chosen))
    found: dict[str, tuple[Path, int]] = {}  # label -> the file and the row that it first stands in
    for path, (number, _, label) in lines.heard(rows, stop):
        if label and label not in found:
            found[label] = path, number
    meant = _meanings(card, first, found)
    return partial(_mapped, card, train, chosen, meant), partial(_mapped, card, test, chosen, meant)


def _columns(card: DatasetCard, table: tables.Table) -> tuple[tuple[str, ...], str]:
    """The columns of the hub where they are there, else what is guessed from their names."""
    hub = card.hub
    if hub and {*hub.text, hub.label} <= set(table.columns):
        return hub.text, hub.label
    return columns.choose(table)


def _table(path: Path, chosen: tuple[tuple[str, ...], str]) -> tables.Table:
    """A file that has the columns of the first one. Raises BadInput."""
    table = tables.table(path)
    if missing := [name for name in (*chosen[0], chosen[1]) if name not in table.columns]:
        raise BadInput(
            f"dataset: {path} has no column {missing[0]!r} ({', '.join(table.columns[:30])} instead); "
            "give all parts the same columns."
        )
    return table


def _meanings(card: DatasetCard, table: tables.Table, found: dict[str, tuple[Path, int]]) -> dict[str, int]:
    """What each value of the label column means: a class by its name, or numbers from 0 or from 1."""
    count = len(card.classes)
    if all(re.fullmatch(r"-?\d+", label) for label in found):
        base = 0 if "0" in found else 1
        if found and base and str(count) not in found:
            raise BadInput(
                f"dataset: {table.path} has the labels {', '.join(sorted(found))[:60]}, which does not tell whether "
                f"they count from 0 or from 1; give texts of all {count} classes."
            )
        wanted = f"give a number from {base} to {base + count - 1}"
        meant = {str(base + label): label for label in range(count)}
    else:
        wanted = f"give one of {', '.join(card.classes)}"
        names = {label: [place for place, name in enumerate(card.classes) if _named(label, name)] for label in found}
        meant = {label: places[0] for label, places in names.items() if len(places) == 1}
    for label, (path, number) in found.items():
        if label not in meant:
            raise bad(path, number, f"label {short(label)} given", wanted, table.unit)
    return meant


def _named(label: str, name: str) -> bool:
    """`pos` and `Positive` are `positive`."""
    return len(label) >= 3 and name.casefold().startswith(label.casefold())


def _mapped(
    card: DatasetCard, paths: Sequence[Path], chosen: tuple[tuple[str, ...], str], meant: dict[str, int]
) -> Iterator[tuple[str, int]]:
    for path in paths:
        table = _table(path, chosen)
        for number, text, label in columns.pairs(table, *chosen):
            if label not in meant:
                given = f"label {short(label)} given" if label else "no label given"
                raise bad(path, number, given, f"give one of {', '.join(list(meant)[:20])}", table.unit)
            yield classic_csv.unescaped(text, card.backslash), meant[label]


def _single(card: DatasetCard, path: Path, stop: Callable[[], bool]) -> Corpus:
    """One file without a test part: as large a share of it as the published test part has is held out."""
    everything, _ = _tables(card, [path], [path], stop)
    marks: dict[int, list[int]] = {}
    for text, label in lines.heard(everything(), stop):
        if text.strip():
            marks.setdefault(label, []).append(mark(text.strip()))
    share = card.test / (card.train + card.test)
    first, second = (Streamed(part, stop=stop) for part in parted(everything, thresholds(marks, share)))
    held = f"no test part in {path.name}: a stratified {share:.0%} of it held out, not the published one"
    empty = classic_csv.left_out(first.empty + second.empty)
    return Corpus(card.name, card.classes, first, second, "; ".join(filter(None, [held, empty])))
