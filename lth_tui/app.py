"""The app: launch, watch, quit (the runs go on), come back. What all screens share; each screen is a file."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import BindingType
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from engine import places
from engine.errors import BadInput
from engine.record import history, rundir
from lth_tui import clipboard, keymap, plain, preferences, themes
from lth_tui.keys import PLACES, bindings
from lth_tui.palette import Palette
from lth_tui.screens import words
from lth_tui.screens.colours import ColoursScreen
from lth_tui.screens.help import HelpScreen
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.run import RunScreen
from lth_tui.screens.runs import RunsScreen
from lth_tui.widgets.topbar import TopBar

_NO_COLOUR = NoColor()


class LthApp(App[None]):
    """Two places, Launch and Runs; a run opens on top of the runs. Only this reads the list of runs."""

    TITLE = "lth"
    TICK = 1.0  # seconds between two looks at what is on the screen
    ELSEWHERE = 4.0  # further seconds, for the runs while another screen is in front
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False  # Textual's own, which knows nothing of runs; ours is an action like any other
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
        self.no_color = bool(os.environ.get("NO_COLOR"))  # Textual takes an empty one for a yes
        self.keys, self._wrong_keys = keymap.read(places.keys_file())
        self.runs = places.runs_root()
        self.summaries: list[history.Summary] | None = None  # None until they are read
        self.notice: str | None = None
        self.working = 0  # how many runs have an engine
        self.engines: list[subprocess.Popen] = []  # started here; kept so that the ended ones are reaped
        self._opening, self._opening_run = screen, run
        self._reading, self._next = False, 0.0
        self._told = ""

    def on_mount(self) -> None:
        self._dress()
        self.switch_mode(self._opening if self._opening in PLACES else "runs")
        if self._opening_run is not None:
            self.open_run(self._opening_run)
        self.set_interval(self.TICK, self.look)
        self.look()

    def _dress(self) -> None:
        """Keys and colours as they were chosen; what is wrong with either is told."""
        self.set_keymap({name: ",".join(keys) for name, keys in self.keys.items()})
        for one in themes.THEMES.values():
            self.register_theme(one.theme)
        kept = preferences.read(self.runs)
        self.colour(themes.first(kept.values.get("theme"), self.no_color, self.console.color_system))
        for trouble in filter(None, [*self._wrong_keys, kept.trouble]):
            self.say(trouble, "warning")

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

    def action_palette(self) -> None:
        if not Palette.is_open(self):
            self.push_screen(Palette())

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

    # Keys and colours

    def key(self, name: str) -> str:
        """The first key of a name of the registry, such as `runs.stop`, as people write it."""
        return keymap.shown((self.keys.get(name) or keymap.usual()[name])[0])

    def colour(self, name: str) -> None:
        """Show everything in the colours of one of the themes."""
        self.no_color = name == themes.NONE
        self.ansi_theme_dark = self.ansi_theme_light = themes.THEMES[name].palette
        self.theme = name

    def keep_colours(self, name: str) -> None:
        """Show them now and whenever the app is opened."""
        self.colour(name)
        self.run_worker(lambda: self._keep("theme", name), thread=True, group="preferences", exit_on_error=False)

    def _keep(self, key: str, value: object) -> None:
        try:
            trouble = preferences.set(self.runs, key, value)
        except BadInput as error:
            trouble = str(error)
        if trouble:
            self.call_from_thread(self.say, trouble, "warning")

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without colours none passes, whatever a chart asks for."""
        filters = [one for one in super().get_line_filters() if not isinstance(one, Monochrome | NoColor)]
        return [*filters, _NO_COLOUR] if self.no_color else filters

    def action_theme(self) -> None:
        if not isinstance(self.screen, ColoursScreen):
            self.push_screen(ColoursScreen(self.theme))

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


def run_app(screen: str | None = None, run: Path | None = None) -> None:
    """Open the app, at one of its places, or at a run."""
    LthApp(screen or "runs", run).run()
