"""Which runs there are, and the one that somebody means: by any part of its id, or as the newest."""

import os
import re
from contextlib import suppress
from pathlib import Path

from engine.errors import BadInput
from engine.record import rundir

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def run_dirs(runs: Path) -> list[Path]:
    """Every run, newest first: directories with a proper name and a spec.json, or that may not be looked into.

    A link is none, wherever it leads: what is done to a run stays in its folder. BadInput where `runs` is no folder.
    """
    rundir.refuse_file(runs)
    if not runs.exists():
        return []
    found = []
    with rundir.blamed_on(runs), os.scandir(runs) as entries:
        for entry in entries:
            if _ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError, OverflowError, ValueError):
                    try:
                        made = os.stat(f"{entry.path}/spec.json").st_mtime_ns  # noqa: PTH116  once a run
                    except PermissionError:
                        made = entry.stat().st_mtime_ns
                    # By the id's clock, else the spec's; runs of one second are told apart by the spec's.
                    when = rundir.WHEN.match(entry.name)
                    found.append((when[0] if when else rundir.clock(made / 1e9), made, entry.name))
    return [runs / name for _, _, name in sorted(found, reverse=True)]


def find(runs: Path, text: str) -> Path:
    """The one run whose id contains `text`, or is it; `@last` is the newest that may be read.

    BadInput where none or several do, or it may not be read.
    """
    every = run_dirs(runs)
    if not every:
        raise BadInput(f"run: {quoted(text)} given, but {runs} holds no runs yet; start one with `lth run`.")
    if text == "@last":
        return _readable(
            next((run for run in every if rundir.read_status(run)["state"] != rundir.UNREADABLE), every[0])
        )
    fitting = [run for run in every if run.name == text] or [run for run in every if text and text in run.name]
    if len(fitting) == 1:
        return _readable(fitting[0])
    if not fitting:
        raise BadInput(f"run: {quoted(text)} is part of no run's id in {runs}; `lth ls` lists them.")
    names = ", ".join(run.name for run in fitting[:4]) + (", ..." if len(fitting) > 4 else "")
    raise BadInput(f"run: {quoted(text)} is part of {len(fitting)} ids ({names}); give more of the one you mean.")


def _private(run: Path) -> bool:
    return rundir.read_status(run)["state"] == rundir.UNREADABLE


def _readable(run: Path) -> Path:
    if _private(run):
        raise BadInput(
            f"run: {run.name} is another user's ({rundir.owner(run)}) and cannot be read; "
            "ask for the runs folder to be shared (chmod 2770)."
        )
    return run


def quoted(text: str) -> str:
    """What somebody gave, as a sentence shows it."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
