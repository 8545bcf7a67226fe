"""What the app remembers from one start to the next, in runs/app.json: its theme, presets, since when there is news.

Whoever keeps something there owns one key; keys of others, and of newer versions, are left as they are.
"""

from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from engine.errors import BadInput
from engine.record import modes, rundir

FILE = "app.json"


def load(runs: Path) -> dict[str, Any]:
    """What is remembered; empty where the file is missing, torn or anything else. Never raises."""
    return rundir.read_json(runs / FILE)


def save(runs: Path, **changes: Any) -> dict[str, Any]:
    """Remember these values and all that others did; None forgets one. BadInput where it cannot be written."""
    try:
        modes.make(runs)
        with FileLock(runs / ".app.lock", timeout=10, mode=modes.of_file(runs), poll_interval=0.002):
            kept = {key: value for key, value in (load(runs) | changes).items() if value is not None}
            rundir.write_atomically(runs / FILE, orjson.dumps(kept, option=orjson.OPT_INDENT_2))
            return kept
    except Timeout:
        raise BadInput(f"{FILE}: another process has been writing it for 10 s; try again.") from None
    except OSError as error:
        why = error.strerror or error
        raise BadInput(f"runs folder: {runs / FILE} cannot be written ({why}); make the folder writable.") from None
