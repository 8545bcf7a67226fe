"""runs/history.json: a TinyDB index of one summary a run, to list a thousand runs without reading a thousand files.

The run directories are the truth; the index can be deleted, torn or overwritten at any time and is then rebuilt from
them. A run that can still change is stored without what changes, and without a stamp, so it is re-read each time: a run
at work causes no writing, and the index of a rebuild equals that of many small folds. Engines never open it.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from time import localtime, strftime
from typing import Any

import orjson
from filelock import FileLock
from tinydb.storages import Storage
from tinydb.table import Table

from engine.errors import BadInput
from engine.record import extensions, finding, modes, notes, rundir, summary

FILE = "history.json"
FORMAT = 1
Summary = dict[str, Any]

_LARGEST = 1 << 28  # bytes; a run has one or two thousand
_FROM_STATUS = ("best", "progress", "sentence")
# Stored once a run is final.
_VOLATILE = (*_FROM_STATUS, "winning_ticket", "cause", "finished", "name", "tags", "note", "unverified", "stamp")
_KEYS = {"id", "state", "model", "dataset", "schedule", "arms", "seeds", "rounds", "created", *_VOLATILE}


class SafeStorage(Storage):
    """TinyDB's one file, replaced whole and atomically, with a checksum over its bytes as a table of its own.

    Parsed again only when inode, time or size differ. Who reads in order to write holds `lock()` from before the read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Set as one value, so that threads never see the stamp of one file with the tables of another.
        self._cache: tuple[Any, dict[str, Any] | None, str | None] = (None, None, None)

    def lock(self) -> FileLock:
        path, mode = self.path.with_name(".history.lock"), modes.of_file(self.path.parent)
        with suppress(OSError):  # a folder that has become a shared one: its lock is everybody's, if it is ours to give
            if path.stat().st_mode & 0o777 != mode:
                path.chmod(mode)
        return FileLock(path, timeout=10, mode=mode, poll_interval=0.002)

    def look(self) -> tuple[dict[str, Any] | None, str | None]:
        """The tables; or None, and what is wrong with the file, where it is missing or not exactly what was written."""
        seen, tables, trouble = self._cache
        if (now := _stat(self.path)) is None or now != seen:
            try:
                tables, trouble = _decoded(rundir.content(self.path, _LARGEST))
            except FileNotFoundError:
                tables, trouble = None, "was missing"
            except OSError as error:
                tables, trouble = None, f"could not be read ({error.strerror})"
            except ValueError as error:
                tables, trouble = None, f"could not be read ({error})"
            self._cache = (now, tables, trouble)
        # TinyDB puts a new table into what it gets, then writes: the cache must not see it if that fails.
        return None if tables is None else dict(tables), trouble

    def read(self) -> dict[str, Any] | None:
        return self.look()[0]

    def write(self, data: dict[str, Any]) -> None:
        rundir.write_atomically(self.path, _encoded(data))
        self._cache = (_stat(self.path), data, None)


class Runs(Table):
    """The table of summaries, keyed by run id; no query cache, which would not see what other processes write."""

    document_id_class = str  # type: ignore[assignment]

    def change(self, summaries: Iterable[Summary], gone: Iterable[str] = (), afresh: bool = False) -> None:
        """Put these in and take those out, in one read and one write; `afresh` begins with an empty table."""

        def updater(table: dict[Any, Any]) -> None:
            if afresh:
                table.clear()
            for run in gone:
                table.pop(run, None)
            table.update((one["id"], one) for one in summaries)

        self._update_table(updater)


def _encoded(tables: dict[str, Any]) -> bytes:
    body = orjson.dumps(tables or {"runs": {}})[1:]
    return _head(body) + body


def _head(body: bytes) -> bytes:
    digest = blake2b(body, digest_size=16).hexdigest()
    return b'{"_checksum":{"1":{"format":%d,"blake2b":"%s"}},' % (FORMAT, digest.encode())


def _decoded(data: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """The tables in a file's bytes, or what is wrong with it."""
    start = len(_head(b""))
    try:
        tables = orjson.loads(data)
        checksum = tables.pop("_checksum")["1"]
        if checksum["format"] > FORMAT:
            return None, f"was written by a newer version (format {int(checksum['format'])})"
        if data[:start] == _head(data[start:]) and isinstance(tables["runs"], dict):
            return tables, None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return None, "was damaged (checksum)"


def _stat(path: str | Path) -> tuple[int, ...] | None:
    try:
        about = os.stat(path)  # noqa: PTH116  twice a run: making a Path costs more than the call
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


@lru_cache(maxsize=4)  # the app asks every second: one storage a folder keeps the parsed file
def _storage(runs: Path) -> SafeStorage:
    return SafeStorage(runs / FILE)


def _stamp(run: Path) -> list[int]:
    """Inode, mtime_ns and size of status.json, then of notes.json, zeros where there is none: they tell of changes."""
    return [*(_stat(f"{run}/status.json") or (0, 0, 0)), *(_stat(f"{run}/notes.json") or (0, 0, 0))]


def summarise(run: Path) -> Summary:
    """One run in plain values, each of its type or None, whatever its files hold."""
    stamp = _stamp(run)  # before reading: a change in between must look stale
    status, spec, said = rundir.read_status(run), extensions.spec(run), notes.read(run)
    state, won = rundir.state(run, status), status.get("winning_ticket")
    return {
        "id": run.name,
        "state": state,
        "model": summary.named(spec, "model"),
        "dataset": summary.named(spec, "data"),
        "schedule": summary.named(spec, "schedule"),
        "arms": summary.arms_of(spec),
        "seeds": len(summary.seeds_of(spec)),
        "rounds": summary.rounds_of(spec),
        "created": rundir.created(run),
        "finished": iso(status.get("finished")),
        "name": said.name,
        "tags": list(said.tags),
        "note": said.note or None,
        "unverified": rundir.unverified(run, status),
        **{key: _flat(status.get(key)) for key in _FROM_STATUS},
        "winning_ticket": won if type(won) is bool else None,
        "cause": rundir.cause(status, state),
        "stamp": stamp,
    }


def _flat(value: Any) -> Any:
    """An object of plain values, without what is deeper; other values as they are."""
    if not isinstance(value, dict):
        return value
    return {key: one for key, one in value.items() if one is None or isinstance(one, str | int | float)}


def iso(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO, in local time; None for what is no time."""
    try:
        return None if seconds is None else strftime("%Y-%m-%dT%H:%M:%S", localtime(seconds))
    except (OverflowError, OSError, ValueError):
        return None


def _stored(one: Summary) -> Summary:
    return dict(one) if one["state"] in rundir.FINAL else one | dict.fromkeys(_VOLATILE)


def _fresh(entry: Any, run: Path) -> bool:
    """Whether what is stored about a run still holds."""
    return isinstance(entry, dict) and entry.keys() == _KEYS and entry["stamp"] == _stamp(run)


def refresh(runs: Path) -> tuple[list[Summary], str | None]:
    """Every run's summary, newest first, and a notice where the index had to be rebuilt or cannot be written.

    What `lth ls` and the app call. Reads the files of runs that changed or still can, and writes only if what is stored
    changed. BadInput where `runs` is a file or may not be listed.
    """
    storage = _storage(runs)
    # The index first, the folder second: so an entry without a directory is one whose run is gone, never a newer one.
    tables, trouble = storage.look()
    entries = tables["runs"] if tables else {}
    directories = finding.run_dirs(runs)
    listed = [dict(entries[run.name]) if _fresh(entries.get(run.name), run) else summarise(run) for run in directories]
    # What one user may not look into another may: what stands there about it is left alone.
    stored = [_stored(one) for one in listed if one["state"] != rundir.UNREADABLE]
    changed = [one for one in stored if entries.get(one["id"]) != one]
    gone = entries.keys() - {one["id"] for one in listed}
    if trouble == "was missing" and not directories:
        return [], None
    try:
        if changed or gone or trouble:
            _written(storage, lambda table: table.change(changed, gone))
    except OSError as error:
        return listed, f"{FILE} cannot be written ({error.strerror or error}); shown from {_count(directories)}."
    return listed, _rebuilt(trouble, directories) if trouble else None


def _written(storage: SafeStorage, change: Callable[[Runs], None]) -> None:
    with storage.lock():
        change(Runs(storage, "runs", cache_size=0))


def fold(runs: Path, run: Path) -> str | None:
    """Update one run in the index, after a launch, a stop, a note or a removal. A notice as `refresh` gives it.

    Read under the lock, so of two processes that fold a run at once the last to write has also read last.
    """
    notice: str | None = None

    def change(table: Runs) -> None:
        nonlocal notice
        tables, trouble = storage.look()
        if tables is None:
            directories = finding.run_dirs(runs)
            table.change(_every(directories))
            if trouble != "was missing" or len(directories) > 1:  # the first run of all has no index yet
                notice = _rebuilt(trouble, directories)
        elif os.path.exists(run / "spec.json"):
            table.change([_stored(summarise(run))])
        else:
            table.change([], [run.name])

    storage = _storage(runs)
    try:
        _written(storage, change)
    except OSError as error:
        return f"{FILE} cannot be written ({error.strerror or error}); `lth reindex` brings it up to date."
    return notice


def _every(directories: Iterable[Path]) -> list[Summary]:
    """What is stored of all the runs that this user may look into."""
    return [_stored(one) for one in map(summarise, directories) if one["state"] != rundir.UNREADABLE]


def _rebuilt(trouble: str | None, directories: list[Path]) -> str:
    return f"{FILE} {trouble}; rebuilt from {_count(directories)}."


def _count(directories: list[Path]) -> str:
    return f"{len(directories)} run director{'y' if len(directories) == 1 else 'ies'}"


def reindex(runs: Path) -> int:
    """Rebuild the index from the run directories; how many there are. BadInput where it cannot be written."""

    directories: list[Path] = []

    def change(table: Runs) -> None:
        directories.extend(finding.run_dirs(runs))
        table.change(_every(directories), afresh=True)

    try:
        if runs.is_dir():
            rundir.sweep(runs, f".{FILE}-*")
            _written(_storage(runs), change)
        else:
            finding.run_dirs(runs)  # BadInput where it is a file
    except OSError as error:
        why = error.strerror or error
        raise BadInput(
            f"runs folder: {runs / FILE} cannot be written ({why}); free space or make it writable."
        ) from None
    return len(directories)
