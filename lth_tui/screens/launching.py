"""What the launch screen has done in the background, each answer a message: list what there is, estimate, launch."""

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

from textual.message import Message

from engine import schedules
from engine.errors import BadInput
from engine.process import launch, queue, slots
from engine.record import history
from engine.schedules import ScheduleCard
from lth_tui.screens import words
from lth_tui.screens.choice import Choice

if TYPE_CHECKING:
    from engine.spec import RunSpec


class Listing(Message):
    """The datasets, as they are on this machine, the schedules, one's own among them, and what is wrong with either."""

    def __init__(self, entries: list[dict[str, Any]], plans: list[ScheduleCard], wrong: list[str]) -> None:
        super().__init__()
        self.entries, self.plans, self.wrong = entries, plans, wrong


class Estimated(Message):
    """How long a spec would take, in words; none where this machine has measured nothing like it."""

    def __init__(self, spec: "RunSpec", text: str) -> None:
        super().__init__()
        self.spec, self.text = spec, text


class Launched(Message):
    """The run is worked on, or waits its turn; its engine, where it was started here."""

    def __init__(self, run: Path, engine: Popen | None) -> None:
        super().__init__()
        self.run, self.engine = run, engine


class Refused(Message):
    """The launch came to nothing, for a reason in words; because of what was chosen, or of none of that."""

    def __init__(self, sentence: str, chosen: Choice | None = None) -> None:
        super().__init__()
        self.sentence, self.chosen = sentence, chosen


def list_menu() -> Listing:
    """Look at every dataset and schedule; the spec's code, which the form needs next, is imported here too, off the
    loop.
    """
    from engine import spec  # noqa: F401
    from engine.data import store

    found, wrong = schedules.every()
    plans = list(found.values())
    try:
        return Listing(store.listing(), plans, wrong)
    except Exception as error:  # noqa: BLE001  whatever a folder holds, the form stays usable
        return Listing([], plans, [*wrong, f"the datasets could not be looked at ({type(error).__name__}: {error})"])


def estimate(runs: Path, spec: "RunSpec") -> Estimated:
    """From the seconds an epoch that earlier runs in this folder took."""
    from engine.record import pace

    cost = pace.seconds_an_epoch(runs, spec.model_dump(mode="json"))
    left = words.duration(None if cost is None else cost * spec.training.epochs * spec.trainings)
    return Estimated(spec, f"at most {left} on this machine" if left else "")


def launch_run(runs: Path, spec: "RunSpec", chosen: Choice, tell: Callable[[str], object]) -> Launched | Refused:
    """Make sure of the data, make the run directory, have it worked on in its turn; `tell` is told what it is at."""
    try:
        slots.asked()  # BadInput before there is a run
        run = launch.new_run(runs, spec, lambda text: tell(f"{text}, a few seconds the first time"))
        tell("starting the engine")
        try:
            engine = queue.launch_in_turn(run)
        finally:
            history.fold(run.parent, run)
    except BadInput as error:
        return Refused(str(error), chosen)
    except launch.LaunchFailed as error:
        return Refused(f"The engine did not start: {error}")
    except Exception as error:  # noqa: BLE001  a thread's errors are seen by nobody
        return Refused(f"The run could not be launched ({type(error).__name__}: {error}).")
    return Launched(run, engine)
