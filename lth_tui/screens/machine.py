"""The queue and the machine: who holds the slots, who waits and why, and what the machine is doing."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import BadInput
from engine.process import queue
from engine.record import rundir, waiting
from lth_tui import meters, plain, queue_view
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import slots, words
from lth_tui.screens.acting import ask_to_stop
from lth_tui.widgets.keybar import KeyBar
from lth_tui.widgets.lines import Lines
from lth_tui.widgets.table import Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp


def paused() -> str:
    """Why the queue is paused from here on: by whom and since when, for a folder may be shared."""
    return f"in the app, by {rundir.owner(Path('/proc/self'))}, since {datetime.now():%d %b %H:%M}"


class MachineScreen(Screen[None]):
    """Looks at the queue and the machine while it is in front, and at nothing while it is not."""

    HELP_TITLE = KEYS["machine"].title
    CSS_PATH = "machine.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("machine")
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (16, "-short"), (34, "-tall")]  # noqa: RUF012

    app: "LthApp"

    class Queue(Message):
        """The queue as it is now; or why it cannot be told."""

        def __init__(self, facts: dict[str, Any] | None, trouble: str = "") -> None:
            super().__init__()
            self.facts, self.trouble = facts, trouble

    class Metered(Message):
        """A sample of the machine."""

        def __init__(self, sample: meters.Sample) -> None:
            super().__init__()
            self.sample = sample

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, Any] | None = None  # None until they are read
        self.sample: meters.Sample | None = None
        self.trails = meters.Trails()
        self._sampler: meters.Sampler | None = None
        self._sampling = self._reading = False
        self._next = 0.0
        self._deciding = threading.Lock()  # one move after another, in the order of the keys
        self._said: dict[str, object] = {}

    def compose(self) -> ComposeResult:
        yield TopBar("machine")
        yield Static(id="head", markup=False)
        yield Table(slots.COLUMNS, key=lambda row: row.run, cells=lambda row: row.cells, id="queue")
        yield Static(id="about", markup=False)
        yield Lines(id="meters")
        yield KeyBar()

    # Looking

    def on_mount(self) -> None:
        self.set_interval(self.app.TICK, self._tick)

    def on_screen_resume(self) -> None:
        self.app.run_worker(self._tend, thread=True, group="tend", exclusive=True, exit_on_error=False)
        self.trails.gap()
        self._tick()
        self.app.look(at_once=True)

    def on_screen_suspend(self) -> None:
        if (sampler := self._sampler) is not None and not self._sampling:
            self._sampler = None
            self.app.run_worker(sampler.close, thread=True, group="meters", exit_on_error=False)

    @property
    def table(self) -> Table:
        return self.query_one("#queue", Table)

    def _tick(self) -> None:
        if not self.is_current:
            return
        if not self._sampling:
            self._sampling = True
            self.app.run_worker(self._sample, thread=True, group="meters", exit_on_error=False)
        self._look()

    def _look(self, at_once: bool = False) -> None:
        if not self._reading and (at_once or time.monotonic() >= self._next):
            self._reading = True
            self.app.run_worker(self._read, thread=True, group="queue", exit_on_error=False)

    def _sample(self) -> None:
        try:
            sampler = self._sampler = self._sampler or meters.Sampler(self.app.runs)
            self.post_message(self.Metered(sampler.sample()))
            if not self.is_current:  # left meanwhile
                sampler.close()
                self._sampler = None
        finally:
            self._sampling = False

    def _read(self) -> None:
        began = time.monotonic()
        try:
            self.post_message(self.Queue(queue_view.facts(self.app.runs)))
        except BadInput as error:
            self.post_message(self.Queue(None, str(error)))
        finally:
            # Every status of ten thousand runs takes a while to read: a tenth of the time, no more.
            self._next = began + max(self.app.TICK * 0.9, 10 * (time.monotonic() - began))
            self._reading = False

    def _tend(self) -> None:
        """See to it that somebody will start the runs that wait."""
        try:
            queue.tend(self.app.runs)
        except (BadInput, OSError) as error:
            why = getattr(error, "strerror", None) or error
            self.app.call_from_thread(self.app.say, f"Nobody starts the runs that wait: {why}", "warning")

    # Showing

    def on_machine_screen_metered(self, message: Metered) -> None:
        self.sample = message.sample
        self.trails.add(message.sample)
        self._meter()

    def on_machine_screen_queue(self, message: Queue) -> None:
        if message.facts is not None:
            self.facts = message.facts
        width = max(self.size.width - 2, 10)
        self._say("#head", slots.head(message.facts, message.trouble, width, self.app.key), layout=True)
        rows = [] if self.facts is None else slots.rows(self.facts, time.time(), self._cards())
        self.set_class(not rows, "-empty")
        self.table.show(rows)
        self._about()

    def _cards(self) -> dict[str, int]:
        return {} if self.sample is None else {card.uuid: card.index for card in self.sample.cards}

    def on_resize(self) -> None:
        self.call_after_refresh(self._meter)

    def _meter(self) -> None:
        if self.sample is not None and self.is_mounted:
            told = meters.lines(self.sample, self.trails, max(self.size.width - 2, 1), plain.path(self.app.runs))
            self.query_one("#meters", Lines).show(told)

    @on(Table.Moved, "#queue")
    def _about(self) -> None:
        """What can be done about the row under the cursor, in full: its id, and what it waits for."""
        self._say("#about", slots.about(self.table.item))

    def _say(self, where: str, what: list[words.Piece], layout: bool = False) -> None:
        if self._said.get(where) != what:
            self._said[where] = what
            told = Content.assemble(*((text, words.COLOURS[tone]) for text, tone in what))
            self.query_one(where, Static).update(told, layout=layout)

    # What can be done

    @property
    def chosen(self) -> Path | None:
        key = self.table.key
        return None if key is None else self.app.runs / key

    @on(Table.Chosen, "#queue")
    def action_open(self) -> None:
        if self.chosen is not None:
            self.app.open_run(self.chosen)

    def action_stop(self) -> None:
        if (row := self.table.item) is not None:
            ask_to_stop(self.app, self.app.runs / row.run, row.state)

    def action_move(self, by: int) -> None:
        """Let a run wait before or behind its neighbour; a great number is the end."""
        if (row := self.table.item) is None:
            return
        if row.kind != "waiting":
            self.app.say("Only a run that waits can be moved.")
            return
        run = self.app.runs / row.run

        def move() -> None:
            order = [one.run for one in waiting.look(self.app.runs).ours]
            queue.move(run, order.index(run) + 1 + by if run in order else 1)

        self._decide(move)

    def action_pause(self) -> None:
        """Start nothing more, or go on."""
        if self.facts is None:
            return
        stands, runs = self.facts["paused"], self.app.runs
        if not runs.is_dir():
            self.app.say("There is no run yet, so there is nothing to pause.")
        else:
            self._decide(lambda: queue.go(runs) if stands else queue.pause(runs, paused()))

    def _decide(self, change: Callable[[], Any]) -> None:
        """Change the queue in the background, and show what came of it."""

        def decide() -> None:
            try:
                with self._deciding:
                    change()
            except BadInput as error:
                self.app.call_from_thread(self.app.say, str(error), "warning")
            self.app.call_from_thread(self._look, True)

        self.app.run_worker(decide, thread=True, group="queue", exit_on_error=False)
