"""A sweep at work: one process starts its runs one after another. Imports no torch.

Beside the runs it has a folder of its own that is held as an engine holds a run: engine.lock says that a process is at
work, status.json which one, and engine.log has what one without a terminal said. Which runs are a sweep's is not
written down: they are those whose spec is one of the file's.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from engine.errors import BadInput
from engine.process import launch, logfile
from engine.record import liveness, modes, rundir


def folder(runs: Path, file: Path) -> Path:
    """Where a sweep is held, by the place of its file: no run's folder begins with a dot."""
    digest = blake2b(os.fsencode(file.resolve()), digest_size=4).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem)[:32]
    return runs / ".sweeps" / f"{stem}-{digest}"


def hold(runs: Path, file: Path) -> None:
    """Be the process at work on this sweep for the rest of this process's life. BadInput where another one is."""
    with _made(runs, file) as own:
        try:
            liveness.hold(own)
        except liveness.LockHeld:
            raise _busy(file, worker(runs, file)) from None
        logfile.keep(own, liveness.heartbeat(own))
        rundir.write_status(own, {"state": "running", "process": liveness.identity()})


@contextmanager
def _made(runs: Path, file: Path) -> Iterator[Path]:
    """The sweep's folder, to be written to. BadInput where the runs folder does not take it."""
    own = folder(runs, file)
    with rundir.blamed_on(runs):
        modes.make(own)
        yield own


def worker(runs: Path, file: Path) -> int | None:
    """The process at work on this sweep, None where there is none; 0 where it cannot be named."""
    return liveness.holder(folder(runs, file))


def detach(runs: Path, file: Path, module: list[str]) -> Path:
    """Have a process of its own work on this sweep; its log, once it is at work. Raises BadInput and LaunchFailed.

    `module` is what `python -m` is to run with its arguments: something that calls `hold` before it takes long.
    """
    if (other := worker(runs, file)) is not None:
        raise _busy(file, other)

    def begin(own: Path) -> subprocess.Popen:
        return launch.detached(module, own, Path.cwd())  # paths in the file begin where we are

    with _made(runs, file) as own:
        launch.start(own, begin)
    return own / "engine.log"


def ask_to_stop(runs: Path, file: Path) -> None:
    """SIGTERM to the process at work on this sweep, which then stops its run and ends. BadInput where there is none."""
    if worker(runs, file) is None:
        raise BadInput(f"sweep: nothing works on {file}; `lth sweep {file}` goes on with it.")
    if not launch.ask_to_stop(folder(runs, file)):
        raise BadInput(f"sweep: who works on {file} is no process of this machine's that may be signalled.")


def _busy(file: Path, process: int | None) -> BadInput:
    return BadInput(
        f"sweep: {file} is being worked on (process {process or 'unknown'}); look with `lth sweep {file} --table`, "
        f"or end it with `lth sweep {file} --stop`."
    )
