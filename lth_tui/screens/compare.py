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
from textual.widgets import Footer, Static

from lth_tui import chart, comparison, one_run, plain, sheet
from lth_tui.chart import Axis, Curve
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import comparing, differences
from lth_tui.screens.comparing import Member, Reader
from lth_tui.widgets.curves import TALLEST, WIDEST, Curves
from lth_tui.widgets.table import Column, Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

PANES = (
    "members",
    "differences",
    "settings",
)  # which can have the focus; where it is narrow the chart is with the first


class Overlay(Curves):
    """A curve a run, each in the colour of its place."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id)
        self._axis = comparing.axis("accuracy")
        self._empty = ""

    def overlay(self, curves: list[Curve], axis: Axis, empty: str) -> None:
        """Draw these curves, or in words that there are none, if they say something new."""
        what = (curves, None)
        if (what, axis.titles, empty) != (self._what, self._axis.titles, self._empty):
            self._what, self._axis, self._empty = what, axis, empty
            self._draw()

    def _draw(self) -> None:
        width, height = min(self.size.width, WIDEST), min(self.size.height, TALLEST)
        drawn = chart.draw(*self._what, width, height, axis=self._axis) if width > 0 and height > 0 else []
        self._lines = drawn or [[(self._empty, chart.DENSE_COLOUR)]]
        self.refresh()


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
        self.base, self.metric, self.arm = 0, "accuracy", "ticket"
        self.compared: CompareScreen.Compared | None = None
        self._reading = self._stale = False  # stale: what is compared is no longer what was asked for
        self._said: dict[str, object] = {}

    def compose(self) -> ComposeResult:
        yield TopBar("runs", "compare")
        yield Static(self._how(), id="how", markup=False)
        yield Table(differences.MEMBERS, key=lambda line: line.key, cells=lambda line: line.cells, id="members")
        yield Static(id="what", markup=False)
        with Horizontal(id="panes"):
            yield Overlay(id="overlay")
            with Vertical(id="tables"):
                yield Table((), key=lambda line: line.key, cells=lambda line: line.cells, id="differences")
                yield Static(id="notes", markup=False)
                yield Table((), key=lambda line: line.key, cells=lambda line: line.cells, id="settings")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.set_class(not self.runs, "-empty")
        self.add_class("-on-members")
        if self.runs:
            self.table("members").focus()
            self.set_interval(self.app.TICK, self._tick)
            self._tick()

    def table(self, name: str) -> Table:
        return self.query_one(f"#{name}", Table)

    def _how(self) -> Content:
        """How runs come here."""
        key = next((one for one in KEYS["runs"].keys if one.name == "compare"), None)
        shown = (key.shown or key.keys.partition(",")[0]) if key else "="
        return Content.assemble(
            ("Nothing to compare yet\n\n", "bold $accent"),
            ("Two runs or more are laid over one another here: their curves, their differences at each sparsity, ", ""),
            ("and the settings in which they differ.\n\n", ""),
            ("  2       ", "bold $primary"),
            ("the runs\n", ""),
            ("  Space   ", "bold $primary"),
            ("marks one there, and another\n", ""),
            (f"  {shown:<7} ", "bold $primary"),
            ("compares those that are marked\n", ""),
        )

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
                self.post_message(self.Compared(_compare(members, base, metric), members, base, metric))
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

    def on_resize(self, _: events.Resize) -> None:
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
        return Content.assemble(
            (plain.line(self.arm, 40), "bold $accent"),
            (f" · {one_run.METRICS[self.metric][1]} · differences to ", "$foreground-muted"),
            (sign, f"bold ansi_{colour}"),
        )

    def _draw(self) -> None:
        curves = comparison.curves(
            [one.view for one in self.members], [one.name for one in self.members], self.arm, self.metric
        )
        seen = [Curve(one.name, ()) if place in self.hidden else one for place, one in enumerate(curves)]
        hidden = any(one.points for one in curves)
        empty = (
            "Every curve is hidden; Space shows one."
            if hidden
            else f"No network of the arm {plain.line(self.arm, 40)} is trained yet."
        )
        self.query_one(Overlay).overlay(seen, comparing.axis(self.metric), empty)

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
            table.set_columns(differences.beside(first, members, others, wanted, 17))
            table.show(differences.aligned(found, members, base, self.arm, self.metric))
            order = [base, *others]
            table = self.table("settings")
            table.set_columns(differences.beside((Column("setting", 16, grow=1, most=30),), members, order, wanted, 8))
            table.show(differences.settings(found, [members[place] for place in order]))
            seeds = differences.pairing(found, members, self.arm)
            parts.append((f"{comparison.legend(self.metric)}{f'; {seeds}' if seeds else ''}", "$foreground-muted"))
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

    def action_toggle(self) -> None:
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
        at = next((place for place, name in enumerate(PANES) if self.has_class(f"-on-{name}")), 0)
        name = PANES[(at + by) % len(PANES)]
        for one in PANES:
            self.set_class(one == name, f"-on-{one}")
        self.table(name).focus()

    @on(Table.Chosen, "#members")
    def action_open(self) -> None:
        if self.members:
            self.app.open_run(self.members[self.chosen].path)

    def action_copy(self) -> None:
        if self.members:
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
        words = ("it could not be written", "error")
        for number in range(1, 1000):
            path = Path.cwd() / f"{name}{f'-{number}' if number > 1 else ''}.csv"
            try:
                with path.open("x", newline="") as file:
                    file.write(text)
            except FileExistsError:
                continue
            except OSError as error:
                words = (f"{path} could not be written ({error.strerror or error}).", "error")
            else:
                words = (f"Written: {path}", "information")
            break
        with suppress(RuntimeError):  # the app is gone
            self.app.call_from_thread(self.app.say, *words)


def _compare(members: list[Member], base: int, metric: str) -> dict[str, Any]:
    """`lth compare --json` with the base first. Imports numpy and scipy."""
    from engine import comparison as engine

    order = [members[base], *(one for place, one in enumerate(members) if place != base)]
    return engine.compare([one.view for one in order], one_run.METRICS[metric][0])
