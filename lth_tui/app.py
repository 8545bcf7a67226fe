"""The app: launch, watch, quit (the runs go on), come back. What all screens share; each screen is a file."""

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
from engine.record import history, rundir
from lth_tui import clipboard, plain
from lth_tui.keys import PLACES, bindings
from lth_tui.screens import words
from lth_tui.screens.help import HelpScreen
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.run import RunScreen
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


class LthApp(App[None]):
    """Two places, Launch and Runs; a run opens on top of the runs. Only this reads the list of runs."""

    TITLE = "lth"
    TICK = 1.0  # seconds between two looks at what is on the screen
    ELSEWHERE = 4.0  # further seconds, for the runs while another screen is in front
    CSS_PATH = "app.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen]]] = {"launch": LaunchScreen, "runs": RunsScreen}
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012

    class Listed(Message):
        """The runs, as they are now; a notice where the index or the folder is in trouble."""

        def __init__(self, summaries: list[history.Summary], notice: str | None) -> None:
            super().__init__()
            self.summaries, self.notice = summaries, notice

    def __init__(self, screen: str = "runs", run: Path | None = None) -> None:
        super().__init__()
        self.runs = places.runs_root()
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
        self.run_worker(self._read, thread=True, group="runs", exit_on_error=False)

    def _read(self) -> None:
        began = time.monotonic()
        try:
            found: tuple[list[history.Summary], str | None] = history.refresh(self.runs)
        except BadInput as error:
            found = ([], str(error))
        except Exception as error:  # noqa: BLE001  a list that cannot be read is told, and tried again
            found = (self.summaries or [], f"the runs could not be read ({type(error).__name__}: {error})")
        # Ten thousand runs take a while to look through: reading may take a tenth of the time, no more.
        self._next = began + max(self.TICK * 0.9, 10 * (time.monotonic() - began))
        self._reading = False
        self.post_message(self.Listed(*found))

    def on_lth_app_listed(self, message: Listed) -> None:
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
        self.push_screen(RunScreen(run))

    def compare(self, runs: list[Path]) -> None:
        """Hold runs against one another, on top of the runs."""
        from lth_tui.screens.compare import CompareScreen

        if self.current_mode != "runs":
            self.switch_mode("runs")
        self.push_screen(CompareScreen(runs))

    def action_help(self) -> None:
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


def run_app(screen: str | None = None) -> None:
    """Open the app, at `launch` or `runs`."""
    LthApp(screen or "runs").run()
