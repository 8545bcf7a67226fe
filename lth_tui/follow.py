"""Following a run from the command line: progress while it works, and what Ctrl-C does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from engine.process import launch
from engine.record import events, rundir, summary
from lth_tui import plain
from lth_tui.tables import QUIET, duration, percent

_TICK = 0.25
_QUIET_TICK = 1.0  # where no terminal redraws


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        left = task.fields.get("left")
        return Text("" if left is None else f"{duration(left)} left", style=QUIET)


def follow(run: Path, console: Console, stop_on_interrupt: bool) -> str:
    """Show a run's progress until its engine is gone; returns the run's state then.

    Ctrl-C asks the engine to stop and waits for it, or (`stop_on_interrupt` false) only ends the following. It leaves
    by KeyboardInterrupt where the engine still works. Without a terminal each trained network is a line.
    """
    asked = False
    with _display(run, console) as update:
        while True:
            try:
                state = update()
                if state not in (*rundir.ACTIVE, "queued"):
                    return state
                time.sleep(_TICK if console.is_terminal else _QUIET_TICK)
            except KeyboardInterrupt:
                if not stop_on_interrupt or asked:
                    raise
                asked = True
                launch.ask_to_stop(run)
                console.print("Stopping after the step at hand; Ctrl-C again leaves the engine to it.", style="yellow")


@contextmanager
def _display(run: Path, console: Console) -> Iterator[Callable[[], str]]:
    """A function that brings the display up to date and returns the run's state."""
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"), _TimeLeft(),
        console=console, transient=True, refresh_per_second=4,
    )  # fmt: skip
    spec = rundir.read_json(run / "spec.json")
    seeds = summary.seeds_of(spec)
    rounds = spec.get("schedule", {}).get("rounds", 0)
    told = _Told(console)
    with progress:
        task = progress.add_task("starting the engine", total=1.0)

        def update() -> str:
            told.read(run)
            status = rundir.read_status(run)
            done = status.get("progress", {})
            progress.update(
                task,
                completed=done.get("fraction") or 0.0,
                description=doing(status, seeds, rounds),
                left=done.get("seconds_left"),
            )
            return rundir.state(run, status)

        yield update


class _Told:
    """Tells each network once, as it is trained."""

    def __init__(self, console: Console):
        self.console = console
        self.offset = 0

    def read(self, run: Path) -> None:
        tail = events.read(run / events.FILE, self.offset)
        self.offset = tail.offset
        for event in tail.events:
            if event["event"] == "trained":
                self.console.print(Text(_trained(event), style=QUIET))
            elif event["event"] == "warning":
                self.console.print(Text(f"Warning: {plain.line(event.get('message'))}", style="yellow"))


def _trained(event: dict[str, Any]) -> str:
    where = f"seed {event.get('seed')}  round {event.get('round'):>2}  {plain.line(event.get('arm')):<8}"
    if event.get("diverged"):
        return f"{where}  diverged"
    sparsity, accuracy = percent(event.get("sparsity")), percent(event.get("test_accuracy"))
    return f"{where}  sparsity {sparsity:>5} %  test {accuracy} %  best epoch {event.get('best_epoch')}"


def doing(status: dict[str, Any], seeds: list[int], rounds: int) -> str:
    """What the engine is at, in words: seed 2/3 · round 4/10 · reinit · epoch 3/6."""
    if "round" not in status or status.get("seed") not in seeds:
        return plain.line(status.get("doing") or "starting the engine")
    parts = [
        f"seed {seeds.index(status['seed']) + 1}/{len(seeds)}",
        f"round {status['round']}/{rounds}",
        plain.line(status.get("arm", "")),
        f"epoch {status.get('epoch', 0)}/{status.get('epochs', '?')}",
    ]
    return " · ".join(parts) + (" · stopping" if status.get("state") == "stopping" else "")
