"""Commands about the datasets on this machine: data import, data fetch, data ls, data show."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from engine import catalog
from lth_tui import output

if TYPE_CHECKING:
    from engine.data.store import Summary

_Result = TypeVar("_Result")


def data_import(name: str, path: Path, json: output.Json = False) -> None:
    """Check a dataset's files, wholly and first, then copy them to where datasets are kept.

    PATH is a folder, an archive (.tgz, .tar.gz, .zip) or a file with the dataset in one of its published forms.
    """
    from engine.data import store

    try:
        summary = _told("Importing", lambda told: store.import_dataset(name, path, told))
    except KeyboardInterrupt:
        output.say("Interrupted; nothing was changed.", "yellow")
        raise typer.Exit(output.INTERRUPTED) from None
    _brought(summary, json)


def data_fetch(name: str, json: output.Json = False) -> None:
    """Bring a dataset from the Hugging Face hub, at a pinned revision; it goes on where an earlier try broke off."""
    from engine.data import hub

    try:
        summary = _told("Fetching", lambda told: hub.fetch(name, lambda words: told(f"{name}: {words}")))
    except KeyboardInterrupt:
        output.say("Interrupted; what came is kept, so the same command goes on from there.", "yellow")
        raise typer.Exit(output.INTERRUPTED) from None
    _brought(summary, json)


def data_ls(json: output.Json = False) -> None:
    """What is here, and where."""
    from engine.data import store
    from engine.data.cards import bring

    def told(row: dict[str, Any]) -> list[str]:
        counts = "" if row["train"] is None else f"{row['train']:,} + {row['test']:,} texts"
        size = "" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f} MB"
        here = row["folder"] or "built in"
        place = here if row["here"] else f"not here; bring it with: {bring(row['name'])}"
        return [", ".join(filter(None, [place, counts, size])), row["note"]]

    output.menu(store.listing(), told, json)


def data_show(
    dataset: Annotated[str, typer.Argument(metavar="NAME|FILE", help="See `lth datasets`; or a file of your own.")],
    test_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Texts to test on, where the dataset is a file.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting data....; see `lth run --help`.")
    ] = None,
    json: output.Json = False,
) -> None:
    """What is in a dataset: classes, lengths, examples, duplicates, unknown words."""
    from engine import spec as specs
    from engine.data import survey
    from lth_tui import dataset as words
    from lth_tui import tables

    settings: dict[str, Any] = dict(specs.parse_settings(set_ or []))
    if test_file is not None:
        settings["data.test_file"] = test_file
    data = specs.compose("cnn", dataset, settings=settings).data
    found = _told("Looking", lambda told: survey.survey(data, told))
    if json:
        return output.out(found)
    console = tables.out()
    return console.print(words.shown(found, console.width))


def _told(first: str, work: Callable[[Callable[[str], None]], _Result]) -> _Result:
    """The result of work that says what it does, which is shown while it lasts."""
    from lth_tui import tables

    with tables.words().status(first, spinner="line") as status:
        return work(lambda words: status.update(tables.text(words)))


def _brought(summary: "Summary", json: bool) -> None:
    from lth_tui import plain

    if json:
        return output.out(asdict(summary))
    train, test = sum(summary.train.values()), sum(summary.test.values())
    output.say(
        f"{summary.name}: {train:,} training and {test:,} test texts of {len(summary.train)} classes "
        f"are in {summary.folder}."
    )
    card = catalog.DATASETS[summary.name]
    if (train, test) != (card.train, card.test):
        output.say(f"As published it has {card.train:,} + {card.test:,}.", "yellow")
    if summary.note:
        output.say(plain.line(summary.note), "yellow")
    output.say(f"Look at it with: lth data show {summary.name}; use it with: lth run -m cnn -d {summary.name}")
    return None
