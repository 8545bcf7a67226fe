"""Commands about the queue: see who works and who waits, move a run, pause, go on."""

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import BadInput
from lth_tui import output, plain


def see(ctx: typer.Context, json: output.Json = False) -> None:
    """Who works on this machine, who waits for a slot, and why."""
    if ctx.invoked_subcommand is not None:
        return None
    from engine.places import runs_root
    from engine.process import queue
    from lth_tui import queue_view, tables

    queue.tend(runs_root())
    told = queue_view.facts(runs_root())
    return output.out(told) if json else tables.out().print(queue_view.shown(told))


def move(
    run: output.Run,
    to: Annotated[str, typer.Argument(metavar="first|last|NUMBER", help="Its new place; 1 is the first.")],
) -> None:
    """Move a waiting run to another place."""
    from engine.process import queue

    found = output.find(run)
    places = {"first": 1, "last": 10**6}
    if to not in places and not (to.isascii() and to.isdigit() and 0 < len(to) < 7 and int(to)):
        raise BadInput(f"to: {plain.line(to, 80)!r} given; give first, last, or a place such as 2.")
    place = queue.move(found, places.get(to) or int(to))
    output.say(f"{found.name} waits at place {place} now.")


def pause() -> None:
    """Start no further run; those that work go on."""
    from engine.process import queue

    queue.pause(_there(), "by `lth queue pause`")
    output.say("The queue is paused; what works goes on. Start again with: lth queue go")


def go() -> None:
    """Go on with a queue that was paused."""
    from engine.process import queue

    queue.go(_there())
    output.say("The queue goes on.")


def slots(
    count: Annotated[str, typer.Argument(metavar="NUMBER|auto", help="auto: one a GPU, or one.")],
) -> None:
    """Say at how many runs at work this queue starts no further one; LTH_SLOTS says so too, with each launch."""
    from engine.process import queue, slots

    try:
        told = None if count == "auto" else slots.number(count)
    except ValueError:
        raise BadInput(f"slots: {plain.line(count, 80)!r} given; give 1 to {slots.MOST}, or auto.") from None
    queue.set_slots(_there(), told)
    output.say("As many runs may work at once as there are GPUs, or one." if told is None else f"{told} may at once.")


def _there() -> Path:
    """The runs folder. BadInput where there is none yet."""
    from engine.places import runs_root

    runs = runs_root()
    if not runs.is_dir():
        raise BadInput(f"runs folder: {runs} does not exist yet, so no run waits; start one with `lth run`.")
    return runs
