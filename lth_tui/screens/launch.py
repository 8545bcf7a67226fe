"""Choose a model, a dataset and a schedule, see what the run comes to, and launch it."""

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Button, Footer, Input, Static

from engine import catalog
from engine.data.cards import bring
from engine.errors import BadInput
from engine.record import rundir
from lth_tui import plain
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import choice as choices
from lth_tui.screens import launching, menu
from lth_tui.screens import preview as previews
from lth_tui.screens.form import LISTS, Form
from lth_tui.screens.presets import NameScreen, Preset, PresetsScreen
from lth_tui.widgets.table import Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from lth_tui.app import LthApp


class LaunchScreen(Screen[None]):
    """The form, what it comes to, and the keys that launch it, queue it or keep it."""

    HELP_TITLE = KEYS["launch"].title
    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("launch")
    PATIENCE = 0.15  # seconds without another change until what is chosen is counted anew

    app: "LthApp"

    def __init__(self) -> None:
        super().__init__()
        self.ready = False  # the spec's code is imported, datasets and schedules are listed
        self.told: list[str] = []  # what was wrong with them when they were last listed
        self.at_work = ""  # what a launch or a fetch is doing, in words
        self.refusal: tuple[choices.Choice, str] | None = None  # what was refused, and why
        self.checked: choices.Checked | None = None
        self.seen: tuple[RunSpec, previews.Preview] | None = None  # the last preview, and what of
        self.counting: Timer | None = None
        self.wanted: tuple[dict[str, Any], str] | None = None  # what to fill the form from once it is ready

    def compose(self) -> ComposeResult:
        yield TopBar("launch")
        yield Form()
        with Horizontal(id="bar"):
            yield Static(id="sum", markup=False)
            yield Button("Launch  F5", id="go")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.table("model").focus()
        self._redraw()

    def on_screen_resume(self) -> None:
        self._list()

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    def table(self, name: str) -> Table:
        return self.form.table(name)

    def choice(self) -> choices.Choice:
        return self.form.choice()

    # Getting ready, in the background: the spec's code takes a moment to import, datasets and schedules to look at

    def _list(self) -> None:
        look = lambda: self.post_message(launching.list_menu())  # noqa: E731
        self.app.run_worker(look, thread=True, group="menu", exit_on_error=False)

    @on(launching.Listing)
    def _listing(self, message: launching.Listing) -> None:
        self.form.entries = {entry["name"]: entry for entry in message.entries}
        for sentence in message.wrong:
            if sentence not in self.told:
                self.app.say(sentence, "warning")
        self.told = message.wrong
        self.ready = True
        self.table("dataset").repaint()
        self.table("schedule").show(message.plans)
        self._chosen_anew()
        if self.wanted is not None:
            self.fill(*self.wanted)

    # Filled from a run or a preset

    def fill(self, spec: dict[str, Any], from_run: str) -> None:
        """Choose all that a run's effective spec says, seeds and settings too, once the form is ready."""
        self.wanted = (spec, from_run)
        if self.ready:
            self.wanted = None
            read = lambda: self.post_message(launching.fill(spec, from_run))  # noqa: E731
            self.app.run_worker(read, thread=True, group="fill", exclusive=True, exit_on_error=False)

    @on(launching.Filled)
    def _filled(self, message: launching.Filled) -> None:
        if message.found is None:
            self.app.say(f"{message.source} does not fill this form. {message.wrong}", "warning")
            return
        self.form.put(message.found.choice, message.found.usual)
        self._from(message.source)
        self._check()
        remark = f" Mind: {message.found.remark}." if message.found.remark else ""
        self.app.say(f"The form says what {message.source} does; F5 launches it.{remark}")

    def _from(self, source: str) -> None:
        bar = self.query_one(TopBar)
        bar.within = plain.line(f"from {source}", 200) if source else ""
        bar.refresh()

    # What is chosen

    @on(Table.Moved)
    def _moved(self, message: Table.Moved) -> None:
        if message.table.id == "arms":
            self._redraw()
        else:
            self._chosen_anew()

    def _chosen_anew(self) -> None:
        if self.ready:
            now = self.choice()
            with suppress(BadInput):  # there are none, and the check says why
                self.form.follow(choices.defaults(now.model, now.data, now.schedule))
        self._check()

    @on(Input.Changed)
    def _typed(self) -> None:
        if self.form.usual:
            self._check()

    def _check(self) -> None:
        if not self.ready:
            self._redraw()
            return
        now = self.choice()
        self.checked = choices.check(now)
        errors = self.errors
        if self.refusal is not None and self.refusal[0] != now:
            self.refusal = None
        self.form.say(choices.hints(now.model), errors, self._note(now))
        self._count()
        self._redraw()

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong, by field or list, that which the launch found among it."""
        found = dict(self.checked.errors) if self.checked else {}
        if self.refusal is not None and self.refusal[0] == self.choice():
            found.setdefault(choices.place(self.refusal[1], self.refusal[0]), self.refusal[1])
        return found

    def _note(self, now: choices.Choice) -> str:
        """How to bring a dataset that is not here."""
        if now.data != now.dataset or self.form.entries.get(now.dataset, {}).get("here", True):
            return ""
        how = "press f, or" if catalog.DATASETS[now.dataset].hub else "bring it with"
        return f"{now.dataset} is not here yet; {how}: {bring(now.dataset)}"

    # What it comes to, counted in the background once nothing has changed for a moment

    def _count(self) -> None:
        if self.counting is not None:
            self.counting.stop()
        spec = self.checked.spec if self.checked else None
        if spec is not None and (self.seen is None or self.seen[0] != spec):
            self.counting = self.set_timer(self.PATIENCE, lambda: self._look(spec))

    def _look(self, spec: "RunSpec") -> None:
        look = lambda: self.post_message(launching.preview(self.app.runs, spec))  # noqa: E731
        self.app.run_worker(look, thread=True, group="preview", exclusive=True, exit_on_error=False)

    @on(launching.Previewed)
    def _previewed(self, message: launching.Previewed) -> None:
        if self.checked is not None and message.spec == self.checked.spec:
            self.seen = (message.spec, message.seen)
            self._redraw()

    @property
    def preview(self) -> previews.Preview | None:
        """What the choice as it stands comes to; None while that is counted, or something is wrong with it."""
        now = self.checked.spec if self.checked else None
        return self.seen[1] if self.seen is not None and now is not None and self.seen[0] == now else None

    # The words on it

    def on_descendant_focus(self) -> None:
        self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        if not self.is_mounted or not self.app.is_running:
            return
        ladder = self.checked.ladder if self.checked else ()
        self.form.tell(self.preview, ladder, self.app.size.height < 34, self.size.height)
        self.query_one("#sum", Static).update(menu.summed(self.checked, self.preview, self.at_work, self.size.width))
        button = self.query_one("#go", Button)
        button.disabled = bool(self.at_work) or self.checked is None or self.checked.spec is None

    # Keys

    def action_aside(self, by: int) -> None:
        if name := self.form.focused_list:
            self.table(LISTS[(LISTS.index(name) + by) % len(LISTS)]).focus()

    def action_next(self) -> None:
        self.focus_next()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.focus_next()

    def action_leave(self) -> None:
        self.table("model").focus()

    def action_reset(self) -> None:
        self.form.put(replace(self.choice(), texts=self.form.usual), self.form.usual)
        self._from("")
        self._chosen_anew()

    def action_copy(self) -> None:
        """Copy the line that makes the same run from a shell."""
        if self.checked is None or self.checked.spec is None:
            self.app.say("Something is not right yet, so there is no line to copy.", "warning")
        elif not self.checked.command:
            self.app.say("No line makes this run: `lth run --seeds` counts from 0.", "warning")
        else:
            self.app.copy(self.checked.command)

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
        self.form.toggle(table.key)
        self._check()

    def _sound(self) -> "RunSpec | None":
        """The spec, where nothing is wrong and nothing is at work; else the cursor goes to what is wrong."""
        if self.at_work or self.checked is None:
            return None
        if self.checked.spec is None:
            self.form.to_what_is_wrong(self.errors)
        return self.checked.spec

    # Presets

    def action_save(self) -> None:
        """Keep what is chosen under a name."""
        if (spec := self._sound()) is None:
            return

        def named(name: str | None) -> None:
            if name is not None:
                self.app.say(f"Kept as {name}; F8 lists what is kept.")

        suggested = f"{spec.model.name} {spec.data.name} {spec.schedule.name}"[:60]
        self.app.push_screen(NameScreen(self.app.runs, spec.model_dump(mode="json"), suggested), named)

    def action_presets(self) -> None:
        """Fill the form from what was kept."""

        def chosen(found: Preset | None) -> None:
            if found is not None:
                self.fill(found[1], f"preset {found[0]}")

        self.app.push_screen(PresetsScreen(self.app.runs), chosen)

    # Launching and fetching. A daemon does it, so that quitting need not wait: reading a corpus can take ten seconds,
    # and an engine, once it is started, needs nobody.

    @on(Button.Pressed, "#go")
    def action_launch(self) -> None:
        """Launch what is chosen, or go to what is wrong with it."""
        self._begin(only_queue=False)

    def action_queue(self) -> None:
        """Have it wait its turn, and stay here."""
        self._begin(only_queue=True)

    def _begin(self, only_queue: bool) -> None:
        if (spec := self._sound()) is not None:
            chosen, runs = self.choice(), self.app.runs
            self._say_at_work(f"making sure of {spec.data.name}")
            self._in_a_thread(lambda: launching.launch_run(runs, spec, chosen, self._tell, only_queue))

    def action_fetch(self) -> None:
        """Bring the dataset under the cursor from the hub."""
        name = self.table("dataset").key or ""
        if self.at_work or not self.form.entries:
            return
        if self.form.entries.get(name, {}).get("here", True):
            self.app.say(f"{name} is here.")
        elif catalog.DATASETS[name].hub is None:
            self.app.say(f"{name} is on no hub; bring it with: {bring(name)}", "warning")
        else:
            self._say_at_work(f"fetching {name}")
            self._in_a_thread(lambda: launching.fetch(name, self._tell))

    def _in_a_thread(self, work: Any) -> None:
        def done() -> None:
            with suppress(RuntimeError):  # the app is gone
                self.post_message(work())

        threading.Thread(target=done, daemon=True).start()

    def _tell(self, text: str) -> None:
        self.app.call_later(self._say_at_work, text)

    def _say_at_work(self, text: str) -> None:
        self.at_work = text
        self._redraw()

    @on(launching.Fetched)
    def _fetched(self, message: launching.Fetched) -> None:
        self._say_at_work("")
        self.app.say(message.wrong or f"{message.name} is here.", "error" if message.wrong else "information")
        self._list()

    @on(launching.Refused)
    def _refused(self, message: launching.Refused) -> None:
        self.at_work = ""
        if message.chosen is not None:
            self.refusal = (message.chosen, message.sentence)  # it stands on the form until something is changed
        else:
            self.app.say(message.sentence, "error")
        self._check()
        if message.chosen is not None and message.chosen == self.choice():
            self.form.to_what_is_wrong(self.errors)

    @on(launching.Launched)
    def _launched(self, message: launching.Launched) -> None:
        self.at_work = ""
        if message.engine is not None:
            self.app.engines.append(message.engine)
        self._redraw()
        self.app.look(at_once=True)
        if message.place:
            self.app.say(f"{message.run.name} {message.place}.")
        elif self.is_current:
            self.app.open_run(message.run)
        else:
            waits = rundir.read_status(message.run)["state"] == "queued"
            self.app.say(f"{message.run.name} {'waits its turn' if waits else 'has started'}.")
