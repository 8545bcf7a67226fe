"""What can be done to the runs of a list, the one under the cursor or all that are marked: asked once, told once."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.screen import Screen

from engine.record import rundir
from engine.record.history import Summary
from lth_tui import plain
from lth_tui.screens import batch, words
from lth_tui.screens.acting import ask_to_stop
from lth_tui.screens.ask import AskScreen
from lth_tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from lth_tui.app import LthApp


class _AbstractScreen(type(Screen), ABCMeta):  # type: ignore[misc]
    """Of a screen that nobody can make who leaves out what it must tell."""


class ActsScreen(Screen[None], metaclass=_AbstractScreen):
    """A screen that lists runs; whoever inherits says which are chosen and which are shown."""

    app: "LthApp"

    def __init__(self) -> None:
        super().__init__()
        self.removed: list[list[Path]] = []  # where the runs of each removal are now
        self.marked: set[str] = set()  # ids
        self.at_work = ""  # what is being done to several runs, in words

    # To be told by the screen

    @property
    @abstractmethod
    def current(self) -> Summary | None:
        """The run under the cursor."""

    @property
    @abstractmethod
    def chosen(self) -> Sequence[Summary]:
        """The runs that an action is for."""

    @property
    @abstractmethod
    def shown(self) -> Sequence[Summary]:
        """All that the list shows."""

    @abstractmethod
    def tell(self) -> None:
        """Show what `at_work` says."""

    # Doing

    def ask(self, act: batch.Act) -> None:
        """Do something to the chosen runs; one question where it is more than one."""
        chosen = self.chosen
        fitting = [one for one in chosen if act.fits(one)]
        if not chosen or self._busy():
            return
        if len(chosen) == 1:
            self.perform(act, self._paths(chosen))
        elif not fitting:
            self.app.say(f"{act.name}: nothing to do; {batch.told_states(chosen)}.", "warning")
        else:
            seen = {one["id"] for one in self.shown}
            hidden = sum(one["id"] not in seen for one in fitting)
            others = [one for one in chosen if not act.fits(one)]
            asked, about = batch.question(act, fitting, others, hidden, self.app.key)
            paths = self._paths(fitting)

            def answered(confirmed: bool | None) -> None:
                if confirmed:
                    self.perform(act, paths)

            self.app.push_screen(
                ConfirmScreen(asked, about, f"{act.name.lower()} {'them' if len(fitting) > 1 else 'it'}"), answered
            )

    def perform(self, act: batch.Act, paths: Sequence[Path]) -> None:
        """Do it, in the background."""
        if self._busy():
            return
        self.at_work = f"{act.doing}…"
        if act is batch.STOP:
            self.app.mail.asked |= {path.name for path in paths}  # their end is no news
        work = partial(batch.perform, act, paths, self.post_message)
        self.app.run_worker(work, thread=True, group="batch", exit_on_error=False)

    def _busy(self) -> bool:
        if self.at_work:
            self.app.say(f"Still {self.at_work}", "warning")
        return bool(self.at_work)

    def _paths(self, summaries: Sequence[Summary]) -> list[Path]:
        return [self.app.runs / one["id"] for one in summaries]

    @on(batch.At)
    def _at(self, message: batch.At) -> None:
        self.at_work = f"{message.act.doing}… {message.number:,} of {message.of:,}"
        self.tell()

    @on(batch.Done)
    def _done(self, message: batch.Done) -> None:
        self.at_work = ""
        self.tell()
        self.app.engines += batch.engines(message.kept)
        sentence = message.sentence
        if message.act is batch.REMOVE and message.kept:
            self.removed.append(message.kept)
            many = len(message.kept) > 1
            sentence = sentence if many or not message.well else f"{message.kept[0].name} is in the trash."
            sentence += f" {self.app.key('runs.undo')} brings {'them' if many else 'it'} back."
        self.app.say(sentence, "information" if message.well else "warning")
        self.app.look(at_once=True)

    # The actions, each on a key

    def action_stop(self) -> None:
        if len(chosen := self.chosen) == 1:
            ask_to_stop(self.app, self.app.runs / chosen[0]["id"], chosen[0]["state"])
        else:
            self.ask(batch.STOP)

    def action_resume(self) -> None:
        self.ask(batch.RESUME)

    def action_remove(self) -> None:
        if len(chosen := self.chosen) == 1 and chosen[0]["state"] in rundir.ACTIVE:
            self.app.say(f"{chosen[0]['id']} is at work; {self.app.key('runs.stop')} stops it first.", "warning")
        else:
            self.ask(batch.REMOVE)

    def action_undo(self) -> None:
        if not self.removed:
            self.app.say("Nothing was removed here.")
        elif not self._busy():
            self.perform(batch.RESTORE, self.removed.pop())

    def action_compare(self) -> None:
        if len(chosen := self.chosen) < 2:
            self.app.say(f"Mark two runs or more with {self.app.key('runs.mark')}, then compare them.", "warning")
        else:
            self.app.compare(self._paths(chosen))

    def action_clone(self) -> None:
        if (one := self.current) is not None:
            self.app.clone(self.app.runs / one["id"])

    def action_copy(self) -> None:
        if (one := self.current) is not None:
            self.app.copy(one["id"])

    def action_queue_go(self) -> None:
        """Go on with a queue that is paused."""
        if self.app.runs.is_dir():
            self.perform(batch.GO, [self.app.runs])

    def action_tag(self) -> None:
        if chosen := self.chosen:
            one = len(chosen) == 1
            tags = " ".join(map(str, chosen[0]["tags"] or [])) if one else ""
            about = "Its tags, with spaces between them." if one else "Added to all of them; -tag takes one away."

            def answered(text: str | None) -> None:
                if text is not None:
                    act = batch.noting(tags=text.split()) if one else batch.tagging(text.split())
                    self.perform(act, self._paths(chosen))

            wrong = partial(batch.wrong_tags, away=not one)
            self.app.push_screen(AskScreen(self._of("Tags", chosen), about, tags, wrong, "fold-2 wide"), answered)

    def action_name(self) -> None:
        """Name the run under the cursor, whatever is marked: a name is of one run."""
        if (one := self.current) is not None:
            paths = self._paths([one])

            def answered(text: str | None) -> None:
                if text is not None and text.strip() != name:
                    self.perform(batch.noting(name=text.strip()), paths)

            name = plain.line(one["name"] or "", 100)
            about = "A name of its own. Leave it empty to take the name away."
            self.app.push_screen(AskScreen(self._of("Name", [one]), about, name, batch.wrong_name, "base30"), answered)

    def action_note(self) -> None:
        if chosen := self.chosen:
            one = len(chosen) == 1
            about = "Leave it empty to take the note away." if one else "It replaces the notes of all of them."

            def answered(text: str | None) -> None:
                if text is not None and (text != note or not one):
                    self.perform(batch.noting(note=text), self._paths(chosen))

            note = plain.line(chosen[0]["note"] or "", 10_000) if one else ""
            self.app.push_screen(AskScreen(self._of("Note", chosen), about, note), answered)

    def _of(self, what: str, chosen: Sequence[Summary]) -> str:
        return f"{what} of {chosen[0]['id'] if len(chosen) == 1 else words.count(len(chosen), 'run')}"

    def action_export(self) -> None:
        """Write the marked runs, or all that are shown, to a file that is asked for."""
        found = list(self.chosen if self.marked else self.shown)
        if not found:
            return
        name = f"runs-{datetime.now():%Y%m%d-%H%M%S}.csv"

        def answered(text: str | None) -> None:
            if text is not None:
                self.perform(batch.exporting(found), [Path(text.strip()).expanduser().absolute()])

        about = f"{'the marked' if self.marked else 'all that are shown'}, a line a run; a file below {Path.cwd()}"
        title = f"Export {words.count(len(found), 'run')} as csv"
        self.app.push_screen(AskScreen(title, about, name, batch.wrong_file), answered)
