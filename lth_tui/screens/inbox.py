"""What finished, failed, stopped or was orphaned while nobody looked, until it is read."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from engine.record import history
from lth_tui import plain
from lth_tui.keys import KEYS, bindings
from lth_tui.news import News
from lth_tui.screens import words
from lth_tui.widgets.keybar import KeyBar
from lth_tui.widgets.table import Column, Row, Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

COLUMNS = (
    Column("state", 10),
    Column("ended", 5, right=True, keep=60),
    Column("mean @ %", 11, right=True, keep=50),
    Column("run", 26, grow=40, most=52),
    Column("", 30, grow=20, keep=5),
)


def cells(news: News, now: datetime) -> Row:
    """A run that ended as the cells of its row."""
    one = news.summary
    return (
        [words.state(news.state)],
        [(words.age(history.iso(news.when), now), "dim")],
        words.best(one["best"]),
        plain.line(one["name"] or news.run, 140),
        [(said(news), "bad" if news.state == "failed" else "dim")],
    )


def said(news: News) -> str:
    """How it ended: the verdict, why it failed, or what to do."""
    one = news.summary
    again = f"`lth resume {plain.line(news.run[-4:])}` goes on"
    if news.state == "failed":
        return plain.line(one["cause"] or "nobody knows why")
    if news.state == "orphaned":
        return f"{plain.line(one['cause'] or 'its engine is gone')}; {again}"
    if news.state == "stopped":
        return f"stopped before its end; {again}"
    return plain.line(one["sentence"] or "")


class InboxScreen(Screen[None]):
    """A table of what nobody has read of; a row goes when it is read, and `u` brings it back."""

    HELP_TITLE = KEYS["inbox"].title
    CSS_PATH = "inbox.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("inbox")

    app: "LthApp"

    def __init__(self) -> None:
        super().__init__()
        self._said: object = None

    def compose(self) -> ComposeResult:
        yield TopBar("inbox")
        yield Table(COLUMNS, key=lambda news: news.run, cells=lambda news: cells(news, datetime.now()), id="news")
        yield Static(id="empty", markup=False)
        yield Static(id="about", markup=False)
        yield KeyBar()

    def on_screen_resume(self) -> None:
        if self.app.mail.news is not None:
            self.take(self.app.mail.news)
        self.app.look(at_once=True)

    @property
    def table(self) -> Table:
        return self.query_one("#news", Table)

    def take(self, news: list[News]) -> None:
        """Show the news as they are now."""
        if not self.is_mounted:
            return
        self.table.show(news)
        if not news and not self.has_class("-empty"):
            self.query_one("#empty", Static).update(self._nothing())
        self.set_class(not news, "-empty")
        self._about()

    def _nothing(self) -> Content:
        return Content.assemble(
            ("Nothing new\n\n", "bold $accent"),
            ("A run that finishes, fails, stops or loses its engine while nobody looks at it stands here until ", ""),
            ("it is read: opened, or marked. What was read a moment ago comes back with ", ""),
            (self.app.key("inbox.undo"), "bold $primary"),
            (".", ""),
        )

    @on(Table.Moved, "#news")
    def _about(self) -> None:
        """The run under the cursor in full."""
        news = self.table.item
        told = None if news is None else (plain.line(news.run, 140), said(news), news.state)
        if told != self._said:
            self._said = told
            run, how, state = told or ("", "", "")
            tone = {"failed": "$error", "orphaned": "$warning"}.get(state, "")
            shown = Content.assemble((run, "$foreground-muted"), "\n", (how, tone))
            self.query_one("#about", Static).update(shown)  # as high as it needs

    # What can be done

    @property
    def chosen(self) -> Path | None:
        key = self.table.key
        return None if key is None else self.app.runs / key

    @on(Table.Chosen, "#news")
    def action_open(self) -> None:
        if (run := self.chosen) is not None:
            self.app.mail.read([self.table.item])
            self.app.open_run(run)

    def action_read(self) -> None:
        if self.table.item is not None:
            self.app.mail.read([self.table.item])

    def action_read_all(self) -> None:
        if self.table.items:
            self.app.mail.read(list(self.table.items))

    def action_undo(self) -> None:
        self.app.mail.unread()

    def action_copy(self) -> None:
        if self.table.key is not None:
            self.app.copy(self.table.key)
