"""Datasets on this machine: bring one in, make sure of one before a run, list them all. Imports no torch."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine import catalog
from engine.data import cache, corpus
from engine.errors import BadInput
from engine.places import data_root
from engine.spec import DataSpec

_CHECKS = 1  # raise it whenever the checks of a source or of `corpus.check` change


@dataclass(frozen=True)
class Summary:
    """What is known of a dataset without reading it again: texts by class, in order of the labels; "" as folder if
    built in."""

    name: str
    folder: str
    train: dict[str, int]
    test: dict[str, int]
    note: str


def import_dataset(name: str, path: Path | str) -> Summary:
    """Copy a dataset to `data_root()/name`, once the whole of it has been checked; returns what it holds.

    `path` is a folder, or the train.csv in it. A dataset that was there is replaced when the new one is whole, and
    stays as it was if anything goes wrong. Raises BadInput for an unknown or built-in name, for what is wrong in
    the files, and where the disk does not take them.
    """
    if catalog.card("dataset", catalog.DATASETS, name).builtin:
        raise BadInput(f"dataset: {name} is built in and needs no import; use it with: lth run -d {name}.")
    source = _folder(Path(os.path.expanduser(path)))
    read = corpus.read_folder(name, source)
    summary = _summary(read)
    target = data_root() / name
    try:
        data_root().mkdir(parents=True, exist_ok=True)
        with FileLock(data_root() / f".{name}.lock"):
            _replace(target, corpus.files(name, source), summary)
    except OSError as error:
        raise BadInput(
            f"dataset: {name} could not be copied to {target} ({error.strerror or error}); "
            "make room or set LTH_DATA to a folder that can be written."
        ) from None
    return summary


def validate(data: DataSpec, progress: Callable[[str], None] = lambda _: None) -> Summary:
    """Make sure that a dataset is here and well formed; what was checked once is known until its files change.

    `progress` is told in words of what takes seconds. Raises BadInput.
    """
    mark = _mark(data)  # before the files are read: should they change meanwhile, they are checked again
    if mark and (kept := cache.read(mark)):
        return Summary(**kept[0])
    progress(f"checking {data.name}")
    summary = _summary(corpus.read(data))
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


def _folder(path: Path) -> Path:
    """The folder meant by a path given for import. Raises BadInput where there is none."""
    if os.path.isdir(path):  # unlike Path's, these say False of a path that no file system takes
        return path
    if path.name in ("train.csv", "train.csv.gz") and os.path.isfile(path):
        return path.parent
    state = "is neither a folder nor a train.csv" if os.path.exists(path) else "does not exist"
    raise BadInput(f"dataset: {path} {state}; give the folder that holds train.csv and test.csv.")


def _replace(target: Path, files: tuple[Path, ...], summary: Summary) -> None:
    """Put copies of `files` at `target`: copied to a folder beside it, which then takes its place. Raises OSError."""
    new, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    _settle(target, new, old)  # an import was killed; the caller's lock says that none is at work
    try:
        new.mkdir()
        for file in files:
            shutil.copyfile(file, new / file.name)
        sizes = {file.name: (new / file.name).stat().st_size for file in files}
        about = json.dumps(asdict(summary) | {"bytes": sizes}, indent=1)
        (new / "about.json").write_text(about, encoding="utf-8")
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


def _summary(read: corpus.Corpus) -> Summary:
    train, test = corpus.check(read)
    builtin = catalog.DATASETS[read.name].builtin
    return Summary(
        read.name,
        "" if builtin else str(corpus.folder_of(read.name)),
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
