"""Commands that act on runs: stop, note, rm, reindex."""

from typing import Annotated, Any

import typer

from engine.errors import BadInput
from lth_tui import output, plain


def stop(
    run: output.Run,
    now: Annotated[
        bool,
        typer.Option("--now", help="Kill the engine instead of asking; what it did since its last checkpoint is lost."),
    ] = False,
) -> None:
    """Ask a run's engine to stop; what is finished stays. A run that waits is taken out of the queue."""
    import time

    from engine.process import launch, queue
    from engine.record import rundir, waiting
    from lth_tui import tables

    found = output.find(run)
    if waiting.of(found) is not None and queue.withdraw(found):
        output.fold(found)
        return output.say(f"{found.name} waits no more. Go on with: lth resume {found.name}")
    state = rundir.state(found)
    if state == "queued":
        raise BadInput(
            f"run: {found.name} is queued and no engine works on it; `lth resume` starts it, `lth rm` removes."
        )
    if state not in rundir.ACTIVE:
        raise BadInput(f"run: {found.name} is {state}, not running; `lth ls` shows what runs.")
    stopped = launch.end(found) if now else launch.ask_to_stop(found)
    if not stopped and rundir.state(found) in rundir.ACTIVE:
        raise BadInput(f"run: {found.name} cannot be stopped here: {launch.why_not(found)}")
    with tables.words().status("Stopping", spinner="line"):
        deadline = time.monotonic() + 30
        while rundir.holder(found) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
    output.fold(found)
    if rundir.holder(found) is not None:
        output.say(f"{found.name} has not stopped within 30 s; `lth stop --now {found.name}` kills it.", "yellow")
        raise typer.Exit(output.FAILED)
    state = rundir.state(found)
    return output.say(
        f"{found.name} is {state}." + ("" if state == "finished" else f" Go on with: lth resume {found.name}")
    )


def note(
    run: output.Run,
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="The note; '' takes it away.")] = None,
    name: Annotated[str | None, typer.Option(help="A name of its own; '' takes it away.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Add it; may be repeated.")] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", metavar="TAG", help="Take it away.")] = None,
    json: output.Json = False,
) -> None:
    """Name, tag or annotate a run; or show what is noted."""
    from dataclasses import asdict

    from engine.record import notes

    found = output.find(run)
    before = notes.read(found)
    tags = dict.fromkeys([*before.tags, *(tag or ())])
    if strange := [one for one in untag or () if one not in tags]:
        raise BadInput(f"--untag: {strange[0]!r} given, and the run's tags are: {', '.join(before.tags) or 'none'}.")
    changes: dict[str, Any] = {"note": text, "name": name}
    changes = {key: value for key, value in changes.items() if value is not None}
    if tag or untag:
        changes["tags"] = [one for one in tags if one not in (untag or ())]
    after = notes.write(found, **changes) if changes else before
    output.fold(found)
    if json:
        return output.out({"id": found.name, **asdict(after)})
    told = [f"name {after.name}"] if after.name else []
    told += [f"tags {', '.join(after.tags)}"] if after.tags else []
    told += [after.note] if after.note else []
    return output.out(plain.lines("\n".join(told))) if told else output.say(f"Nothing is noted of {found.name}.")


def rm(
    run: output.Run,
    undo: Annotated[bool, typer.Option("--undo", help="Bring a removed run back.")] = False,
) -> None:
    """Remove a run; --undo brings it back."""
    from engine.places import runs_root
    from engine.process import queue
    from engine.record import trash

    if undo:
        found = trash.restore(runs_root(), run)
        output.fold(found)
        return output.say(f"{found.name} is back.")
    found = output.find(run)
    queue.remove(found)
    output.fold(found)
    return output.say(f"{found.name} is removed. Bring it back with: lth rm --undo {found.name}")


def reindex() -> None:
    """Rebuild the history from the run directories."""
    from engine.places import runs_root
    from engine.record import history

    count = history.reindex(runs_root())
    output.say(f"The history holds {count} run{'' if count == 1 else 's'} again.")
