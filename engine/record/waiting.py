"""Who waits for a slot of a machine, who works on this one, and whose engine is gone: all told by the run directories.

A run waits where its status.json is `queued` and has an object `waiting`: since (seconds since 1970), place (a number
that orders the queue), host, boot_id and uid (whose queue it stands in), and env: those of our own variables that
its engine is to have, never anything else of an environment, which may hold secrets. A queued run without `waiting` is
in nobody's queue.
"""

import math
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.record import finding, liveness, rundir

FOLDERS = ("LTH_DATA", "LTH_CACHE", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE")
ENV = (*FOLDERS, "LTH_CACHE_GB", "LTH_CHECKPOINT_MINUTES", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class Waiting:
    """A run that waits. `place` orders those of one host and user; infinite where the file has no proper number."""

    run: Path
    place: float
    since: float | None
    host: str
    boot_id: str | None
    uid: int | None
    env: dict[str, str]

    @property
    def ours(self) -> bool:
        """Whether it waits for this machine and is to run as this user."""
        return self.host == socket.gethostname() and self.uid == os.getuid()


@dataclass(frozen=True)
class Working:
    """A run that has an engine on this machine."""

    run: Path
    status: dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """The runs of a folder at one moment, as far as they are not over."""

    waiting: list[Waiting]  # in their order; ours first
    working: list[Working]
    orphaned: list[Path]

    @property
    def ours(self) -> list[Waiting]:
        return [one for one in self.waiting if one.ours]


def of(run: Path, status: dict[str, Any] | None = None) -> Waiting | None:
    """What a run waits for; None where it does not wait. Never raises, whatever its file holds."""
    status = rundir.read_status(run) if status is None else status
    told = status.get("waiting")
    if status["state"] != "queued" or not isinstance(told, dict) or not isinstance(told.get("host"), str):
        return None
    env, boot_id, uid = told.get("env"), told.get("boot_id"), told.get("uid")
    place = _number(told.get("place"))
    return Waiting(
        run,
        math.inf if place is None else place,
        _number(told.get("since")),
        told["host"],
        boot_id if isinstance(boot_id, str) else None,
        uid if type(uid) is int else None,
        {name: env[name] for name in ENV if _can_be_set(env.get(name))} if isinstance(env, dict) else {},
    )


def entry(place: float, env: dict[str, str]) -> dict[str, Any]:
    """The `waiting` of a run that joins our queue now."""
    here = liveness.identity()
    kept = {name: env[name] for name in ENV if name in env}
    told = {"since": time.time(), "place": place, "host": here["host"], "boot_id": here["boot_id"]}
    return told | {"uid": os.getuid(), "env": kept}


def _can_be_set(value: object) -> bool:
    """Whether it can stand in an environment; what a damaged file holds may not."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else None  # 1e15: exact as a float


def look(runs: Path) -> Seen:
    """Read every status once. An engine that has said its last word and is just leaving works no more. BadInput where
    `runs` is a file or may not be listed.
    """
    seen = Seen([], [], [])
    for run in finding.run_dirs(runs):
        status = rundir.read_status(run)
        if status["state"] in (*rundir.FINAL, rundir.UNREADABLE):  # what may not be read cannot be known to work
            continue
        if status["state"] == "queued":
            if rundir.holder(run) is not None:  # its engine is just beginning
                seen.working.append(Working(run, status))
            elif (one := of(run, status)) is not None:
                seen.waiting.append(one)
        elif rundir.state(run, status) == "orphaned":
            seen.orphaned.append(run)
        elif liveness.here(status.get("process", {})) or not isinstance(status.get("process", {}).get("host"), str):
            seen.working.append(Working(run, status))
    seen.waiting.sort(key=lambda one: (not one.ours, one.host, one.uid or 0, one.place, one.since or 0, one.run.name))
    return seen
