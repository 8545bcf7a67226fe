"""The launch screen as far as choosing goes: what is chosen is checked, counted and shown, and nothing begins."""

from contextlib import suppress
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from engine import catalog
from engine.data.cards import bring
from engine.errors import BadInput
from lth_tui.screens import choice as choices
from lth_tui.screens import launching, menu
from lth_tui.screens import preview as previews
from lth_tui.screens.form import LISTS, Form
from lth_tui.widgets.keybar import KeyBar
from lth_tui.widgets.table import Table
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from lth_tui.app import LthApp


class ChoosingScreen(Screen[None]):
    """The form, and below it what it comes to."""

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
        self.stale = False  # runs may have been measured since
        self.counting: Timer | None = None

    def compose(self) -> ComposeResult:
        yield TopBar("launch")
        yield Form()
        with Horizontal(id="bar"):
            yield Static(id="sum", markup=False)
            yield Button(Content(f"Launch  {self.app.key('launch.launch')}"), id="go")
        yield KeyBar()

    def on_mount(self) -> None:
        self.table("model").focus()
        self.redraw()

    def on_screen_resume(self) -> None:
        self.stale = True
        self.list_menu()

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    def table(self, name: str) -> Table:
        return self.form.table(name)

    def choice(self) -> choices.Choice:
        return self.form.choice()

    # Getting ready, in the background: the spec's code takes a moment to import, datasets and schedules to look at

    def list_menu(self) -> None:
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
        self.chosen_anew()
        self.when_ready()

    def when_ready(self) -> None:
        """What waited for the lists and the spec's code."""

    # What is chosen

    @on(Table.Moved)
    def _moved(self, message: Table.Moved) -> None:
        if message.table.id == "arms":
            self.redraw()
        else:
            self.chosen_anew()

    def chosen_anew(self) -> None:
        if self.ready:
            now = self.choice()
            with suppress(BadInput):  # there are none, and the check says why
                self.form.follow(choices.defaults(now.model, now.data, now.schedule))
        self.check()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if not self.form.usual:
            return
        if event.input is self.form.fields[choices.FILE].input:  # another dataset has other defaults
            self.chosen_anew()
        else:
            self.check()

    def check(self) -> None:
        if not self.ready:
            self.redraw()
            return
        now = self.choice()
        self.checked = choices.check(now)
        if self.refusal is not None and self.refusal[0] != now:
            self.refusal = None
        self._say_what_is_wrong()
        self._count()
        self.redraw()

    def _say_what_is_wrong(self) -> None:
        now = self.choice()
        overruled = self.checked.overruled if self.checked else {}
        self.form.say(choices.hints(now.model), self.errors, self._note(now), overruled)

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong, by field or list, that which the launch found among it."""
        found = dict(self.checked.errors) if self.checked else {}
        if self.refusal is not None and self.refusal[0] == self.choice():
            found.setdefault(choices.place(self.refusal[1], self.refusal[0]), self.refusal[1])
        return found

    def _note(self, now: choices.Choice) -> str:
        """How to bring a dataset that is not here, else a checkpoint."""
        if now.data != now.dataset or self.form.entries.get(now.dataset, {}).get("here", True):
            return self._missing()
        how = f"press {self.app.key('launch.fetch')}, or" if catalog.DATASETS[now.dataset].hub else "bring it with"
        return f"{now.dataset} is not here yet; {how}: {bring(now.dataset)}"

    def _missing(self) -> str:
        """Why the checkpoint is not here; it stays while other fields are typed in."""
        spec, known = self.checked.spec if self.checked else None, self.seen
        same = spec is not None and known is not None and (spec.model, spec.data) == (known[0].model, known[0].data)
        return known[1].missing if same and known is not None else ""

    # What it comes to, counted in the background once nothing has changed for a moment

    def _count(self) -> None:
        if self.counting is not None:
            self.counting.stop()
        spec = self.checked.spec if self.checked else None
        if spec is not None and (self.stale or self.seen is None or self.seen[0] != spec):
            self.counting = self.set_timer(self.PATIENCE, lambda: self._look(spec))

    def _look(self, spec: "RunSpec") -> None:
        self.stale = False
        look = lambda: self.post_message(launching.preview(self.app.runs, spec))  # noqa: E731
        self.app.run_worker(look, thread=True, group="preview", exclusive=True, exit_on_error=False)

    @on(launching.Previewed)
    def _previewed(self, message: launching.Previewed) -> None:
        if self.checked is not None and message.spec == self.checked.spec:
            self.seen = (message.spec, message.seen)
            self._say_what_is_wrong()
            self.redraw()

    @property
    def preview(self) -> previews.Preview | None:
        """What the choice as it stands comes to; None while that is counted, or something is wrong with it."""
        now = self.checked.spec if self.checked else None
        return self.seen[1] if self.seen is not None and now is not None and self.seen[0] == now else None

    # The words on it

    def on_descendant_focus(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        if not self.is_mounted or not self.app.is_running:
            return
        ladder = self.checked.ladder if self.checked else ()
        wrong = self.checked is not None and self.checked.spec is None
        waits = "not counted while something is not right" if wrong else "counting …"
        self.form.tell(self.preview, waits, ladder, self.size.height)
        told = menu.summed(self.checked, self.preview, self.at_work, self.size.width, self.app.key)
        self.query_one("#sum", Static).update(told)
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
        self.check()
