"""Runs held against one another: their curves overlaid, their differences by sparsity, the settings that differ."""

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from lth_tui import comparison, one_run, plain, sheet
from lth_tui.chart import Curve
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import comparing, differences
from lth_tui.screens.comparing import Member, Reader
from lth_tui.widgets.curves import Curves
from lth_tui.widgets.keybar import KeyBar
from lth_tui.widgets.table import Column, Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

# The panes that can have the focus, and what is seen where there is room for one beside the runs.
PANES = {"members": "chart", "differences": "differences", "settings": "settings"}


class CompareScreen(Screen[None]):
    """Follows the runs it is given; a place and a colour each, which it keeps whatever is shown or hidden."""

    HELP_TITLE = KEYS["compare"].title
    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")

    app: "LthApp"

    class Seen(Message):
        """The runs have changed."""

        def __init__(self, members: list[Member]) -> None:
            super().__init__()
            self.members = members

    class Compared(Message):
        """The runs, held against a base by a metric."""

        def __init__(self, found: dict[str, Any], members: list[Member], base: int, metric: str) -> None:
            super().__init__()
            self.found, self.members, self.base, self.metric = found, members, base, metric

    def __init__(self, runs: list[Path]) -> None:
        super().__init__()
        self.runs = list(dict.fromkeys(runs))
        self.reader = Reader(self.runs)
        self.members: list[Member] = []
        self.hidden: set[int] = set()
        self.base, self.metric, self.arm, self.pane = 0, "accuracy", "ticket", "members"
        self.compared: CompareScreen.Compared | None = None
        self._reading = self._stale = False  # stale: what is compared is no longer what was asked for
        self._said: dict[str, object] = {}

    def compose(self) -> ComposeResult:
        yield TopBar("runs", "compare")
        yield Static(Content.assemble(*differences.how(self.app.key)), id="how", markup=False)
        yield Table(differences.MEMBERS, key=lambda line: line.key, cells=lambda line: line.cells, id="members")
        yield Static(id="what", markup=False)
        with Horizontal(id="panes"):
            yield Curves(id="overlay")
            with Vertical(id="tables"):
                yield Table((), key=lambda line: line.key, cells=lambda line: line.cells, id="differences")
                yield Static(id="notes", markup=False)
                yield Table((), key=lambda line: line.key, cells=lambda line: line.cells, id="settings")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(not self.runs, "-empty")
        if self.runs:
            self._turn_to(self.pane)
            self.set_interval(self.app.TICK, self._tick)
            self._tick()

    def table(self, name: str) -> Table:
        return self.query_one(f"#{name}", Table)

    # Reading and comparing, in the background: one thread at a time

    def _tick(self) -> None:
        if not self._reading and (self.is_current or not self.members):
            self._reading = True
            self.app.run_worker(self._read, thread=True, group="compare", exit_on_error=False)

    def _read(self) -> None:
        try:
            if (members := self.reader.read()) is not None:
                self.post_message(self.Seen(members))
            elif self._stale:
                members = [one for one in self.reader.members if one is not None]
            self._stale = False
            if members:
                base, metric = self.base, self.metric
                self.post_message(self.Compared(comparing.compare(members, base, metric), members, base, metric))
        finally:
            self._reading = False

    def _again(self) -> None:
        """Compare anew, at once."""
        self._stale = True
        self._tick()

    def on_compare_screen_seen(self, message: Seen) -> None:
        self.members = message.members
        self._show()

    def on_compare_screen_compared(self, message: Compared) -> None:
        self.compared = message
        self._show()
        if (message.base, message.metric) != (self.base, self.metric):
            self._again()  # asked for something else meanwhile

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < 18, "-low")
        self.call_after_refresh(self._show)

    # What is shown

    def _show(self) -> None:
        if not self.members or not self.is_mounted:
            return
        arms = comparing.arms(self.members)
        if self.arm not in arms and arms:
            self.arm = arms[0]
        self._say("what", self._what())
        self.table("members").show(differences.members(self.members, self.base, self.hidden, self.metric))
        self._draw()
        self._tabulate()

    def _say(self, name: str, content: Content) -> None:
        if self._said.get(name) != (told := (content.plain, content.spans)):
            self._said[name] = told
            self.query_one(f"#{name}", Static).update(content)

    def _what(self) -> Content:
        """What the tables and the chart show: arm, metric, base."""
        one = self.members[self.base]
        ((sign, colour),) = differences.sign(self.base, one.name)
        arm, base = (plain.line(self.arm, 40), "bold $accent"), (sign, f"bold ansi_{colour}")
        said = [arm, (f" · {one_run.METRICS[self.metric][1]} · against ", "$foreground-muted"), base]
        if not self.has_class("-narrow"):
            return Content.assemble(*said)
        tabs = [(f"  {title}", "bold" if self.pane == name else "$foreground-muted") for name, title in PANES.items()]
        for begun in (said, [arm, (" against ", "$foreground-muted"), base]):
            room = self.size.width - 2 - sum(Content(text).cell_length for text, _ in (*begun, *tabs))
            if room >= 0:
                return Content.assemble(*begun, (" " * room, ""), *tabs)
        return Content.assemble(*said)

    def _draw(self) -> None:
        curves = comparison.curves(
            [one.view for one in self.members], [one.name for one in self.members], self.arm, self.metric
        )
        seen = [Curve(one.name, ()) if place in self.hidden else one for place, one in enumerate(curves)]
        hidden = any(one.points for one in curves)
        empty = (
            f"Every curve is hidden; {self.app.key('compare.curve')} shows one."
            if hidden
            else f"No network of the arm {plain.line(self.arm, 40)} is trained yet."
        )
        self.query_one(Curves).show(seen, axis=comparing.axis(self.metric), empty=empty)

    def _tabulate(self) -> None:
        members, base = self.members, self.base
        told = self.compared
        if told is None or (told.base, told.metric) != (base, self.metric):
            told = None  # it comes in a moment; what stands there is of another base or metric
        found = told.found if told else None
        others = [place for place in range(len(members)) if place != base]
        wanted = self.table("members").cursor
        parts = [(f"⚠ {one}\n", "$warning") for one in differences.sentences(found, members, base, self.arm)]
        if told and found:
            members = told.members
            first = (
                Column("sparsity", 8, right=True),
                Column(differences.sign(base, members[base].name), 8, right=True),
            )
            table = self.table("differences")
            table.set_columns(differences.beside(first, members, others, wanted, differences.WIDTHS[self.metric]))
            table.show(differences.aligned(found, members, base, self.arm, self.metric))
            order = [base, *others]
            paths = (Column("setting", 22, grow=1, most=30),)
            settings = self.table("settings")
            settings.set_columns(differences.beside(paths, members, order, wanted, 8))
            settings.show(differences.settings(found, [members[place] for place in order]))
            room = len(table.shown_columns) - len(first)
            if 0 < room < len(others):
                parts.append((f"Here is room for {room} of {len(others)}, the one under the cursor among them.\n", ""))
            parts.append((differences.legend(found, members, self.arm, self.metric), "$foreground-muted"))
        elif self.compared is None:
            parts.append(("comparing", "$foreground-muted"))
        self._say("notes", Content.assemble(*parts).rstrip())

    @on(Table.Moved, "#members")
    def _moved(self) -> None:
        if self.members:
            self._tabulate()

    # Keys

    @property
    def chosen(self) -> int:
        return self.table("members").cursor

    def action_curve(self) -> None:
        if self.members:
            self.hidden ^= {self.chosen}
            self._show()

    def action_base(self) -> None:
        if self.members and self.base != self.chosen:
            self.base = self.chosen
            self._show()
            self._again()

    def action_arm(self) -> None:
        if arms := comparing.arms(self.members):
            self.arm = arms[(arms.index(self.arm) + 1) % len(arms)]
            self._show()

    def action_metric(self) -> None:
        names = list(one_run.METRICS)
        self.metric = names[(names.index(self.metric) + 1) % len(names)]
        self._show()
        self._again()

    def action_pane(self, by: int) -> None:
        """The next pane has the focus; where there is no room for all, it is the one that is shown."""
        names = list(PANES)
        self._turn_to(names[(names.index(self.pane) + by) % len(names)])

    def _turn_to(self, pane: str) -> None:
        self.pane = pane
        for one in PANES:
            self.set_class(one == pane, f"-on-{one}")
        self.table(pane).focus()
        self._show()

    @on(Table.Chosen, "#members")
    def action_open(self) -> None:
        if self.members:
            self.app.open_run(self.members[self.chosen].path)

    def action_copy(self) -> None:
        if len(self.members) > 1:
            self.app.copy(self.command())

    def command(self) -> str:
        """The same from a shell: the base first."""
        order = [self.base, *(place for place in range(len(self.runs)) if place != self.base)]
        words = ["lth", "compare", *(self.runs[place].name for place in order)]
        words += ["--metric", self.metric] if self.metric != "accuracy" else []
        words += ["--arm", self.arm] if self.arm != "ticket" else []
        return shlex.join(words)

    def action_write(self) -> None:
        told = self.compared
        if told is None or not told.found["comparisons"]:
            self.app.say("There is nothing to write yet.")
            return
        text = sheet.comparison(told.found)
        name = "lth-compare-" + "-".join(one.name for one in told.members)[:60]
        self.app.run_worker(lambda: self._write(name, text), thread=True, group="write", exit_on_error=False)

    def _write(self, name: str, text: str) -> None:
        words, tone = sheet.write(Path.cwd(), name, text)
        with suppress(RuntimeError):  # the app is gone
            self.app.call_from_thread(self.app.say, words, tone)
