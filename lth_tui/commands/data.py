"""Commands about the datasets on this machine: data import, data ls."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lth_tui import output


def data_import(name: str, path: Path, json: output.Json = False) -> None:
    """Check a dataset's files, wholly and first, then copy them to where datasets are kept."""
    from engine.data import store
    from lth_tui import plain

    summary = store.import_dataset(name, path)
    if json:
        return output.out(asdict(summary))
    train, test = sum(summary.train.values()), sum(summary.test.values())
    output.say(
        f"{name}: {train:,} training and {test:,} test texts of {len(summary.train)} classes are in {summary.folder}."
    )
    if summary.note:
        output.say(plain.line(summary.note), "yellow")
    output.say(f"Use it with: lth run -m cnn -d {name}")
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
