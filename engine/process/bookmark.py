"""Where a run keeps the networks that are in training, so that an engine that dies loses a few minutes at most."""

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from engine.errors import BadInput
from engine.halfway import Bookmark, Halfway
from engine.record import checkpoint
from engine.record.sealed import cause

_MINUTES = "LTH_CHECKPOINT_MINUTES"
_SHARE = 0.02  # of the time, at most, is spent on keeping: large networks are kept less often


def interval() -> float:
    """Seconds between two checkpoints inside a round: LTH_CHECKPOINT_MINUTES, else 5 minutes. Raises BadInput."""
    given = os.environ.get(_MINUTES) or "5"
    try:
        minutes = float(given)
        if 0 <= minutes < 1e6:
            return 60 * minutes
    except ValueError:
        pass
    raise BadInput(f"{_MINUTES}: {given!r} given; give a number of minutes from 0 (every step) up, say 5.")


class RunBookmark(Bookmark):
    """In the checkpoints of a run, one place for a seed. `tell` and `taken_up` are the journal's, `sync` its log's."""

    def __init__(
        self,
        run: Path,
        seed: int,
        number: int,
        copy: int,
        tell: Callable[..., None],
        sync: Callable[[], None],
        taken_up: Callable[[Halfway], None],
    ):
        self.run, self.tell, self.sync, self.taken_up = run, tell, sync, taken_up
        self.where = {"seed": seed, "round": number} | ({"copy": copy} if copy else {})
        self.name = f"seed-{seed}-copy-{copy}" if copy else f"seed-{seed}"
        self.interval = interval()
        self.next = monotonic() + self.interval

    def found(self) -> Halfway | None:
        def tell(trouble: str) -> None:
            self.tell("warning", **self.where, message=f"a training goes on from the checkpoint before: {trouble}")

        try:
            halfway = checkpoint.load_halfway(self.run, self.name, tell)
        except checkpoint.Damaged as error:
            self.tell("warning", **self.where, message=f"a training begins again: {error}")
            return None
        if halfway is None or halfway.facts.get("where") != self.where:
            return None
        self.taken_up(halfway)
        return halfway

    def due(self) -> bool:
        return monotonic() >= self.next

    def keep(self, halfway: Halfway) -> None:
        """That it cannot be kept costs a warning: the training at hand goes on, or begins again."""
        began = monotonic()
        facts: dict[str, Any] = halfway.facts | {"where": self.where}
        try:
            self.sync()  # what was told of this training will not be told again
            checkpoint.save_halfway(self.run, self.name, Halfway(halfway.tensors, facts))
        except OSError as error:
            self.tell("warning", **self.where, message=f"a training cannot be kept on the way ({cause(error)})")
        else:
            at = {name: facts[name] for name in ("arm", "epoch", "step")}
            self.tell("checkpoint", **self.where, **at)
        now = monotonic()
        self.next = now + (max(self.interval, (now - began) / _SHARE) if self.interval else 0)

    def drop(self) -> None:
        """The round is done: nobody will go on from here."""
        checkpoint.drop_halfway(self.run, self.name)
