"""Dialogs that ask something of a run: more seeds or rounds, its ticket on other data, how stable it is."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine import catalog
from engine.record import extensions, rundir, summary
from lth_tui import plain
from lth_tui.keys import bindings
from lth_tui.screens import asking, menu
from lth_tui.screens.asking import Checked, Question, Values
from lth_tui.widgets.field import Field
from lth_tui.widgets.keybar import KeyBar
from lth_tui.widgets.table import Table

if TYPE_CHECKING:
    from lth_tui.app import LthApp


def ask_extend(app: "LthApp", run: Path) -> None:
    """Ask how many seeds and rounds a finished run shall have in all."""
    app.push_screen(QuestionScreen(asking.extend(run)))


def ask_transfer(app: "LthApp", run: Path, number: int | None = None) -> None:
    """Ask on which data the ticket of a round shall be trained."""
    app.push_screen(QuestionScreen(asking.transfer(run, number)))


def ask_stability(app: "LthApp", run: Path, number: int | None = None) -> None:
    """Ask of which round the stability shall be looked at."""
    app.push_screen(QuestionScreen(asking.stability(run, number)))


class QuestionScreen(ModalScreen[None]):
    """A few fields, each with what is wrong beside it as one types; what it will cost; and the same from a shell."""

    CSS_PATH = "questions.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("question")
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-roomy")]  # noqa: RUF012

    app: "LthApp"

    class Looked(Message):
        """An answer was looked at."""

        def __init__(self, values: Values, checked: Checked) -> None:
            super().__init__()
            self.values, self.checked = values, checked

    class Listed(Message):
        """The datasets of this machine."""

        def __init__(self, entries: list[dict[str, Any]]) -> None:
            super().__init__()
            self.entries = entries

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question
        self.checked: Checked | None = None  # of the values as they stand
        self.at_work = self.refusal = ""  # what a start is doing, or why it came to nothing
        self.entries: dict[str, dict[str, Any]] = {}
        self._looking = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="question", can_focus=False):
            yield Static(
                Content.assemble((f"{plain.line(self.question.run.name, 140)}\n", "bold"), (self.question.about, "")),
                id="about",
                markup=False,
            )
            for name, (label, *_) in self.question.fields.items():
                yield Field(name, label, "data.test_file=tests.csv training.epochs=3" if name == "further" else "")
                if name == "dataset":
                    yield menu.table("dataset", lambda card: menu.dataset(card, self.entries.get(card.name)))
            yield Static(id="said", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one("#question").border_title = self.question.title
        with self.prevent(Input.Changed):
            for field in self.query(Field):
                _, hint, first = self.question.fields[field.path]
                field.input.value = first
                field.say(hint, "")
        self.query(Field).first().input.focus(scroll_visible=False)  # it is: what stands above it may yet go
        if "dataset" in self.question.fields:
            self.app.run_worker(self._list, thread=True, group="question", exit_on_error=False)
        self._look()

    def values(self) -> Values:
        """The fields as they stand."""
        return {field.path: field.input.value for field in self.query(Field)}

    # The datasets that are here

    def _list(self) -> None:
        from engine.data import store

        self.post_message(self.Listed([entry for entry in store.listing() if entry["here"]]))

    def on_question_screen_listed(self, message: Listed) -> None:
        self.entries = {entry["name"]: entry for entry in message.entries}
        own = summary.named(extensions.spec(self.question.run), "data")
        names = sorted(self.entries, key=lambda name: name == own)  # last, since its tickets come from there
        self.query_one("#dataset", Table).show([catalog.DATASETS[name] for name in names])

    @on(Table.Moved, "#dataset")
    def _chosen(self, message: Table.Moved) -> None:
        if message.key is not None:
            next(field for field in self.query(Field) if field.path == "dataset").input.value = message.key

    # What is wrong with it, what it costs: looked at in the background, one answer at a time

    @on(Input.Changed)
    def _look(self) -> None:
        self.checked = None
        self.refusal = ""
        if not self._looking:
            self._looking = True
            values = self.values()
            look = lambda: self.post_message(self.Looked(values, asking.checked(self.question, values)))  # noqa: E731
            self.app.run_worker(look, thread=True, group="question", exit_on_error=False)
        self._show()

    def on_question_screen_looked(self, message: Looked) -> None:
        self._looking = False
        if message.values != self.values():
            self._look()
            return
        self.checked = message.checked
        for field in self.query(Field):
            field.say(self.question.fields[field.path][1], message.checked.errors.get(field.path, ""))
        self._show()

    def _show(self) -> None:
        parts: list[tuple[str, str]] = []
        if self.at_work:
            parts = [("⋯ ", "$primary"), (plain.line(self.at_work), "bold")]
        elif trouble := self.refusal or (self.checked.errors.get("", "") if self.checked else ""):
            parts = [(plain.line(trouble, 1000), "$error")]
        elif self.checked is None:
            parts = [("looking", "$foreground-muted")]
        elif not self.checked.errors:
            parts = [(f"{plain.line(one)}\n", "bold" if at == 0 else "") for at, one in enumerate(self.checked.said)]
            parts += [("$ ", "$accent"), (plain.line(self.question.command(self.values()), 1000), "$foreground-muted")]
        self.query_one("#said", Static).update(Content.assemble(*parts))

    # Starting it

    def action_start(self) -> None:
        """Start it, or go to what is wrong."""
        if self.at_work or self.checked is None:
            return
        if self.checked.errors:
            wrong = next((field for field in self.query(Field) if field.error), None)
            if wrong is not None:
                wrong.input.focus()
            return
        self._at_work("making sure of it")
        # Reading a corpus can take ten seconds: a daemon, so that quitting need not wait for it.
        threading.Thread(target=self._start, args=(self.app, self.values()), daemon=True).start()

    def _at_work(self, text: str) -> None:
        self.at_work = text
        if self.is_current:
            self._show()

    def _start(self, app: "LthApp", values: Values) -> None:
        def say(do: Callable[[Any], None], what: object) -> None:
            with suppress(RuntimeError):  # the app is gone, and what was begun goes on
                app.call_later(do, what)

        say(self._done, asking.started(self.question, values, lambda text: say(self._at_work, text)))

    def _done(self, outcome: Any) -> None:
        self.at_work = ""
        here = self.is_current
        if isinstance(outcome, str):
            self.refusal = outcome
            if here:
                self._show()
            else:
                self.app.say(outcome, "error")
            return
        run, engine = outcome
        if engine is not None:
            self.app.engines.append(engine)
        self.app.look(at_once=True)
        if here:
            self.dismiss()
        if here and run != self.question.run:
            self.app.open_run(run)
        waits = rundir.read_status(run)["state"] == "queued"
        goes = "goes on" if run == self.question.run else "has started"
        self.app.say(f"{run.name} {'waits its turn' if waits else goes}.")

    def action_leave(self) -> None:
        if self.at_work:
            self.app.say("It is being started all the same; what comes of it will be told.")
        self.dismiss()
