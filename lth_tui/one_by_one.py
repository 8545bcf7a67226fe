"""Working through runs one after another: each has an engine of its own, is followed to its end, and fails alone."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import BadInput
from engine.process import launch, queue
from engine.record import rundir
from lth_tui import output, plain, tables
from lth_tui.follow import counted_interrupts, follow


def work_through(runs: Sequence[tuple[Path, str]]) -> bool:
    """Finish the runs, each given with what is to be said of it; whether Ctrl-C or SIGTERM ended that early.

    The run at work is then asked to stop, and those after it stay as they are.
    """
    with counted_interrupts(signal.SIGTERM) as interrupts:
        for number, (run, about) in enumerate(runs, 1):
            if interrupts():
                break
            title = f"run {number} of {len(runs)}{about and f' ({about})'}: {run.name}"
            if rundir.state(run) == "finished":
                output.say(plain.line(f"{title} is done already"), "bright_black")
            else:
                output.say(plain.line(title), bold=True)
                _finish(run, f"run {number}/{len(runs)}", interrupts)
        return interrupts() > 0


def _finish(run: Path, place: str, interrupts: Callable[[], int]) -> None:
    """Have one run worked on in its turn, unless it is already, follow it, and say what it comes to."""
    if rundir.state(run) not in rundir.ACTIVE:
        try:
            queue.launch_in_turn(run)
        except (launch.LaunchFailed, BadInput, OSError) as error:  # OSError: somebody removed it meanwhile
            if rundir.holder(run) is None:  # else somebody was a moment faster, and the run is at work
                output.say(f"  did not start: {plain.line(error)}", "red")
                return
    state = follow(run, tables.words(), interrupts, place)
    output.fold(run)
    status = rundir.read_status(run)
    if state == "finished":
        output.say(f"  {plain.line(status.get('sentence', 'finished'))}")
    elif state == "failed":
        output.say(f"  failed: {plain.line(status.get('cause', 'nobody knows why'))}", "red")
    else:
        output.say(f"  {'is still stopping' if state in rundir.ACTIVE else state}", "yellow")
