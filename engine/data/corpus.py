"""A corpus: labelled texts in two parts, train and test, whatever source they come from.

A source is a module named by a dataset's card. It offers `read(name, folder) -> Corpus` and
`fingerprint(folder) -> tuple | None`, which is cheap, changes whenever the content may have changed, and is None where
the dataset is not on this machine; and, unless it is built in, `files(folder) -> tuple[Path, ...]`, the files that
make up the dataset. Nothing here imports torch.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import catalog
from engine.errors import BadInput
from engine.places import data_root


@dataclass(frozen=True)
class Corpus:
    """Texts and their labels (indices into `class_names`); `note` says what a reader of a result should know."""

    name: str
    class_names: tuple[str, ...]
    train_texts: list[str]
    train_labels: list[int]
    test_texts: list[str]
    test_labels: list[int]
    note: str = ""


def folder_of(name: str) -> Path:
    """Where a dataset is kept: `data_root()/name`. Raises BadInput for a name that is not in the catalog."""
    return data_root() / catalog.card("dataset", catalog.DATASETS, name).name


def fingerprint(name: str) -> tuple[object, ...] | None:
    """What the content of a dataset hangs on (files, sizes, times, versions); None where it is not on this machine."""
    return _of_source(name, "fingerprint")(folder_of(name))


def files(name: str, folder: Path) -> tuple[Path, ...]:
    """The files in `folder` that make up a dataset which is not built in. Raises BadInput where one is missing."""
    return _of_source(name, "files")(folder)


def present(name: str) -> bool:
    """Whether the dataset is on this machine; its content is not looked at."""
    return fingerprint(name) is not None


def read(name: str, folder: Path | None = None) -> Corpus:
    """Read and check a dataset, from its own folder or from the one given.

    Raises BadInput where it is not on this machine, is not well formed, or cannot be trained on.
    """
    card = catalog.card("dataset", catalog.DATASETS, name)
    folder = folder or folder_of(name)
    if not card.builtin and not os.path.isdir(folder):
        raise BadInput(
            f"dataset: {name} is not on this machine; import it with: lth data import {name} PATH "
            f"({card.source}), or set LTH_DATA to the folder that holds {name}/."
        )
    corpus: Corpus = catalog.load(card.read)(name, folder)
    check(corpus)
    return corpus


def check(corpus: Corpus) -> None:
    """Raise BadInput unless the corpus can be split, trained on and tested.

    Two classes or more in the training texts, each with at least 2 of them (one to train on, one to validate with);
    some test texts, all of classes that the training texts have; labels that point at a class.
    """
    where, classes = f"dataset: {corpus.name}", len(corpus.class_names)
    for part, texts, labels in (
        ("train", corpus.train_texts, corpus.train_labels),
        ("test", corpus.test_texts, corpus.test_labels),
    ):
        if len(texts) != len(labels):
            raise BadInput(f"{where} has {len(texts)} {part} texts but {len(labels)} labels; give one label a text.")
        if not texts:
            raise BadInput(f"{where} has no {part} texts; give it at least one of every class.")
        if strange := [label for label in set(labels) if not 0 <= label < classes]:
            raise BadInput(f"{where} has the {part} label {strange[0]}; it should be from 0 to {classes - 1}.")
    trained, tested = Counter(corpus.train_labels), Counter(corpus.test_labels)
    if len(trained) < 2:
        only = corpus.class_names[next(iter(trained))]
        raise BadInput(f"{where} has training texts of one class only ({only}); give texts of at least two.")
    if rare := [label for label, count in trained.items() if count < 2]:
        raise BadInput(
            f"{where} has a single training text of class {corpus.class_names[rare[0]]}; "
            "give at least 2, one to train on and one to validate with."
        )
    if missing := sorted(set(tested) - set(trained)):
        raise BadInput(
            f"{where} has test texts of class {corpus.class_names[missing[0]]} but no training texts of it; "
            "give some, or leave the class out of both."
        )


def _of_source(name: str, function: str) -> Any:
    module = catalog.card("dataset", catalog.DATASETS, name).read.partition(":")[0]
    return catalog.load(f"{module}:{function}")
