"""The app: launch, watch, quit (the runs go on), come back. What all screens share; each screen is a file."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual.app import App
from textual.binding import BindingType
from textual.events import Event, Key
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from engine import places
from engine.errors import BadInput
from engine.record import extensions, history, rundir
from lth_tui import clipboard, keymap, live, plain, preferences, themes
from lth_tui.keys import PLACES, bindings
from lth_tui.keystrokes import Keystrokes
from lth_tui.news import News
from lth_tui.painted import Painted
from lth_tui.screens import words
from lth_tui.screens.mail import Mail
from lth_tui.screens.runs import RunsScreen
from lth_tui.widgets.topbar import TopBar

_NO_COLOUR = NoColor()


def _launch_screen() -> Screen:
    from lth_tui.screens.launch import LaunchScreen  # what is not in the first picture is imported when it is wanted

    return LaunchScreen()


def _machine_screen() -> Screen:
    from lth_tui.screens.machine import MachineScreen

    return MachineScreen()


def _inbox_screen() -> Screen:
    from lth_tui.screens.inbox import InboxScreen

    return InboxScreen()


class LthApp(App[None]):
    """Two places, Launch and Runs; a run opens on top of the runs. Only this reads the list of runs."""

    TITLE = "lth"
    TICK = 1.0  # seconds between two looks at what is on the screen
    FAST = 0.25  # the same with --fast
    ELSEWHERE = 4.0  # further seconds, for the runs while another screen is in front
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False  # Textual's own, which knows nothing of runs; ours is an action like any other
    MODES: ClassVar[dict[str, str | Callable[[], Screen]]] = {
        "launch": _launch_screen,
        "runs": RunsScreen,
        "machine": _machine_screen,
        "inbox": _inbox_screen,
    }
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012

    class Listed(Message):
        """The runs, as they are now; a notice where the index or the folder is in trouble."""

        def __init__(self, summaries: list[history.Summary], notice: str | None) -> None:
            super().__init__()
            self.summaries, self.notice = summaries, notice

    class Heard(Message):
        """What is unread, as it is now."""

        def __init__(self, news: list[News]) -> None:
            super().__init__()
            self.news = news

    def __init__(self, screen: str = "runs", run: Path | None = None, fast: bool = False) -> None:
        super().__init__()
        self.no_color = bool(os.environ.get("NO_COLOR"))  # Textual takes an empty one for a yes
        read = keymap.read(places.keys_file())
        self.keys, self._wrong_keys = read
        self._every_key = read.keys
        if fast:
            self.TICK = self.FAST
        self.runs = places.runs_root()
        self.reader = live.Reader(self.runs)
        self.summaries: list[history.Summary] | None = None  # None until they are read
        self.notice: str | None = None
        self.mail = Mail(self)
        self.working = 0  # how many runs have an engine
        self.engines: list[subprocess.Popen] = []  # started here; kept so that the ended ones are reaped
        self.unfinished: tuple[str, str] | None = None  # what is at work, and what quitting does; None once told
        self._opening, self._opening_run = screen, run
        self._reading, self._next = False, 0.0
        self._told = ""
        self._keystrokes = Keystrokes(self, super().on_event)
        self._painted = Painted()

    def on_mount(self) -> None:
        self._dress()
        self.switch_mode(self._opening if self._opening in PLACES else "runs")
        if self._opening_run is not None:
            self.open_run(self._opening_run)
        self.app_resume_signal.subscribe(self, self._paint_anew)  # brought back by `fg`
        self.set_interval(self.TICK, self.look)
        self.look()

    def _dress(self) -> None:
        """Keys and colours as they were chosen; what is wrong with either is told."""
        self.set_keymap({name: ",".join(keys) for name, keys in self.keys.items()})
        for one in themes.THEMES.values():
            self.register_theme(one.theme)
        kept = preferences.read(self.runs)
        colours = None if self.is_headless else self.console.color_system
        theme = kept.values.get(preferences.mine("theme"), kept.values.get("theme"))  # the latter an older version's
        self.colour(themes.first(theme, self.no_color, colours))
        more = f" {len(self._wrong_keys) - 1} more: `lth keys` tells them." if self._wrong_keys[1:] else ""
        for trouble in filter(None, [*(f"{wrong}{more}" for wrong in self._wrong_keys[:1]), kept.trouble]):
            self.say(trouble, "warning")

    # The list of runs

    def look(self, at_once: bool = False) -> None:
        """Have the runs read in the background, unless they are being read or were just now."""
        self.engines = [engine for engine in self.engines if engine.poll() is None]
        if not self.screen_stack:  # leaving
            return
        due = self._next + (
            0 if self.current_mode in ("runs", "inbox") and not self.screen_stack[1:] else self.ELSEWHERE
        )
        if self._reading or (time.monotonic() < due and not at_once):
            return
        self._reading = True
        self.run_worker(lambda: self._read(at_once), thread=True, group="runs", exit_on_error=False)

    def _read(self, fresh: bool) -> None:
        began, known = time.monotonic(), False
        try:
            if self.summaries is None and (first := self.reader.stored()) is not None:
                self._reading, self._next = False, began
                self.post_message(self.Listed(*first))
                return
            found: tuple[list[history.Summary], str | None] = self.reader.look(fresh)
            known = True
            if (why := self.reader.queue()) is not None and found[1] is None:
                found = (found[0], f"The queue is paused: {why}. {self.key('runs.queue.go')} goes on with it.")
        except BadInput as error:
            found = ([], str(error))
        except Exception as error:  # noqa: BLE001  a list that cannot be read is told, and tried again
            found = (self.summaries or [], f"the runs could not be read ({type(error).__name__}: {error})")
        # Many runs at work take a while to look through: reading may take a tenth of the time, no more.
        self._next = began + max(self.TICK * 0.9, 10 * (time.monotonic() - began))
        self.post_message(self.Listed(*found))
        try:
            if known:
                self.post_message(self.Heard(self.mail.look(found[0])))
        finally:
            self._reading = False

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

    def on_lth_app_heard(self, message: Heard) -> None:
        if self.is_running and self.screen_stack:
            self.mail.take(message.news)

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
        """Show one run, on top of the list one is at, else of the runs."""
        if self.current_mode == "launch":
            self.switch_mode("runs")
        from lth_tui.screens.run import RunScreen

        self.push_screen(RunScreen(run))

    def action_palette(self) -> None:
        from lth_tui.palette import Palette

        if not Palette.is_open(self):
            self.push_screen(Palette())

    def compare(self, runs: list[Path]) -> None:
        """Hold runs against one another, on top of the list one is at, else of the runs."""
        from lth_tui.screens.compare import CompareScreen

        if self.current_mode == "launch":
            self.switch_mode("runs")
        self.push_screen(CompareScreen(runs))

    def clone(self, run: Path) -> None:
        """Put what a run was made of into the form, to launch another like it."""
        self.action_go("launch")
        self.call_after_refresh(self.screen.fill, extensions.spec(run), run.name)  # type: ignore[attr-defined]

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

    # Keys and colours

    async def on_event(self, event: Event) -> None:
        """A key is given out once those before it have done what they do; all else at once."""
        if isinstance(event, Key) and not event.is_forwarded:
            await self._keystrokes.take(event)
        else:
            await super().on_event(event)

    def key(self, name: str) -> str:
        """The first key of a name of the registry, such as `runs.stop`, as people write it."""
        return keymap.shown(self._every_key[name][0])

    def key_while_typing(self, name: str) -> str:
        """The first that a field does not take as text, as people write it; empty where it has none."""
        key = self.pressed_while_typing(name)
        return keymap.shown(key) if key else ""

    def pressed_while_typing(self, name: str) -> str:
        """The same as Textual names it."""
        return next((key for key in self._every_key[name] if not keymap.is_typed(key)), "")

    def colour(self, name: str) -> None:
        """Show everything in the colours of one of the themes."""
        self.no_color = name == themes.NONE
        self.ansi_theme_dark = self.ansi_theme_light = themes.THEMES[name].palette
        self.theme = name

    def keep_colours(self, name: str) -> None:
        """Show them now and whenever the app is opened."""
        self.colour(name)
        keep = lambda: self._keep(preferences.mine("theme"), name)  # noqa: E731
        self.run_worker(keep, thread=True, group="preferences", exit_on_error=False)

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

    def _display(self, screen: Screen, renderable: RenderableType | None) -> None:
        """What Textual writes to the terminal, less what stands there."""
        super()._display(screen, self._painted.sparing(renderable))

    def _paint_anew(self, _: object) -> None:
        self._painted.forget()
        self.screen.refresh(layout=True)

    def action_theme(self) -> None:
        from lth_tui.screens.colours import ColoursScreen

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
        if os.environ.get("TMUX"):
            self.run_worker(lambda: self._copy_in_tmux(text, sequence), thread=True, group="copy", exit_on_error=False)
        else:
            self._copied(text, sequence)

    def _copy_in_tmux(self, text: str, sequence: str) -> None:
        self.call_from_thread(self._copied, text, "" if clipboard.by_tmux(text) else sequence)

    def _copied(self, text: str, sequence: str) -> None:
        if self._driver is not None and sequence:
            self._driver.write(sequence)
        self.say(f"Copied: {text}")

    def copy_to_clipboard(self, text: str) -> None:
        """What Textual itself copies, from a field or a selection, goes the same way."""
        self.copy(text)

    async def action_quit(self) -> None:
        """Leave at once, or where something is unfinished at the second time. Engines go on; say so."""
        left, self.unfinished = self.unfinished, None
        if left is not None:
            self.say(f"Still {left[0]}: {self.key('app.quit-anywhere')} again {left[1]}.", "warning")
            return
        working = max(self.working, sum(engine.poll() is None for engine in self.engines))
        goes = "goes on without the app; `lth` comes back to it" if working == 1 else ""
        goes = goes or "go on without the app; `lth` comes back to them"
        self.exit(message=Text(f"{words.count(working, 'run')} {goes}.") if working else None)


def run_app(screen: str | None = None, run: Path | None = None, fast: bool = False) -> None:
    """Open the app, at one of its places, or at a run; `fast` looks four times a second. Exits where the app broke.

    Until all runs are read nothing is garbage: collecting took half of the time to the first picture.
    """
    gc.disable()
    app = LthApp(screen or "runs", run, fast)
    app.run()
    if app.return_code:
        sys.exit(app.return_code)
