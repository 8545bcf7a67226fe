"""Commands that ask further of a run's tickets: transfer, stability. Each answer is a run of its own."""

from typing import Annotated, Any

import typer

from lth_tui import output
from lth_tui.commands import start

Round = Annotated[int, typer.Option("--round", metavar="K", help="The round of the ticket, from the table of the run.")]
Detach = Annotated[bool, typer.Option("--detach", help="Return once it works or waits.")]


def transfer(
    run: output.Run,
    round_: Round,
    dataset: Annotated[
        str,
        typer.Option("--dataset", "-d", metavar="NAME", help="See `lth datasets`; or a csv, tsv, jsonl, parquet file."),
    ],
    arm: output.Arms = None,
    test_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Texts to test on, where the dataset is a file.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Settings data.*, training.*, verdict.*, device, threads."),
    ] = None,
    detach: Detach = False,
    json: output.Json = False,
) -> None:
    """Train a run's ticket on another dataset.

    It stands there against that dataset's dense network, reinit and shuffle.

    Weights and mask are carried over by word; a head for other classes is new. The setting is what is usual for the
    model on that dataset.
    """
    from engine import spec as specs
    from engine.process import ask
    from lth_tui import tables

    settings: dict[str, Any] = dict(specs.parse_settings(set_ or []))
    if test_file is not None:
        settings["data.test_file"] = test_file
    found = output.find(run)
    with tables.words().status("Preparing", spinner="line") as status:
        asked = ask.transfer(found, round_, dataset, arm, settings, start.preparing(status))
    raise typer.Exit(start.launch(asked.spec, detach, json, asked.fill, asked.remarks))


def stability(
    run: output.Run,
    round_: Round,
    points: Annotated[int, typer.Option(help="Networks looked at along the line, its ends among them.")] = 11,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="device or threads; all else is as in the run."),
    ] = None,
    detach: Detach = False,
    json: output.Json = False,
) -> None:
    """Do two trainings in different data order end in one valley?

    For the dense network and the ticket of a round: how far the validation error rises along the straight line
    between what two copies trained to. Round 0 asks of the dense network alone.
    """
    from engine import spec as specs
    from engine.process import ask

    asked = ask.stability(output.find(run), round_, points, dict(specs.parse_settings(set_ or [])))
    raise typer.Exit(start.launch(asked.spec, detach, json, asked.fill, asked.remarks))
