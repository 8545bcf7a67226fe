"""The dispatcher: `python -m engine.process.dispatcher RUNS` starts what waits in our queue until nothing does.

One works at a time, by its lock. Where it dies, the next who looks at the queue, and the next engine that ends, starts
another.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

from engine.process import logfile, queue
from engine.record import liveness, rundir, waiting

_POLL = 0.5  # seconds between two looks at the engines that hold the slots
_PATIENCE = 2.0  # seconds until all runs are read again: memory of a GPU may be free, or somebody else's run moved
_HELD = 10.0  # the same where a run could not begin for now
_SHARE = 20  # reading them may take one part of so many of the time


def main(arguments: list[str]) -> int:
    """Dispatch until nobody waits, the queue is paused or its folder is gone."""
    if len(arguments) != 1:
        print("usage: python -m engine.process.dispatcher RUNS", file=sys.stderr)
        return 2
    runs = Path(arguments[0])
    own = queue.folder(runs)
    try:
        descriptor = liveness.hold(own)
    except (liveness.LockHeld, FileNotFoundError):
        return 0
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logfile.keep(own, liveness.heartbeat(own))
    rundir.write_status(own, {"state": "running", "process": liveness.identity()})
    engines: list[subprocess.Popen] = []
    while own.is_dir():
        engines = [engine for engine in engines if engine.poll() is None]  # the ended ones are reaped
        done = queue.dispatch(runs)
        for one in done:
            print(f"{time.strftime('%H:%M:%S')} {one.run.name} {one.failure or one.held or 'started'}", flush=True)
            engines += [one.engine] if one.engine else []
        began = time.monotonic()
        working = waiting.look(runs).working
        if queue.idle(runs, descriptor):
            return 0
        patience = _HELD if any(one.held for one in done) else _PATIENCE
        _wait(working, max(patience, _SHARE * (time.monotonic() - began)))
    return 0


def _wait(working: list[waiting.Working], seconds: float) -> None:
    """Wait until one of the engines has said its last word or is gone, or so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(_POLL)
        if any(rundir.state(one.run) not in ("queued", *rundir.ACTIVE) for one in working):
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
