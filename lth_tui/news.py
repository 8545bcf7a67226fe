"""What became of runs while nobody looked: finished, failed, stopped or orphaned, until somebody has read of it.

The mark is in the run's notes.json and says which end was read, by its time: a run that is resumed and ends again is
news again. What ended before the app was first opened on a runs folder is none, unless made so by hand. A folder that
several share has one inbox: who reads of a run has read of it for all.

The summaries of `history.refresh` carry the inode, time and size of a run's status and notes. The two files are read
once for each such stamp, so a look at ten thousand runs where nothing happened reads no file.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import BadInput
from engine.record import history, notes, rundir
from lth_tui import preferences

ENDS = (*rundir.FINAL, "orphaned")
SINCE = "inbox_since"  # seconds since 1970; kept in app.json


@dataclass(frozen=True)
class News:
    """The end of a run that nobody has read of. `when`, in seconds since 1970, is what a mark names it by."""

    run: str
    state: str
    when: float
    summary: history.Summary


class Inbox:
    """The news of one runs folder. `look` is for one thread at a time; `expect` may come from another."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.since: float | None = None
        self._known: dict[str, tuple[str, list[int], float, float | None]] = {}  # run -> state, stamp, end, mark
        self._expected: dict[str, float | None] = {}  # marks that are being written, or could not be
        self._last: tuple[list[history.Summary], list[News]] | None = None

    def look(self, summaries: list[history.Summary]) -> list[News]:
        """What nobody has read of, the latest first."""
        if self._last and self._last[0] is summaries and not self._expected:  # nothing has happened
            return self._last[1]
        self.since = begun(self.runs) if self.since is None else self.since
        found, known = [], {}
        for one in summaries:
            if one["state"] not in ENDS:
                continue
            run, state, stamp = one["id"], one["state"], one["stamp"] or []
            told = self._known.get(run)
            if told is None or told[0] != state or told[1] != stamp:
                told = (state, stamp, *self._read(self.runs / run, state, stamp))
            known[run] = told
            _, _, end, mark = told
            if run in self._expected:
                if self._expected[run] == mark:
                    del self._expected[run]
                else:
                    mark = self._expected[run]
            if unread(end, mark, self.since):
                found.append(News(run, one["state"], end, one))
        found.sort(key=lambda news: (-news.when, news.run))
        self._known, self._last = known, None if self._expected else (summaries, found)
        return found

    def expect(self, run: str, mark: float | None) -> None:
        """Take a run to be marked so, before the file says it, and where it cannot be made to."""
        self._expected[run] = mark

    def mark(self, run: str) -> float | None:
        """The mark of a run that was looked at."""
        return self._expected.get(run, self._known[run][3] if run in self._known else None)

    def _read(self, run: Path, state: str, stamp: list[int]) -> tuple[float, float | None]:
        written, noted = stamp[1:2], any(stamp[3:])
        if not noted and written and self.since is not None and written[0] / 1e9 <= self.since:
            return 0.0, None  # over before there was an inbox: not even its status need be read
        return end(run, state), notes.read(run).read if noted else None


def end(run: Path, state: str) -> float:
    """When a run ended: as its status says, of an orphaned one its last word, else when that file was written."""
    status = rundir.read_status(run)
    said = status.get("updated" if state == "orphaned" else "finished")
    if said is not None and abs(said) < 1e15:
        return float(said)
    with suppress(OSError):
        return (run / "status.json").stat().st_mtime
    return 0.0


def unread(end: float, mark: float | None, since: float) -> bool:
    """Whether an end is news: of a run with a mark where that names another end, else where it came after `since`."""
    return end > since if mark is None else mark != end


def begun(runs: Path) -> float:
    """When the inbox of a runs folder began: the first time that anybody asks. Never raises."""
    if (known := _since(runs)) is not None:
        return known
    now = time.time()
    with suppress(BadInput):  # a folder that cannot be written: its inbox begins with each app that is opened
        preferences.set(runs, SINCE, now)
    return now


def _since(runs: Path) -> float | None:
    said = preferences.get(runs, SINCE)
    return float(said) if isinstance(said, int | float) and type(said) is not bool and abs(said) < 1e15 else None


def seen(run: Path) -> None:
    """Mark the end of a run as read where it was shown in a shell; only where it is news. Never raises."""
    since, state = _since(run.parent), rundir.state(run)
    if since is None or state not in ENDS:
        return
    ended, mark = end(run, state), notes.read(run).read
    if unread(ended, mark, since):
        with suppress(BadInput):
            notes.write(run, read=ended)
