"""What every command shares: exit codes, results on standard output, words on standard error, runs by name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import BadInput
from lth_tui import plain

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print csv, safe to open in a spreadsheet.")]
Metric = Annotated[str, typer.Option("--metric", help="What the table shows: accuracy, macro-f1 or loss.")]
Arms = Annotated[
    list[str] | None,
    typer.Option(
        "--arm",
        "-a",
        metavar="NAME",
        help="See `lth arms`; give it again for more.  [default: ticket, reinit, shuffle]",
    ),
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Any unique part of a run's id, or @last.")]


def out(value: Any, indent: bool = True) -> None:
    """One result on standard output: a string as it is, anything else as JSON."""
    return typer.echo(value if isinstance(value, str) else as_json(value, indent))


def as_json(value: Any, indent: bool = True) -> str:
    """JSON in which whatever a terminal would obey is written as an escape: other bytes, the very same value."""
    import orjson

    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0).decode()
    except TypeError:  # half of a surrogate pair, as a file's name may have; a number of more than 64 bits
        import json

        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
        text = json.dumps(finite, indent=2 if indent else None, ensure_ascii=False)
    return plain.escaped(text)


def refuse_both(json: bool, csv: bool) -> None:
    """BadInput where a result is asked for in two forms."""
    if json and csv:
        raise BadInput("--json, --csv: both given; give one of them.")


def nobody_reads(descriptor: int = 1) -> None:
    """Whoever read this output has left, which is no error: what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def say(words: str, colour: str | None = None, bold: bool = False) -> None:
    """Words for the person, on standard error, foreign text in them made safe."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        typer.echo(plain.lines(words), err=True)
    else:
        typer.secho(plain.lines(words), fg=colour, bold=bold or None, err=True)


def menu(rows: list[dict[str, Any]], told: Callable[[dict[str, Any]], list[str]], json: bool) -> None:
    """Rows as JSON, or as names with what is told of each: a line, then quieter ones."""
    if json:
        return out(rows)
    from lth_tui import tables

    return tables.out().print(tables.cards([(row["name"], told(row)) for row in rows]))


def find(text: str) -> Path:
    """The run that a command was given. Raises BadInput."""
    from engine.places import runs_root
    from engine.record import finding

    return finding.find(runs_root(), text)


def shown(run: Path) -> dict[str, Any]:
    """What `lth show --json` prints of a run. Raises BadInput where a newer program made it."""
    from engine import spec as specs
    from engine.record import rundir, summary

    specs.refuse_newer(rundir.read_json(run / "spec.json"), run / "spec.json")
    return summary.show(run)


def fold(run: Path) -> None:
    """Bring the history up to date about one run, and say so where it had to be rebuilt or could not be written."""
    from engine.record import history

    if notice := history.fold(run.parent, run):
        say(notice, "yellow")
