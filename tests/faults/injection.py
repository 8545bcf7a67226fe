"""A disk that fails at the n-th call: every call by which the engine changes a file of its run, counted and broken."""

import errno
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

KINDS = ("EIO", "ENOSPC", "kill", "short")

_BY_NAME = ("open", "replace", "rename", "mkdir", "unlink")  # their errors name a file; the others know none


class Fault(TypedDict):
    """What happens at a call: an error, a SIGKILL, half a write, or the disk filled up; `lasting`: at all later."""

    at: int
    kind: str
    lasting: bool


class Calls:
    """The calls so far, each as (name, file in the run), and the fault that one of them meets."""

    def __init__(self, run: Path, fault: Fault | None) -> None:
        self.run, self.fault = str(run.resolve()), fault
        self.made: list[tuple[str, str]] = []

    def wrap(self, name: str, which: Callable[..., str | None]) -> None:
        """Put a counter before `os.name`; `which` says the file that its arguments change, or None."""
        real = getattr(os, name)

        def counted(*given: Any, **more: Any) -> Any:
            path = which(*given, **more)
            if path is None or not path.startswith(self.run + "/"):
                return real(*given, **more)
            self.made.append((name, path[len(self.run) + 1 :]))
            number, fault = len(self.made) - 1, self.fault
            if fault is None or number < fault["at"] or (number > fault["at"] and not fault["lasting"]):
                return real(*given, **more)
            if fault["kind"] == "full":
                fill(self.run)
                return real(*given, **more)
            if fault["kind"] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault["kind"] == "short" and name == "write" and number == fault["at"]:
                return real(given[0], bytes(given[1])[: len(given[1]) // 2])
            code = errno.EIO if fault["kind"] == "EIO" else errno.ENOSPC
            raise OSError(code, os.strerror(code), *([path] if name in _BY_NAME else []))

        setattr(os, name, counted)

    def keep(self, path: Path) -> None:
        """Write them down for the test."""
        path.write_text(json.dumps(self.made))


def fill(run: str) -> None:
    """Leave no byte free on the disk of a run."""
    with (Path(run).parent / "filler").open("ab", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(4096)):
            pass


def _file(descriptor: int, *_: Any, **__: Any) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None


def _new(path: Any, flags: int, *_: Any, **more: Any) -> str | None:
    return _absolute(path) if flags & (os.O_CREAT | os.O_TRUNC) and more.get("dir_fd") is None else None


def _absolute(path: Any, *_: Any, **__: Any) -> str | None:
    return None if isinstance(path, int) else str(Path(os.fsdecode(path)).absolute())


def install(run: Path, fault: Fault | None) -> Calls:
    """Count in this process from here on."""
    calls = Calls(run, fault)
    for name in ("write", "fsync", "ftruncate", "fchmod"):
        calls.wrap(name, _file)
    for name in ("replace", "rename", "mkdir", "unlink"):
        calls.wrap(name, _absolute)
    calls.wrap("open", _new)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, io.TextIOWrapper(_Output(descriptor), write_through=True))
    return calls


class _Output(io.RawIOBase):
    """engine.log, written by the call that is counted."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return os.write(self.descriptor, data)
