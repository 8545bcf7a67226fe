"""The user's own texts: a csv, tsv, jsonl or parquet file with a column of texts and one of labels."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.data import columns, tables
from engine.data.classic_csv import left_out
from engine.data.columns import MOST_LABELS
from engine.data.corpus import Corpus
from engine.data.lines import short
from engine.data.pairs import Streamed, mark, parted, thresholds
from engine.errors import BadInput
from engine.spec import DataSpec

_HELD_OUT = 0.2  # of the texts, for testing, where there is no file of test texts


@dataclass(frozen=True)
class _File:
    """A file, which of its columns are read, and what one pass over it found."""

    table: tables.Table
    text: tuple[str, ...]
    label: str
    labels: dict[str, int]  # each with the row that it first stands in
    marks: dict[str, list[int]]  # of the texts of each label; empty if not asked for
    texts: int
    empty: int
    unlabelled: int

    def pairs(self, meant: dict[str, int]) -> Iterator[tuple[str, int]]:
        """Its texts with their labels, as far as they have one."""
        for _, text, label in columns.pairs(self.table, self.text, self.label):
            if text and label and label not in meant:
                raise BadInput(f"dataset: {self.table.path} changed while it was read; run the same command again.")
            if label:
                yield text, meant.get(label, -1)  # -1: a label without a single text that is not empty


def read(data: DataSpec, stop: Callable[[], bool] = lambda: False) -> Corpus:
    """The corpus in `data.file`, tested on `data.test_file` or on a stratified fifth of the file, always the same.

    The note states the columns that were read. Texts without a label or without a word are left out, and counted.
    Raises BadInput naming the file and the row, or the column, of the first thing wrong with it, and Stopped soon after
    `stop()` has become true.
    """
    train = _look(_there("dataset", data.file), data, stop, marks=data.test_file is None)
    joined = " + ".join(f"'{name}'" for name in train.text)
    if not train.texts:
        raise BadInput(
            f"dataset: {train.table.path} holds no text with a label (text from {joined}, label from '{train.label}'); "
            "give rows of a text and its label, or name other columns."
        )
    if len(train.labels) < 2:
        among = f", {left_out(train.empty)}" if train.empty else ""
        raise BadInput(
            f"data.label_column: {train.label!r} of {train.table.path} holds one value only "
            f"({short(next(iter(train.labels)))}{among}); give a column with at least two."
        )
    classes = columns.in_order(list(train.labels))
    meant = {label: place for place, label in enumerate(classes)}
    empty, unlabelled = train.empty, train.unlabelled
    if data.test_file is None:
        below = thresholds({meant[label]: marks for label, marks in train.marks.items()}, _HELD_OUT)
        held = sum(one < below[meant[label]] for label, marks in train.marks.items() for one in marks)
        first, second = parted(partial(train.pairs, meant), below)
        parts = Streamed(first, train.texts - held), Streamed(second, held)
        tested = "a stratified fifth held out for testing"
    else:
        test = _look(_there("data.test_file", data.test_file), data, stop, like=train)
        if strange := [label for label in test.labels if label not in meant]:
            raise BadInput(
                f"data.test_file: {test.table.path}, {test.table.unit} {test.labels[strange[0]]} has the label "
                f"{short(strange[0])}, which no training text has; give training texts of it, or leave it out."
            )
        parts = Streamed(partial(train.pairs, meant), train.texts), Streamed(partial(test.pairs, meant), test.texts)
        tested = f"tested on {test.table.path.name}"
        empty, unlabelled = empty + test.empty, unlabelled + test.unlabelled
    missing = f"{unlabelled:,} text{'s' if unlabelled > 1 else ''} without a label left out" if unlabelled else ""
    note = [f"text from {joined}, label from '{train.label}'", tested, left_out(empty), missing]
    return Corpus(data.name, tuple(classes), *parts, "; ".join(filter(None, note)))


def fingerprint(data: DataSpec) -> tuple[object, ...] | None:
    """Path, size and time of change of the files, and the columns asked for; None where a file is missing."""
    try:
        stats = [(path, Path(path).stat()) for path in (data.file, data.test_file) if path is not None]
    except (OSError, ValueError):
        return None
    files = tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)
    return data.text_column, data.label_column, *files


def _there(field: str, given: str | None) -> Path:
    """A file that is there. Raises BadInput."""
    path = Path(str(given))
    if os.path.isfile(path):
        return path
    state = "is no file" if os.path.exists(path) else "does not exist"
    raise BadInput(f"{field}: {path} {state}; give a csv, tsv, jsonl or parquet file.")


def _look(
    path: Path, data: DataSpec, stop: Callable[[], bool], like: _File | None = None, marks: bool = False
) -> _File:
    """What a file holds, in one pass; in the columns of the training texts, if these are given."""
    table = tables.table(path, stop)
    if like is None:
        text, label = columns.choose(table, data.text_column, data.label_column)
    else:
        text, label = columns.choose(table, like.text, like.label)
    labels: dict[str, int] = {}
    found: dict[str, list[int]] = {}
    texts = empty = unlabelled = 0
    for number, one, value in columns.pairs(table, text, label):
        if not value:
            unlabelled += 1
        elif not one:
            empty += 1
        else:
            texts += 1
            labels.setdefault(value, number)
            if marks:
                found.setdefault(value, []).append(mark(one))
        if len(labels) > MOST_LABELS:
            raise BadInput(
                f"data.label_column: {label!r} of {path} holds more than {MOST_LABELS:,} values, so it looks like no "
                "column of labels; name the one that is with --set data.label_column=NAME."
            )
    return _File(table, text, label, labels, found, texts, empty, unlabelled)
