"""A run followed from its files: what is new since the last look, in copies that a screen may keep."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from engine.errors import BadInput
from engine.record import events, extensions, notes, rundir, summary, tickets, trash, waiting
from lth_tui import plain

WAITS = 3.0  # seconds between two looks at the queue of the machine
_HEAD = 8  # bytes of a file of weights that say how long its header is
_LONGEST = 1 << 22


class Point(NamedTuple):
    """What an epoch came to."""

    epoch: int
    accuracy: float | None  # validation, as a fraction
    loss: float | None  # validation, in nats


Learned = Mapping[tuple[int, str], tuple[Point, ...]]  # (seed, arm) -> its learning curve


@dataclass(frozen=True)
class Look:
    """A run at one moment: its view (as `lth show` gives it), its status, and what is training."""

    view: dict[str, Any]
    status: dict[str, Any]
    networks: int  # trained so far, so that a chart knows when it is out of date
    live: dict[tuple[int, str], str]  # (round, arm) -> how far the network that trains now has come
    learned: Mapping[int, Learned] = field(default_factory=dict)  # by round
    sizes: Mapping[str, int] = field(default_factory=dict)  # layer -> parameters; empty until the weights are stored
    waits: str = ""  # what a run in the queue waits for
    noted: notes.Notes = field(default_factory=notes.Notes)  # the user's own
    gone: str = ""  # that the run was removed, and what brings it back, in a sentence

    @property
    def now(self) -> int | None:
        """The round that is trained now."""
        number = self.status.get("round")
        return number if self.view["state"] in rundir.ACTIVE and type(number) is int else None


class Follower:
    """Reads on where it stopped. Used by one thread at a time."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._offset = self._bad = 0
        self._snapshot: summary.Snapshot | None = None
        self._seen: Any = None
        self._last: Look | None = None  # before the run was removed
        self._gone = ""
        self._learned: dict[int, Learned] = {}
        self._sizes: dict[str, int] = {}
        self._waits, self._next = "", 0.0

    def look(self) -> Look | None:
        """What the run is now, or was before it was removed; None where nothing changed. Never raises on what stands
        in the files.
        """
        was, self._gone = self._gone, removed(self.run)
        if self._gone:
            if self._gone == was:
                return None
            self._seen = None
            last = self._last or self._look()
            return last and replace(last, gone=self._gone)
        now = self._look()
        if now is not None and os.path.exists(self.run / "spec.json"):  # else it may be about to be removed
            self._last = now
        return now

    def _look(self) -> Look | None:
        status = rundir.read_status(self.run)
        state = rundir.state(self.run, status)
        trouble = self._read_on()
        self._wait(state)
        said = notes.read(self.run)
        seen = (status, state, self._offset, trouble, self._waits, said)
        if seen == self._seen:
            return None
        self._seen = seen
        snapshot = self._snapshot or summary.Snapshot()
        spec = extensions.spec(self.run)
        view = summary.view(self.run, state, spec, snapshot, bad=self._bad, cause=rundir.cause(status, state))
        if trouble:
            view["warnings"] = [trouble, *view["warnings"]]
        live = _live(snapshot) if state in rundir.ACTIVE else {}
        if not self._sizes and snapshot.rounds:
            self._sizes = next((found for seed in view["seeds"] if (found := sizes(self.run, seed))), {})
        return Look(view, status, len(snapshot.trained), live, dict(self._learned), self._sizes, self._waits, said)

    def _read_on(self) -> str:
        try:
            tail = events.read(self.run / events.FILE, self._offset)
        except OSError as error:
            return f"events.jsonl cannot be read ({error.strerror or error})"
        if tail.offset < self._offset:  # another file, read from its start
            self._snapshot, self._bad, self._learned, self._sizes = None, 0, {}, {}
        self._snapshot = summary.fold(self._snapshot, tail.events)
        self._offset, self._bad = tail.offset, self._bad + tail.bad
        told = {event.get("round") for event in tail.events if event["event"] == "epoch"}
        for number in {number for _, number, _ in self._snapshot.epochs if number in told} if told else ():
            self._learned[number] = _curves(self._snapshot, number)
        return ""

    def _wait(self, state: str) -> None:
        """What it waits for, looked up now and then: that changes with nothing in its own files."""
        if state != "queued" or waiting.of(self.run) is None:
            self._waits = ""
        elif time.monotonic() >= self._next:
            from lth_tui.queue_view import before

            try:
                self._waits = plain.line(before(self.run), 300)
            except BadInput as error:
                self._waits = plain.line(error, 300)
            self._next = time.monotonic() + WAITS


def removed(run: Path) -> str:
    """That a run was removed, and what brings it back where that can be, in a sentence; empty where it is there."""
    try:
        os.lstat(run)
    except (FileNotFoundError, NotADirectoryError):
        back = os.path.isdir(run.parent / trash.FOLDER / run.name)
        return f"This run was removed{f'; `lth rm --undo {run.name}` brings it back' if back else ''}."
    except OSError:
        pass
    return ""


def _live(snapshot: summary.Snapshot) -> dict[tuple[int, str], str]:
    last = snapshot.last
    if last.get("event") != "epoch":
        return {}
    of = f"/{last['epochs']}" if last.get("epochs") else ""
    return {(last["round"], last["arm"]): f"epoch {last['epoch']}{of}"}


def _curves(snapshot: summary.Snapshot, number: int) -> Learned:
    """The learning curves of one round; the first copy of a network that is trained twice stands for both."""
    found = {}
    for seed, of_round, arm in snapshot.epochs:
        name, _, copy = arm.partition(" ")
        if of_round == number and copy in ("", "1"):
            told = summary.curve(snapshot, seed, number, arm)
            points = (Point(one["epoch"], one.get("valid_accuracy"), one.get("valid_loss")) for one in told)
            found[seed, name] = tuple(points)
    return found


def sizes(run: Path, seed: int) -> dict[str, int]:
    """The parameters of each layer, from the head of the file of a seed's rewind weights; empty where it has none yet.

    Only the head is read. Never raises on what the file is.
    """
    try:
        with (run / tickets.TICKETS / tickets.rewind(seed)).open("rb") as file:
            length = int.from_bytes(file.read(_HEAD), "little")
            tree = orjson.loads(file.read(length)) if length < _LONGEST else {}
    except (OSError, ValueError):
        return {}
    found: dict[str, int] = {}
    for name, told in tree.items() if isinstance(tree, dict) else ():
        shape = told.get("shape") if isinstance(told, dict) else None
        if name != "__metadata__" and isinstance(shape, list) and all(type(one) is int and one >= 0 for one in shape):
            size = 1
            for one in shape:
                size *= one
            found[name] = size
    return found
