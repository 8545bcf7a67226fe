"""A folder in the making: beside its place until it is finished, for one process at a time, and taken up again."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from engine.errors import BadInput
from engine.record import modes

if TYPE_CHECKING:
    from engine.models.standing import Standing

ABOUT = "pretraining.json"  # tells a finished folder of ours from anybody's
STATE, DRAFT = "state.safetensors", "finished"
_REPLACED, _LOCK = "replaced", "lock"


def refuse(folder: Path, force: bool) -> None:
    """BadInput where something that must stay is in the way."""
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / ABOUT).is_file():
        raise BadInput(f"output: {folder} is there and was not made by lth pretrain; give another folder.")
    if not force:
        raise BadInput(f"output: {folder} is finished already; use it, give another folder, or --force to do it again.")


@contextmanager
def at_work(folder: Path) -> Iterator[Path]:
    """The folder of the work at hand, for one process at a time. BadInput where it cannot be had."""
    part = folder.with_name(f"{folder.name}.part")
    try:
        modes.make(part)
        lock = FileLock(part / _LOCK, mode=modes.of_file(part))
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(f"output: another process is pretraining into {folder} now; wait, or give another.") from None
    except OSError as error:
        raise BadInput(
            f"output: {folder} cannot be written ({error.strerror}); give another folder, or make it writable."
        ) from None
    try:
        yield part
    finally:
        if not (part / STATE).exists():  # finished, or stopped before there was anything to keep
            for left in (DRAFT, _REPLACED):
                shutil.rmtree(part / left, ignore_errors=True)
            (part / _LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                part.rmdir()
        lock.release()


def left(
    part: Path, settings: dict[str, Any], tell: Callable[[str], None] = lambda sentence: None
) -> "Standing | None":
    """Where an earlier call with the same settings got to; None, and why in words, where there is nothing to go on."""
    if not (part / STATE).exists():
        return None
    from engine.models import standing

    kept = standing.read(part / STATE)
    if kept is None:
        tell(f"Beginning anew: {part / STATE} is damaged.")
        return None
    before = kept.account["settings"]
    if other := [name for name in settings if before.get(name) != settings[name]]:
        tell(f"Beginning anew: {part} was of another {', '.join(name.replace('_', '-') for name in other)}.")
        return None
    tell(f"Going on after epoch {len(kept.account['epochs'])} of {settings['epochs']}.")
    return kept


def put(part: Path, folder: Path) -> None:
    """The draft becomes the folder, by one rename; an earlier one of ours goes out of its way."""
    if (folder / ABOUT).is_file():
        shutil.rmtree(part / _REPLACED, ignore_errors=True)
        folder.rename(part / _REPLACED)
    modes.settle(part / DRAFT)
    (part / DRAFT).rename(folder)
    (part / STATE).unlink()
