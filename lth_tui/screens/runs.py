"""The runs, live: filtered, in any order, and marked so that what is done is done to all of the marked ones."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Footer, Input, Static

from engine.record.history import Summary
from lth_tui import filtering, keymap, plain
from lth_tui.keys import KEYS, bindings
from lth_tui.screens.acts import ActsScreen
from lth_tui.screens.pick import PickScreen
from lth_tui.screens.runs_table import SORTS, Order, arranged, cells, columns, said, told
from lth_tui.widgets.table import Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

_ON_MARKED = ("stop", "resume", "remove", "compare", "export", "tag", "note", "unmark")


class RunsScreen(ActsScreen):
    """A table of runs; on one of them, or on all that are marked: what `acts` can do."""

    HELP_TITLE = KEYS["runs"].title
    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")

    app: "LthApp"

    def __init__(self) -> None:
        super().__init__()
        self.order = Order()
        self.said = self.hint = ""
        self.sieve = filtering.Sieve()
        self._warmed = False
        self.trouble = ""  # with the filter
        self.fitting: Sequence[Summary] = ()  # newest first
        self._sifted: tuple[Sequence[Summary], str, Order] | None = None  # what `fitting` and the table were made from

    def compose(self) -> ComposeResult:
        yield TopBar("runs")
        yield Static(classes="notice", id="notice", markup=False)
        row = lambda one: cells(one, datetime.now(), self.app.key)  # noqa: E731
        yield Table(columns(self.order), key=lambda one: one["id"], cells=row, id="runs")
        yield Static(id="empty", markup=False)
        yield Static(id="marks", markup=False)
        yield Static(id="about", markup=False)
        yield Static(classes="notice", id="trouble", markup=False)
        yield Input(
            placeholder="words, field:value, !not: state:failed !tag:old seeds:>3 age:<2d", id="filter", compact=True
        )
        yield Footer(show_command_palette=False, compact=True)

    def on_screen_resume(self) -> None:
        if self.app.summaries is not None:
            self.take(self.app.summaries, self.app.notice)
        self.app.look(at_once=True)

    @property
    def table(self) -> Table:
        return self.query_one("#runs", Table)

    @property
    def current(self) -> Summary | None:
        return self.table.item

    @property
    def chosen(self) -> Sequence[Summary]:
        """The runs that are marked, in their order; else the one under the cursor."""
        if self.marked:
            return arranged([one for one in self.app.summaries or [] if one["id"] in self.marked], self.order)
        return [] if self.current is None else [self.current]

    @property
    def shown(self) -> Sequence[Summary]:
        return self.table.items

    @on(Table.Chosen, "#runs")
    def action_open(self) -> None:
        if self.current is not None:
            self.app.open_run(self.app.runs / self.current["id"])

    # What is shown

    def take(self, summaries: list[Summary], notice: str | None) -> None:
        """Show the runs as they are now."""
        if not self.is_mounted:
            return
        if self._sifted is not None and not self._warmed:  # not before the first picture
            self._warmed = True
            warm = partial(self.sieve.warm, summaries)
            self.app.run_worker(warm, thread=True, group="sieve", exit_on_error=False)
        self._sift(summaries)
        line = self.query_one("#notice", Static)
        if line.has_class("-on") or notice:
            line.update(plain.line(notice or ""))
        line.set_class(bool(notice), "-on")

    def _sift(self, summaries: Sequence[Summary]) -> None:
        """Filter and order the runs, where runs, filter or order are others than the last time; ages are redrawn."""
        text = self.query_one("#filter", Input).value
        same = self._sifted is not None and self._sifted[0] is summaries
        if same and self._sifted[1:] == (text, self.order) and "age" not in text:
            self.table.repaint()
            return
        query = filtering.parse(text)
        narrows = same and filtering.narrows(self._sifted[1], text)
        self.fitting = self.sieve.fitting(self.fitting if narrows else summaries, query, datetime.now())
        self._sifted = (summaries, text, self.order)
        self._tell(query.trouble)
        self.set_class(not self.fitting, "-empty")
        if not self.fitting:
            self.query_one("#empty", Static).update(self._nothing(bool(summaries)))
        if self.marked:
            self.marked &= {one["id"] for one in summaries}
        self.table.marked = self.marked
        self.table.show(arranged(self.fitting, self.order))
        self._about()
        self.tell()

    def _nothing(self, filtered: bool) -> Content:
        key = self.app.key
        if filtered:
            again = f"{key('runs.unfilter')} shows all of them again."
            return Content.assemble(("No run fits. ", "bold"), (again, "$foreground-muted"))
        return Content.assemble(
            ("No runs yet\n\n", "bold $accent"),
            (
                "A run asks whether a text classifier holds a winning ticket: it trains the dense network, then round ",
                "",
            ),
            ("by round prunes it, rewinds what is left and trains that again, beside its controls.\n\n", ""),
            (f"  {key('app.go.launch'):<10}", "bold $primary"),
            ("choose model, dataset and schedule, and launch\n", ""),
            ("  lth demo  ", "bold $primary"),
            ("in a shell: all of it, small, in about two minutes\n", ""),
            (f"  {key('app.help'):<10}", "bold $primary"),
            ("the keys of any screen\n\n", ""),
            (f"Runs are kept in {plain.path(self.app.runs)} and go on when this app is closed.", "$foreground-muted"),
        )

    @on(Table.Moved, "#runs")
    def _about(self) -> None:
        """Two lines about the run under the cursor, redrawn only when they say something else."""
        one = self.table.item
        text = "" if one is None else f"{told(one)}\n{plain.line(said(one, self.app.key))}"
        if text != self.said:
            self.said = text
            first, _, second = text.partition("\n")
            failed = one is not None and one["state"] == "failed"
            self.query_one("#about", Static).update(
                Content.assemble((first, "$foreground-muted"), "\n", (second, "$error" if failed else "")), layout=False
            )

    def tell(self) -> None:
        """How many are marked and what can be done to them, or what is being done."""
        hidden = len(self.marked) - sum(one["id"] in self.marked for one in self.fitting) if self.marked else 0
        text = self.at_work
        if not text and self.marked:
            text = f"{len(self.marked):,} marked" + (f", {hidden:,} of them hidden by the filter" if hidden else "")
        if text != self.hint:
            self.hint = text
            parts = [(f"{text} ", "bold $accent")]
            for name in () if self.at_work else _ON_MARKED:
                what = keymap.named()[f"runs.{name}"].title.split()[0].lower()
                parts += [(f" {self.app.key(f'runs.{name}')}", "$accent"), (f" {what}", "$foreground-muted")]
            self.query_one("#marks", Static).update(Content.assemble(*parts))
            self.set_class(bool(text), "-marked")

    # Marks

    def action_mark(self) -> None:
        """Mark the run under the cursor, or unmark it, and go on to the next."""
        if (key := self.table.key) is not None:
            self.marked ^= {key}
            self._marks_changed()
            self.table.action_move(1)

    def action_mark_all(self) -> None:
        self.marked |= {one["id"] for one in self.fitting}
        self._marks_changed()

    def action_unmark(self) -> None:
        self.marked.clear()
        self._marks_changed()

    def _marks_changed(self) -> None:
        self.table.marked = self.marked
        self.table.repaint()
        self.tell()

    # The order

    def sort(self, order: Order) -> None:
        self.order = order
        self.table.set_columns(columns(order))
        if self.app.summaries is not None:
            self._sift(self.app.summaries)

    def action_sort_by(self, by: int) -> None:
        names = [name for name in SORTS if any(name in str(column.title) for column in self.table.shown_columns)]
        at = names.index(self.order.column) if self.order.column in names else 0
        self.sort(Order(names[(at + by) % len(names)]))

    def action_reverse(self) -> None:
        self.sort(self.order._replace(reverse=not self.order.reverse))

    def action_sort(self) -> None:
        def picked(column: str | None) -> None:
            if column is not None:
                self.sort(Order(column))

        choices = [(name, about) for name, (_, _, about) in SORTS.items()]
        self.app.push_screen(PickScreen("Sort by", choices, self.order.column), picked)

    # The filter

    def action_filter(self) -> None:
        self.add_class("-filtering")
        self.set_focus(self.query_one("#filter", Input))  # at once: what is typed on belongs to it

    @on(Input.Changed, "#filter")
    def _narrowed(self) -> None:
        if self.app.summaries is not None:
            self._sift(self.app.summaries)

    @on(Input.Submitted, "#filter")
    def _settled(self) -> None:
        self.set_class(bool(self.query_one("#filter", Input).value), "-filtering")
        self.table.focus()

    def _tell(self, trouble: str) -> None:
        """What of the filter makes no sense, above it."""
        if trouble != self.trouble:
            self.trouble = trouble
            line = self.query_one("#trouble", Static)
            line.update(plain.line(trouble))
            line.set_class(bool(trouble), "-on")

    def action_unfilter(self) -> None:
        """Show all runs again; where they are, take the marks away."""
        if not self.has_class("-filtering") and self.marked:
            self.action_unmark()
        self.query_one("#filter", Input).value = ""
        self._settled()
