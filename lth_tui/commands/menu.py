"""Commands that show what there is to choose from: models, datasets, schedules, arms."""

from dataclasses import asdict
from typing import Any

import typer

from engine import catalog, defaults
from engine import schedules as catalog_schedules
from engine.data.cards import bring
from lth_tui import output

_WORDS, _CLASSES = 50_002, 4  # what parameters are counted for: the default vocabulary and AG News' classes


def models(json: output.Json = False) -> None:
    """The models, their parameters and defaults."""
    rows = [
        {
            "name": card.name,
            "title": card.title,
            "parameters": _parameters(card),
            "prunable": list(card.prunable),
            "settings": {setting.name: setting.default for setting in card.settings},
            "defaults": dict(defaults.of(card.name, defaults.ANY)),
            "citation": card.citation,
        }
        for card in catalog.MODELS.values()
    ]

    def told(row: dict[str, Any]) -> list[str]:
        card = catalog.MODELS[row["name"]]
        basis = f"{_WORDS - 2:,} words" if card.reads == "words" else "its checkpoint's vocabulary"
        counted = f"{row['parameters'] / 1e6:.1f} million parameters with {basis} and {_CLASSES} classes"
        settings = ", ".join(f"{name} {_worded(value)}" for name, value in row["settings"].items())
        usual = ", ".join(f"{path.partition('.')[2]} {_worded(value)}" for path, value in row["defaults"].items())
        return [
            row["title"],
            f"{counted}; prunes {', '.join(row['prunable'])}",
            f"settings: {settings}",
            f"trained with: {usual}",
            row["citation"],
        ]

    output.menu(rows, told, json)


def _parameters(card: catalog.ModelCard) -> int:
    from engine.models import sizes

    settings = {setting.name: setting.default for setting in card.settings}
    if card.size is not None:
        return int(catalog.load(card.size)(settings, _WORDS, _CLASSES))
    return sizes.bert(sizes.BERTS[settings["checkpoint"] or card.name], _CLASSES)


def datasets(json: output.Json = False) -> None:
    """The datasets, their classes and sizes."""
    from engine.data import store

    rows = []
    for entry in store.listing():
        card = catalog.DATASETS[entry["name"]]
        known = {"train": entry["train"] or card.train, "test": entry["test"] or card.test}
        rows.append(entry | known | {"licence": card.licence, "source": card.source, "citation": card.citation})
        rows[-1] |= {"hub": asdict(card.hub) if card.hub else None, "study": card.study}

    def told(row: dict[str, Any]) -> list[str]:
        here = "here" if row["here"] else f"not here; bring it with: {bring(row['name'])}"
        counts = f"{row['train']:,} texts to train on, {row['test']:,} to test on; {here}"
        classes = f"{len(row['classes'])} classes: {', '.join(row['classes'])}"
        study = f"the 2020 study: {row['study']}" if row["study"] else ""
        hub = catalog.DATASETS[row["name"]].hub
        pin = f"hub: {hub.repository} at {hub.revision}, {' + '.join(hub.text)} and {hub.label}" if hub else ""
        return [row["title"], counts, classes, f"{row['source']}; {row['licence']}", pin, study, row["citation"]]

    output.menu(rows, told, json)


def schedules(ctx: typer.Context, json: output.Json = False) -> None:
    """The pruning schedules; `lth schedules show NAME` draws one.

    Your own are TOML files in LTH_SCHEDULES (~/.config/lth/schedules) or anywhere, such as
    base = "imp", rate = 0.3, rounds = 6, rewind = "1ep", factors = {head = 0.5}.
    """
    if ctx.invoked_subcommand is None:
        found, wrong = catalog_schedules.every()
        output.menu([_schedule(card) for card in found.values()], _told_of_schedule, json)
        for words in wrong:
            output.say(words, "yellow")


def _told_of_schedule(row: dict[str, Any]) -> list[str]:
    rounds = "1 round" if row["rounds"] == 1 else f"{row['rounds']} rounds"
    ladder = f"{rounds} at rate {row['rate']:g}, up to {100 * row['ladder'][-1]:.1f} % sparsity"
    return [row["title"], f"{ladder}; {_how(row)}", row["citation"]]


def _how(row: dict[str, Any]) -> str:
    """Criterion, scope, what is pruned, and what is trained afterwards."""
    factors = ", ".join(f"{name} at {factor:g} times the rate" for name, factor in row["factors"].items())
    kinds = " + ".join(row["prunable"] or ["what the model's card names"])
    again = {
        "rewind": f"rewinds to {row['rewind']}",
        "lr-rewind": "trains on from the trained weights, the learning rate begins anew",
        "finetune": "trains on from the trained weights at the final learning rate",
    }[row["retrain"]]
    parts = [f"{row['criterion']}, {row['scope']}", f"prunes {kinds}", factors, again]
    return "; ".join(filter(None, parts))


def schedules_show(name: str, json: output.Json = False) -> None:
    """Draw the ladder of sparsities a schedule visits; NAME may be a TOML file of your own."""
    from lth_tui import tables

    row = _schedule(catalog_schedules.find(name))
    if json:
        return output.out(row)
    console = tables.out()
    console.print(tables.text(f"{row['name']}: {row['title']}", "bold"))
    console.print(tables.text(_how(row), tables.QUIET))
    console.print(tables.text(row["citation"], tables.QUIET))
    room = max(10, min(60, console.width - 24))
    for number, sparsity in enumerate(row["ladder"]):
        kept = round(room * (1 - sparsity))
        bar = "█" * kept + "░" * (room - kept)
        console.print(tables.text(f"{number:>3}  {100 * sparsity:5.1f} %  {bar}"))
    return None


def _schedule(card: catalog.ScheduleCard) -> dict[str, Any]:
    return asdict(card) | {"prunable": card.prunable and list(card.prunable), "ladder": catalog_schedules.ladder(card)}


def arms(json: output.Json = False) -> None:
    """The arms: what each does in a round, and what it tells."""
    rows = [{"name": c.name, "title": c.title, "question": c.question} for c in catalog.ARMS.values()]
    output.menu(rows, lambda row: [row["title"], row["question"]], json)


def _worded(value: Any) -> str:
    """A default as `--set` would take it."""
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
