"""The forms in which the study's sets are published, each known by the files in a folder.

A form is found in the folder itself or in the folders inside it (an unpacked archive has one, the hub's files `data/`).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.data import tables
from engine.errors import BadInput

TABLES, SENTENCES, REVIEWS, SINGLE = "tables", "sst lines", "aclImdb folder", "one table"

_ENDINGS = ((".parquet",), (".csv", ".csv.gz"), (".tsv", ".tsv.gz"), (".jsonl", ".jsonl.gz"))
_SHARD = re.compile(r"-(\d+)-of-(\d+)(?:-[0-9a-f]+)?\.parquet$")


@dataclass(frozen=True)
class Found:
    """A form and its files; `test` is empty where the form has no test part."""

    form: str
    train: tuple[Path, ...]
    test: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return self.train + self.test


def find(folder: Path) -> Found:
    """The dataset in a folder, in whatever form. Raises BadInput where there is none, or half of one."""
    if os.path.isfile(folder) and tables.kind(folder):
        return Found(SINGLE, (folder,), ())
    for place in _places(folder):
        for look in (_tables, _sentences, _reviews):
            if (found := look(place)) is not None:
                return found
    if (single := _single(folder)) is not None:
        return single
    raise BadInput(
        f"dataset: {folder} holds no dataset in a form that is known; give a folder with train.csv and test.csv, "
        "train and test .parquet or .jsonl, stsa.binary.train and .test, aclImdb's train/pos and so on, or one csv."
    )


def _places(folder: Path) -> Iterator[Path]:
    yield folder
    below = [inner for inner in _inside(folder) if os.path.isdir(inner)]
    yield from below
    for inner in below:
        yield from (place for place in _inside(inner) if os.path.isdir(place))


def _inside(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(one.path) for one in entries if not one.name.startswith((".", "__")))
    except (OSError, ValueError):
        return []


def _tables(folder: Path) -> Found | None:
    """train.csv and test.csv, or of another ending; parquet may come in shards."""
    paths = [path for path in _inside(folder) if tables.kind(path) and os.path.isfile(path)]
    halves = []
    for endings in _ENDINGS:
        train, test = (_part(paths, part, endings) for part in ("train", "test"))
        if train and test:
            return Found(TABLES, train, test)
        halves += [("train", "test", endings[0])] if train else [("test", "train", endings[0])] if test else []
    for there, missing, ending in halves:
        raise BadInput(f"dataset: {folder} holds a {there}{ending} but no {missing}{ending}; bring both parts.")
    return None


def _part(paths: list[Path], part: str, endings: tuple[str, ...]) -> tuple[Path, ...]:
    """The files of a part: `train.csv`, or shards (`train-00000-of-00002.parquet`), of which none may be missing."""
    for ending in endings:
        if exact := [path for path in paths if path.name.lower() == part + ending]:
            return (exact[0],)
    shards = [path for path in paths if path.name.lower().startswith(f"{part}-") and path.suffix in endings]
    numbered = [found for path in shards if (found := _SHARD.search(path.name))]
    if numbered and {int(found[1]) for found in numbered} != set(range(int(numbered[0][2]))):
        raise BadInput(
            f"dataset: {shards[0].parent} holds {len(shards)} of the {int(numbered[0][2])} files of its {part} part; "
            "bring them all."
        )
    return tuple(shards)


def _sentences(folder: Path) -> Found | None:
    train, test = folder / "stsa.binary.train", folder / "stsa.binary.test"
    there = [path for path in (train, test) if os.path.isfile(path)]
    if len(there) == 1:
        missing = test if there == [train] else train
        raise BadInput(f"dataset: {folder} holds {there[0].name} but no {missing.name}; bring both parts.")
    return Found(SENTENCES, (train,), (test,)) if there else None


def _reviews(folder: Path) -> Found | None:
    """aclImdb: a file a review, in train/pos, train/neg, test/pos, test/neg."""
    if not any(os.path.isdir(folder / part / kind) for part in ("train", "test") for kind in ("pos", "neg")):
        return None
    parts = []
    for part in ("train", "test"):
        files: list[Path] = []
        for kind in ("neg", "pos"):
            inner = [path for path in _inside(folder / part / kind) if path.suffix == ".txt"]
            if not inner:
                raise BadInput(f"dataset: {folder} holds no reviews in {part}/{kind}; bring the whole of aclImdb.")
            files += inner
        parts.append(tuple(files))
    return Found(REVIEWS, *parts)


def _single(folder: Path) -> Found | None:
    """One file that holds everything, as Kaggle's `IMDB Dataset.csv` does."""
    found = [path for path in _inside(folder) if tables.kind(path) and os.path.isfile(path)]
    return Found(SINGLE, (found[0],), ()) if len(found) == 1 else None
