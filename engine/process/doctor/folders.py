"""The folders that lth keeps things in: whether they can be written, who else may look into them, how full they are."""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.process.doctor.finding import Finding, Status, ok, size, warning
from engine.record import modes

_FEW, _NONE = 5 << 30, 200_000_000  # bytes free: soon too few, and too few for a run
_FEW_FILES, _NO_FILES = 10_000, 200  # a run makes about a hundred


@dataclass(frozen=True)
class Place:
    """What is known of a folder, or, where it is not there, of the nearest one above it, which it would be made in.

    `trouble` says why nothing can be written there, None where it can; `files` is how many more files the disk takes,
    None where it sets no number; `reachable` whether others on this machine may pass through the folders above it.
    """

    path: Path
    exists: bool
    free: int  # bytes
    files: int | None
    mode: int  # permission bits
    group: str
    reachable: bool
    trouble: str | None = None


def look(path: Path) -> Place:
    """A folder as it is; writing is really tried, in a file that is removed at once. Raises OSError."""
    near = nearest(path)
    there = next(one for one in (near, *near.parents) if os.path.exists(one))  # not where a link leads nowhere
    disk, about = os.statvfs(there), there.stat()
    return Place(
        path=path,
        exists=near == path,
        free=disk.f_bavail * disk.f_frsize,
        files=disk.f_favail if disk.f_files else None,
        mode=stat.S_IMODE(about.st_mode),
        group=_group(about.st_gid),
        reachable=all(above.stat().st_mode & stat.S_IXOTH for above in there.resolve().parents),
        trouble=_tried(near),
    )


def nearest(path: Path) -> Path:
    """What is there of a path: itself, or the first that is above it."""
    return next(one for one in (path, *path.parents) if os.path.lexists(one))


def _tried(folder: Path) -> str | None:
    if not os.path.exists(folder):
        return f"{folder} is a link that leads nowhere"
    if not os.path.isdir(folder):
        return f"{folder} is a file, not a folder"
    try:
        # The mode too: root may write anywhere, but a folder that nobody is to write to is left as it is.
        if not folder.stat().st_mode & 0o222:
            return f"{folder} is read-only"
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"lth")
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror or error})"
    return None


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def folder(name: str, place: Place, variable: str, without: Status, loss: str) -> list[Finding]:
    """Whether a folder will do. `without` says how bad it is to have none, and `loss` what is lost then."""
    name = f"{name} folder"
    other = f"set {variable} to another folder."
    if place.trouble:
        return [Finding(name, without, f"{place.trouble}, so {loss}", f"Make it writable, or {other}")]
    found = [*_space(name, place, other), *_files(name, place, other)]
    where = f"{place.path}" if place.exists else f"{place.path}, which will be made"
    return found or [ok(name, f"{where}; {size(place.free)} free")]


def _space(name: str, place: Place, other: str) -> list[Finding]:
    if place.free >= _FEW:
        return []
    status: Status = "failure" if place.free < _NONE else "warning"
    return [Finding(name, status, f"{place.path} has only {size(place.free)} free", f"Make room, or {other}")]


def _files(name: str, place: Place, other: str) -> list[Finding]:
    if place.files is None or place.files >= _FEW_FILES:
        return []
    status: Status = "failure" if place.files < _NO_FILES else "warning"
    told = f"the disk of {place.path} takes only {place.files:,} more files (inodes)"
    return [Finding(name, status, told, f"Remove many small files, or {other}")]


def privacy(place: Place) -> list[Finding]:
    """Who else gets into the runs folder; setgid with a group that may write (2770) asks to be shared."""
    if not place.exists or place.trouble:
        return []
    name, mode = "runs privacy", f"mode {place.mode:o}"
    shared = place.mode & modes.SHARED == modes.SHARED
    if place.reachable and place.mode & stat.S_IWOTH and not place.mode & stat.S_ISVTX:
        told = f"everybody on this machine may remove and replace its runs ({mode})"
        return [warning(name, told, f"chmod {'2770' if shared else '700'} {place.path}")]
    if place.reachable and place.mode & stat.S_IRWXO:
        told = f"everybody on this machine may see which runs there are ({mode})"
        return [warning(name, told, f"chmod {'2770' if shared else '700'} {place.path}")]
    if shared:
        return [ok(name, f"asks to be shared with the group {place.group} ({mode})")]
    if place.mode & stat.S_IRWXG:
        return [ok(name, f"yours; the group {place.group} may look in ({mode})")]
    return [ok(name, f"yours alone ({mode})")]
