"""The end of a run's engine.log, followed as it grows."""

import codecs
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Log

from engine.process import logfile
from lth_tui import plain
from lth_tui.keys import KEYS, bindings
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

TAIL = 64 * 1024  # bytes shown of what was written before
LINES = 5_000


class LogTail:
    """Reads what is new in a run's log, from its last 64 KB on, also once it has been moved away for a fresh one."""

    def __init__(self, run: Path) -> None:
        self._reader = logfile.Reader(run, last=TAIL)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._troubled = False

    def read(self) -> str:
        """Safe text that was not read before; empty where there is none. Never raises on what the file is."""
        try:
            data = self._reader.read(TAIL)
        except ValueError:  # closed: the screen is being left
            return ""
        except OSError as error:
            if self._troubled:
                return ""
            self._troubled = True
            return f"engine.log cannot be read ({error.strerror or error})\n"
        return plain.lines(self._decoder.decode(data), TAIL)

    def close(self) -> None:
        self._reader.close()


class LogScreen(Screen[None]):
    """Follows the end until one scrolls up, and again from the end."""

    HELP_TITLE = KEYS["log"].title
    CSS_PATH = "log.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("log")

    app: "LthApp"

    class Grown(Message):
        """There is more of the log."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run_path = run
        self.tail = LogTail(run)
        self._reading = False

    def compose(self) -> ComposeResult:
        yield TopBar("runs", f"{self.run_path.name} › engine.log")
        yield Log(max_lines=LINES, id="log")
        yield Footer(show_command_palette=False, compact=True)

    @property
    def log_widget(self) -> Log:
        return self.query_one("#log", Log)

    def on_mount(self) -> None:
        self.log_widget.border_title = "nothing in it yet"
        self.log_widget.focus()
        self.set_interval(self.app.TICK, self._tick)
        self._tick()

    def _tick(self) -> None:
        if not self._reading and self.is_current:
            self._reading = True
            self.app.run_worker(self._read, thread=True, group="log", exit_on_error=False)

    def _read(self) -> None:
        try:
            if text := self.tail.read():
                self.post_message(self.Grown(text))
        finally:
            self._reading = False

    def on_unmount(self) -> None:
        self.tail.close()

    def on_log_screen_grown(self, message: Grown) -> None:
        self.log_widget.border_title = "the end of it, followed; f or G goes to the end"
        self.log_widget.write(message.text)

    def action_follow(self) -> None:
        self.action_edge(1)

    def action_edge(self, last: int) -> None:
        (self.log_widget.scroll_end if last else self.log_widget.scroll_home)(animate=False)

    def action_scroll(self, by: int) -> None:
        self.log_widget.scroll_relative(y=by, animate=False)
