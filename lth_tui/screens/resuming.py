"""Going on with a run from a screen, as `lth resume` does."""

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadInput
from engine.process import launch, queue
from engine.record import history, rundir, waiting

if TYPE_CHECKING:
    from lth_tui.app import LthApp


def resume(app: "LthApp", run: Path) -> None:
    """Have a run worked on in its turn, from its last checkpoint; how that went is told in a sentence."""

    def work() -> None:
        sentence, severity = _resumed(app, run)
        app.call_from_thread(app.say, sentence, severity)
        app.call_from_thread(app.look, True)

    app.run_worker(work, thread=True, group="resume", exit_on_error=False)


def _resumed(app: "LthApp", run: Path) -> tuple[str, str]:
    """What came of it, and whether that is a piece of information or an error."""
    from engine import spec as specs

    if refused := _why_not(app, run):
        return refused, "information"
    try:
        specs.of_run(run)
        engine = queue.launch_in_turn(run)
    except launch.LaunchFailed as error:
        return f"The engine did not start: {error}", "error"
    except (BadInput, OSError) as error:
        return str(error), "error"
    finally:
        history.fold(run.parent, run)
    if engine is not None:
        app.engines.append(engine)
    waits = engine is None and waiting.of(run) is not None
    return "Every slot is taken: it waits its turn." if waits else "It goes on from its last checkpoint.", "information"


def _why_not(app: "LthApp", run: Path) -> str:
    """Why there is nothing to resume; empty where there is."""
    state, waits = rundir.state(run), waiting.of(run)
    if state == "finished":
        return f"This run is finished: there is nothing to resume; {app.key('run.extend')} extends it."
    if state in rundir.ACTIVE:
        return f"This run is {state}: there is nothing to resume."
    return "It waits its turn already." if waits is not None and waits.ours else ""
