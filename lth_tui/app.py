"""The app: launch, watch, quit (the runs go on), come back. What all screens share; each screen is a file."""

import gc
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.terminal_theme import TerminalTheme
from rich.text import Text
from textual.app import App
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from engine import places
from engine.errors import BadInput
from engine.record import extensions, history, rundir
from lth_tui import clipboard, live, plain
from lth_tui.keys import PLACES, bindings
from lth_tui.screens import words
from lth_tui.screens.runs import RunsScreen
from lth_tui.widgets.topbar import TopBar

THEME = Theme(
    name="lth",
    primary="#6cb6eb",
    secondary="#8fa3b8",
    accent="#e6b673",
    success="#86c98e",
    warning="#e5a84b",
    error="#ea7a80",
    foreground="#d3dae3",
    background="#0f1318",
    surface="#151a21",
    panel="#1c232c",
    dark=True,
    variables={"border": "#4d7fa8", "border-blurred": "#2b3542", "footer-background": "#151a21"},
)
# The sixteen colours of the charts, in the tones of the theme; a terminal with a theme of its own shows its own.
_CHART = [(28, 35, 44), (234, 122, 128), (134, 201, 142), (230, 182, 115), (108, 182, 235), (199, 146, 234)]
_CHART += [(120, 207, 208), (211, 218, 227)]
_BRIGHT = [(110, 124, 140), (255, 150, 150), (166, 226, 160), (245, 210, 140), (150, 205, 250), (220, 175, 250)]
_BRIGHT += [(155, 230, 230), (255, 255, 255)]
COLOURS = TerminalTheme((15, 19, 24), (211, 218, 227), _CHART, _BRIGHT)


def _launch_screen() -> Screen:
    from lth_tui.screens.launch import LaunchScreen  # what is not in the first picture is imported when it is wanted

    return LaunchScreen()


class LthApp(App[None]):
    """Two places, Launch and Runs; a run opens on top of the runs. Only this reads the list of runs."""

    TITLE = "lth"
    TICK = 1.0  # seconds between two looks at what is on the screen
    FAST = 0.25  # the same with --fast
    ELSEWHERE = 4.0  # further seconds, for the runs while another screen is in front
    CSS_PATH = "app.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen]]] = {"launch": _launch_screen, "runs": RunsScreen}
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012

    class Listed(Message):
        """The runs, as they are now; a notice where the index or the folder is in trouble."""

        def __init__(self, summaries: list[history.Summary], notice: str | None) -> None:
            super().__init__()
            self.summaries, self.notice = summaries, notice

    def __init__(self, screen: str = "runs", run: Path | None = None, fast: bool = False) -> None:
        super().__init__()
        if fast:
            self.TICK = self.FAST
        self.runs = places.runs_root()
        self.reader = live.Reader(self.runs)
        self.summaries: list[history.Summary] | None = None  # None until they are read
        self.notice: str | None = None
        self.working = 0  # how many runs have an engine
        self.engines: list[subprocess.Popen] = []  # started here; kept so that the ended ones are reaped
        self._opening, self._opening_run = screen, run
        self._reading, self._next = False, 0.0
        self._told = ""

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = "lth"
        self.ansi_theme_dark = COLOURS
        self.switch_mode(self._opening if self._opening in PLACES else "runs")
        if self._opening_run is not None:
            self.open_run(self._opening_run)
        self.set_interval(self.TICK, self.look)
        self.look()

    # The list of runs

    def look(self, at_once: bool = False) -> None:
        """Have the runs read in the background, unless they are being read or were just now."""
        self.engines = [engine for engine in self.engines if engine.poll() is None]
        if not self.screen_stack:  # leaving
            return
        due = self._next + (0 if isinstance(self.screen, RunsScreen) else self.ELSEWHERE)
        if self._reading or (time.monotonic() < due and not at_once):
            return
        self._reading = True
        self.run_worker(lambda: self._read(at_once), thread=True, group="runs", exit_on_error=False)

    def _read(self, fresh: bool) -> None:
        began = time.monotonic()
        try:
            if self.summaries is None and (first := self.reader.stored()) is not None:
                self._reading, self._next = False, began
                self.post_message(self.Listed(*first))
                return
            found: tuple[list[history.Summary], str | None] = self.reader.look(fresh)
            if (why := self.reader.queue()) is not None and found[1] is None:
                found = (found[0], f"The queue is paused: {why}. P goes on with it.")
        except BadInput as error:
            found = ([], str(error))
        except Exception as error:  # noqa: BLE001  a list that cannot be read is told, and tried again
            found = (self.summaries or [], f"the runs could not be read ({type(error).__name__}: {error})")
        # Many runs at work take a while to look through: reading may take a tenth of the time, no more.
        self._next = began + max(self.TICK * 0.9, 10 * (time.monotonic() - began))
        self._reading = False
        self.post_message(self.Listed(*found))

    def on_lth_app_listed(self, message: Listed) -> None:
        if self.summaries is None:  # a first picture, perhaps an old one; the next look leaves it time to be painted
            self.set_timer(0.25, lambda: self.look(at_once=True))
        elif not gc.isenabled():  # see `run_app`
            gc.freeze()
            gc.enable()
        self.summaries, self.notice = message.summaries, message.notice
        self.working = sum(one["state"] in rundir.ACTIVE for one in self.summaries)
        if not self.is_running or not self.screen_stack:  # leaving: what is on a screen may be gone already
            return
        screen = self.screen  # only the one in front: a change behind it would have all of it drawn again
        for bar in screen.query(TopBar):
            bar.running = self.working
        if isinstance(screen, RunsScreen):
            screen.take(self.summaries, self.notice)

    # Going places

    def action_go(self, place: str) -> None:
        """To one of the places, closing what is open on top of it."""
        if self.current_mode != place:
            self.switch_mode(place)
        elif len(self.screen_stack) > 1:
            while len(self.screen_stack) > 2:
                self.pop_screen()
            self.pop_screen()
        self.look(at_once=True)

    def open_run(self, run: Path) -> None:
        """Show one run, on top of the runs."""
        if self.current_mode != "runs":
            self.switch_mode("runs")
        from lth_tui.screens.run import RunScreen

        self.push_screen(RunScreen(run))

    def compare(self, runs: list[Path]) -> None:
        """Lay runs over each other, on top of the runs."""
        from lth_tui.screens.compare import CompareScreen

        self.push_screen(CompareScreen(runs))

    def clone(self, run: Path) -> None:
        """Put what a run was made of into the form, to launch another like it."""
        self.action_go("launch")
        if fill := getattr(self.screen, "fill", None):
            self.call_after_refresh(fill, extensions.spec(run), run.name)

    def action_help(self) -> None:
        from lth_tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What goes wrong in the background is told, not swallowed, and the app goes on."""
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            text = f"something went wrong in the background ({type(error).__name__}: {error})"
            if text != self._told:  # once, not every second
                self._told = text
                self.say(text, "error")

    def say(self, text: str, severity: str = "information") -> None:
        """A short notice in the corner; foreign text is made safe, and nothing in it is markup."""
        self.notify(plain.line(text), severity=severity, markup=False, timeout=6)  # type: ignore[arg-type]

    def copy(self, text: str) -> None:
        """Have the terminal copy a text, and show it, since no terminal tells whether it obeyed."""
        try:
            sequence = clipboard.sequence(text, os.environ)
        except ValueError as error:
            self.say(f"Not copied: {error}.", "warning")
            return
        self._clipboard = text  # what Textual's own fields paste
        if self._driver is not None:
            self._driver.write(sequence)
        self.say(f"Copied: {text}")

    def copy_to_clipboard(self, text: str) -> None:
        """What Textual itself copies, from a field or a selection, goes the same way."""
        self.copy(text)

    async def action_quit(self) -> None:
        """Leave at once. Engines are processes of their own and go on; say so."""
        working = max(self.working, sum(engine.poll() is None for engine in self.engines))
        goes = "goes on without the app; `lth` comes back to it" if working == 1 else ""
        goes = goes or "go on without the app; `lth` comes back to them"
        self.exit(message=Text(f"{words.count(working, 'run')} {goes}.") if working else None)


def run_app(screen: str | None = None, fast: bool = False) -> None:
    """Open the app, at `launch` or `runs`; `fast` looks four times a second.

    Until all runs are read nothing is garbage: collecting took half of the time to the first picture.
    """
    gc.disable()
    LthApp(screen or "runs", fast=fast).run()
