"""A corpus: labelled texts in two parts, train and test, whatever source they come from.

A source is a module named by a dataset's card. It offers `read(name, folder, stop) -> Corpus` and
`fingerprint(folder) -> tuple | None`, which is cheap, changes whenever the content may have changed, and is None where
the dataset is not on this machine; and, unless it is built in, `files(folder) -> tuple[Path, ...]`, the files that
make up the dataset, and `put(corpus, folder, target)`, which copies them. Nothing here imports torch.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import catalog
from engine.data.cards import bring
from engine.errors import BadInput
from engine.places import data_root

if TYPE_CHECKING:
    from engine.spec import DataSpec


@dataclass(frozen=True)
class Corpus:
    """Pairs of a text and its label (an index into `class_names`); `note` says what a reader of a result should know.

    The two parts can be iterated again and again, in the same order each time. A large one streams from its files.
    """

    name: str
    class_names: tuple[str, ...]
    train: Iterable[tuple[str, int]]
    test: Iterable[tuple[str, int]]
    note: str = ""


def folder_of(name: str) -> Path:
    """Where a dataset is kept: `data_root()/name`. Raises BadInput for a name that is not in the catalog."""
    return data_root() / catalog.card("dataset", catalog.DATASETS, name).name


def fingerprint(data: "DataSpec") -> tuple[object, ...] | None:
    """What the content of a dataset hangs on (files, sizes, times, versions); None where it is not on this machine."""
    if data.file is not None:
        from engine.data import own  # which gives a Corpus, so it cannot be imported above

        return own.fingerprint(data)
    return _of_source(data.name, "fingerprint")(folder_of(data.name))


def files(name: str, folder: Path) -> tuple[Path, ...]:
    """The files in `folder` that make up a dataset which is not built in. Raises BadInput where one is missing."""
    return _of_source(name, "files")(folder)


def put(corpus: Corpus, folder: Path, target: Path) -> None:
    """Copy the files of a dataset that is not built in, `corpus` as read from `folder`, to `target`. Raises OSError."""
    _of_source(corpus.name, "put")(corpus, folder, target)


def present(name: str) -> bool:
    """Whether a dataset of the menu is on this machine; its content is not looked at."""
    return _of_source(name, "fingerprint")(folder_of(name)) is not None


def read(data: "DataSpec", stop: Callable[[], bool] = lambda: False) -> Corpus:
    """The dataset of a spec: one of the menu, from its own folder, or the user's own file.

    Raises BadInput where it is not on this machine or is not well formed, and Stopped soon after `stop()` has become
    true. `check` says whether it can be trained on.
    """
    if data.file is not None:
        from engine.data import own

        return own.read(data, stop)
    card = catalog.card("dataset", catalog.DATASETS, data.name)
    if not card.builtin and not os.path.isdir(folder_of(data.name)):
        raise BadInput(
            f"dataset: {data.name} is not on this machine; bring it with: {bring(data.name)} ({card.source}); "
            f"or set LTH_DATA to the folder that holds {data.name}/."
        )
    return read_folder(data.name, folder_of(data.name), stop)


def read_folder(name: str, folder: Path, stop: Callable[[], bool] = lambda: False) -> Corpus:
    """A dataset of the menu from any folder that holds its files. Raises BadInput and Stopped like `read`."""
    corpus: Corpus = catalog.load(catalog.card("dataset", catalog.DATASETS, name).read)(name, folder, stop)
    return corpus


def check(corpus: Corpus) -> tuple[Counter[int], Counter[int]]:
    """The number of texts of each label, in train and in test, counted in one pass over each.

    Raises BadInput unless the corpus can be split, trained on and tested: two classes or more in the training texts,
    each with at least 2 of them (one to train on, one to validate with); some test texts, all of classes that the
    training texts have; labels that point at a class.
    """
    where, classes = f"dataset: {corpus.name}", len(corpus.class_names)
    counts: list[Counter[int]] = []
    for part, pairs in (("train", corpus.train), ("test", corpus.test)):
        counts.append(Counter(label for _, label in pairs))
        if not counts[-1]:
            raise BadInput(f"{where} has no {part} texts; give it at least one of every class.")
        if strange := [label for label in counts[-1] if not 0 <= label < classes]:
            raise BadInput(f"{where} has the {part} label {strange[0]}; it should be from 0 to {classes - 1}.")
    trained, tested = counts
    if len(trained) < 2:
        only = corpus.class_names[next(iter(trained))]
        raise BadInput(f"{where} has training texts of one class only ({only[:60]}); give texts of at least two.")
    if rare := [label for label, count in trained.items() if count < 2]:
        raise BadInput(
            f"{where} has a single training text of class {corpus.class_names[rare[0]][:60]}; "
            "give at least 2, one to train on and one to validate with."
        )
    if missing := sorted(set(tested) - set(trained)):
        raise BadInput(
            f"{where} has test texts of class {corpus.class_names[missing[0]][:60]} but no training texts of it; "
            "give some, or leave the class out of both."
        )
    return trained, tested


def _of_source(name: str, function: str) -> Any:
    module = catalog.card("dataset", catalog.DATASETS, name).read.partition(":")[0]
    return catalog.load(f"{module}:{function}")
