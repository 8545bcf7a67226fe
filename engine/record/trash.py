"""Where removed runs are: `.trash` in the runs folder, until they are brought back or somebody deletes them."""

from pathlib import Path

from engine.errors import BadInput
from engine.record import finding, modes, rundir

FOLDER = ".trash"


def put(run: Path) -> Path:
    """Move a run there. BadInput where an engine holds it, or the folder cannot be changed."""
    bin_ = run.parent / FOLDER
    with rundir.blamed_on(run.parent):
        if rundir.alive(run, rundir.read_status(run)):
            raise BadInput(f"run: {run.name} has a working engine; stop it first with `lth stop {run.name}`.")
        if bin_.is_symlink():
            raise BadInput(f"runs folder: {bin_} is a link, and removed runs stay here; remove it.")
        modes.make(bin_)
        count = 1
        while (target := bin_ / (run.name if count == 1 else f"{run.name}.{count}")).exists():
            count += 1
        run.rename(target)
    return target


def restore(runs: Path, text: str) -> Path:
    """Bring back the run that `put` moved away, by any unique part of its id (`@last`: the newest). BadInput."""
    rundir.refuse_file(runs)
    if not finding.run_dirs(runs / FOLDER):
        raise BadInput(f"run: {finding.quoted(text)} given, but no removed runs are kept in {runs / FOLDER}.")
    trashed = finding.find(runs / FOLDER, text)
    target = runs / trashed.name
    if target.exists():
        raise BadInput(f"run: {trashed.name} is in {runs} already; rename or remove that one first.")
    with rundir.blamed_on(runs):
        trashed.rename(target)
    return target
