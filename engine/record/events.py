"""events.jsonl: what happened in a run, append-only, a JSON object a line, each with a sequence number and a checksum.

A line is the object {"seq", "time", "event", ...} with `"crc32":"xxxxxxxx"` put before its last brace; the checksum is
that of the object's bytes without it. A line is good if it ends in a newline and its checksum fits; others are skipped
and counted.
"""

import errno
import os
import stat
import time
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from engine.record import modes

FILE = "events.jsonl"
_OWN = frozenset(("seq", "time", "event", "crc32"))
_TAIL = len(b',"crc32":"00000000"}')
_LARGEST_SEQ = 2**53
_LARGEST = 1 << 30  # bytes; the longest honest run stays below


class Tail(NamedTuple):
    """What `read` found: the good events, where to read on, and how many lines were bad."""

    events: list[dict[str, Any]]
    offset: int
    bad: int


class EventLog:
    """The engine's end of events.jsonl: one writer, which holds the run's lock."""

    def __init__(self, run: Path) -> None:
        """Open the log, cut a torn last line off, and go on counting behind the last good line."""
        path = run / FILE
        tail = read(path)
        self.seq: int = tail.events[-1]["seq"] + 1 if tail.events else 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        modes.give(self._descriptor, run)
        os.ftruncate(self._descriptor, tail.offset)
        self._lead = b""

    def append(self, event: str, durable: bool = False, **fields: Any) -> None:
        """Write one event in one write; `durable` waits for the disk. NaN and infinity, which JSON lacks, become null.

        Raises OSError where the line could not be written whole; nothing of it is then left in the way of the next one.
        """
        if not _OWN.isdisjoint(fields):
            raise ValueError(f"the fields {', '.join(sorted(_OWN))} of an event are the log's own")
        body = orjson.dumps({"seq": self.seq, "time": time.time(), "event": event, **fields})
        line = b'%s%s,"crc32":"%08x"}\n' % (self._lead, body[:-1], crc32(body))
        before = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            self._cut(before)
            error.filename = FILE  # which the call that failed does not know
            raise
        if written < len(line):
            self._cut(before)
            raise OSError(errno.ENOSPC, f"only {written} of {len(line)} bytes of an event could be written")
        self._lead = b""
        self.seq += 1
        if durable:
            self.sync()

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError:
            self._lead = b"\n"  # the torn part stays, so the next line begins a fresh one

    def sync(self) -> None:
        """Wait until a power cut cannot take back what was appended. Raises OSError."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


def read(path: Path, offset: int = 0) -> Tail:
    """The complete lines from `offset` on. A torn last line waits for the next time; a missing file has no events.

    A file shorter than `offset` is another file, and is read from its start. Asking when nothing is new costs 10 us.
    Raises OSError where the file is there and cannot be read: that is not the same as having no events.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Tail([], 0, 0)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size == 0:
            return Tail([], 0, 0)
        if about.st_size > _LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        offset = offset if offset <= about.st_size else 0
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            file.seek(offset)
            data = file.readall()
    finally:
        os.close(descriptor)
    lines = data.split(b"\n")
    torn = lines.pop()
    events = [event for line in lines if (event := _parsed(line)) is not None]
    return Tail(events, offset + len(data) - len(torn), len(lines) - len(events))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The event in one line without its newline; None where the line is not exactly what was written."""
    body = line[:-_TAIL] + b"}"
    if line[-_TAIL:] != b',"crc32":"%08x"}' % crc32(body):
        return None
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    seq, when = event.get("seq"), event.get("time")
    return event if type(seq) is int and 0 <= seq < _LARGEST_SEQ and type(when) in (int, float) else None
