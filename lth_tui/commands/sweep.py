"""The command that works through a grid of runs: sweep."""

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from engine.errors import BadInput
from lth_tui import output, plain

if TYPE_CHECKING:
    from engine.sweep import Sweep

EXAMPLE = """\
name = "rate"                            # optional, else the file's name
models = ["cnn"]
datasets = ["ag_news", "pydoc"]
schedules = ["imp", "imp-global"]        # optional, as are arms and seeds: see lth run
arms = ["ticket", "reinit", "shuffle"]
seeds = 3

[settings]                               # the same for every run
training.epochs = 3

[grid]                                   # every combination of these
schedule.rate = [0.2, 0.5]
training.learning_rate = [1e-3, 3e-3]
"""


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The grid, in TOML; an example stands below.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs, start nothing.")] = False,
    table: Annotated[bool, typer.Option("--table", help="Show what is known so far, start nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Let a process without a terminal work on it.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Ask the process that works on it to stop.")] = False,
    json: output.Json = False,
) -> None:
    """Run a grid of settings, and rank the runs in a table.

    Models, datasets, schedules and settings are combined each with each, one run after another.

    The same command goes on with a sweep: runs of exactly these specs that are finished are taken as they are, whoever
    made them, others are resumed. Ctrl-C asks the engine at work to stop and ends the sweep.
    """
    from engine import ranking
    from engine import sweep as sweeps
    from engine.places import runs_root

    given = {"--dry-run": dry_run, "--table": table, "--detach": detach, "--stop": stop}
    if len(several := [name for name, on in given.items() if on]) > 1:
        raise BadInput(f"{several[1]}: given together with {several[0]}; give one of the two.")
    file = Path(os.path.expanduser(file))
    if stop:
        return _stop(file)
    found = sweeps.read(file)
    if table:
        return _print(ranking.ranked(runs_root(), found), json)
    if dry_run:
        return _list(found, json)
    raise typer.Exit(_detach(found, json) if detach else _work(found, json))


def _command(file: Path) -> str:
    return f"lth sweep {plain.line(shlex.quote(str(file)))}"


def _print(ranked: dict[str, Any], json: bool) -> None:
    if json:
        return output.out(ranked)
    from lth_tui import sweep as words
    from lth_tui import tables

    return tables.out().print(words.shown(ranked))


def _list(found: "Sweep", json: bool) -> None:
    from engine.process import launch
    from lth_tui import sweep as words
    from lth_tui import tables

    states, seconds = _standing(found)
    _prepared(lambda told: [launch.check_texts(cell.spec, told) for cell in found.cells])
    rows = [
        {"settings": cell.chosen, "trainings": cell.spec.trainings, "state": state, "seconds": time_}
        for cell, state, time_ in zip(found.cells, states, seconds, strict=True)
    ]
    if json:
        return output.out({"name": found.name, "file": found.path, "runs": rows})
    tables.out().print(words.planned(rows, found.axes or found.cells[0].chosen))
    return _announce(found, states, seconds)


def _standing(found: "Sweep") -> tuple[list[str], list[float | None]]:
    """The state of each run, and the seconds it will take."""
    from engine import ranking
    from engine.places import runs_root
    from engine.record import pace, rundir

    runs = ranking.existing(runs_root(), found.cells)
    states = [ranking.NOT_BEGUN if run is None else rundir.state(run) for run in runs]
    return states, pace.seconds_of_each(runs_root(), [cell.spec for cell in found.cells])


def _announce(found: "Sweep", states: list[str], seconds: list[float | None]) -> None:
    """How many runs and trainings there are to come, and how long they will take."""
    from lth_tui import tables

    cells = zip(found.cells, states, seconds, strict=True)
    coming = [(cell.spec.trainings, time_) for cell, state, time_ in cells if state != "finished"]
    done = len(states) - len(coming)
    words = f"{found.name}: {tables.count(len(states), 'run')}" + (f", {done} done already" if done else "")
    if coming:
        known = [time_ for _, time_ in coming if time_ is not None]
        about = f"at most about {tables.duration(sum(known))} on this machine" if known else "no estimate yet"
        if 0 < len(known) < len(coming):
            about += f" for {len(known)} of the runs, no estimate yet for the others"
        words += f", {tables.count(sum(trainings for trainings, _ in coming), 'training')} to come: {about}"
    output.say(plain.line(f"{words}."), "bright_black")


def _prepared(work: Callable[[Callable[[str], None]], Any]) -> None:
    """Do what comes before the first run, showing what takes its time."""
    from lth_tui import tables

    with tables.words().status("Preparing", spinner="line") as status:
        work(lambda words: status.update(tables.text(f"Preparing: {words} (once)")))


def _checked(found: "Sweep", states: list[str], told: Callable[[str], None]) -> None:
    """Make sure of all that the runs to come need, so that none of them begins before a later one is found wanting."""
    from engine.process import launch

    for cell, state in zip(found.cells, states, strict=True):
        if state != "finished":
            launch.check(cell.spec, told)


def _detach(found: "Sweep", json: bool) -> int:
    from engine import ranking
    from engine.places import runs_root
    from engine.process import launch, sweeps
    from lth_tui.follow import counted_interrupts

    states, seconds = _standing(found)
    _announce(found, states, seconds)
    if all(state == "finished" for state in states):
        _print(ranking.ranked(runs_root(), found), json)
        return output.DONE
    _prepared(lambda told: _checked(found, states, told))
    again = _command(found.file)
    with counted_interrupts() as interrupts:
        try:
            log = sweeps.detach(runs_root(), found.file, ["lth_tui.cli", "sweep", "--", str(found.file)])
        except launch.LaunchFailed as error:
            output.say(f"The sweep did not start: {plain.line(error)}", "red")
            return output.FAILED
        if interrupts():
            sweeps.ask_to_stop(runs_root(), found.file)
            output.say(f"Interrupted. Go on with: {again}", "yellow")
            return output.INTERRUPTED
    output.out({"name": found.name, "log": str(log)} if json else str(log))
    output.say(f"The sweep goes on on its own. Look at it: {again} --table; end it: {again} --stop")
    return output.DONE


def _stop(file: Path) -> None:
    from engine.places import runs_root
    from engine.process import sweeps
    from lth_tui import tables

    sweeps.ask_to_stop(runs_root(), file)
    with tables.words().status("Stopping", spinner="line"):
        deadline = time.monotonic() + 30
        while (at_work := sweeps.worker(runs_root(), file) is not None) and time.monotonic() < deadline:
            time.sleep(0.05)
    how = "is still stopping" if at_work else "is stopped"
    output.say(f"The sweep {how}; go on with: {_command(file)}")


def _work(found: "Sweep", json: bool) -> int:
    """Be the process that works on this sweep: make the runs that are missing, then work through them all."""
    from engine import ranking
    from engine.places import runs_root
    from engine.process import sweeps
    from lth_tui import one_by_one
    from lth_tui import sweep as words

    sweeps.hold(runs_root(), found.file)
    states, seconds = _standing(found)
    _announce(found, states, seconds)
    runs: list[Path] = []
    try:
        _prepared(lambda told: _checked(found, states, told))
        _prepared(lambda told: runs.extend(_made(found, told)))
    except KeyboardInterrupt:
        output.say(f"Nothing was started. Go on with: {_command(found.file)}")
        return output.INTERRUPTED
    told = [words.chosen(cell.chosen, found.axes) for cell in found.cells]
    interrupted = one_by_one.work_through(list(zip(runs, told, strict=True)))
    ranked = ranking.ranked(runs_root(), found)
    if json or not interrupted:
        _print(ranked, json)
    if interrupted:
        output.say(f"Interrupted; what is finished is kept. Go on with: {_command(found.file)}", "yellow")
        return output.INTERRUPTED
    if left := sum(row["state"] != "finished" for row in ranked["runs"]):
        unfinished = f"{left} of {len(runs)} runs {'is' if left == 1 else 'are'} not finished"
        output.say(f"{unfinished}; try again with: {_command(found.file)}", "yellow")
        return output.FAILED
    return output.DONE


def _made(found: "Sweep", told: Callable[[str], None]) -> list[Path]:
    """The runs of all cells, in order; those that are missing are made, tagged with the sweep's name."""
    import orjson

    from engine import ranking
    from engine.places import runs_root
    from engine.process import launch
    from engine.record import rundir

    runs: list[Path] = []
    for cell, run in zip(found.cells, ranking.existing(runs_root(), found.cells), strict=True):
        if run is None:
            run = launch.new_run(runs_root(), cell.spec, told)  # noqa: PLW2901
            rundir.write_atomically(run / "notes.json", orjson.dumps({"tags": [found.name]}), durable=False)
            if not runs:
                output.fold(run)  # a history that begins with many runs is told of as rebuilt
        runs.append(run)
    return runs


class SweepCommand(TyperCommand):
    """`lth sweep --help` ends with an example."""

    def format_epilog(self, _: Any, formatter: Any) -> None:
        with formatter.section("A sweep, in TOML"):
            formatter.write("".join(f"  {line}\n" if line else "\n" for line in EXAMPLE.splitlines()))
            formatter.write(
                "\n  The lists of models, datasets, schedules and of [grid] are combined, each with each.\n"
                "  Keys are those of --set, which `lth run --help` lists. Paths begin where lth is called.\n"
            )
