"""notes.json: what the user says of a run: its name, tags, a note, and which end of it was read of in the inbox.

Written by the app and the commands, never by the engine. Keys that a newer version put there are left as they are.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from engine.errors import BadInput
from engine.record import modes, rundir

FILE = "notes.json"
_LOCK = ".notes.lock"  # one a runs folder, held for a read and a write: two at once lose nothing
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST = 10_000  # characters of a note
MOST = 50  # tags


@dataclass(frozen=True)
class Notes:
    """What a user said of a run.

    `read` names the end that was read of by its time, in seconds since 1970: one that is resumed and ends again is
    unread. 0 where it was made unread by hand.
    """

    name: str | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    read: float | None = None


def read(run: Path) -> Notes:
    """The notes of a run; what is missing or of another type is as if nobody had said it. Never raises."""
    return of(rundir.read_json(run / FILE))


def of(tree: dict[str, Any]) -> Notes:
    """The notes in what stands in the file."""
    name, tags, note, when = (tree.get(key) for key in ("name", "tags", "note", "read"))
    return Notes(
        name if isinstance(name, str) else None,
        tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        note if isinstance(note, str) else "",
        float(when) if isinstance(when, int | float) and abs(when) < 1e15 else None,
    )


def write(run: Path, **changes: Any) -> Notes:
    """Change `name`, `tags`, `note` or `read` of a run, and leave the rest; None, or nothing, takes one away.

    BadInput for a name or tag that is not of letters, digits and . _ -, a note that is too long, or a folder that
    cannot be written. A tag that stands there already stays whatever it is: nobody gave it now.
    """
    lock = FileLock(run.parent / _LOCK, timeout=10, mode=modes.of_file(run.parent), poll_interval=0.002)
    try:
        with lock:
            tree = rundir.read_json(run / FILE)
            for key, value in changes.items():
                _refuse(key, value, of(tree).tags)
            tree = {**tree, **changes}
            tree = {key: value for key, value in tree.items() if value not in (None, "", [], ())}
            rundir.write_atomically(run / FILE, orjson.dumps(tree))
    except Timeout:
        raise BadInput(f"notes: another process has been writing in {run.parent} for 10 s; try again.") from None
    except OSError as error:
        why = error.strerror or error
        raise BadInput(f"notes: {run.name} cannot be written ({why}); make its folder writable.") from None
    return of(tree)


def _refuse(key: str, value: Any, tags: tuple[str, ...]) -> None:
    if key == "name" and value:
        _refuse_name("name", value)
    elif key == "tags":
        fresh = [tag for tag in value or () if tag not in tags]
        if fresh and len(value) > MOST:
            raise BadInput(f"tags: {len(value)} given; give at most {MOST}.")
        for tag in fresh:
            _refuse_name("tag", tag)
    elif key == "note" and len(value or "") > _LONGEST:
        raise BadInput(f"note: {len(value):,} characters given; give at most {_LONGEST:,}.")
    elif key not in ("name", "tags", "note", "read"):
        raise BadInput(f"notes: {key!r} is none of name, tags, note and read.")


def _refuse_name(field: str, value: str) -> None:
    if not _NAME.fullmatch(value):
        short = value if len(value) <= 80 else f"{value[:77]}..."
        raise BadInput(
            f"{field}: {short!r} given; give up to 64 letters, digits, dots, - and _, a letter or digit first."
        )
