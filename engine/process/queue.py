"""Whose turn it is: runs wait for a slot of this machine and are started in the order in which they were submitted.

Who waits is told by the run directories alone (`engine.record.waiting`). Beside them each host and user has a folder
with a short lock that is held around every decision, whether the queue is paused, and the lock of the dispatcher: a
process that anybody starts who sees runs wait, and that starts them while nobody looks. It may die at any moment. What
it began is then known by the engine's lock, and an engine that comes too late finds the run no longer `queued` and
leaves (`worker --queued`), so no run is lost and none is run twice. Imports no torch.
"""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
from filelock import FileLock, Timeout

from engine.errors import BadInput
from engine.process import causes, gpus, launch, placing, slots
from engine.record import liveness, modes, rundir, trash, waiting
from engine.record.waiting import Seen

# {"paused": whether, "why": in words, "slots": how many runs may work at once, null for one a GPU, "boot_id": of the
# boot in which anybody last decided}
FILE = "queue.json"
REBOOTED = "this machine was restarted since; `lth queue go` goes on"
_PATIENCE = 120.0  # seconds for the decision of another, who may be waiting for an engine's first sign of life
_LEAVING = 60.0  # seconds an engine may take to leave after its last word
_POLL = 0.02
_BREATH = 0.05  # seconds between two decisions of one process, in which others get their turn
_OF_AN_ENGINE = ("process", "cause", "finished", "bad_input", "doing", "seed", "round", "arm", "epoch")


@dataclass(frozen=True)
class Started:
    """A run that was taken up; without its engine where that is another process's child, or it did not start.

    `failure`: why it never will; `held`: why not now, so that it goes on waiting.
    """

    run: Path
    engine: subprocess.Popen | None = None
    failure: str | None = None
    held: str | None = None


def folder(runs: Path) -> Path:
    """Where this host and user keep what is not told by the runs themselves."""
    host = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname())[:64]
    return runs / f".queue-{host}-{os.getuid()}"


@contextmanager
def _alone(runs: Path) -> Iterator[Path]:
    """Hold the short lock: nobody else starts, submits, moves, withdraws or removes a run of this queue meanwhile."""
    own = folder(runs)
    with rundir.blamed_on(runs):
        modes.make(own)
        lock = FileLock(own / ".lock", timeout=_PATIENCE, mode=modes.of_file(own), poll_interval=0.01)
        try:
            lock.acquire()
        except Timeout:
            raise BadInput(f"queue: another process has been deciding for {_PATIENCE:.0f} s; try again.") from None
    try:
        yield own
    finally:
        lock.release()


@contextmanager
def _deciding(runs: Path) -> Iterator[Seen]:
    """The same, with every run of the folder looked at."""
    with _alone(runs) as own:
        seen = waiting.look(runs)
        told = rundir.read_json(own / FILE)
        if told.get("boot_id") != liveness.identity()["boot_id"] or not told:
            _keep(own, why=_paused(told, seen))
        yield seen


def _keep(own: Path, **changes: str | int | None) -> None:
    """Change what is kept of a queue: `why` it is paused, None where it goes on; `slots`."""
    kept = rundir.read_json(own / FILE)
    told = {"why": _why(kept)} | {name: kept[name] for name in ("slots",) if name in kept} | changes
    told |= {"paused": told["why"] is not None, "boot_id": liveness.identity()["boot_id"]}
    rundir.write_atomically(own / FILE, orjson.dumps(told))


def slots_told(runs: Path) -> int | None:
    """How many runs may work at once, as somebody said last, by LTH_SLOTS at a launch or otherwise. None: one a GPU,
    or one.
    """
    kept = rundir.read_json(folder(runs) / FILE).get("slots")
    return kept if type(kept) is int and 0 < kept <= slots.MOST else None


def set_slots(runs: Path, count: int | None) -> None:
    """Say how many runs may work at once on this machine; None: one a GPU, or one."""
    with _deciding(runs):
        _keep(folder(runs), slots=count)
    tend(runs)


def slot_count(runs: Path) -> int:
    """How many runs may work at once."""
    return slots_told(runs) or len(gpus.every()) or 1


def _why(told: dict) -> str | None:
    """Why somebody paused the queue, None where nobody did."""
    if told.get("paused") is not True:
        return None
    return told["why"] if isinstance(told.get("why"), str) else "paused"


def _paused(told: dict, seen: Seen) -> str | None:
    """Why nothing is started, None where the queue goes on. Runs of an earlier boot are not started unasked."""
    if (why := _why(told)) is not None:
        return why
    boot = liveness.identity()["boot_id"]
    restarted = told.get("boot_id") != boot and any(one.boot_id != boot for one in seen.ours)
    return REBOOTED if restarted else None


def paused(runs: Path, seen: Seen | None = None) -> str | None:
    """Why the queue of this host and user is paused, None where it is not."""
    return _paused(rundir.read_json(folder(runs) / FILE), seen or waiting.look(runs))


def submit(run: Path) -> None:
    """Have a run wait at the end of our queue; one that waits there already keeps its place. BadInput, OSError.

    How many runs may work at once is from now on what LTH_SLOTS says here, if it is set.
    """
    asked = slots.asked()
    with _deciding(run.parent) as seen:
        status = rundir.read_status(run)
        if rundir.holder(run) is not None:
            raise BadInput(f"run: {run.name} has a working engine; follow it with `lth watch {run.name}`.")
        if asked is not None and asked != rundir.read_json(folder(run.parent) / FILE).get("slots"):
            _keep(folder(run.parent), slots=asked)
        if any(one.run == run for one in seen.ours):
            return
        last = max((one.place for one in seen.ours if one.place < float("inf")), default=0.0)
        process = status.get("process", {})
        kept = rundir.without(status, *_OF_AN_ENGINE, *([] if liveness.here(process) else ["gpu"]))
        entry = waiting.entry(last + 1, launch.own_environment())
        rundir.write_status(run, kept | {"state": "queued", "waiting": entry}, durable=True)


def dispatch(runs: Path) -> list[Started]:
    """Start the runs whose turn it is, one after another. Anybody may call it. BadInput."""
    done: list[Started] = []
    while not any(one.held for one in done):
        with _deciding(runs) as seen:
            tried = {one.run for one in done}
            rest = Seen([one for one in seen.waiting if one.run not in tried], seen.working, [])
            told = slots_told(runs)
            try:
                found = placing.turn(rest, paused(runs, seen), told)
                if isinstance(found, str):
                    break
                done.append(_start(found))
            except Exception as error:  # noqa: BLE001  one run that is damaged keeps no other from its turn
                run, words = rest.ours[0].run, f"its engine could not be started ({causes.of(error)})"
                done.append(_hold(run, words) if causes.of_the_machine(error) else _fail(run, words))
        time.sleep(_BREATH)
    return done


def _fail(run: Path, cause: str) -> Started:
    with suppress(OSError):
        rundir.fail(run, cause)
    return Started(run, failure=cause)


def _start(given: placing.Turn) -> Started:
    """Start the engine of a run under the short lock, so that its slot is seen to be taken by whoever decides next."""
    run, spawned = given.run.run, []
    options = ["--queued", "--slots", str(given.most)]
    options += ["--gpu", given.gpu, "--each", str(given.each)] if given.gpu else []
    environment = {name: given.run.env.get(name) for name in waiting.ENV}
    before = rundir.read_status(run)

    def begin(run: Path) -> subprocess.Popen:
        spawned.append(launch.spawn(run, options, environment))
        return spawned[0]

    try:
        return Started(run, launch.start(run, begin))
    except launch.TooSlow as error:
        if rundir.holder(run) is None and rundir.read_status(run)["state"] in rundir.ACTIVE:
            rundir.write_status(run, before, durable=True)  # killed at the moment in which it began
        return Started(run, held=str(error))
    except launch.LaunchFailed as error:
        ended = spawned[0].returncode if spawned else None
        if ended == launch.OF_THE_MACHINE:
            return _hold(run, str(error))
        if ended != 0:
            return Started(run, failure=str(error))
        # One that left in peace found an engine at work, started by a dispatcher that died before it could see it, or
        # its slot taken by an engine of another user or folder.
        waits = rundir.holder(run) is None and waiting.of(run) is not None
        return Started(run, held="its slot was taken a moment ago" if waits else None)
    except OSError as error:
        return _hold(run, causes.of(error)) if causes.of_the_machine(error) else _fail(run, _not_started(error))


def _not_started(error: OSError) -> str:
    return f"its engine could not be started ({error.strerror or error})"


def _hold(run: Path, cause: str) -> Started:
    """What keeps a run from beginning would keep every other too: it goes on waiting, and the queue is paused."""
    stand_still(run, f"could not begin: {cause}")
    return Started(run, held=cause)


def stand_still(run: Path, what: str, always: bool = True) -> None:
    """Pause the queue of a run that a cause of the machine befell; unless `always`, only where others wait, whom it
    would befall too. Never raises.

    Without the short lock, which a dispatcher may hold while it waits for this very engine.
    """
    with suppress(Exception):
        seen = waiting.look(run.parent)
        if (always or seen.ours) and paused(run.parent, seen) is None:
            _keep(folder(run.parent), why=f"{run.name} {what}")


def launch_in_turn(run: Path) -> subprocess.Popen | None:
    """Submit a run and start it if there is a slot; its engine, None where it waits or another process took it up.

    Raises LaunchFailed where its engine ended before it began, BadInput, and OSError where the run is gone.
    """
    slots.asked()  # BadInput before anything is changed
    launch.let_leave(run)
    submit(run)
    for one in dispatch(run.parent):
        if one.run == run and one.failure is not None:
            raise launch.LaunchFailed(one.failure)
        if one.run == run and one.held is None:
            return one.engine
    tend(run.parent)
    return None


def withdraw(run: Path) -> bool:
    """Take a run out of its queue: it is `stopped`, and a resume goes on with it. False where it does not wait.

    Written first, then looked whether an engine was faster: one that comes later sees that the run is not queued.
    """
    with _deciding(run.parent):
        return _withdraw(run)


def _withdraw(run: Path) -> bool:
    status = rundir.read_status(run)
    if waiting.of(run, status) is None:
        return False
    rundir.write_status(run, rundir.without(status, "waiting") | {"state": "stopped"}, durable=True)
    deadline = time.monotonic() + _LEAVING
    while rundir.holder(run) is not None and time.monotonic() < deadline:
        if rundir.read_status(run)["state"] in rundir.ACTIVE:
            return False
        time.sleep(_POLL)
    return True


def remove(run: Path) -> Path:
    """Move a run to the trash, as `trash.put`, so that nobody starts it meanwhile, not even one that is over and that
    somebody resumes at this moment. Reads no other run. BadInput.
    """
    with _alone(run.parent):
        _withdraw(run)
        return trash.put(run)


def move(run: Path, place: int) -> int:
    """Put a waiting run of ours at a place, counted from 1 (a great number: the last); where it is now. BadInput."""
    with _deciding(run.parent) as seen:
        entries = {one.run: one for one in seen.ours}
        if run not in entries:
            raise BadInput(f"run: {run.name} does not wait in the queue of this machine; `lth queue` shows who does.")
        others = [one for one in entries if one != run]
        at = min(max(place, 1), len(entries)) - 1
        before = entries[others[at - 1]].place if at else entries[others[0]].place - 2 if others else 0.0
        after = entries[others[at]].place if at < len(others) else before + 2
        between = (before + after) / 2
        if before < between < after:
            _put(run, between)
        else:  # no room between two numbers: number them all anew
            for number, one in enumerate([*others[:at], run, *others[at:]], 1):
                _put(one, float(number))
        return at + 1


def _put(run: Path, place: float) -> None:
    status = rundir.read_status(run)
    rundir.write_status(run, status | {"waiting": {**status.get("waiting", {}), "place": place}}, durable=True)


def pause(runs: Path, why: str) -> None:
    """Start nothing more until `go`; engines that work go on."""
    with _deciding(runs):
        _keep(folder(runs), why=why)


def go(runs: Path) -> None:
    """Start runs again as slots allow; as many as LTH_SLOTS says here, if it is set. BadInput."""
    asked = slots.asked()
    with _deciding(runs):
        _keep(folder(runs), why=None, **({} if asked is None else {"slots": asked}))
    dispatch(runs)
    tend(runs)


def tend(runs: Path, seen: Seen | None = None) -> None:
    """Have a dispatcher work where runs of ours wait, the queue is not paused, and none is at work."""
    if liveness.holder(folder(runs)) is None:
        seen = seen or waiting.look(runs)
        if seen.ours and paused(runs, seen) is None:
            modes.make(folder(runs))  # a copy of a runs folder may come without it
            launch.detached(["engine.process.dispatcher", str(runs)], folder(runs), "/", {"LTH_SLOTS": None})
            # Whether it holds its lock yet is nobody's business: a second one leaves at once.


def idle(runs: Path, descriptor: int) -> bool:
    """Whether the dispatcher has nothing to do, and then has let go of its lock, while nobody could submit a run."""
    with _deciding(runs) as seen:
        if seen.ours and paused(runs, seen) is None:
            return False
        os.close(descriptor)
        return True
