"""Giving a finished run more seeds or rounds. Imports no torch; the engine that goes on is started by `launch`."""

from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput
from engine.process import launch
from engine.randomness import NUMBERS
from engine.record import events, extensions, modes, rundir

if TYPE_CHECKING:
    from engine.spec import RunSpec

_OF_THE_END = ("finished", "sentence", "winning_ticket", "progress")


def extend(run: Path, seeds: int | None, rounds: int | None) -> tuple["RunSpec", "RunSpec"]:
    """Give a finished run more seeds or rounds, stated as totals; its spec before and after. Starts nothing.

    Raises BadInput where nothing would be added, the run is not finished, or what it needs is not here any more.
    """
    from filelock import FileLock, Timeout

    from engine import spec as specs

    try:
        with FileLock(run / ".extend.lock", timeout=0, mode=modes.of_file(run)):
            before = specs.of_run(run)
            every = extended(run, before, seeds, rounds)
            launch.check(before)
            # Stopped first: were we killed in between, a resume would find all done and give the verdict it had.
            status = rundir.without(rundir.read_status(run), *_OF_THE_END)
            rundir.write_status(run, status | {"state": "stopped"}, durable=True)
            extensions.append(run, every, rounds or before.schedule.rounds)
            return before, specs.of_run(run)
    except Timeout:
        raise BadInput(f"run: {run.name} is being extended by another command; look at it with `lth ls`.") from None


def extended(run: Path, spec: "RunSpec", seeds: int | None, rounds: int | None) -> list[int]:
    """The seeds of a run once it is extended. Raises BadInput where it cannot be."""
    if spec.origin is not None:
        raise BadInput(
            f"run: {run.name} asks about the tickets of {spec.origin.run} and has no more of those; extend that run, "
            f"then ask again with `lth {spec.origin.question}`."
        )
    if (state := rundir.state(run)) != "finished":
        how = "wait for it, or stop it first" if state in rundir.ACTIVE else f"go on with `lth resume {run.name}` first"
        raise BadInput(f"run: {run.name} is {state}, and only finished runs are extended; {how}.")
    began: dict[str, Any] = next((e for e in events.read(run / events.FILE).events if e["event"] == "run_started"), {})
    if began.get("numbers", 1) != NUMBERS:
        raise BadInput(
            f"run: {run.name} was begun by another version of lth, whose trainings come to other numbers; "
            "start a new run of its settings."
        )
    have = {"seeds": len(spec.seeds), "rounds": spec.schedule.rounds}
    wanted = {"seeds": seeds, "rounds": rounds}
    for name, total in wanted.items():
        if total is not None and not have[name] <= total <= 1000:
            raise BadInput(f"{name}: {total} given as the total, and the run has {have[name]}; give more, up to 1000.")
    if all(total in (None, have[name]) for name, total in wanted.items()):
        raise BadInput(
            f"seeds, rounds: nothing to add, the run has {have['seeds']} seeds and {have['rounds']} rounds; "
            f"give a greater total, say --seeds {have['seeds'] + 2}."
        )
    unused = (seed for seed in count() if seed not in spec.seeds)
    return [*spec.seeds, *islice(unused, max(0, (seeds or 0) - have["seeds"]))]
