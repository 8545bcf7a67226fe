"""What trainings will cost, in words: how many there are, and how long they take where this machine measured such."""

from pathlib import Path
from typing import TYPE_CHECKING

from lth_tui import tables

if TYPE_CHECKING:
    from engine.spec import RunSpec


def words(runs: Path, spec: "RunSpec", trainings: int, noun: str = "training") -> str:
    """`12 trainings of at most 5 epochs: about 3 min 05 s on this machine.`, from the runs of a folder."""
    from engine.record import pace

    seconds, epochs = pace.seconds_an_epoch(runs, spec.model_dump(mode="json")), spec.training.epochs
    about = "no estimate yet"
    if seconds is not None:
        about = f"about {tables.duration(seconds * epochs * trainings)} on this machine"
    return f"{tables.count(trainings, noun)} of at most {tables.count(epochs, 'epoch')}: {about}."
