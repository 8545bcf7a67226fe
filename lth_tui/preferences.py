"""runs/app.json: what the app keeps beside the runs, its settings and presets, by name.

A folder that several users share has one such file: its presets are everybody's, a setting under a key of `mine` is
one's own. It is read, changed and written under a lock, so that two apps at once lose nothing of each other. A file
that makes no sense is set aside as app.json.damaged, and that is told. Keys that a newer version put there are left as
they are.
"""

import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from filelock import FileLock, Timeout

from engine.errors import BadInput
from engine.record import modes, rundir
from lth_tui import plain

FILE = "app.json"
_LOCK = ".app.lock"
_PRESETS = "presets"
_NAME = re.compile(r"[^\s/\\\x00-\x1f\x7f](?:[^/\\\x00-\x1f\x7f]{0,58}[^\s/\\\x00-\x1f\x7f])?")
_MOST = 1_000_000  # bytes of a file that makes sense
_PATIENCE = 10.0  # seconds that another process may take to write


class Read(NamedTuple):
    """What the file holds, and what is wrong with it, in a sentence, or nothing."""

    values: dict[str, Any]
    trouble: str


def read(runs: Path) -> Read:
    """Everything that is kept; a damaged file is set aside. Never raises."""
    values, trouble = _look(runs / FILE)
    if trouble is None:
        return Read(values, "")
    if trouble:
        return Read({}, trouble)
    try:
        with _lock(runs):
            return Read(*_sound(runs / FILE))
    except (OSError, Timeout) as error:
        return Read({}, f"{FILE}: {plain.path(runs / FILE)} is damaged and cannot be set aside ({_why(error)}).")


def get(runs: Path, key: str, default: Any = None) -> Any:
    """One setting. Never raises."""
    return read(runs).values.get(key, default)


def set(runs: Path, key: str, value: Any) -> str:  # noqa: A001  `preferences.set` says it
    """Keep a setting; None forgets it. Returns what was wrong with the file. BadInput where it cannot be written."""

    def change(values: dict[str, Any]) -> None:
        values[key] = value

    return _change(runs, change)


def mine(key: str) -> str:
    """The key of a setting that each user of a shared folder has for himself: `theme of ada`."""
    try:
        return f"{key} of {pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"{key} of user {os.getuid()}"


def presets(runs: Path) -> dict[str, Any]:
    """The presets by name. Never raises."""
    return read(runs).values.get(_PRESETS, {})


def keep_preset(runs: Path, name: str, value: Any) -> str:
    """Keep a preset under a name, in the place of one of that name. BadInput for a name that nobody could read."""
    if not _NAME.fullmatch(name):
        shown = repr(name) if len(name) <= 80 else repr(name)[:77] + "..."
        raise BadInput(f"preset: {shown} is no name; give up to 60 characters of one line, without / and \\.")

    def change(values: dict[str, Any]) -> None:
        values[_PRESETS] = {**values.get(_PRESETS, {}), name: value}

    return _change(runs, change)


def drop_preset(runs: Path, name: str) -> str:
    """Forget a preset, if there is one of that name. BadInput where that cannot be written."""

    def change(values: dict[str, Any]) -> None:
        values[_PRESETS] = {one: value for one, value in values.get(_PRESETS, {}).items() if one != name}

    return _change(runs, change)


def _change(runs: Path, change: Callable[[dict[str, Any]], None]) -> str:
    try:
        modes.make(runs)
        with _lock(runs):
            values, trouble = _sound(runs / FILE)
            if trouble and (runs / FILE).exists():  # there, and nobody knows what is in it
                raise BadInput(f"{trouble.rstrip('.')}; nothing was changed in it.")
            change(values)
            values = {key: value for key, value in values.items() if value is not None}
            rundir.write_atomically(runs / FILE, orjson.dumps(values, option=orjson.OPT_INDENT_2))
    except Timeout:
        raise BadInput(f"{FILE}: somebody else has been writing it for {_PATIENCE:.0f} s; try again.") from None
    except (OSError, orjson.JSONEncodeError) as error:
        raise BadInput(f"{FILE}: {runs / FILE} cannot be written ({_why(error)}).") from None
    return trouble


def _lock(runs: Path) -> FileLock:
    return FileLock(runs / _LOCK, timeout=_PATIENCE, mode=modes.of_file(runs), poll_interval=0.002)


def _look(path: Path) -> tuple[dict[str, Any], str | None]:
    """What is in the file, and None; or nothing, and why it cannot be read, or "" where it is damaged."""
    try:
        content = rundir.content(path, _MOST)
    except (FileNotFoundError, NotADirectoryError):
        return {}, None
    except (OSError, ValueError) as error:
        return {}, f"{FILE}: {plain.path(path)} cannot be read ({_why(error)}), so settings are as usual."
    try:
        values = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}, ""
    if not isinstance(values, dict) or not isinstance(values.get(_PRESETS, {}), dict):
        return {}, ""
    return values, None


def _sound(path: Path) -> tuple[dict[str, Any], str]:
    """What is in the file, a damaged one set aside under a name that is free. Called under the lock. OSError."""
    values, trouble = _look(path)
    if trouble != "":
        return values, trouble or ""
    aside = path.with_name(f"{FILE}.damaged")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{FILE}.damaged-{number}")
    path.rename(aside)
    return {}, f"{FILE}: it was damaged and is kept as {aside.name}; settings and presets begin anew."


def _why(error: Exception) -> str:
    return plain.line(getattr(error, "strerror", None) or error, 120)
