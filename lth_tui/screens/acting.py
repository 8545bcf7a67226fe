"""What is done to one run from any screen, as `batch` does it to several: in the background, and told in a sentence."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.record import history, rundir, waiting
from lth_tui.screens import batch
from lth_tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from lth_tui.app import LthApp


def perform(app: "LthApp", act: batch.Act, run: Path) -> None:
    """Do something to a run, and tell what became of it."""

    def work() -> None:
        became = batch.do(act, run)
        history.fold(run.parent, run)
        app.call_from_thread(told, became)

    def told(became: batch.Outcome) -> None:
        app.engines += batch.engines([became.left])
        app.say(became.sentence, "information" if became.well else "warning")
        app.look(at_once=True)

    app.run_worker(work, thread=True, group="act", exit_on_error=False)


def ask_to_stop(app: "LthApp", run: Path, state: str) -> None:
    """Ask, with one more key, whether a run shall end, or wait no more; one that was asked already is ended at once."""
    again, at_once = f"`lth resume {run.name[-4:]}`", state == "stopping"
    if state == "queued" and waiting.of(run) is not None:
        question, yes = "Take it out of the queue?", "take it out"
        about = f"{run.name} waits its turn; {again} puts it into the queue again."
    elif state not in rundir.ACTIVE:
        app.say(f"This run is {state}: there is no engine to stop.")
        return
    elif at_once:
        question, yes = "End it at once?", "end it now"
        about = f"{run.name} is finishing its step. Killed, it loses what it did since its last checkpoint."
    else:
        question, yes = "Stop this run?", "stop it"
        about = f"{run.name} ends cleanly; {again} goes on from there."

    def answered(confirmed: bool | None) -> None:
        if confirmed:
            app.mail.asked.add(run.name)
            perform(app, batch.STOP._replace(do=partial(batch.stop, at_once=at_once)), run)

    app.push_screen(ConfirmScreen(question, about, yes), answered)
