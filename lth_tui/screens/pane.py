"""Beside the rounds of a run, one of: chart, learning curves, layers, settings, events, log."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input, Static

from engine.record import summary
from lth_tui import chart, plain
from lth_tui.screens import words
from lth_tui.screens.follow import Look
from lth_tui.screens.panes import happenings, layers, learning, log, settings
from lth_tui.widgets.curves import Curves
from lth_tui.widgets.page import Line, Page

if TYPE_CHECKING:
    from lth_tui.app import LthApp

TAILS = {"events": "events.jsonl", "log": "engine.log"}  # read on as these files grow
READ = ("settings", *TAILS)  # long lines, searched
NAMES = ("chart", "learning", "layers", *READ)
_BY_SPARSITY, _ALONG = (replace(axis, titles=()) for axis in (chart.SPARSITY, chart.LINE))  # a title stands above


class Pane(Container):
    """Draws the one that is open, and of it what changed."""

    app: "LthApp"

    class Grown(Message):
        """There are more lines of one of TAILS."""

        def __init__(self, name: str, lines: list[Line], still_open: Line | None) -> None:
            super().__init__()
            self.name, self.lines, self.still_open = name, lines, still_open

    class Told(Message):
        """What there is to say of the settings is known."""

        def __init__(self, spec: dict[str, Any], about: settings.Told) -> None:
            super().__init__()
            self.spec, self.about = spec, about

    def __init__(self, run: Path) -> None:
        super().__init__(id="pane")
        self.opened = ""
        self.tails = {"events": happenings.Tail(run), "log": log.Tail(run)}
        self._spec: dict[str, Any] = {}
        self._about: settings.Told | None = None  # of that spec
        self._asked = False

    def compose(self) -> ComposeResult:
        yield Curves(id="chart")
        yield Curves(id="learning")
        for name in NAMES[2:]:
            yield Page(id=name)
        yield Static(id="foot", markup=False)
        leave = self.app.key_while_typing("run.back")
        told = f"search; Enter finds{f', {leave} leaves' if leave else ''}"
        yield Input(id="search", compact=True, placeholder=told, max_length=200)

    def on_mount(self) -> None:
        for name in TAILS:
            self.page(name).following = True

    def on_unmount(self) -> None:
        for tail in self.tails.values():
            tail.close()

    def page(self, name: str) -> Page:
        return self.query_one(f"#{name}", Page)

    def open(self, name: str) -> None:
        """Show one; none of them for any other name."""
        if name == self.opened:
            return
        self.opened = name
        self.display = name in NAMES
        for one in NAMES:
            self.query_one(f"#{one}").display = one == name
        self.query_one("#foot").display = name in READ
        self.query_one("#search").display = False
        self._show_foot()

    def show(self, look: Look, number: int | None, metric: str) -> None:
        """What the open one says of a run and of one of its rounds."""
        if self.opened == "chart":
            self._show_chart(look)
        elif self.opened == "learning":
            found, axis = learning.drawing(look, number, metric)
            title = learning.title(look, number, metric)
            self.query_one("#learning", Curves).show(found, axis=axis, title=title, empty="No epoch of this round yet.")
        elif self.opened == "layers":
            page = self.page("layers")
            page.show(layers.lines(look, number, page.size.width))
        elif self.opened == "settings":
            self._show_settings(look.view["spec"])

    def _show_chart(self, look: Look) -> None:
        curves, stability = self.query_one("#chart", Curves), look.view["stability"]
        if stability is not None:
            from lth_tui import barriers

            empty = "The line is drawn once two copies have been trained."
            curves.show(barriers.curves(stability), axis=_ALONG, title=chart.LINE.titles[0], empty=empty)
            return
        found, dense = chart.curves(look.view["rounds"], summary.arms_of(look.view["spec"]))
        empty = "The chart begins with the first pruned network."
        title = chart.SPARSITY.titles[0]
        curves.show(found, dense, words.linear(look.view), _BY_SPARSITY, title=title, empty=empty)

    # Settings: what is usual takes a moment to find out

    def _show_settings(self, spec: dict[str, Any]) -> None:
        if spec != self._spec:
            self._spec, self._about, self._asked = spec, None, False
        page = self.page("settings")
        page.show(settings.lines(spec, self._about, page.size.width, self.app.key))
        if self._about is None and not self._asked:
            self._asked = True
            self.app.run_worker(lambda: self._tell(spec), thread=True, group="settings", exit_on_error=False)

    def _tell(self, spec: dict[str, Any]) -> None:
        self.post_message(self.Told(spec, settings.told(spec)))

    def on_pane_told(self, message: Told) -> None:
        if message.spec == self._spec:
            self._about = message.about
            self._show_settings(self._spec)

    # Events and log

    def read(self, name: str) -> None:
        """Read on, in a thread, if it is one of TAILS."""
        if name in self.tails:
            lines, still_open = self.tails[name].read()
            if lines or still_open is not None:
                self.post_message(self.Grown(name, lines, still_open))

    def on_pane_grown(self, message: Grown) -> None:
        self.page(message.name).add(message.lines, message.still_open)
        self._show_foot()

    # Search

    def ask(self) -> None:
        """Ask what to search."""
        if self.opened in READ:
            field = self.query_one("#search", Input)
            field.value, field.display = "", True
            field.focus()

    def leave_search(self) -> bool:
        """Back to the lines; False where nobody was asked."""
        field = self.query_one("#search", Input)
        asked = bool(field.display)
        if asked:
            field.display = False
            self.page(self.opened).focus()
        return asked

    @on(Input.Submitted, "#search")
    def _search(self, message: Input.Submitted) -> None:
        message.stop()
        if self.leave_search():
            self.page(self.opened).search(message.value)

    @on(Page.Searched)
    def _searched(self) -> None:
        self._show_foot()

    def _show_foot(self) -> None:
        """Under lines: whether their end is followed, and what a search found."""
        if self.opened not in READ:
            return
        foot, page, key = self.query_one("#foot", Static), self.page(self.opened), self.app.key
        ends = "the end of it, followed" if page.following else f"{key('page.follow')} follows its end"
        said = [f"{TAILS[self.opened]}: {ends if page.lines else 'nothing in it yet'}"] if self.opened in TAILS else []
        if page.term:
            hits = page.hits()
            place = f"{hits.index(page.hit) + 1} of {len(hits)}" if page.hit in hits else "nowhere"
            again, before = key("page.again"), key("page.again-back")
            said.append(f"“{plain.line(page.term, 40)}”: {place}, {again} and {before} go on")
        else:
            said.append(f"{key('page.search')} searches")
        if (text := " · ".join(said)) != str(foot.content):
            foot.update(text)
