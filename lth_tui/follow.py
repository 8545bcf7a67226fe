"""Following a run from the command line: progress while it works, and what Ctrl-C does."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from engine.errors import BadInput
from engine.process import launch, queue
from engine.record import events, extensions, rundir, summary, waiting
from lth_tui import news, plain, queue_view
from lth_tui.screens.words import number, share
from lth_tui.tables import QUIET, duration, percent

_TICK = 0.25
_QUIET_TICK = 1.0  # where no terminal redraws
_TAKEN_UP = 2.0  # seconds a run that is queued and in no queue may wait for its engine's lock
_QUEUE_TICK = 1.0  # seconds between two looks at a whole queue


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        left = task.fields.get("left")
        if left is None:
            return Text("")
        words = duration(left) if left < 60 or left >= 3600 else f"{left / 60:.0f} min"
        return Text(f"{words} left", style=QUIET)


@contextmanager
def counted_interrupts(*also: signal.Signals) -> Iterator[Callable[[], int]]:
    """From here on Ctrl-C, and what `also` is given, raises nothing; the function given tells how often it came."""
    pressed = 0

    def press(*_: object) -> None:
        nonlocal pressed
        pressed += 1

    before = {one: signal.signal(one, press) for one in (signal.SIGINT, *also)}
    try:
        yield lambda: pressed
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def follow(run: Path, console: Console, interrupts: Callable[[], int] = lambda: 0, place: str | None = None) -> str:
    """Show a run's progress until no engine works on it; returns its state then.

    The first of the `interrupts` asks the engine to stop, the second leaves it to that; a run that still waits for its
    turn is taken out of the queue. Each trained network and each
    warning is a line, unless the run is one of several: its `place` among them is given and stands before its progress.
    """
    asked = said = False
    ended = over(run)
    with _display(run, console, place) as update:
        while True:
            update()
            if ended():
                news.seen(run)
                return rundir.state(run)
            if pressed := interrupts():
                if waiting.of(run) is not None and queue.withdraw(run):
                    return rundir.state(run)
                asked = asked or launch.ask_to_stop(run)
                if pressed > 1:  # perhaps both since the last look
                    return rundir.state(run)
                if not said:
                    said = True
                    words = "Stopping after the step at hand; Ctrl-C again leaves the engine to it."
                    console.print(words, style="yellow")
            time.sleep(_TICK if console.is_terminal or interrupts() else _QUIET_TICK)


def over(run: Path) -> Callable[[], bool]:
    """Tells whether no engine works on a run any more, and none will. One that waits in a queue is not over."""
    began = time.monotonic()

    def ended() -> bool:
        state = rundir.state(run)
        if state == "queued":
            return waiting.of(run) is None and rundir.holder(run) is None and time.monotonic() - began > _TAKEN_UP
        return state not in rundir.ACTIVE and rundir.holder(run) is None  # said, and gone

    return ended


@contextmanager
def _display(run: Path, console: Console, place: str | None) -> Iterator[Callable[[], None]]:
    """A function that brings the display up to date."""
    one_line = Column(no_wrap=True)
    progress = Progress(
        TextColumn("{task.description}", table_column=one_line, markup=False),
        BarColumn(bar_width=12),
        TextColumn("{task.percentage:>3.0f} %", table_column=one_line),
        _TimeLeft(table_column=one_line),
        console=console,
        transient=True,
        refresh_per_second=4,
        disable=not console.is_terminal,
    )
    spec = extensions.spec(run)
    seeds, rounds = summary.seeds_of(spec), summary.rounds_of(spec) or 0
    told = _Told(console) if place is None else None
    turn = _Turn(run, console)
    before = "" if place is None else f"{place} · "
    with progress:
        task = progress.add_task(f"{before}starting the engine", total=1.0)

        def update() -> None:
            if told:
                told.read(run)
            status = rundir.read_status(run)
            done = status.get("progress", {})
            progress.update(
                task,
                completed=share(done.get("fraction")) or 0.0,
                description=before + (turn.words(status) or doing(status, seeds, rounds)),
                left=number(done.get("seconds_left")),
            )

        yield update


class _Turn:
    """What a run that waits waits for, looked at now and then; and sees to it that somebody will start it."""

    def __init__(self, run: Path, console: Console):
        self.run, self.console = run, console
        self.said, self.next = "", 0.0

    def words(self, status: dict[str, Any]) -> str:
        """Empty where it does not wait. Without a terminal that redraws, what has changed is a line."""
        if waiting.of(self.run, status) is None:
            return ""
        if time.monotonic() >= self.next:
            try:
                queue.tend(self.run.parent)
                words = queue_view.before(self.run)
            except BadInput as error:
                words = f"waiting; {plain.line(error)}"
            self.next = time.monotonic() + _QUEUE_TICK
            if words != self.said and not self.console.is_terminal:
                self.console.print(Text(f"{words[:1].upper()}{words[1:]}", style=QUIET))
            self.said = words
        return self.said


class _Told:
    """Tells each network once, as it is trained, each seed's linear reference, and warnings."""

    def __init__(self, console: Console):
        self.console = console
        self.offset = 0

    def read(self, run: Path) -> None:
        tail = events.read(run / events.FILE, self.offset)
        self.offset = tail.offset
        for event in tail.events:
            if event["event"] == "trained":
                self.console.print(Text(plain.line(_trained(event)), style=QUIET))
            elif event["event"] == "reference":
                self.console.print(Text(plain.line(_referred(event)), style=QUIET))
            elif event["event"] == "stability":
                self.console.print(Text(plain.line(_compared(event)), style=QUIET))
            elif event["event"] == "warning":
                self.console.print(Text(f"Warning: {plain.line(event.get('message'))}", style="yellow"))


def _referred(event: dict[str, Any]) -> str:
    accuracy = percent(event.get("linear_test_accuracy"))
    return f"seed {plain.line(event.get('seed'))}  linear reference (TF-IDF + logistic regression)  test {accuracy} %"


def _compared(event: dict[str, Any]) -> str:
    barrier = number(event.get("barrier"))
    found = "no line, a copy diverged" if barrier is None else f"error barrier {100 * barrier:.1f} points"
    return f"{_where(event)}  {found}"


def _where(event: dict[str, Any]) -> str:
    copy = f" copy {plain.line(event['copy'])}" if "copy" in event else ""
    return f"seed {event.get('seed')}  round {event.get('round')!s:>2}  {plain.line(event.get('arm')) + copy:<8}"


def _trained(event: dict[str, Any]) -> str:
    where = _where(event)
    if event.get("diverged"):
        return f"{where}  diverged"
    sparsity, accuracy = percent(event.get("sparsity")), percent(event.get("test_accuracy"))
    shared = f"  trained by {plain.line(event['shared'])}" if event.get("shared") else ""
    return f"{where}  sparsity {sparsity:>5} %  test {accuracy} %  best epoch {event.get('best_epoch')}{shared}"


def doing(status: dict[str, Any], seeds: list[int], rounds: int) -> str:
    """What the engine is at, in words: seed 2/3 · round 4/10 · reinit · epoch 3/6."""
    if "round" not in status or status.get("seed") not in seeds:
        return plain.line(status.get("doing") or status.get("state"))
    parts = [
        f"seed {seeds.index(status['seed']) + 1}/{len(seeds)}",
        f"round {status['round']}/{rounds}",
        plain.line(status.get("arm", "")),
        f"epoch {status.get('epoch', 0)}/{status.get('epochs', '?')}",
    ]
    return " · ".join(parts) + (" · stopping" if status.get("state") == "stopping" else "")
