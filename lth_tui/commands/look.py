"""Commands that look at runs: ls, show, watch, logs."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import unknown
from lth_tui import output


def ls(
    json: output.Json = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Show so many; 0 shows all.")] = 0,
    csv: output.Csv = False,
) -> None:
    """The runs, newest first."""
    output.refuse_both(json, csv)
    from engine.places import runs_root
    from engine.record import history

    found, notice = history.refresh(runs_root())
    if notice:
        output.say(notice, "yellow")
    if any(one["state"] == "queued" for one in found):
        from engine.process import queue

        queue.tend(runs_root())
        if why := queue.paused(runs_root()):
            output.say(f"The queue is paused: {why}", "yellow")
    found = found[: limit or None]
    if json:
        return output.out(found)
    if csv:
        from lth_tui import sheet

        return typer.echo(sheet.runs(found), nl=False)
    if not found:
        return output.say("No runs yet. Start one with: lth demo")
    from lth_tui import tables

    tables.out().print(tables.runs(found), soft_wrap=True)
    lost = [one["id"] for one in found if one["state"] == "orphaned"]
    if lost:
        output.say(
            f"{tables.count(len(lost), 'run')} lost the engine; go on with: lth resume {lost[0]}"
            + (" (likewise the others)" if lost[1:] else ""),
            "yellow",
        )
    return None


def show(
    run: output.Run,
    metric: output.Metric = "accuracy",
    json: output.Json = False,
    csv: output.Csv = False,
) -> None:
    """One run: its rounds, its chart, its verdict."""
    output.refuse_both(json, csv)
    found = output.find(run)
    shown = output.shown(found)
    if shown["state"] == "queued":
        from engine.process import queue

        queue.tend(found.parent)
    if json:
        return output.out(shown)
    if csv:
        from lth_tui import sheet

        return typer.echo(sheet.rounds(shown), nl=False)
    from lth_tui import news, one_run, tables

    if metric not in one_run.METRICS:
        raise unknown("--metric", metric, one_run.METRICS)
    console = tables.out()
    news.seen(found)
    return console.print(one_run.run(shown, console.width, metric))


def watch(run: output.Run, json: output.Json = False) -> None:
    """Follow a run to its end.

    Ctrl-C ends the following, not the run. With --json, its events as they come.
    """
    from engine.process import queue
    from engine.record import summary
    from lth_tui import one_run, tables
    from lth_tui.follow import follow, over

    found = output.find(run)
    queue.tend(found.parent)
    state = "running"
    try:
        if json:
            _stream(found, over(found))
        elif not over(found)():
            state = follow(found, tables.words())
    except KeyboardInterrupt:
        output.say(f"\nThe run goes on. Look again with: lth watch {found.name}")
        raise typer.Exit(output.INTERRUPTED) from None
    if state == "queued":
        output.say(f"No engine works on {found.name}; start one with: lth resume {found.name}", "yellow")
    elif not json:
        console = tables.out()
        console.print(one_run.run(summary.show(found), console.width))


def _stream(found: Path, ended: Callable[[], bool]) -> None:
    import time

    from engine.record import events

    offset = 0
    while True:
        last = ended()  # before reading, so that nothing is missed
        tail = events.read(found / events.FILE, offset)
        offset = tail.offset
        for event in tail.events:
            output.out(event, indent=False)
        if last:
            return
        time.sleep(0.5)


def logs(
    run: output.Run,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="The last so many; 0 prints all.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing as the engine writes.")] = False,
    json: output.Json = False,
) -> None:
    """What the engine wrote to its log."""
    import time
    from collections import deque
    from contextlib import closing

    from engine.process import logfile
    from lth_tui import plain
    from lth_tui.follow import over

    found = output.find(run)
    if not any((found / name).exists() for name in (logfile.NAME, logfile.BEFORE)):
        return output.out([]) if json else output.say(f"{found.name} has no log yet.")
    with closing(logfile.Lines(found)) as log:
        kept = [plain.lines(line) for line in deque(log.new(), lines or None)]
        if rest := log.rest():
            kept = [*kept, plain.lines(rest)][-lines:]
        if json:
            return output.out(kept)
        if not kept and not follow:
            return output.say(f"The log of {found.name} is empty.")
        for line in kept:
            typer.echo(line)
        ended = over(found)
        while follow:
            last = ended()  # before reading, so that nothing is missed
            for line in log.new():
                typer.echo(plain.lines(line))
            if last:
                break
            time.sleep(0.5)
        if rest := log.rest():
            typer.echo(plain.lines(rest))
    return None
