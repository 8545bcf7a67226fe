"""A run's directory: made whole or not at all, its status replaced atomically.

`status.json` is written by the engine and read by everyone. Its keys, all but `state` optional:
state, seed, round, arm, epoch, epochs; best and progress (flat objects); sentence (the verdict in words), cause (of a
failure, in words); process (`identity()` of the engine); device (cpu or cuda) and gpu (the UUID of the one it was
given), of the last engine too; waiting (of a queued run: see `waiting`); started, updated, finished (seconds since
1970).
"""

import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from engine.errors import BadInput
from engine.record import modes
from engine.record.liveness import LOCK, LockHeld, beats, here, hold, holder, identity, same_process

__all__ = ["LOCK", "LockHeld", "hold", "holder", "identity", "same_process"]  # a run's life, beside its files

STATES = ("queued", "running", "stopping", "finished", "failed", "stopped")
FINAL = ("finished", "failed", "stopped")
ACTIVE = ("running", "stopping")  # the states that need an engine; without one they are `orphaned`
UNREADABLE = "unreadable"  # the state of another user's run that this one may not look into

WHEN = re.compile(r"\d{8}-\d{6}(?=-)")  # what an id begins with: when the run was made
_ABANDONED = 60.0  # seconds; no writer takes so long
_DRAFT, _FORGOTTEN = ".new-", 86_400.0  # a run being made; seconds, since it may be given files of another run
_LARGEST = 1 << 20  # bytes; no honest status, spec or note comes near
_RESERVE = ".reserve"
_LAST_WORDS = 1 << 16  # bytes: a status, an event, a traceback in the log
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("seed", "round", "epoch", "epochs"), (int,)),
    **dict.fromkeys(("arm", "sentence", "cause", "gpu", "device"), (str,)),
    **dict.fromkeys(("best", "progress", "process", "waiting"), (dict,)),
    **dict.fromkeys(("started", "updated", "finished"), (int, float)),
}


def new_id(model: str, dataset: str, schedule: str, at: datetime | None = None) -> str:
    """`20261122-071205-ag_news-cnn-imp-7f3a`: local time to the second, the names, four random hex digits."""
    names = (re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:32] or "unnamed" for name in (dataset, model, schedule))
    when = clock(at.timestamp() if at else time.time())
    return f"{when}-{'-'.join(names)}-{secrets.token_hex(2)}"


def clock(seconds: float) -> str:
    """Seconds since 1970 as an id has them."""
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(seconds))


def created(run: Path) -> str | None:
    """When a run was made, as its id says: ISO, the local time of the machine that made it."""
    try:
        return datetime.fromisoformat(run.name[:15].replace("-", "T")).isoformat() if WHEN.match(run.name) else None
    except ValueError:
        return None


@contextmanager
def blamed_on(runs: Path) -> Iterator[None]:
    """An OSError inside is the runs folder's: BadInput."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise BadInput(
            f"runs folder: {runs} cannot be used ({why}); free space, make it writable, or set LTH_RUNS to another."
        ) from None


def refuse_file(runs: Path) -> None:
    """BadInput where a file stands where the runs folder, or a folder above it, should be."""
    there = next((path for path in (runs, *runs.parents) if os.path.lexists(path)), runs)
    if os.path.lexists(there) and not os.path.isdir(there):
        raise BadInput(f"runs folder: {there} is a file, not a folder; set LTH_RUNS to another.")


def create(
    runs: Path,
    spec: bytes,
    model: str,
    dataset: str,
    schedule: str,
    fill: Callable[[Path], None] = lambda draft: None,
) -> Path:
    """A new queued run with `spec` as its spec.json, whole and durable; `fill` puts further files into its draft.

    BadInput where the folder cannot take it.
    """
    refuse_file(runs)
    with blamed_on(runs):
        modes.make(runs)
        _sweep_drafts(runs)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=runs))
        try:
            for folder in (draft, draft / "tickets", draft / "checkpoints"):
                folder.mkdir(exist_ok=True)
                folder.chmod(modes.of_folder(folder.parent))
            write_atomically(draft / "spec.json", spec)
            write_atomically(draft / LOCK, b"", durable=False)
            write_status(draft, {"state": "queued"}, durable=True)
            fill(draft)
            while True:
                run = runs / new_id(model, dataset, schedule)
                if not run.exists():  # a rename onto a run fails too: it is not empty
                    draft = draft.rename(run)
                    sync_folder(runs)
                    return run
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def _sweep_drafts(runs: Path) -> None:
    """Remove what a `create` that was killed left of a run."""
    for draft in runs.glob(f"{_DRAFT}*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _FORGOTTEN:
                shutil.rmtree(draft, ignore_errors=True)


def write_atomically(path: Path, data: bytes, durable: bool = True) -> None:
    """Replace a file by `data`: a reader, or a crash, meets the old content or the new, never a mixture.

    Its mode is that of `modes`, whatever the old one's was. `durable` waits until a power cut cannot take it back
    (about 1.5 ms). Raises OSError, with the old file untouched.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    temporary = Path(name)
    try:
        try:
            os.fchmod(descriptor, modes.of_file(path.parent))
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # a write and an fsync name no file, a rename the draft
        raise
    if durable:
        sync_folder(path.parent)


def reserve(run: Path) -> None:
    """Take the room that a last word needs on a disk that is full by then; `release` gives it back. Raises OSError."""
    write_atomically(run / _RESERVE, bytes(_LAST_WORDS), durable=False)


def release(run: Path) -> None:
    """Give back what `reserve` took. Never raises."""
    with suppress(OSError):
        (run / _RESERVE).unlink()


def sweep(folder: Path, *drafts: str) -> None:
    """Remove what writers that were killed left half-written, in a run or by the `drafts` of another folder."""
    for draft in (path for pattern in drafts or (".*-*", "*/.*-*") for path in folder.glob(pattern)):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _ABANDONED:
                draft.unlink()


def sync_folder(folder: Path) -> None:
    """Wait until a power cut cannot take back what was renamed in a folder. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def content(path: str | Path, largest: int = _LARGEST, folder: int | None = None) -> bytes:
    """All of a plain file of at most `largest` bytes. Raises OSError, and ValueError for anything else.

    `folder` is a descriptor of the folder that a relative path begins from.
    """
    # A fifo must not block the reader.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("not a file")
        data = os.read(descriptor, min(about.st_size, largest) + 1)
    finally:
        os.close(descriptor)
    if len(data) > largest:
        raise ValueError("too large")
    return data


def load_json(path: str | Path, largest: int = _LARGEST, folder: int | None = None) -> dict[str, Any]:
    """The JSON object in what `content` reads. Raises OSError, ValueError, TypeError."""
    data = content(path, largest, folder)
    tree = orjson.loads(data)
    if not isinstance(tree, dict):
        raise TypeError("not a JSON object")
    orjson.dumps([[tree]])  # orjson reads deeper nests than it writes; nobody downstream should be the first to learn
    return tree


def read_json(path: str | Path) -> dict[str, Any]:
    """The JSON object in a small file; empty where it is missing, torn or anything else. Never raises."""
    try:
        return load_json(path)
    except (OSError, ValueError, TypeError):
        return {}


def read_status(run: Path) -> dict[str, Any]:
    """The run's status; what cannot be read is `failed`, with the cause in words. Never raises.

    Where this user may not read it, being another's, the state is `unreadable`.

    `state` is one of STATES, the other keys of this module's docstring have their type or are absent; keys of a newer
    version pass through.
    """
    try:
        status = load_json(f"{run}/status.json")
    except PermissionError:
        return {"state": UNREADABLE, "cause": "it cannot be read: it is another user's"}
    except OSError as error:
        return {"state": "failed", "cause": f"status.json cannot be read ({error.strerror})"}
    except (ValueError, TypeError):
        return {"state": "failed", "cause": "status.json is damaged"}
    if status.get("state") not in STATES:
        return {"state": "failed", "cause": "status.json names no state this version knows"}
    return {key: value for key, value in status.items() if key not in _TYPES or type(value) in _TYPES[key]}


def without(status: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A status that says nothing of these keys."""
    return {key: value for key, value in status.items() if key not in keys}


def fail(run: Path, cause: str) -> None:
    """A run that waited has failed before its engine began. Raises OSError."""
    write_status(run, without(read_status(run), "waiting") | {"state": "failed", "cause": cause}, durable=True)


def write_status(run: Path, status: dict[str, Any], durable: bool = False) -> None:
    write_atomically(run / "status.json", orjson.dumps(status), durable)


def state(run: Path, status: dict[str, Any] | None = None) -> str:
    """The state as it is: one of STATES, `unreadable`, or `orphaned` where the status needs an engine and none is.

    An engine here holds the lock. One on another machine may not be seen to, so its signs of life are believed.
    """
    status = read_status(run) if status is None else status
    said: str = status["state"]
    if said not in ACTIVE or alive(run, status):
        return said
    return said if _host(status) is not None and beats(run) else "orphaned"


def cause(status: dict[str, Any], state: str) -> str | None:
    """Why a run is as it is, in words: the cause of a failure, or what became of an engine that is gone."""
    if state != "orphaned":
        return status.get("cause")
    process = status.get("process", {})
    if (host := _host(status)) is not None:
        return f"its engine on {host} has given no sign of life for a minute"
    boot = process.get("boot_id")
    if boot is not None and boot != identity()["boot_id"]:
        return "this machine was restarted while its engine worked"
    return "its engine ended without a word: killed by somebody, or by the system for want of memory"


def alive(run: Path, status: dict[str, Any]) -> bool:
    """Whether an engine of this machine works on a run: it holds the lock, or somebody took the locked file away and it
    is the process that an active status tells of.
    """
    return holder(run) is not None or (status["state"] in ACTIVE and same_process(status.get("process")))


def unverified(run: Path, status: dict[str, Any]) -> str | None:
    """The other machine that a run is at work on, as far as its signs of life tell; None where that is certain."""
    if status["state"] not in ACTIVE or alive(run, status):
        return None
    host = _host(status)
    return host if host is not None and beats(run) else None


def _host(status: dict[str, Any]) -> str | None:
    """The machine of a run's engine, unless it is this one."""
    process = status.get("process", {})
    return process["host"] if isinstance(process.get("host"), str) and not here(process) else None


def owner(path: Path) -> str:
    """Whose a file or a process's folder in /proc is: a name, or the number where it has none."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"
    except OSError:
        return "unknown"
