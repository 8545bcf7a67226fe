"""Choose a model, a dataset and a schedule, and launch."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, Footer, Input, Label, Static

from engine import catalog
from engine.errors import BadInput
from engine.process import launch
from engine.record import history
from lth_tui import plain
from lth_tui.screens import choice as choices
from lth_tui.screens import words
from lth_tui.widgets.table import Column, Row, Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from subprocess import Popen

    from engine.spec import RunSpec
    from lth_tui.app import LthApp

LISTS = ("model", "dataset", "schedule", "arms")
_NO_CONTROLS = r"[^\x00-\x1f\x7f-\x9f]*"
_BLOCKS = " ▁▂▃▄▅▆▇█"


class Field(Horizontal):
    """A label, an input, and beside it a hint, or in its place what is wrong with the input."""

    def __init__(self, name: str, label: str) -> None:
        super().__init__(classes=f"field {'-long' if name == choices.FURTHER else ''}")
        self.path, self.label = name, label
        self.example = "key=value pairs, say data.train_size=2000 model.filters=50" if name == choices.FURTHER else ""
        self.hint = self.error = ""

    def compose(self) -> ComposeResult:
        yield Label(self.label, markup=False, classes="label")
        yield Input(placeholder=self.example, compact=True, restrict=_NO_CONTROLS, max_length=500)
        yield Static(markup=False, classes="hint")

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    def say(self, hint: str, error: str) -> None:
        """Show a hint, or an error instead of it."""
        if (hint, error) != (self.hint, self.error):
            self.hint, self.error = hint, error
            self.set_class(bool(error), "-wrong")
            self.query_one(".hint", Static).update(Content(plain.line(error or hint)))


class LaunchScreen(Screen[None]):
    """Three lists and the arms, a few settings, and a button. What is chosen is where the cursors are."""

    HELP_TITLE = "On this form"
    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+l", "launch", "Launch", key_display="F5", priority=True),
        Binding("enter", "next", "Next", show=False),
        Binding("tab", "app.focus_next", "Next field"),
        Binding("left,h", "aside(-1)", "The list to the left", show=False),
        Binding("right,l", "aside(1)", "The list to the right", show=False),
        Binding("space", "toggle", "Arm on/off"),
        Binding("escape", "leave", "Leave the field", show=False),
        Binding("r", "reset", "Settings as usual", show=False),
    ]

    app: "LthApp"

    class Listing(Message):
        """The datasets, as they are on this machine."""

        def __init__(self, entries: list[dict[str, Any]], trouble: str = "") -> None:
            super().__init__()
            self.entries, self.trouble = entries, trouble

    class Estimated(Message):
        """How long a spec would take, in words."""

        def __init__(self, spec: "RunSpec", words: str) -> None:
            super().__init__()
            self.spec, self.words = spec, words

    class Refused(Message):
        """The launch came to nothing, for a reason in words; because of what was chosen, or of none of that."""

        def __init__(self, sentence: str, chosen: choices.Choice | None = None) -> None:
            super().__init__()
            self.sentence, self.chosen = sentence, chosen

    class Launched(Message):
        """An engine holds the run's lock."""

        def __init__(self, run: Path, engine: "Popen") -> None:
            super().__init__()
            self.run, self.engine = run, engine

    def __init__(self) -> None:
        super().__init__()
        self.ready = False  # the spec's code is imported and the datasets are listed
        self.at_work = ""  # what a launch is doing, in words
        self.refusal: tuple[choices.Choice, str] | None = None  # what was refused, and why
        self.estimated: tuple[RunSpec | None, str] = (None, "")
        self.arms = list(choices.ARMS)
        self.usual: dict[str, str] = {}
        self.checked: choices.Checked | None = None
        self.entries: dict[str, dict[str, Any]] = {}

    def compose(self) -> ComposeResult:
        yield TopBar("launch")
        with VerticalScroll(id="form", can_focus=False):
            with Horizontal(id="lists"):
                yield _list("model", [Column("", 5, grow=1, most=12), Column("", 24, grow=20, keep=1)], _model)
                yield _list("dataset", DATASET_COLUMNS, self._dataset)
                yield _list("schedule", SCHEDULE_COLUMNS, _schedule)
                yield _list(
                    "arms", [Column("", 3), Column("", 8, grow=1, most=11), Column("", 24, grow=20, keep=1)], self._arm
                )
            yield Static(id="about", markup=False)
            yield Static(id="wrong", markup=False)
            with Horizontal(id="lower"):
                yield Static(id="ladder", markup=False)
                with Vertical(id="fields"):
                    for name, label in choices.FIELDS.items():
                        yield Field(name, label)
        with Horizontal(id="bar"):
            yield Static(id="sum", markup=False)
            yield Button("Launch  F5", id="go")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        for name, cards in (("model", catalog.MODELS), ("dataset", catalog.DATASETS), ("schedule", catalog.SCHEDULES)):
            self.table(name).show(list(cards.values()))
        self.table("arms").show(list(catalog.ARMS.values()))
        self.table("schedule").move_to_key("imp")
        for name in LISTS:
            self.table(name).border_title = name.capitalize()
        self.table("model").focus()
        self._redraw()

    def on_screen_resume(self) -> None:
        self.app.run_worker(self._list_datasets, thread=True, group="datasets", exit_on_error=False)

    def table(self, name: str) -> Table:
        return self.query_one(f"#{name}", Table)

    # Getting ready, in the background: the spec's code takes a moment to import, the datasets a moment to look at

    def _list_datasets(self) -> None:
        from engine import spec  # noqa: F401  so that the first check need not wait for it
        from engine.data import store

        try:
            self.post_message(self.Listing(store.listing()))
        except Exception as error:  # noqa: BLE001  whatever a folder holds, the form stays usable
            self.post_message(
                self.Listing([], f"the datasets could not be looked at ({type(error).__name__}: {error})")
            )

    def on_launch_screen_listing(self, message: Listing) -> None:
        self.entries = {entry["name"]: entry for entry in message.entries}
        if message.trouble:
            self.app.say(message.trouble, "warning")
        self.ready = True
        self.table("dataset").repaint()
        self._chosen_anew()

    # The rows of the lists

    def _dataset(self, card: catalog.DatasetCard) -> Row:
        entry = self.entries.get(card.name)
        if entry is None:
            return (card.name, "", "", [(card.title, "dim")])
        here = [("here", "good")] if entry["here"] else [("not here", "warn")]
        known = entry["train"] is not None
        train, test = (entry["train"], entry["test"]) if known else (card.train, card.test)
        counts = f"{'' if known else '~'}{_thousands(train)}+{_thousands(test)}"
        return (card.name, [(counts, "dim")], here, [(card.title, "dim")])

    def _arm(self, card: catalog.ArmCard) -> Row:
        on_ = card.name in self.arms
        return ([("[x]" if on_ else "[ ]", "good" if on_ else "dim")], card.name, [(card.question, "dim")])

    # What is chosen

    def choice(self) -> choices.Choice:
        """The form as it stands."""
        return choices.Choice(
            model=self.table("model").key or "",
            dataset=self.table("dataset").key or "",
            schedule=self.table("schedule").key or "",
            arms=tuple(name for name in catalog.ARMS if name in self.arms),
            texts={field.path: field.input.value for field in self.query(Field)},
        )

    @on(Table.Moved)
    def _moved(self, message: Table.Moved) -> None:
        if message.table.id == "arms":
            self._redraw()
        else:
            self._chosen_anew()

    def _chosen_anew(self) -> None:
        """Other names have other defaults: fields that nobody changed follow."""
        if not self.ready:
            self._redraw()
            return
        now = self.choice()
        usual = choices.defaults(now.model, now.dataset, now.schedule)
        with self.prevent(Input.Changed):
            for field in self.query(Field):
                if not self.usual or field.input.value == self.usual[field.path]:
                    field.input.value = usual[field.path]
        self.usual = usual
        self._check()

    @on(Input.Changed)
    def _typed(self) -> None:
        if self.ready and self.usual:
            self._check()

    def _check(self) -> None:
        now = self.choice()
        self.checked = choices.check(now)
        errors = dict(self.checked.errors)
        if self.refusal is not None:
            refused, sentence = self.refusal
            if refused == now:
                errors.setdefault(choices.place(sentence), sentence)
            else:
                self.refusal = None
        hints = choices.hints(now.model)
        for field in self.query(Field):
            field.say(hints.get(field.path, ""), errors.get(field.path, ""))
        for name in LISTS:
            self.table(name).set_class(name in errors, "-wrong")
        wrong = next((errors[name] for name in LISTS if name in errors), "")
        if not wrong and not self.entries.get(now.dataset, {}).get("here", True):
            wrong = f"{now.dataset} is not here yet; bring it with: lth data import {now.dataset} PATH"
        line = self.query_one("#wrong", Static)
        line.update(Content(plain.line(wrong)))
        line.set_class(bool(wrong), "-on")
        self._estimate()
        self._redraw()

    # How long it would take, from what this machine measured before

    def _estimate(self) -> None:
        spec = self.checked.spec if self.checked else None
        if spec is not None and spec != self.estimated[0]:
            self.estimated = (spec, "")
            self.app.run_worker(lambda: self._measure(spec), thread=True, group="pace", exclusive=True, exit_on_error=False)

    def _measure(self, spec: "RunSpec") -> None:
        from engine.record import pace

        cost = pace.seconds_an_epoch(self.app.runs, spec.model_dump(mode="json"))
        if cost is not None:
            text = words.duration(cost * spec.training.epochs * spec.trainings)
            self.post_message(self.Estimated(spec, f"at most {text} on this machine"))

    def on_launch_screen_estimated(self, message: Estimated) -> None:
        if message.spec == self.estimated[0]:
            self.estimated = (message.spec, message.words)
            self._redraw()

    # The words on it

    def on_descendant_focus(self) -> None:
        self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        if not self.is_mounted:
            return
        self.query_one("#about", Static).update(self._about())
        self.query_one("#ladder", Static).update(self._ladder())
        self.query_one("#sum", Static).update(self._sum())
        button = self.query_one("#go", Button)
        button.disabled = bool(self.at_work) or self.checked is None or self.checked.spec is None

    def _about(self) -> Content:
        """The card that has the focus, in a line or two; where there is height, all that is chosen."""
        focused = next((name for name in LISTS if self.table(name).has_focus), "")
        said = {name: _said(self.table(name).item, self.entries) for name in LISTS}
        if self.app.size.height >= 34:
            parts = [
                (f"{name:<9}", "$accent") if part == 0 else (f"{said[name]}\n", "") for name in LISTS for part in (0, 1)
            ]
            return Content.assemble(*parts).rstrip()
        name = focused or "schedule"
        return Content.assemble((f"{name} ", "$accent"), (said[name], "$foreground-muted"))

    def _ladder(self) -> Content:
        """The sparsities the schedule visits: blocks for what is left, and the numbers."""
        steps = self.checked.ladder if self.checked else ()
        if not steps:
            return Content("")
        if self.size.width < 110:
            blocks = "".join(_BLOCKS[max(1, round(8 * (1 - step)))] for step in (0.0, *steps[:19]))
            shown = [f"{100 * step:.3g}" for step in steps]
            shown = shown if len(shown) <= 10 else [*shown[:8], "…", shown[-1]]
            return Content.assemble(
                (f"{blocks}  ", "$primary"), (f"visits {' '.join(shown)} % sparsity", "$foreground-muted")
            )
        rows = max(4, min(len(steps), self.size.height - 20))
        picked = list(enumerate(steps, 1))
        if len(picked) > rows:
            picked = [*picked[: rows - 2], (0, 0.0), picked[-1]]
        parts: list[tuple[str, str]] = [("What it visits\n", "$accent")]
        for number, step in picked:
            if not number:
                parts += [("      …\n", "$foreground-muted")]
                continue
            left = max(1, round(24 * (1 - step)))
            parts += [
                (f"{number:>4}  ", "$foreground-muted"),
                ("█" * left, "$primary"),
                ("░" * (24 - left), "$foreground-muted"),
            ]
            parts += [(f" {100 * step:5.1f} %\n", "")]
        return Content.assemble(*parts).rstrip()

    def _sum(self) -> Content:
        if self.at_work:
            return Content.assemble(("⋯ ", "$primary"), (plain.line(self.at_work), "bold"))
        if self.checked is None:
            return Content.assemble(("reading the menu", "$foreground-muted"))
        spec = self.checked.spec
        command = plain.line(self.checked.command, 1000)
        if spec is None:
            first, note, tone = ("something above is not right yet", "$error"), "", "$foreground-muted"
        else:
            first, tone = (words.count(spec.trainings, "training"), "bold"), ""
            arms = f"{words.count(spec.schedule.rounds, 'round')} × {words.count(len(spec.arms), 'arm')}"
            note = f" = {words.count(len(spec.seeds), 'seed')} × (1 dense + {arms})"
            if self.estimated[1] and self.size.width >= 100:
                note += f", {self.estimated[1]}"
        return Content.assemble(first, (f"{note}\n", "$foreground-muted"), ("$ ", "$accent"), (command, tone))

    # Keys

    def action_aside(self, by: int) -> None:
        at = next((place for place, name in enumerate(LISTS) if self.table(name).has_focus), None)
        if at is not None:
            self.table(LISTS[(at + by) % len(LISTS)]).focus()

    def action_next(self) -> None:
        self.focus_next()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.focus_next()

    def action_leave(self) -> None:
        self.table("model").focus()

    def action_reset(self) -> None:
        for field in self.query(Field):
            field.input.value = self.usual.get(field.path, "")

    @on(Table.Chosen, "#arms")
    def _arm_clicked(self) -> None:
        self.action_toggle()

    def action_toggle(self) -> None:
        table = self.table("arms")
        if not table.has_focus or table.key is None:
            return
        if table.key == "ticket":
            self.app.say("The ticket is always trained: the other arms use its mask.")
            return
        self.arms = (
            [name for name in self.arms if name != table.key] if table.key in self.arms else [*self.arms, table.key]
        )
        table.repaint()
        if self.ready:
            self._check()

    # Launching: the data first, then the run directory and the engine

    @on(Button.Pressed, "#go")
    def action_launch(self) -> None:
        """Launch what is chosen, or go to what is wrong with it."""
        if self.at_work or self.checked is None:
            return
        if self.checked.spec is None:
            wrong = next((field for field in self.query(Field) if field.error), None)
            (wrong.input if wrong else self.table("dataset")).focus()
            return
        self._say_at_work(f"making sure of {self.checked.spec.data.name}")
        # Reading a corpus can take ten seconds: a daemon, so that quitting need not wait for it. An engine, once it is
        # started, needs nobody.
        threading.Thread(target=self._launch, args=(self.checked.spec, self.choice()), daemon=True).start()

    def _say_at_work(self, text: str) -> None:
        self.at_work = text
        self._redraw()

    def _launch(self, spec: "RunSpec", chosen: choices.Choice) -> None:
        answer: Message
        try:
            run = launch.new_run(self.app.runs, spec, lambda text: self._tell(f"{text}, a few seconds the first time"))
            self._tell("starting the engine")
            try:
                engine = launch.start(run)
            finally:
                history.fold(run.parent, run)
            answer = self.Launched(run, engine)
        except BadInput as error:
            answer = self.Refused(str(error), chosen)
        except launch.LaunchFailed as error:
            answer = self.Refused(f"The engine did not start: {error}")
        except Exception as error:  # noqa: BLE001  a thread's errors are seen by nobody
            answer = self.Refused(f"The run could not be launched ({type(error).__name__}: {error}).")
        with suppress(RuntimeError):  # the app is gone
            self.post_message(answer)

    def _tell(self, text: str) -> None:
        with suppress(RuntimeError):
            self.app.call_later(self._say_at_work, text)

    def on_launch_screen_refused(self, message: Refused) -> None:
        self.at_work = ""
        if message.chosen is not None:
            self.refusal = (message.chosen, message.sentence)
        self.app.say(message.sentence, "error")
        self._check()

    def on_launch_screen_launched(self, message: Launched) -> None:
        self.at_work = ""
        self.app.engines.append(message.engine)
        self._redraw()
        self.app.look(at_once=True)
        if self.is_current:
            self.app.open_run(message.run)
        else:
            self.app.say(f"{message.run.name} has started.")


DATASET_COLUMNS = (
    Column("", 7, grow=1, most=12),
    Column("", 10, right=True, keep=20),
    Column("", 8, keep=30),
    Column("", 24, grow=20, keep=1),
)
SCHEDULE_COLUMNS = (Column("", 10, grow=1, most=14), Column("", 7, right=True, keep=20), Column("", 24, grow=20, keep=1))


def _list(name: str, columns: Any, cells: Any) -> Table:
    return Table(columns, key=lambda card: card.name, cells=cells, header=False, id=name, classes="list")


def _model(card: catalog.ModelCard) -> Row:
    return (card.name, [(card.title, "dim")])


def _schedule(card: catalog.ScheduleCard) -> Row:
    steps = choices.ladder_of(card.name)
    return (card.name, [(f"to {100 * steps[-1]:.0f} %", "dim")], [(card.title, "dim")])


def _said(card: Any, entries: dict[str, dict[str, Any]]) -> str:
    """A card in a sentence."""
    if card is None:
        return ""
    if isinstance(card, catalog.ArmCard):
        return plain.line(f"{card.name} · {card.title}; {card.question}")
    text = f"{card.name} · {card.title}"
    if isinstance(card, catalog.DatasetCard):
        entry = entries.get(card.name, {})
        note = f" · {entry['note']}" if entry.get("note") else ""
        return plain.line(f"{text} · {len(entry.get('classes') or card.classes)} classes{note}")
    return plain.line(f"{text} · {card.citation}")


def _thousands(count: int) -> str:
    return f"{count}" if count < 1000 else f"{count / 1000:.3g}k"
