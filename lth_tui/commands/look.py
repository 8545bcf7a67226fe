"""Commands that look at runs: ls, show, watch, logs."""

from pathlib import Path
from typing import Annotated

import typer

from lth_tui import output


def ls(
    json: output.Json = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many; 0 shows all.")] = 0,
) -> None:
    """The runs, newest first."""
    from engine.places import runs_root
    from engine.record import history

    found, notice = history.refresh(runs_root())
    if notice:
        output.say(notice, "yellow")
    found = found[: limit or None]
    if json:
        return output.out(found)
    if not found:
        return output.say("No runs yet. Start one with: lth demo")
    from lth_tui import tables

    return tables.out().print(tables.runs(found))


def show(run: output.Run, json: output.Json = False) -> None:
    """One run: its rounds, its chart, its verdict."""
    from engine.record import summary

    shown = summary.show(output.find(run))
    if json:
        return output.out(shown)
    from lth_tui import tables

    console = tables.out()
    return console.print(tables.run(shown, console.width))


def watch(run: output.Run, json: output.Json = False) -> None:
    """Follow a run to its end; Ctrl-C ends the following, not the run. With --json, its events as they come."""
    from engine.record import rundir

    found = output.find(run)
    if json:
        return _stream(found)
    from engine.record import summary
    from lth_tui import tables
    from lth_tui.follow import follow

    try:
        if rundir.state(found) in (*rundir.ACTIVE, "queued"):
            follow(found, tables.words(), stop_on_interrupt=False)
    except KeyboardInterrupt:
        output.say(f"\nThe run goes on. Look again with: lth watch {found.name}")
        raise typer.Exit(output.INTERRUPTED) from None
    console = tables.out()
    return console.print(tables.run(summary.show(found), console.width))


def _stream(found: Path) -> None:
    import time

    from engine.record import events, rundir

    offset = 0
    while True:
        alive = rundir.state(found) in (*rundir.ACTIVE, "queued")  # before reading, so that nothing is missed
        tail = events.read(found / events.FILE, offset)
        offset = tail.offset
        for event in tail.events:
            output.out(event, indent=False)
        if not alive:
            return
        time.sleep(0.5)


def logs(
    run: output.Run,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="The last so many; 0 prints all.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing as the engine writes.")] = False,
) -> None:
    """What the engine wrote to its log."""
    import time

    from engine.record import rundir
    from lth_tui import plain

    found = output.find(run)
    path = found / "engine.log"
    if not path.exists():
        return output.say(f"{found.name} has no log yet.")
    with path.open(encoding="utf-8", errors="replace") as log:
        text = log.read()
        kept = text.splitlines()[-lines:] if lines else text.splitlines()
        if kept:
            typer.echo(plain.lines("\n".join(kept), most=10_000_000))
        elif not follow:
            output.say(f"The log of {found.name} is empty.")
        while follow and rundir.state(found) in (*rundir.ACTIVE, "queued"):
            if more := log.read():
                typer.echo(plain.lines(more, most=10_000_000), nl=False)
            time.sleep(0.5)
    return None
