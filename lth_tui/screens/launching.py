"""What the launch screen has done in the background, each answer a message: list what there is,
preview, fill, fetch, launch."""

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

from textual.message import Message

from engine import schedules
from engine.errors import BadInput
from engine.process import launch, queue, slots
from engine.record import history, waiting
from engine.schedules import ScheduleCard
from lth_tui import plain
from lth_tui.screens import cloning
from lth_tui.screens import preview as previews
from lth_tui.screens.choice import Choice
from lth_tui.screens.preview import Preview

if TYPE_CHECKING:
    from engine.spec import RunSpec


class Listing(Message):
    """The datasets, as they are on this machine, the schedules, one's own among them, and what is wrong with either."""

    def __init__(self, entries: list[dict[str, Any]], plans: list[ScheduleCard], wrong: list[str]) -> None:
        super().__init__()
        self.entries, self.plans, self.wrong = entries, plans, wrong


class Previewed(Message):
    """What a run of a spec would come to."""

    def __init__(self, spec: "RunSpec", seen: Preview) -> None:
        super().__init__()
        self.spec, self.seen = spec, seen


class Filled(Message):
    """What the form is to hold, from a run or a preset of that name; or why it cannot, in a sentence."""

    def __init__(self, source: str, found: cloning.Filled | None, wrong: str = "") -> None:
        super().__init__()
        self.source, self.found, self.wrong = source, found, wrong


class Fetched(Message):
    """A dataset is here, or is not, for a reason in words."""

    def __init__(self, name: str, wrong: str = "") -> None:
        super().__init__()
        self.name, self.wrong = name, wrong


class Launched(Message):
    """The run is worked on, or waits its turn; its engine, where it was started here. `place`, where it only waits."""

    def __init__(self, run: Path, engine: Popen | None, place: str = "") -> None:
        super().__init__()
        self.run, self.engine, self.place = run, engine, place


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


def preview(runs: Path, spec: "RunSpec") -> Previewed:
    """Count what a run of this spec would come to; or why nobody can, in a sentence."""
    try:
        return Previewed(spec, previews.look(runs, spec))
    except BadInput as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001  whatever a folder holds, the form stays usable
        why = f"what it comes to could not be counted ({type(error).__name__}: {error})"
    return Previewed(spec, Preview(None, (), False, spec.trainings, wrong=plain.line(why)))


def fill(tree: dict[str, Any], source: str) -> Filled:
    """What the form is to hold for a spec to come out of it."""
    try:
        return Filled(source, cloning.of_spec(tree))
    except BadInput as error:
        return Filled(source, None, str(error))
    except Exception as error:  # noqa: BLE001  whatever a file held, the form stays usable
        return Filled(source, None, f"it holds no spec ({type(error).__name__}: {error})")


def fetch(name: str, tell: Callable[[str], object]) -> Fetched:
    """Bring a dataset from the hub; `tell` is told how far it is."""
    from engine.data import hub

    try:
        hub.fetch(name, tell)
    except BadInput as error:
        return Fetched(name, str(error))
    except Exception as error:  # noqa: BLE001  a thread's errors are seen by nobody
        return Fetched(name, f"dataset: {name} could not be fetched ({type(error).__name__}: {error}).")
    return Fetched(name)


def launch_run(
    runs: Path, spec: "RunSpec", chosen: Choice, tell: Callable[..., object], only_queue: bool = False
) -> Launched | Refused:
    """Make sure of the data, make the run directory, have it worked on in its turn. `tell` is told what it is at, and
    whether the run is as good as there; where it raises, none is made.

    `only_queue` leaves the start to whoever tends the queue, and answers with the run's place in it.
    """
    try:
        slots.asked()  # BadInput before there is a run
        begin = lambda _: tell("putting the run in the queue" if only_queue else "starting the engine", True)  # noqa: E731
        run = launch.new_run(runs, spec, lambda text: tell(f"{text}, a few seconds the first time"), begin)
        if only_queue:
            try:
                return Launched(run, None, _queued(run))
            finally:
                history.fold(run.parent, run)
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


def _queued(run: Path) -> str:
    """Submit a run and see that somebody starts it in its turn; its place, in words."""
    queue.submit(run)
    seen = waiting.look(run.parent)
    ours = [one.run for one in seen.ours]
    place = ours.index(run) + 1 if run in ours else 0
    paused = queue.paused(run.parent, seen)
    queue.tend(run.parent, seen)
    before = f"number {place} in the queue" if place else "in the queue"
    return f"is {before}" + (f", which is paused ({paused})" if paused else "")
