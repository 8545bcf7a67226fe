"""Choose a model, a dataset and a schedule, and launch."""

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, Footer, Input, Static

from engine import catalog
from engine.data.cards import bring
from engine.errors import BadInput
from engine.record import rundir
from lth_tui import plain
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import choice as choices
from lth_tui.screens import launching, menu, words
from lth_tui.widgets.field import Field
from lth_tui.widgets.table import Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from lth_tui.app import LthApp

LISTS = ("model", "dataset", "schedule", "arms")


class LaunchScreen(Screen[None]):
    """Three lists and the arms, a few settings, and a button. What is chosen is where the cursors are."""

    HELP_TITLE = KEYS["launch"].title
    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("launch")

    app: "LthApp"

    def __init__(self) -> None:
        super().__init__()
        self.ready = False  # the spec's code is imported, datasets and schedules are listed
        self.told: list[str] = []  # what was wrong with them when they were last listed
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
                yield menu.table("model", menu.model)
                yield menu.table("dataset", lambda card: menu.dataset(card, self.entries.get(card.name)))
                yield menu.table("schedule", menu.schedule)
                yield menu.table("arms", lambda card: menu.arm(card, card.name in self.arms))
            yield Static(id="about", markup=False)
            yield Static(id="wrong", markup=False)
            with Horizontal(id="lower"):
                yield Static(id="ladder", markup=False)
                with Vertical(id="fields"):
                    for path, label in choices.FIELDS.items():
                        yield Field(path, label, menu.EXAMPLE if path == choices.FURTHER else "")
        with Horizontal(id="bar"):
            yield Static(id="sum", markup=False)
            yield Button("Launch  F5", id="go")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.table("model").show(list(catalog.MODELS.values()))
        self.table("dataset").show(list(catalog.DATASETS.values()))
        self.table("schedule").show(list(catalog.SCHEDULES.values()))
        self.table("arms").show(list(catalog.ARMS.values()))
        self.table("schedule").move_to_key("imp")
        for name in LISTS:
            self.table(name).border_title = name.capitalize()
        self.table("model").focus()
        self._redraw()

    def on_screen_resume(self) -> None:
        look = lambda: self.post_message(launching.list_menu())  # noqa: E731
        self.app.run_worker(look, thread=True, group="menu", exit_on_error=False)

    def table(self, name: str) -> Table:
        return self.query_one(f"#{name}", Table)

    # Getting ready, in the background: the spec's code takes a moment to import, datasets and schedules to look at

    @on(launching.Listing)
    def _listing(self, message: launching.Listing) -> None:
        self.entries = {entry["name"]: entry for entry in message.entries}
        for sentence in message.wrong:
            if sentence not in self.told:
                self.app.say(sentence, "warning")
        self.told = message.wrong
        self.ready = True
        self.table("dataset").repaint()
        self.table("schedule").show(message.plans)
        self._chosen_anew()

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
        with suppress(BadInput):  # there are none, and the check says why
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
            wrong = f"{now.dataset} is not here yet; bring it with: {bring(now.dataset)}"
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
            measure = lambda: self.post_message(launching.estimate(self.app.runs, spec))  # noqa: E731
            self.app.run_worker(measure, thread=True, group="pace", exclusive=True, exit_on_error=False)

    @on(launching.Estimated)
    def _estimated(self, message: launching.Estimated) -> None:
        if message.spec == self.estimated[0]:
            self.estimated = (message.spec, message.text)
            self._redraw()

    # The words on it

    def on_descendant_focus(self) -> None:
        self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        if not self.is_mounted or not self.app.is_running:
            return
        self.query_one("#about", Static).update(self._about())
        self.query_one("#ladder", Static).update(self._ladder())
        self.query_one("#sum", Static).update(self._sum())
        button = self.query_one("#go", Button)
        button.disabled = bool(self.at_work) or self.checked is None or self.checked.spec is None

    def _about(self) -> Content:
        """The card that has the focus, in a line or two; where there is height, all that is chosen."""
        focused = next((name for name in LISTS if self.table(name).has_focus), "")
        said = {name: menu.said(self.table(name).item, self.entries) for name in LISTS}
        if self.app.size.height >= 34:
            parts = [
                (f"{name:<9}", "$accent") if part == 0 else (f"{said[name]}\n", "") for name in LISTS for part in (0, 1)
            ]
            return Content.assemble(*parts).rstrip()
        name = focused or "schedule"
        return Content.assemble((f"{name} ", "$accent"), (said[name], "$foreground-muted"))

    def _ladder(self) -> Content:
        steps = self.checked.ladder if self.checked else ()
        if self.size.width < 110:
            return Content.assemble(*menu.ladder_in_a_line(steps))
        return Content.assemble(*menu.ladder(steps, self.size.height - 20)).rstrip()

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
        with suppress(RuntimeError):  # the app is gone
            tell = lambda text: self.app.call_later(self._say_at_work, text)  # noqa: E731
            self.post_message(launching.launch_run(self.app.runs, spec, chosen, tell))

    @on(launching.Refused)
    def _refused(self, message: launching.Refused) -> None:
        self.at_work = ""
        if message.chosen is not None:
            self.refusal = (message.chosen, message.sentence)  # it stands on the form until something is changed
        else:
            self.app.say(message.sentence, "error")
        self._check()

    @on(launching.Launched)
    def _launched(self, message: launching.Launched) -> None:
        self.at_work = ""
        if message.engine is not None:
            self.app.engines.append(message.engine)
        self._redraw()
        self.app.look(at_once=True)
        if self.is_current:
            self.app.open_run(message.run)
        else:
            waits = rundir.read_status(message.run)["state"] == "queued"
            self.app.say(f"{message.run.name} {'waits its turn' if waits else 'has started'}.")
