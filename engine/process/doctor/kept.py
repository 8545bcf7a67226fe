"""What is kept on this machine: runs, datasets, and the settings that say where."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine.data.cards import bring
from engine.errors import BadInput
from engine.places import slots_file
from engine.process import slots
from engine.process.doctor.finding import Finding, blamed, failure, ok, size, warning

# Every variable that lth reads, and what it holds.
_FOLDERS = ("LTH_RUNS", "LTH_DATA", "LTH_CACHE", "LTH_SCHEDULES", "LTH_KEYS", "LTH_SLOTS_FILE")
VARIABLES = (*_FOLDERS, "LTH_CACHE_GB", "LTH_CHECKPOINT_MINUTES", "LTH_SLOTS")
_MUCH_TRASH = 1_000_000_000  # bytes
_QUICK = 200_000_000  # bytes of a dataset that are read in a few seconds


def environment(given: Mapping[str, str], wrong: str | None = None) -> list[Finding]:
    """The variables of lth's own that are set, and if they can be meant so; `wrong`: what another part says of one."""
    name = "settings"
    found = [blamed(name, wrong)] if wrong else []
    for variable in _FOLDERS:
        value = given.get(variable, "")
        if value and not Path(value).expanduser().is_absolute() and (variable, value.lower()) != ("LTH_CACHE", "off"):
            told = f"{variable} is {value!r}, another folder wherever lth is started"
            found.append(warning(name, told, f"Give all of the path: {variable}={Path(value).absolute()}"))
    if given.get("LTH_SLOTS"):
        try:
            slots.number(given["LTH_SLOTS"])
        except ValueError:
            told = f"LTH_SLOTS is {given['LTH_SLOTS']!r}, which is no number of runs"
            found.append(failure(name, told, "Give how many runs may go on at once, such as LTH_SLOTS=1, or unset it."))
    if not slots.usable():
        told = f"{slots_file()} cannot be used, so this user's runs take no slots that others could see"
        found.append(warning(name, told, "Remove it, have its owner do so, or set LTH_SLOTS_FILE to another."))
    for variable in sorted(given):
        if variable.startswith("LTH_") and variable not in VARIABLES:
            near = get_close_matches(variable, VARIABLES, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"lth reads {', '.join(VARIABLES)}."
            found.append(warning(name, f"{variable} is set, and nothing reads it", advice))
    names = [variable for variable in VARIABLES if given.get(variable)]
    return found or [ok(name, f"{', '.join(names)} set" if names else "none of lth's variables is set")]


def own_schedules(folder: Path, asked_for: bool) -> list[Finding]:
    """Files of one's own that are no schedules; `asked_for` where LTH_SCHEDULES names the folder."""
    from engine import schedules

    if asked_for and not os.path.isdir(folder):
        return [warning("schedules", f"LTH_SCHEDULES is {folder}, which is no folder", "Make it, or name another.")]
    advice = "lth schedules shows those that can be used."
    return [warning("schedules", words, advice) for words in schedules.every()[1]]


def datasets() -> list[Finding]:
    """Which are here and whole. One whose files were not checked yet is read now, unless that takes long."""
    from engine.data import corpus, store
    from engine.spec import DataSpec

    rows, broken = store.listing(), {}
    for row in rows:
        there = row["folder"] is not None and os.path.isdir(row["folder"]) and os.listdir(row["folder"])
        try:
            if there and not row["here"]:
                corpus.read(DataSpec(name=row["name"]))  # which says what is missing
            elif there and row["train"] is None and row["bytes"] < _QUICK:
                store.validate(DataSpec(name=row["name"]))
        except BadInput as error:
            broken[row["name"]] = str(error)
    return told(rows, broken)


def told(rows: list[dict[str, Any]], broken: Mapping[str, str]) -> list[Finding]:
    """`rows` as `store.listing` gives them, and of each that is broken the sentence that says why."""
    found = [
        warning("datasets", sentence, f"Bring it anew: {bring(name)}") for name, sentence in sorted(broken.items())
    ]
    here = [row["name"] for row in rows if row["here"] and row["name"] not in broken]
    absent = [row["name"] for row in rows if not row["here"] and row["name"] not in broken]
    words = f"here: {', '.join(here) or 'none'}"
    return [*found, ok("datasets", f"{words}; lth data fetch brings {', '.join(absent)}" if absent else words)]


def runs(root: Path) -> list[Finding]:
    """The runs of a folder as they are now. Raises BadInput where it is no folder."""
    from engine.record import finding, history, rundir, trash

    directories = finding.run_dirs(root)
    states = {run.name: rundir.state(run) for run in directories}
    _, trouble = history.SafeStorage(root / history.FILE).look()
    return counted(states, trouble, _weight(root / trash.FOLDER))


def counted(states: Mapping[str, str], trouble: str | None, trash: int) -> list[Finding]:
    """`states` of each run, what is wrong with the history's file, bytes of removed runs."""
    name, found = "runs", []
    orphaned = [run for run, state in states.items() if state == "orphaned"]
    if orphaned:
        first = ", ".join(orphaned[:3]) + (", ..." if len(orphaned) > 3 else "")
        told = f"{len(orphaned)} of {len(states)} lost {'its' if len(orphaned) == 1 else 'their'} engine: {first}"
        found.append(warning(name, told, f"lth resume {orphaned[0]}"))
    if states and trouble:
        told = f"the history {trouble}; the runs themselves are whole"
        found.append(warning(name, told, "lth ls rebuilds it, and so does lth reindex."))
    if trash >= _MUCH_TRASH:
        told = f"removed runs take {size(trash)}"
        found.append(warning(name, told, "Remove the folder .trash in the runs folder, once none of them is wanted."))
    going = sum(state in ("running", "stopping") for state in states.values())
    queued = sum(state == "queued" for state in states.values())
    kept = f"{len(states)} kept" if states else "none yet"
    return found or [ok(name, f"{kept}, {going} running, {queued} queued" if states else kept)]


def _weight(folder: Path) -> int:
    """Bytes of all files below a folder; what cannot be read counts nothing."""
    total = 0
    for above, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(above, file)).st_size  # noqa: PTH118  os.walk's are strings
            except OSError:
                continue
    return total
