"""The one reader of the runs for the app: it looks at all of them where that may tell something new, else at the few
that can still change.

A look at ten thousand runs takes a third of a second. So most looks read only the runs that are not final, and whether
the folder holds other runs than before or somebody has written its index. What did not change is handed out as the same
object, and where nothing changed at all in the same list: who keeps something about a run need not look again. Knows no
Textual; one thread at a time may call it.
"""

import os
import time
from collections import Counter
from contextlib import suppress
from operator import is_
from pathlib import Path
from typing import NamedTuple

from engine.process import queue
from engine.record import history, rundir, waiting
from engine.record.history import Summary

SHARE = 100  # a look at all runs may take a hundredth of the time,
URGENT = 10  # and a tenth where there is something new to see
LONGEST = 30.0  # seconds between two looks at all runs, whatever they take
TENDING = 30.0  # seconds between two moments at which the queue is made sure to go on
_NEEDED = {"id", "state", "model", "dataset", "schedule", "seeds", "created", "name", "best", "progress", "sentence"}


class Found(NamedTuple):
    """The runs, newest first, and a notice where the index or the folder is in trouble."""

    summaries: list[Summary]
    notice: str | None


class Reader:
    """Reads the runs of a folder, again and again."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._found = Found([], None)
        self._looked = False
        self._began = self._cost = 0.0  # when the last look at all runs began, and what it took
        self._signs: object = None  # of the folder and its index, before that look
        self._stale = False  # whether a run has come into another state since
        self._tended = -TENDING

    def stored(self) -> Found | None:
        """What the index holds, those that can still change as they are now: a first picture in a tenth of the time.

        None where there is no sound index.
        """
        tables, _ = history.SafeStorage(self.runs / history.FILE).look()
        known = [one for one in (tables or {}).get("runs", {}).values() if isinstance(one, dict)]
        if not known or not all(one.keys() >= _NEEDED for one in known):
            return None
        self._keep([self._now(one) for one in self._newest_first(known)], None)
        return self._found

    def _newest_first(self, summaries: list[Summary]) -> list[Summary]:
        """In the order of `finding.run_dirs`; the files are asked only where the ids do not tell."""
        often = Counter(one["created"] for one in summaries)

        def when(one: Summary) -> tuple[str, int, str]:
            made, created = 0, one["created"]
            if created is None or often[created] > 1:
                with suppress(OSError):
                    made = (self.runs / one["id"] / "spec.json").stat().st_mtime_ns
            return created or history.iso(made / 1e9) or "", made, one["id"]

        return sorted(summaries, key=when, reverse=True)

    def look(self, fresh: bool = False) -> Found:
        """The runs as they are now; `fresh` looks at all. BadInput where the folder is a file or may not be listed."""
        if fresh or not self._looked or time.monotonic() >= self._began + self._pause():
            self._look_at_all()
        else:
            self._look_at_those_at_work()
        return self._found

    def queue(self) -> str | None:
        """Have a dispatcher at work where runs of ours wait; why nothing is started, None where all goes on."""
        waits = [waiting.of(self.runs / one["id"]) for one in self._found.summaries if one["state"] == "queued"]
        seen = waiting.Seen([one for one in waits if one is not None and one.ours], [], [])
        if not seen.waiting:
            return None
        if (why := queue.paused(self.runs, seen)) is None and time.monotonic() - self._tended >= TENDING:
            self._tended = time.monotonic()
            queue.tend(self.runs, seen)
        return why

    def _pause(self) -> float:
        """Seconds from the beginning of one look at all runs to that of the next."""
        urgent = self._stale or self._signs != _signs(self.runs)
        return min(LONGEST, (URGENT if urgent else SHARE) * self._cost)

    def _look_at_all(self) -> None:
        began, self._signs = time.monotonic(), _signs(self.runs)
        found, notice = history.refresh(self.runs)
        before = {one["id"]: one for one in self._found.summaries}
        self._keep([old if (old := before.get(one["id"])) == one else one for one in found], notice)
        self._looked, self._stale = True, False
        self._began, self._cost = began, time.monotonic() - began

    def _look_at_those_at_work(self) -> None:
        before = self._found.summaries
        now = [self._now(one) for one in before]
        self._stale = self._stale or any(new["state"] != old["state"] for new, old in zip(now, before, strict=True))
        self._keep(now, self._found.notice)

    def _now(self, one: Summary) -> Summary:
        """A run as it is now; the same object where that is nothing new."""
        if one["state"] in rundir.FINAL or not os.path.exists(self.runs / one["id"] / "spec.json"):
            return one
        new = history.summarise(self.runs / one["id"])
        return one if new == one else new

    def _keep(self, summaries: list[Summary], notice: str | None) -> None:
        before = self._found.summaries
        if len(summaries) == len(before) and all(map(is_, summaries, before)):
            summaries = before
        self._found = Found(summaries, notice)


def _signs(runs: Path) -> object:
    """What tells that runs came or went, or that somebody wrote the index."""
    signs = []
    for path in (runs, runs / history.FILE):
        with suppress(OSError):
            about = path.stat()
            signs.append((about.st_ino, about.st_mtime_ns))
    return signs
