"""engine.log: what an engine and the libraries under it print. Kept below a cap by its writer, and read across that.

The log is descriptors 1 and 2 of a process, opened to append. Once it is larger than a cap it becomes engine.log.1, in
the place of the one before, and a fresh engine.log stands under the descriptors: the two never take much more than two
caps, however long a run goes on. What a reader follows it keeps open, and so it loses nothing when that is moved away.

A log is for people, the events are what counts: no failure to write or to rotate it fails a run.
"""

import io
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from engine.record import modes

NAME, BEFORE = "engine.log", "engine.log.1"
CAP = 8 << 20  # bytes of each of the two
_EVERY = 1.0  # seconds between two looks at its size
_BLOCK = 1 << 20


class _Forgiving(io.RawIOBase):
    """A descriptor that what is printed goes to; what a full disk does not take is lost, and nothing raises."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: object) -> int:
        rest = memoryview(data).cast("B")  # type: ignore[arg-type]
        whole = len(rest)
        with suppress(OSError):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        return whole


def keep(folder: Path, also: Callable[[], None] = lambda: None, cap: int = CAP, every: float = _EVERY) -> None:
    """From now on, keep the log in a folder below the cap, if this process prints to it; and call `also` as often.

    `also` is for what else is to be done every second and may fail by OSError; it is called at once, too.
    """
    own = _own(folder)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if descriptor in own:
            forgiving = io.TextIOWrapper(
                io.BufferedWriter(_Forgiving(descriptor)), "utf-8", "backslashreplace", line_buffering=True
            )
            setattr(sys, name, forgiving)
    _look(folder, own, cap, also)

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(every):
            _look(folder, own, cap, also)

    threading.Thread(target=watch, name="engine.log", daemon=True).start()


def _look(folder: Path, own: list[int], cap: int, also: Callable[[], None]) -> None:
    with suppress(OSError):
        also()
    with suppress(OSError):
        if own and os.fstat(own[0]).st_size > cap:
            rotate(folder, own, cap)


def _own(folder: Path) -> list[int]:
    """Which of descriptors 1 and 2 are the log of that folder."""
    return [descriptor for descriptor in (1, 2) if _is(folder / NAME, descriptor)]


def rotate(folder: Path, own: list[int], cap: int = CAP) -> None:
    """Begin a fresh log under descriptors that are the log of a folder. Raises OSError, with all as it was.

    The descriptors come first and the names second: who follows the old one finds it complete once the new is there.
    """
    path, before = folder / NAME, folder / BEFORE
    draft = folder / f".{NAME}-{token_hex(4)}"
    fresh = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    old = os.dup(own[0])
    moved = False
    try:
        os.fchmod(fresh, modes.of_file(folder))
        for descriptor in own:
            os.dup2(fresh, descriptor)
        if _is(path, old):  # else somebody removed the log, and this brings it back
            path.replace(before)
            moved = True
        draft.replace(path)
    except OSError:
        for descriptor in own:
            os.dup2(old, descriptor)
        with suppress(OSError):
            draft.unlink()
        if moved:
            with suppress(OSError):
                before.replace(path)
        raise
    finally:
        os.close(fresh)
        os.close(old)
    if moved:
        _cut(before, cap)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _cut(path: Path, cap: int) -> None:
    """Leave the last `cap` bytes of a log that a flood made larger. Its time stays: by that a reader knows it again."""
    about = path.stat()
    if about.st_size <= cap + _BLOCK:
        return
    draft = path.with_name(f".{path.name}-{token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as kept, path.open("rb") as whole:
            os.fchmod(descriptor, modes.of_file(path.parent))
            whole.seek(-cap, os.SEEK_END)
            kept.writelines(whole.read(min(_BLOCK, cap)) for _ in range(-(-cap // _BLOCK)))
        os.utime(draft, ns=(about.st_atime_ns, about.st_mtime_ns))
        draft.replace(path)
    except OSError:  # no room even for that: it goes, since what it takes may be what the run lacks
        with suppress(OSError):
            draft.unlink()
        path.unlink()


class Reader:
    """What a log holds, and what is added to it, through any number of rotations: nothing twice, nothing left out
    that is still there.
    """

    def __init__(self, folder: Path, last: int | None = None) -> None:
        """`last`: begin so many bytes before the end; otherwise at the beginning of what is kept."""
        self._folder = folder
        self._last = last
        self._file: BinaryIO | None = None
        self._then: list[BinaryIO] = []  # what follows it, opened already

    def read(self, most: int = _BLOCK) -> bytes:
        """At most so many bytes that were not read before; empty where there are none yet, or no log yet.

        Raises OSError where the log is there and cannot be read.
        """
        if self._file is None and not self._begin():
            return b""
        while True:
            assert self._file is not None
            if data := self._file.read(most):
                return data
            if not self._then and not self._replaced():
                return b""
            # Whoever wrote the old one has the new one before that has its name: a last look, then on.
            if data := self._file.read(most):
                return data
            if self._then:
                self._file.close()
                self._file = self._then.pop(0)

    def close(self) -> None:
        for file in filter(None, (self._file, *self._then)):
            file.close()

    def _begin(self) -> bool:
        # The log first: were it moved between the two, the other is the same one.
        log, before = _opened(self._folder / NAME), _opened(self._folder / BEFORE)
        files = [file for file in (before, log) if file is not None]
        if len(files) == 2 and os.path.sameopenfile(files[0].fileno(), files[1].fileno()):
            files.pop().close()
        if not files:
            return False
        skip = sum(os.fstat(file.fileno()).st_size for file in files) - self._last if self._last is not None else 0
        for file in files:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, min(skip, size)))
            skip -= size
        self._file, *self._then = files
        return True

    def _replaced(self) -> bool:
        """Whether the log is another file by now, or has been emptied; what follows ours is then at hand."""
        assert self._file is not None
        own = os.fstat(self._file.fileno())
        log = _opened(self._folder / NAME)
        if log is None:
            return False
        if os.path.samestat(own, os.fstat(log.fileno())):
            log.close()
            if own.st_size < self._file.tell():
                self._file.seek(0)
                return True
            return False
        between = _opened(self._folder / BEFORE)
        if between is not None:
            found = os.fstat(between.fileno())
            # Ours under its new name, ours cut (of the same time), or one from before it: none of these is news.
            if os.path.samestat(own, found) or found.st_mtime_ns <= own.st_mtime_ns:
                between.close()
                between = None
        self._then = [file for file in (between, log) if file is not None]
        return True


class Lines:
    """The lines of a log as they come, without their ends; what is no UTF-8 is replaced. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._reader = Reader(folder)
        self._torn = b""

    def new(self) -> Iterator[str]:
        """Every line that has ended since; one of many megabytes is given in pieces."""
        while data := self._reader.read():
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # a bar that overwrites itself
            *whole, self._torn = (self._torn + data).split(b"\n")
            if len(self._torn) > _BLOCK:
                whole, self._torn = [*whole, self._torn], b""
            yield from (line.decode(errors="replace") for line in whole)

    def rest(self) -> str:
        """What has been read of a line that has not ended; it is not given again."""
        torn, self._torn = self._torn, b""
        return torn.decode(errors="replace")

    def close(self) -> None:
        self._reader.close()


def _opened(path: Path) -> BinaryIO | None:
    """A plain file to read; None where there is none. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb", buffering=0)
