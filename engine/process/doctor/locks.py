"""Whether the file system of the runs folder keeps the promises that runs rest on, really tried there.

They are: a lock that an engine takes is seen by everyone and names its holder, and ends with it, however it ends; a
file is replaced as a whole; what was synced stays.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from engine.process.doctor.finding import Finding, failure, ok, warning
from engine.record import liveness, rundir

_PATIENCE = 5.0  # seconds for a kill to be seen; locally it takes milliseconds
_HOLD = (
    "import fcntl, os, sys; held = os.open(sys.argv[1], os.O_RDWR); fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB); "
    "print('held', flush=True); sys.stdin.read()"  # until it is killed, or whoever examines is gone
)
_NETWORK = re.compile(r"nfs|cifs|smb|fuse\.sshfs|9p|lustre|gpfs|beegfs|ceph|glusterfs|fuse\.glusterfs|afs")
_PASSING = {"tmpfs": "is memory, and empty after a reboot", "overlay": "goes when its container is removed"}
_PASSING["ramfs"] = _PASSING["tmpfs"]
_LOCAL = "Keep runs on a local disk: set LTH_RUNS to a folder there."


@dataclass(frozen=True)
class Trial:
    """What was seen. `trouble` is why nothing could be tried, the others say which promises were kept."""

    trouble: str | None = None
    refused: bool = True  # a second engine did not get the lock
    named: bool = True  # the lock told who holds it
    freed: bool = True  # it ended with its holder, who was killed
    replaced: str | None = None  # why a file could not be replaced as a whole
    synced: str | None = None  # why what was written could not be made to stay


def attempt(folder: Path) -> Trial:
    """Try it all in a hidden folder made for that in `folder`, and leave nothing behind. Never raises OSError."""
    try:
        trial = Path(tempfile.mkdtemp(prefix=".doctor-", dir=folder))
    except OSError as error:
        return Trial(trouble=f"nothing can be tried in {folder} ({error.strerror or error})")
    try:
        (trial / liveness.LOCK).touch(0o600)
        return _locked(trial)
    except OSError as error:
        return Trial(trouble=f"a file in {folder} cannot be locked ({error.strerror or error})")
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _locked(trial: Path) -> Trial:
    lock = trial / liveness.LOCK
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", _HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            if not child.stdout.readline():
                lines = child.stderr.read().decode(errors="replace").strip().splitlines()
                why = lines[-1] if lines else "no reason given"
                return Trial(trouble=f"a file in {trial.parent} cannot be locked ({why})")
            named = liveness.holder(trial) == child.pid
            refused = _refuses(lock)
        finally:
            child.kill()
        deadline = time.monotonic() + _PATIENCE
        while (free := liveness.holder(trial) is None) is False and time.monotonic() < deadline:
            time.sleep(0.01)
    return Trial(None, refused, named, free, _replaces(trial), _syncs(trial))


def _refuses(lock: Path) -> bool:
    with lock.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _replaces(trial: Path) -> str | None:
    path = trial / "replaced"
    try:
        for words in (b"old", b"new"):
            rundir.write_atomically(path, words, durable=False)
    except OSError as error:
        return str(error.strerror or error)
    return None if path.read_bytes() == b"new" else "the old content is still there"


def _syncs(trial: Path) -> str | None:
    try:
        descriptor = os.open(trial / "replaced", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        rundir.sync_folder(trial)
    except OSError as error:
        return str(error.strerror or error)
    return None


def finding(trial: Trial, kind: str | None) -> Finding:
    """`kind` is the file system's, as `file_system` has it."""
    name, disk = "runs locks", kind or "an unknown file system"
    if trial.trouble:
        return failure(name, trial.trouble, _LOCAL)
    broken = [
        *([] if trial.refused else ["two engines can hold one run"]),
        *([] if trial.named else ["a lock does not say who holds it"]),
        *([] if trial.freed else ["a killed engine's lock stays"]),
        *([f"a file is not replaced as a whole ({trial.replaced})"] if trial.replaced else []),
        *([f"what is written cannot be made to stay ({trial.synced})"] if trial.synced else []),
    ]
    if broken:
        return failure(name, f"{disk}: {', '.join(broken)}", _LOCAL)
    if kind and _NETWORK.match(kind):
        told = f"{kind}: all is well from here, but an engine on another host is known by its heartbeat only"
        return warning(name, told, "Stop and resume a run on the host it runs on, or set LTH_RUNS to a local disk.")
    if kind in _PASSING:
        told = f"{kind}: locks work, but what is kept there {_PASSING[kind]}"
        return warning(name, told, "Set LTH_RUNS to a folder that stays.")
    return ok(name, f"{disk}: a lock names its holder and ends with it; files are replaced whole and stay")


def file_system(mounts: str, path: Path) -> str | None:
    """The kind of file system a path (absolute, without links) is on, by the text of /proc/mounts; None if unknown."""
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        # Blanks in a path are written as their octal code there.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), words[1]))
        if path.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):  # a later mount covers
            found = (len(point.parts), words[2])
    return found[1] if found else None
