"""What can be done to a run from several screens: stopping it, after asking."""

from pathlib import Path
from typing import TYPE_CHECKING

from engine.process import launch, queue
from engine.record import history, rundir, waiting
from lth_tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from lth_tui.app import LthApp


def ask_to_stop(app: "LthApp", run: Path, state: str) -> None:
    """Ask, with one more key, whether a run shall end; a run that was asked already can be ended at once."""
    if state == "queued" and waiting.of(run) is not None:
        _ask_to_withdraw(app, run)
        return
    if state not in rundir.ACTIVE:
        app.say(f"This run is {state}: there is no engine to stop.")
        return
    now = state == "stopping"
    if now:
        question, yes = "End it at once?", "end it now"
        about = f"{run.name} is finishing its step. Killed, it loses what it did since its last checkpoint."
    else:
        question, yes = "Stop this run?", "stop it"
        about = f"{run.name} ends cleanly; `lth resume {run.name[-4:]}` goes on from there."

    def stop() -> None:
        app.mail.asked.add(run.name)
        asked = launch.end(run) if now else launch.ask_to_stop(run)
        history.fold(run.parent, run)
        told = "It was ended." if now else "Asked to stop; it finishes its step first."
        words = told if asked else "No engine holds this run any more."
        if not asked and rundir.state(run) in rundir.ACTIVE:
            words = f"It cannot be stopped here: {launch.why_not(run)}"
        app.call_from_thread(app.say, words)
        app.call_from_thread(app.look, True)

    def answered(confirmed: bool | None) -> None:
        if confirmed:
            app.run_worker(stop, thread=True, group="stop", exit_on_error=False)

    app.push_screen(ConfirmScreen(question, about, yes), answered)


def _ask_to_withdraw(app: "LthApp", run: Path) -> None:
    """Ask whether a run that waits shall wait no more."""

    def withdraw() -> None:
        app.mail.asked.add(run.name)
        left = queue.withdraw(run)
        history.fold(run.parent, run)
        again = f"`lth resume {run.name[-4:]}` puts it back"
        app.call_from_thread(app.say, f"It waits no more; {again}." if left else "Its engine was a moment faster.")
        app.call_from_thread(app.look, True)

    def answered(confirmed: bool | None) -> None:
        if confirmed:
            app.run_worker(withdraw, thread=True, group="stop", exit_on_error=False)

    about = f"{run.name} waits its turn; `lth resume {run.name[-4:]}` puts it into the queue again."
    app.push_screen(ConfirmScreen("Take it out of the queue?", about, "take it out"), answered)
