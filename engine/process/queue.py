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
from engine.process import launch, placing
from engine.record import liveness, modes, rundir, waiting
from engine.record.waiting import Seen

FILE = "queue.json"  # {"paused": whether, "why": in words, "boot_id": of the boot in which anybody last decided}
REBOOTED = "this machine was restarted since; `lth queue go` goes on"
_PATIENCE = 120.0  # seconds for the decision of another, who may be waiting for an engine's first sign of life
_LEAVING = 60.0  # seconds an engine may take to leave after its last word
_POLL = 0.02
_OF_AN_ENGINE = ("process", "cause", "finished", "bad_input", "doing", "seed", "round", "arm", "epoch", "gpu")


@dataclass(frozen=True)
class Started:
    """A run that was taken up; without its engine where that is another process's child, or it did not start."""

    run: Path
    engine: subprocess.Popen | None = None
    failure: str | None = None


def folder(runs: Path) -> Path:
    """Where this host and user keep what is not told by the runs themselves."""
    host = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname())[:64]
    return runs / f".queue-{host}-{os.getuid()}"


@contextmanager
def _deciding(runs: Path) -> Iterator[Seen]:
    """Hold the short lock: nobody else starts, submits, moves or withdraws a run of this queue meanwhile."""
    own = folder(runs)
    with rundir.blamed_on(runs):
        modes.make(own)
        lock = FileLock(own / ".lock", timeout=_PATIENCE, mode=modes.of_file(own), poll_interval=0.01)
        try:
            lock.acquire()
        except Timeout:
            raise BadInput(f"queue: another process has been deciding for {_PATIENCE:.0f} s; try again.") from None
    try:
        seen = waiting.look(runs)
        told = rundir.read_json(own / FILE)
        if told.get("boot_id") != liveness.identity()["boot_id"] or not told:
            _keep(own, _paused(told, seen))
        yield seen
    finally:
        lock.release()


def _keep(own: Path, why: str | None) -> None:
    told = {"paused": why is not None, "why": why, "boot_id": liveness.identity()["boot_id"]}
    rundir.write_atomically(own / FILE, orjson.dumps(told))


def _paused(told: dict, seen: Seen) -> str | None:
    """Why nothing is started, None where the queue goes on. Runs of an earlier boot are not started unasked."""
    if told.get("paused") is True:
        return told["why"] if isinstance(told.get("why"), str) else "paused"
    boot = liveness.identity()["boot_id"]
    restarted = told.get("boot_id") != boot and any(one.boot_id != boot for one in seen.ours)
    return REBOOTED if restarted else None


def paused(runs: Path, seen: Seen | None = None) -> str | None:
    """Why the queue of this host and user is paused, None where it is not."""
    return _paused(rundir.read_json(folder(runs) / FILE), seen or waiting.look(runs))


def submit(run: Path) -> None:
    """Have a run wait at the end of our queue; one that waits there already keeps its place. BadInput, OSError."""
    with _deciding(run.parent) as seen:
        status = rundir.read_status(run)
        if rundir.holder(run) is not None:
            raise BadInput(f"run: {run.name} has a working engine; follow it with `lth watch {run.name}`.")
        if any(one.run == run for one in seen.ours):
            return
        last = max((one.place for one in seen.ours if one.place < float("inf")), default=0.0)
        kept = rundir.without(status, *_OF_AN_ENGINE)
        entry = waiting.entry(last + 1, launch.own_environment())
        rundir.write_status(run, kept | {"state": "queued", "waiting": entry}, durable=True)


def dispatch(runs: Path) -> list[Started]:
    """Start the runs whose turn it is, one after another. Anybody may call it; BadInput where LTH_SLOTS is none."""
    done: list[Started] = []
    while True:
        with _deciding(runs) as seen:
            tried = {one.run for one in done}
            rest = Seen([one for one in seen.waiting if one.run not in tried], seen.working, [])
            found = placing.turn(rest, paused(runs, seen))
            if isinstance(found, str):
                return done
            done.append(_start(found))


def _start(given: placing.Turn) -> Started:
    """Start the engine of a run under the short lock, so that its slot is seen to be taken by whoever decides next."""
    run, spawned = given.run.run, []
    options = ["--queued", *(["--gpu", given.gpu] if given.gpu else [])]
    environment = {name: given.run.env.get(name) for name in waiting.ENV}

    def begin(run: Path) -> subprocess.Popen:
        spawned.append(launch.spawn(run, options, environment))
        return spawned[0]

    try:
        return Started(run, launch.start(run, begin))
    except launch.LaunchFailed as error:
        # One that left in peace found an engine at work, started by a dispatcher that died before it could see it.
        peaceful = any(engine.returncode == 0 for engine in spawned)
        return Started(run) if peaceful else Started(run, failure=str(error))
    except OSError as error:
        words = f"its engine could not be started ({error.strerror or error})"
        with suppress(OSError):
            rundir.fail(run, words)
        return Started(run, failure=words)


def launch_in_turn(run: Path) -> subprocess.Popen | None:
    """Submit a run and start it if there is a slot; its engine, None where it waits or another process took it up.

    Raises LaunchFailed where its engine ended before it began, BadInput, and OSError where the run is gone.
    """
    placing.slots()  # BadInput before anything is changed
    launch.let_leave(run)
    submit(run)
    for one in dispatch(run.parent):
        if one.run == run:
            if one.failure is not None:
                raise launch.LaunchFailed(one.failure)
            return one.engine
    tend(run.parent)
    return None


def withdraw(run: Path) -> bool:
    """Take a run out of its queue: it is `stopped`, and a resume goes on with it. False where it does not wait.

    Written first, then looked whether an engine was faster: one that comes later sees that the run is not queued.
    """
    with _deciding(run.parent):
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
    """Move a run to the trash, as `rundir.trash`, so that nobody starts it meanwhile. BadInput."""
    withdraw(run)
    with _deciding(run.parent):
        return rundir.trash(run)


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
        _keep(folder(runs), why)


def go(runs: Path) -> None:
    """Start runs again as slots allow."""
    with _deciding(runs):
        _keep(folder(runs), None)
    dispatch(runs)
    tend(runs)


def tend(runs: Path, seen: Seen | None = None) -> None:
    """Have a dispatcher work where runs of ours wait, the queue is not paused, and none is at work."""
    if liveness.holder(folder(runs)) is None:
        seen = seen or waiting.look(runs)
        if seen.ours and paused(runs, seen) is None:
            launch.detached(["engine.process.dispatcher", str(runs)], folder(runs), "/")
            # Whether it holds its lock yet is nobody's business: a second one leaves at once.


def idle(runs: Path, descriptor: int) -> bool:
    """Whether the dispatcher has nothing to do, and then has let go of its lock, while nobody could submit a run."""
    with _deciding(runs) as seen:
        if seen.ours and paused(runs, seen) is None:
            return False
        os.close(descriptor)
        return True
