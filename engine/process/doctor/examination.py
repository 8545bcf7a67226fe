"""The whole examination: each check with what it needs of this machine. Imports no torch; a process of its own does."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from engine import places
from engine.errors import BadInput
from engine.process.doctor import folders, graphics, kept, locks, logout, processor, software
from engine.process.doctor.finding import Finding, blamed, failure, ok

Check = Callable[[], Iterable[Finding]]


def examine(more: Iterable[tuple[str, Check]] = ()) -> Iterator[Finding]:
    """Every finding as it is made, the slow ones last. `more` are named checks of the face that shows them."""
    checks: list[tuple[str, Check]] = [
        ("python", _software),
        ("packages", _packages),
        ("cores", _cores),
        ("memory", _memory),
        ("runs folder", _runs_folder),
        ("runs locks", _locks),
        ("data folder", _data_folder),
        ("cache folder", _cache_folder),
        ("logout", lambda: [logout.now()]),
        *more,
        ("settings", _settings),
        ("schedules", lambda: kept.own_schedules(places.schedules_root(), bool(os.environ.get("LTH_SCHEDULES")))),
        ("datasets", kept.datasets),
        ("runs", _runs),
        ("torch", _graphics),
    ]
    for name, check in checks:
        yield from guarded(name, check)


def guarded(name: str, check: Check) -> list[Finding]:
    """What a check finds; a check that fails finds just that."""
    try:
        return list(check())
    except BadInput as error:
        return [blamed(name, str(error))]
    except Exception as error:  # noqa: BLE001  who asks what is wrong must hear of everything else too
        why = (str(error).strip().splitlines() or [""])[0]
        told = f"this could not be found out: {type(error).__name__}{f': {why}' if why else ''}"
        return [failure(name, told, "If the lines above do not explain it, please report it with this line.")]


def _software() -> list[Finding]:
    from importlib import metadata

    from engine import __version__

    try:
        installed: str | None = metadata.version("lth-tui")
    except metadata.PackageNotFoundError:
        installed = None
    return [software.python(sys.version_info[:3], sys.executable), software.itself(__version__, installed)]


def _packages() -> list[Finding]:
    needed = software.requirements()
    return software.packages(needed, software.versions(needed)) if needed else []


def _cores() -> list[Finding]:
    allowed = processor.allowed()
    quota = processor.quota(Path("/sys/fs/cgroup"), _text("/proc/self/cgroup"))
    installed = os.cpu_count() or allowed
    return [processor.cores(allowed, installed, quota), *processor.threads(os.environ, allowed)]


def _memory() -> list[Finding]:
    import psutil

    known = psutil.virtual_memory()
    limit = processor.limit(Path("/sys/fs/cgroup"), _text("/proc/self/cgroup"))
    return [processor.memory(known.total, known.available, *limit)]


def _runs_folder() -> list[Finding]:
    place = folders.look(places.runs_root())
    loss = "no run can be made"
    return [*folders.folder("runs", place, "LTH_RUNS", "failure", loss), *folders.privacy(place)]


def _locks() -> list[Finding]:
    near = folders.nearest(places.runs_root())
    if folders.look(near).trouble:
        return []  # told of the folder already
    kind = locks.file_system(_text("/proc/mounts"), near.resolve())
    return [locks.finding(locks.attempt(near), kind)]


def _settings() -> list[Finding]:
    from engine.record import room

    wrong = None
    try:
        room.cap()
    except BadInput as error:
        wrong = str(error)
    return kept.environment(os.environ, wrong)


def _runs() -> list[Finding]:
    root = places.runs_root()
    return kept.runs(root) if os.path.isdir(folders.nearest(root)) else []


def _data_folder() -> list[Finding]:
    place = folders.look(places.data_root())
    loss = "no dataset can be brought here"
    return folders.folder("data", place, "LTH_DATA", "warning", loss)


def _cache_folder() -> list[Finding]:
    if (root := places.cache_root()) is None:
        return [ok("cache folder", "LTH_CACHE is off: each run trains its dense rounds itself")]
    loss = "each run trains its dense rounds itself"
    return folders.folder("cache", folders.look(root), "LTH_CACHE", "warning", loss)


def _graphics() -> Iterator[Finding]:
    from engine.process import gpus

    said, driver, hidden_by = graphics.ask_torch(), graphics.ask_driver(), os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = gpus.visible(gpus.every(), hidden_by)
    yield graphics.torch(said)
    yield from graphics.cuda(said, driver, visible, hidden_by, graphics.has_nodes())
    yield from map(graphics.memory, visible)


def _text(path: str) -> str:
    """A file of /proc; empty where there is none."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
