"""Choose a model, a dataset and a schedule, see what the run comes to, and launch it."""

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widgets import Button

from engine import catalog
from engine.data.cards import bring
from engine.record import rundir
from lth_tui import plain
from lth_tui.keys import KEYS, bindings
from lth_tui.screens import launching
from lth_tui.screens.choosing import ChoosingScreen
from lth_tui.screens.presets import NameScreen, Preset, PresetsScreen
from lth_tui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from engine.spec import RunSpec


class LaunchScreen(ChoosingScreen):
    """The form, and the keys that launch what it says, queue it or keep it."""

    HELP_TITLE = KEYS["launch"].title
    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("launch")

    def __init__(self) -> None:
        super().__init__()
        self.wanted: tuple[dict[str, Any], str] | None = None  # what to fill the form from once it is ready

    # Filled from a run or a preset

    def fill(self, spec: dict[str, Any], from_run: str) -> None:
        """Choose all that a run's effective spec says, seeds and settings too, once the form is ready."""
        self.wanted = (spec, from_run)
        if self.ready:
            self.wanted = None
            read = lambda: self.post_message(launching.fill(spec, from_run))  # noqa: E731
            self.app.run_worker(read, thread=True, group="fill", exclusive=True, exit_on_error=False)

    def when_ready(self) -> None:
        if self.wanted is not None:
            self.fill(*self.wanted)

    @on(launching.Filled)
    def _filled(self, message: launching.Filled) -> None:
        if message.found is None:
            self.app.say(f"{message.source} does not fill this form. {message.wrong}", "warning")
            return
        self.form.put(message.found.choice, message.found.usual)
        self._from(message.source)
        self.check()
        remark = f" Mind: {message.found.remark}." if message.found.remark else ""
        self.app.say(f"The form says what {message.source} does; {self.app.key('launch.launch')} launches it.{remark}")

    def _from(self, source: str) -> None:
        bar = self.query_one(TopBar)
        bar.within = plain.line(f"from {source}", 200) if source else ""
        bar.refresh()

    def action_reset(self) -> None:
        self.form.put(replace(self.choice(), texts=self.form.usual), self.form.usual)
        self._from("")
        self.chosen_anew()

    def action_copy(self) -> None:
        """Copy the line that makes the same run from a shell."""
        if self.checked is None or self.checked.spec is None:
            self.app.say("Something is not right yet, so there is no line to copy.", "warning")
        elif not self.checked.command:
            self.app.say("No line makes this run: `lth run --seeds` counts from 0.", "warning")
        else:
            self.app.copy(self.checked.command)

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
                self.app.say(f"Kept as {name}; {self.app.key('launch.presets')} lists what is kept.")

        suggested = plain.line(f"{spec.model.name} {spec.data.name} {spec.schedule.name}", 60)
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
            self.app.unfinished = (f"checking {spec.data.name} for a launch", "leaves it undone")
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
            self.app.unfinished = (f"fetching {name}", "leaves it undone")
            self._in_a_thread(lambda: launching.fetch(name, self._tell))

    def _in_a_thread(self, work: Any) -> None:
        def done() -> None:
            with suppress(RuntimeError):  # the app is gone
                self.post_message(work())

        threading.Thread(target=done, daemon=True, name="launch").start()

    def _tell(self, text: str, begun: bool = False) -> None:
        """Called in the thread: what it is at, and whether it goes on without the app. Once one has quit, nothing does
        that had not begun.
        """
        if self.app.return_code is not None:
            raise RuntimeError("the app is being left")
        self.app.call_later(self._say_at_work, text)
        if begun:
            self.app.unfinished = (text, "leaves, and the run goes on")

    def _done(self) -> None:
        self.at_work, self.app.unfinished = "", None

    def _say_at_work(self, text: str) -> None:
        self.at_work = text
        self.redraw()

    @on(launching.Fetched)
    def _fetched(self, message: launching.Fetched) -> None:
        self._done()
        self.redraw()
        self.app.say(message.wrong or f"{message.name} is here.", "error" if message.wrong else "information")
        self.list_menu()

    @on(launching.Refused)
    def _refused(self, message: launching.Refused) -> None:
        self._done()
        if (chosen := message.chosen) is None:
            self.app.say(message.sentence, "error")
        else:
            self.refusal = (chosen, message.sentence)  # it stands on the form until something is changed
            if chosen != self.choice() or not self.is_current:
                self.app.say(f"{chosen.model} × {chosen.data} was not launched. {message.sentence}", "error")
        self.check()
        if message.chosen is not None and message.chosen == self.choice():
            self.form.to_what_is_wrong(self.errors)

    @on(launching.Launched)
    def _launched(self, message: launching.Launched) -> None:
        self._done()
        if message.engine is not None:
            self.app.engines.append(message.engine)
        self.redraw()
        self.app.look(at_once=True)
        if message.place:
            self.app.say(f"{message.run.name} {message.place}.")
        elif self.is_current:
            self.app.open_run(message.run)
        else:
            waits = rundir.read_status(message.run)["state"] == "queued"
            self.app.say(f"{message.run.name} {'waits its turn' if waits else 'has started'}.")
