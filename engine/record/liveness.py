"""Who is alive: the lock an engine holds for its whole life, and the identity that is compared before any signal.

The lock is POSIX (`lockf`), because it ends with the process that took it, whatever its children do. Its price: a
process that closes *any* descriptor of the lock file loses the lock. So the engine opens engine.lock once, in `hold`,
and never again.
"""

import fcntl
import math
import os
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.record import modes

LOCK = "engine.lock"
BEAT, STALE = 10.0, 60.0  # seconds between two signs of life; without one, after which an engine is not believed
# struct flock: type, whence, start, length, pid on Linux; start, length, pid, type, whence on the BSDs and macOS.
_FLOCK, _TYPE, _START, _PID = ("hhqqi4x", 0, 2, 4) if sys.platform == "linux" else ("qqihh", 3, 0, 2)

_mine: dict[tuple[int, int], int] = {}  # (device, inode) of a lock file -> the process that holds it, for `holder`


class LockHeld(RuntimeError):
    """Another engine works on this run."""


def hold(run: Path) -> int:
    """Take the run's lock for the rest of this process's life; the descriptor is returned and must never be closed.

    Raises LockHeld where another process has it.
    """
    descriptor = os.open(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError | PermissionError):
            raise LockHeld(f"run {run.name} is held by another engine (process {holder(run) or 'unknown'}).") from None
        raise
    modes.give(descriptor, run)
    about = os.fstat(descriptor)
    _mine[about.st_dev, about.st_ino] = os.getpid()
    return descriptor


def holder(run: Path) -> int | None:
    """The process that holds the run's lock, None where nobody does; asked without taking it, in microseconds.

    0 where somebody may hold it who cannot be named (another container, a file that may not be opened): better an
    engine believed alive than two engines on one run. The holder itself is answered from memory, since opening and
    closing the file here would drop its lock.
    """
    path = run / LOCK
    try:
        if _mine:
            about = path.stat()
            if _mine.get((about.st_dev, about.st_ino)) == os.getpid():
                return os.getpid()
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return _asked(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0


def _asked(descriptor: int) -> int | None:
    found = _lock(descriptor, 0, 0)
    return found and found[0]


def _lock(descriptor: int, start: int, length: int) -> tuple[int, int, int] | None:
    """The process that holds a lock within these bytes, where it begins and its length (0: to the end of all); None
    where nobody does. The process is 0 where it cannot be named. OSError.
    """
    question: list[int] = [0] * 5
    question[_TYPE], question[_START], question[_START + 1] = fcntl.F_WRLCK, start, length
    answer = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, *question)))
    if answer[_TYPE] == fcntl.F_UNLCK:
        return None
    return max(answer[_PID], 0), answer[_START], answer[_START + 1]


def locks(descriptor: int, start: int, length: int) -> list[int]:
    """The processes that hold locks within `length` bytes from `start`, one a byte; 0: one unnamed. OSError.

    The system names any one of several locks, not the first; so one asks on to both sides of it.
    """
    held: list[tuple[int, int, int]] = []
    rest = [(start, start + length)]
    while rest:
        first, end = rest.pop()
        if first >= end or (found := _lock(descriptor, first, end - first)) is None:
            continue
        pid, at, size = found
        at, until = max(at, first), min(at + size, end) if size else end
        held.append((at, until, pid))
        rest += [(first, at), (until, end)]
    return [pid for at, until, pid in sorted(held) for _ in range(at, until)]


def heartbeat(run: Path, every: float = BEAT) -> Callable[[], None]:
    """A function for who holds the lock to call often: it marks, now and then, that it lives. It may raise OSError.

    The mark is the time of the lock's file, which a path is enough to set: opened and closed, the lock would be lost.
    """
    due = -math.inf

    def beat() -> None:
        nonlocal due
        if time.monotonic() >= due:
            os.utime(run / LOCK)
            due = time.monotonic() + every

    return beat


def beats(run: Path) -> bool:
    """Whether the run's engine gave a sign of life within the last minute: what can be known of one on another host.

    It is the file system's clock that both times are told by, whatever those of the two hosts say.
    """
    signs = []
    for name in (LOCK, "status.json"):
        with suppress(OSError):
            signs.append(os.stat(run / name).st_mtime)  # noqa: PTH116
    return bool(signs) and _clock(run.parent) - max(signs) <= STALE


_clocks: dict[Path, tuple[float, float]] = {}  # folder -> when its clock was last asked, how far it is before ours


def _clock(folder: Path) -> float:
    """The time in a folder's file system, asked once a minute; our own where nothing may be written there."""
    now = time.monotonic()
    asked, ahead = _clocks.get(folder, (-math.inf, 0.0))
    if now - asked > STALE:
        try:
            with tempfile.TemporaryFile(prefix=".clock-", dir=folder) as file:
                file.write(b"?")
                file.flush()
                ahead = os.fstat(file.fileno()).st_mtime - now
        except OSError:
            ahead = time.time() - now
        _clocks[folder] = (now, ahead)
    return now + ahead


def identity(pid: int | None = None) -> dict[str, Any]:
    """What tells one process from every other: pid, start_ticks (since boot), boot_id, host.

    start_ticks is None where there is no such process; it and boot_id are None on systems without /proc.
    """
    pid = os.getpid() if pid is None else pid
    return {"pid": pid, "start_ticks": _start_ticks(pid), "boot_id": _boot_id(), "host": socket.gethostname()}


def here(record: dict[str, Any]) -> bool:
    """Whether an `identity` is of this machine: its name, or, since names change, its boot."""
    boot = _boot_id()
    return record.get("host") == socket.gethostname() or (boot is not None and record.get("boot_id") == boot)


def same_process(record: object, holding: int | None = None) -> bool:
    """Whether the process of an `identity` still runs here; ask before every signal.

    Without /proc a pid may have been reused, so only the one that holds the run's lock is believed: pass `holder(run)`.
    """
    if not isinstance(record, dict) or type(pid := record.get("pid")) is not int or pid <= 0:
        return False
    if not here(record):
        return False
    if (boot := _boot_id()) is None:
        return pid == holding
    ticks = _start_ticks(pid)
    return ticks is not None and record.get("start_ticks") == ticks and record.get("boot_id") == boot


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, counted from behind the name, which may itself hold spaces and parentheses.

    None of a process that is dead and only not collected yet.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        fields = stat[stat.rindex(b")") + 2 :].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
