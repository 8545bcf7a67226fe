"""The runs, newest first, live."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from engine.errors import BadInput
from engine.process import queue
from engine.record import history, rundir
from lth_tui import filtering, plain
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import words
from lth_tui.screens.acting import ask_to_stop
from lth_tui.widgets.table import Column, Row, Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lth_tui.app import LthApp

COLUMNS = (
    Column("state", 10),
    Column("model", 5, grow=1, most=10, keep=80),
    Column("dataset", 8, grow=2, most=14, keep=90),
    Column("schedule", 10, grow=1, most=14, keep=60),
    Column("seeds", 5, right=True, keep=30),
    Column("progress", 11, grow=1, most=18, keep=70),
    Column("dense", 5, right=True, keep=40),
    Column("ticket @ %", 11, right=True, keep=85),
    Column("age", 4, right=True, keep=50),
    Column("run", 36, grow=2, most=48, keep=10),
    Column("", 24, grow=20, keep=5),
)


def cells(one: history.Summary, now: datetime) -> Row:
    """A run as the cells of its row."""
    sign = words.state(one["state"])
    best = one["best"] if isinstance(one["best"], dict) else {}
    return (
        [sign],
        plain.line(one["model"] or "?", 40),
        plain.line(one["dataset"] or "?", 40),
        plain.line(one["schedule"] or "?", 40),
        str(one["seeds"] or "?"),
        _progress(one),
        words.percent(best.get("dense")),
        words.best(best),
        [(words.age(one["created"], now), "dim")],
        [(plain.line(one["name"] or one["id"], 80), "dim")],
        [(plain.line(_said(one)), "bad" if one["state"] == "failed" else "dim")],
    )


def _progress(one: history.Summary) -> list[tuple[str, str]] | str:
    progress = one["progress"] if isinstance(one["progress"], dict) else {}
    fraction = words.share(progress.get("fraction"))
    if fraction is None or one["state"] == "finished":
        return "" if fraction is None else [("━━━━━━ done", "dim")]
    tone = "live" if one["state"] in rundir.ACTIVE else "dim"
    return [*words.bar(fraction, 6, tone), (f" {100 * fraction:3.0f}%", "" if tone == "live" else "dim")]


def _said(one: history.Summary) -> str:
    """The run's own words: its verdict, why it failed, or the time left."""
    if one["state"] == "failed":
        return f"failed: {one['cause'] or 'nobody knows why'}"
    if one["state"] == rundir.UNREADABLE:
        return str(one["cause"])
    if one["state"] == "orphaned":
        return f"{one['cause']}; `lth resume {one['id'][-4:]}` goes on"
    if one["sentence"]:
        return str(one["sentence"])
    progress = one["progress"] if isinstance(one["progress"], dict) else {}
    left = words.duration(progress.get("seconds_left"))
    where = f"on {one['unverified']}, unverified" if one.get("unverified") else ""
    left = f"about {left} left" if left and one["state"] in rundir.ACTIVE else ""
    return " · ".join(filter(None, (left, where)))


class RunsScreen(Screen[None]):
    """A table of runs; on one of them: open, stop, remove, and undo the removal."""

    HELP_TITLE = KEYS["runs"].title
    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")

    app: "LthApp"

    def __init__(self) -> None:
        super().__init__()
        self.removed: list[tuple[Path, Path]] = []  # where it is now, where it was
        self.shown_words = ""
        self.sieve = filtering.Sieve()
        self.trouble = ""  # with the filter

    def compose(self) -> ComposeResult:
        yield TopBar("runs")
        yield Static(classes="notice", id="notice", markup=False)
        yield Table(COLUMNS, key=lambda one: one["id"], cells=lambda one: cells(one, datetime.now()), id="runs")
        yield Static(id="empty", markup=False)
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

    def take(self, summaries: list[history.Summary], notice: str | None) -> None:
        """Show the runs as they are now."""
        if not self.is_mounted:
            return
        query = filtering.parse(self.query_one("#filter", Input).value)
        fitting = list(self.sieve.fitting(summaries, query, datetime.now()))
        self._tell(query.trouble)
        self.set_class(not fitting, "-empty")
        if not fitting:
            self.query_one("#empty", Static).update(self._nothing(bool(summaries)))
        self.table.show(fitting)
        line = self.query_one("#notice", Static)
        if line.has_class("-on") or notice:
            line.update(plain.line(notice or ""))
        line.set_class(bool(notice), "-on")
        self._about()

    def _nothing(self, filtered: bool) -> Content:
        if filtered:
            return Content.assemble(("No run fits. ", "bold"), ("Esc shows all of them again.", "$foreground-muted"))
        return Content.assemble(
            ("No runs yet\n\n", "bold $accent"),
            (
                "A run asks whether a text classifier holds a winning ticket: it trains the dense network, then round ",
                "",
            ),
            ("by round prunes it, rewinds what is left and trains that again, beside its controls.\n\n", ""),
            ("  1         ", "bold $primary"),
            ("choose model, dataset and schedule, and launch\n", ""),
            ("  lth demo  ", "bold $primary"),
            ("in a shell: all of it, small, in about two minutes\n", ""),
            ("  ?         ", "bold $primary"),
            ("the keys of any screen\n\n", ""),
            (f"Runs are kept in {plain.path(self.app.runs)} and go on when this app is closed.", "$foreground-muted"),
        )

    @on(Table.Moved, "#runs")
    def _about(self) -> None:
        """Two lines about the run under the cursor, redrawn only when they say something else."""
        one = self.table.item
        text = "" if one is None else f"{plain.line(one['id'], 140)}\n{plain.line(_said(one))}"
        if text != self.shown_words:
            self.shown_words = text
            first, _, second = text.partition("\n")
            failed = one is not None and one["state"] == "failed"
            self.query_one("#about", Static).update(
                Content.assemble((first, "$foreground-muted"), "\n", (second, "$error" if failed else "")), layout=False
            )

    # What can be done

    @property
    def chosen(self) -> Path | None:
        key = self.table.key
        return None if key is None else self.app.runs / key

    @on(Table.Chosen, "#runs")
    def action_open(self) -> None:
        if self.chosen is not None:
            self.app.open_run(self.chosen)

    def action_stop(self) -> None:
        if self.chosen is not None:
            ask_to_stop(self.app, self.chosen, self.table.item["state"])

    def action_remove(self) -> None:
        if (run := self.chosen) is not None:
            self.app.run_worker(lambda: self._remove(run), thread=True, group="remove", exit_on_error=False)

    def _remove(self, run: Path) -> None:
        try:
            self.removed.append((queue.remove(run), run))
        except BadInput as error:
            self.app.call_from_thread(self.app.say, str(error), "warning")
            return
        history.fold(run.parent, run)
        self.app.call_from_thread(self.app.say, f"{run.name} is in the trash; u brings it back.")
        self.app.call_from_thread(self.app.look, True)

    def action_undo(self) -> None:
        if not self.removed:
            self.app.say("Nothing was removed here.")
            return
        kept, run = self.removed.pop()
        self.app.run_worker(lambda: self._bring_back(kept, run), thread=True, group="remove", exit_on_error=False)

    def _bring_back(self, kept: Path, run: Path) -> None:
        try:
            rundir.restore(run.parent, kept.name)
        except BadInput as error:
            self.app.call_from_thread(self.app.say, str(error), "error")
            return
        history.fold(run.parent, run)
        self.app.call_from_thread(self.app.say, f"{run.name} is back.")
        self.app.call_from_thread(self.app.look, True)

    # The filter

    def action_filter(self) -> None:
        self.add_class("-filtering")
        self.query_one("#filter", Input).focus()

    @on(Input.Changed, "#filter")
    def _narrowed(self) -> None:
        if self.app.summaries is not None:
            self.take(self.app.summaries, self.app.notice)

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

    def action_copy(self) -> None:
        if self.table.key is not None:
            self.app.copy(self.table.key)

    def action_unfilter(self) -> None:
        self.query_one("#filter", Input).value = ""
        self._settled()
