"""Commands about the datasets on this machine: data import, data fetch, data ls."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lth_tui import output

if TYPE_CHECKING:
    from engine.data.store import Summary


def data_import(name: str, path: Path, json: output.Json = False) -> None:
    """Check a dataset's files, wholly and first, then copy them to where datasets are kept."""
    from engine.data import store

    _brought(store.import_dataset(name, path), json)


def data_fetch(name: str, json: output.Json = False) -> None:
    """Bring a dataset from the Hugging Face hub, at a pinned revision; it goes on where an earlier try broke off."""
    from engine.data import hub
    from lth_tui import tables

    try:
        with tables.words().status("Fetching", spinner="line") as status:
            summary = hub.fetch(name, lambda words: status.update(tables.text(f"{name}: {words}")))
    except KeyboardInterrupt:
        output.say("Interrupted; what came is kept, so the same command goes on from there.", "yellow")
        raise typer.Exit(output.INTERRUPTED) from None
    _brought(summary, json)


def _brought(summary: "Summary", json: bool) -> None:
    from lth_tui import plain

    if json:
        return output.out(asdict(summary))
    train, test = sum(summary.train.values()), sum(summary.test.values())
    output.say(
        f"{summary.name}: {train:,} training and {test:,} test texts of {len(summary.train)} classes "
        f"are in {summary.folder}."
    )
    if summary.note:
        output.say(plain.line(summary.note), "yellow")
    output.say(f"Use it with: lth run -m cnn -d {summary.name}")
    return None


def data_ls(json: output.Json = False) -> None:
    """What is here, and where."""
    from engine.data import store

    def told(row: dict[str, Any]) -> list[str]:
        counts = "" if row["train"] is None else f"{row['train']:,} + {row['test']:,} texts"
        size = "" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f} MB"
        here = row["folder"] or "built in"
        place = here if row["here"] else f"not here; bring it with: lth data import {row['name']} PATH"
        return [", ".join(filter(None, [place, counts, size])), row["note"]]

    output.menu(store.listing(), told, json)
