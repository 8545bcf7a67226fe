"""Datasets on this machine: bring one in, make sure of one before a run, list them all. Imports no torch."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine import catalog
from engine.data import archive, cache, corpus, tables
from engine.errors import BadInput
from engine.places import data_root
from engine.record import modes
from engine.spec import DataSpec

_CHECKS = 2  # raise it whenever the checks of a source or of `corpus.check` change


@dataclass(frozen=True)
class Summary:
    """What is known of a dataset without reading it again: texts by class, in order of the labels.

    `folder` is "" for what is built in, and the file where the dataset is one.
    """

    name: str
    folder: str
    train: dict[str, int]
    test: dict[str, int]
    note: str


def import_dataset(name: str, path: Path | str, progress: Callable[[str], None] = lambda _: None) -> Summary:
    """Copy a dataset to `data_root()/name`, once the whole of it has been checked; returns what it holds.

    `path` is a folder or an archive with the dataset in one of its published forms, or one file of it. A dataset that
    was there is replaced when the new one is whole, and stays as it was if anything goes wrong. `progress` is told in
    words what takes seconds. Raises BadInput for an unknown or built-in name, for what is wrong in the files, and where
    the disk does not take them.
    """
    if catalog.card("dataset", catalog.DATASETS, name).builtin:
        raise BadInput(f"dataset: {name} is built in and needs no import; use it with: lth run -m cnn -d {name}.")
    given = Path(os.path.expanduser(path))
    if not os.path.exists(given):  # unlike Path's, this says False of a path that no file system takes
        raise BadInput(f"dataset: {given} does not exist; give the dataset's folder, archive or file.")
    target = data_root() / name
    try:
        modes.make(data_root())
        lock = FileLock(data_root() / f".{name}.lock", mode=modes.of_file(data_root()))
        with lock, _at_hand(name, given, progress) as source:
            progress(f"checking {name}")
            read = corpus.read_folder(name, source)
            summary = _summary(read, str(target))
            if missing := [class_ for class_, texts in summary.train.items() if not texts]:
                raise BadInput(
                    f"dataset: {given} has no training texts of {name}'s class {missing[0]}, so it is another dataset; "
                    f"give the files of {name}, or use them as they are: lth run -m cnn -d FILE."
                )
            progress(f"copying {name}")
            _replace(target, lambda new: corpus.put(read, source, new), summary)
    except OSError as error:
        raise BadInput(
            f"dataset: {name} could not be copied to {target} ({error.strerror or error}); "
            "make room or set LTH_DATA to a folder that can be written."
        ) from None
    return summary


@contextmanager
def _at_hand(name: str, given: Path, progress: Callable[[str], None]) -> Iterator[Path]:
    """The folder, or the one file, that is meant by a path given for import; an archive is unpacked for as long."""
    if os.path.isdir(given) or (os.path.isfile(given) and _one_of_many(given) is None and tables.kind(given)):
        yield given
    elif os.path.isfile(given) and (folder := _one_of_many(given)) is not None:
        yield folder
    elif os.path.isfile(given) and archive.kind(given):
        unpacked = data_root() / f".{name}.unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)  # an import was killed; the caller's lock says that none is at work
        try:
            modes.make(unpacked)
            progress(f"unpacking {given.name}")
            archive.unpack(given, unpacked, progress)
            yield unpacked
        except BadInput as error:  # about the archive, as the person knows it
            raise BadInput(str(error).replace(str(unpacked), str(given))) from None
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
    else:
        raise BadInput(
            f"dataset: {given} is neither a folder, nor a .tgz, .tar.gz or .zip, nor a csv, tsv, jsonl or parquet "
            "file; give the dataset in one of these."
        )


def _one_of_many(file: Path) -> Path | None:
    """The folder of a train or test file, which stands for all of it."""
    beside = file.name.lower().startswith(("train.", "test.", "train-", "test-", "stsa.binary."))
    return file.parent if beside and not file.name.lower().endswith((".zip", ".tgz", ".tar.gz")) else None


def validate(data: DataSpec, progress: Callable[[str], None] = lambda _: None) -> Summary:
    """Make sure that a dataset is here and well formed; what was checked once is known until its files change.

    `progress` is told in words of what takes seconds. Raises BadInput.
    """
    mark = _mark(data)  # before the files are read: should they change meanwhile, they are checked again
    if mark and (kept := cache.read(mark)):
        return Summary(**kept[0])
    progress(f"checking {data.name}")
    folder = data.file or ("" if catalog.DATASETS[data.name].builtin else str(corpus.folder_of(data.name)))
    summary = _summary(corpus.read(data), folder)
    if mark:
        cache.write(mark, asdict(summary))
    return summary


def listing() -> list[dict[str, Any]]:
    """Every dataset of the catalog, here or not, as plain data; counts and bytes are None where not known cheaply."""
    return [_entry(card) for card in catalog.DATASETS.values()]


def _entry(card: catalog.DatasetCard) -> dict[str, Any]:
    here = corpus.present(card.name)
    folder = None if card.builtin else corpus.folder_of(card.name)
    mark = _mark(DataSpec(name=card.name))
    kept = cache.read(mark) if mark else None
    known = Summary(**kept[0]) if kept else _read_about(folder) if folder else None
    return {
        "name": card.name,
        "title": card.title,
        "here": here,
        "folder": str(folder) if folder else None,
        "bytes": sum(file.stat().st_size for file in corpus.files(card.name, folder)) if here and folder else None,
        "classes": list(known.train) if known else list(card.classes),
        "train": sum(known.train.values()) if known else None,
        "test": sum(known.test.values()) if known else None,
        "note": known.note if known else "",
    }


def _replace(target: Path, put: Callable[[Path], None], summary: Summary) -> None:
    """Have files `put` into a folder beside `target`, which then takes its place. Raises OSError."""
    new, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    _settle(target, new, old)  # an import was killed; the caller's lock says that none is at work
    try:
        modes.make(new)
        put(new)
        sizes = {file.name: file.stat().st_size for file in new.iterdir()}
        about = json.dumps(asdict(summary) | {"bytes": sizes}, indent=1)
        (new / "about.json").write_text(about, encoding="utf-8")
        modes.settle(new)
        if os.path.lexists(target):
            target.rename(old)
        new.rename(target)
    finally:
        _settle(target, new, old)


def _settle(target: Path, new: Path, old: Path) -> None:
    """Leave one whole dataset behind, the new one if it came to stand at `target`, else the old one."""
    if os.path.lexists(old) and not os.path.lexists(target):
        old.rename(target)
    for left in (new, old):
        if left.is_symlink() or left.is_file():
            left.unlink()
        else:
            shutil.rmtree(left, ignore_errors=True)


def _summary(read: corpus.Corpus, folder: str) -> Summary:
    train, test = corpus.check(read)
    return Summary(
        read.name,
        folder,
        {name: train[label] for label, name in enumerate(read.class_names)},
        {name: test[label] for label, name in enumerate(read.class_names)},
        read.note,
    )


def _read_about(folder: Path) -> Summary | None:
    """The summary written at import, unless it is damaged or the files have changed their sizes since."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if all((folder / file).stat().st_size == size for file, size in about.pop("bytes").items()):
            return Summary(**about | {"folder": str(folder)})
    return None


def _mark(data: DataSpec) -> Path | None:
    """Where it is remembered that these very files were checked; None for a dataset that is not here."""
    facts = corpus.fingerprint(data)
    return None if facts is None else cache.place(data.name, "checked", _CHECKS, *facts)
