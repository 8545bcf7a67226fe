"""Datasets of the menu from the Hugging Face hub, at the revision that their card pins.

`datasets` says which files make up a configuration and its splits; no code that came with a dataset is ever run. What
was brought before a connection broke is kept, so the same command goes on from there.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from engine import catalog
from engine.data import store, transfer
from engine.errors import BadInput
from engine.places import data_root
from engine.record import modes

if TYPE_CHECKING:
    from engine.data.cards import Hub

Progress = Callable[[str], None]
_ROWS = 4096  # read and written at a time
_READ = (".parquet", ".jsonl")


def fetch(name: str, progress: Progress = lambda _: None) -> store.Summary:
    """Bring a dataset of the menu to `data_root()/name` from the hub, checked as an import is; what it holds.

    `progress` is told in words what is done. A dataset that was there stays as it was until the new one is whole.
    Raises BadInput for an unknown or built-in name, one that is on no hub, what the network or the disk does not
    give, and what is wrong with what came. An interrupt leaves nothing but what the next try goes on from.
    """
    card = catalog.card("dataset", catalog.DATASETS, name)
    if card.builtin:
        raise BadInput(f"dataset: {name} is built in and needs no fetching; use it with: lth run -m cnn -d {name}.")
    if card.hub is None:
        raise BadInput(f"dataset: {name} is not on the hub; bring its files with: lth data import {name} PATH.")
    work = data_root() / ".fetch" / name
    try:
        modes.make(work)
        with FileLock(work.with_suffix(".lock"), timeout=0, mode=modes.of_file(work.parent)):
            summary = _fetch(name, card.hub, work, progress)
            shutil.rmtree(work, ignore_errors=True)
    except Timeout:
        raise BadInput(f"dataset: {name} is being fetched by another command; wait until it is done.") from None
    except BadInput:
        raise
    except Exception as error:  # noqa: BLE001  the libraries raise what their dependencies do; `transfer` knows which
        raise _failed(name, card.hub, error) from None
    return summary


def _fetch(name: str, hub: "Hub", work: Path, progress: Progress) -> store.Summary:
    made = work / "made"
    shutil.rmtree(made, ignore_errors=True)  # of a command that was killed
    modes.make(made)
    try:
        with _quiet():
            progress(f"looking at {hub.repository}")
            commit, wanted = _resolve(name, hub)
            came = {split: _bring(hub, commit, files, work, progress) for split, files in wanted.items()}
            for part, split in (("train", hub.train), ("test", hub.test)):
                _write(name, hub, came[split], made / f"{part}.parquet", progress)
        progress(f"checking {name}")
        try:
            return store.import_dataset(name, made)
        except BadInput as error:  # about what the hub gave, not about a folder that is gone by then
            raise BadInput(str(error).replace(str(made), hub.repository)) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _resolve(name: str, hub: "Hub") -> tuple[str, dict[str, list[str]]]:
    """The commit that the pin stands for, and the files of each of the two splits."""
    import datasets
    from huggingface_hub import HfApi

    commit = HfApi().dataset_info(hub.repository, revision=hub.revision, timeout=10).sha
    builder = datasets.load_dataset_builder(hub.repository, hub.config, revision=hub.revision)
    # Where it cannot reach the hub, `datasets` offers whatever revision it has seen before.
    if builder.hash != commit:
        raise transfer.Cut(f"{hub.repository} was found at another revision")
    given = builder.config.data_files or {}
    root = f"hf://datasets/{hub.repository}@{commit}/"
    wanted = {split: [str(file).removeprefix(root) for file in given.get(split, ())] for split in (hub.train, hub.test)}
    for split, files in wanted.items():
        if not files or not all(file.endswith(_READ) for file in files):
            what = "other files than parquet and jsonl" if files else "no files"
            raise BadInput(
                f"dataset: {hub.repository} has {what} for its split {split!r}; bring the files with: "
                f"lth data import {name} PATH."
            )
    return str(commit), wanted


def _bring(hub: "Hub", commit: str, files: list[str], work: Path, progress: Progress) -> list[Path]:
    """The files of a split on this disk; those that came whole before are not asked for again."""
    came = []
    for number, file in enumerate(files, 1):
        target = work / f"{commit}-{file.replace('/', '-')}"
        which = Path(file).name if len(files) == 1 else f"{Path(file).name}, {number} of {len(files)}"

        if not target.exists():
            transfer.download(hub.repository, file, commit, "dataset", target, transfer.words(which, progress))
        came.append(target)
    return came


def _write(name: str, hub: "Hub", files: list[Path], target: Path, progress: Progress) -> None:
    """One parquet file of the texts and the labels alone, a few thousand rows in memory at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = [*hub.text, hub.label]
    by_hand = f"bring the files with: lth data import {name} PATH."
    schema = pa.schema([*((text, pa.string()) for text in hub.text), (hub.label, pa.int64())])
    rows = 0
    with parquet.ParquetWriter(target, schema) as writer:
        for file in files:
            found, batches = _opened(file, columns)
            if missing := [column for column in columns if column not in found.names]:
                there = ", ".join(found.names)
                raise BadInput(f"dataset: {hub.repository} has no column {missing[0]!r} ({there} instead); {by_hand}")
            kind = found.field(hub.label).type
            if not pa.types.is_integer(kind):
                raise BadInput(f"dataset: {hub.repository} has labels of type {kind}, not whole numbers; {by_hand}")
            for batch in batches:
                writer.write_batch(batch.select(columns).cast(schema))
                rows += len(batch)
                progress(f"reading {target.stem}: {rows:,} texts")


def _opened(file: Path, columns: list[str]) -> tuple[Any, Iterator[Any]]:
    """The schema of a file of the hub, and these of its columns, batch by batch."""
    from pyarrow import json, parquet

    if file.suffix == ".parquet":
        read = parquet.ParquetFile(file)
        return read.schema_arrow, read.iter_batches(_ROWS, columns=columns)
    table = json.read_json(file)  # in memory: what is published so is small
    return table.schema, (batch.select(columns) for batch in table.to_batches(_ROWS))


def _failed(name: str, hub: "Hub", error: Exception) -> BadInput:
    """What went wrong and what would do, in one sentence."""
    why, by_hand = transfer.reason(error), f"bring the files with: lth data import {name} PATH"
    if transfer.full(error):
        remedy = "make room or set LTH_DATA to a folder that can be written, then run the same command again"
    elif transfer.passing(error):
        remedy = f"run the same command again and it goes on where it broke off, or {by_hand}"
    elif why == transfer.OFFLINE:
        remedy = f"unset it and run the same command again, or {by_hand}"
    else:
        remedy = by_hand
    return BadInput(
        f"dataset: {name} could not be fetched from {hub.repository} at revision {hub.revision[:12]} ({why}); {remedy}."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Both libraries without their log lines and bars."""
    import datasets

    logging, shown, bars = datasets.logging, datasets.logging.get_verbosity(), datasets.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        with transfer.quiet():
            yield
    finally:
        logging.set_verbosity(shown)
        if bars:
            datasets.enable_progress_bars()
