"""What is told of the networks of a round: the events of their epochs and of what they trained to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.outcomes import Diverged, Epoch, Outcome


@dataclass(frozen=True)
class Teller:
    """Tells what becomes of the networks of one round; of a `copy` above 0, where they are trained more than once."""

    tell: Callable[..., None]  # the journal's
    seed: int
    number: int
    sparsity: float
    epochs: int
    parameters: dict[str, int] = field(default_factory=dict)  # of arms whose network has a shape of its own
    copy: int = 0

    @property
    def where(self) -> dict[str, int]:
        return {"seed": self.seed, "round": self.number} | ({"copy": self.copy} if self.copy else {})

    def epoch(self, epoch: Epoch) -> None:
        self.tell(
            "epoch",
            **self.where,
            arm=epoch.arm,
            sparsity=self.sparsity,
            epoch=epoch.number,
            epochs=self.epochs,
            train_loss=epoch.train_loss,
            valid_accuracy=epoch.valid.accuracy,
            valid_loss=epoch.valid.loss,
            seconds=epoch.seconds,
        )

    def trained(self, arm: str, trained: Outcome, shared: str | None = None) -> None:
        own: dict[str, Any] = {"parameters": self.parameters[arm]} if arm in self.parameters else {}
        if shared is not None:
            own["shared"] = shared
        self.tell("trained", **self.where, arm=arm, sparsity=self.sparsity, **_numbers(trained), **own)
        if isinstance(trained, Diverged):
            message = f"{arm} diverged in epoch {trained.epoch}; try a lower training.learning_rate"
            self.tell("warning", **self.where, message=message)


def _numbers(trained: Outcome) -> dict[str, Any]:
    if isinstance(trained, Diverged):
        return {"diverged": True, "seconds": trained.seconds}
    return {
        "best_epoch": trained.best_epoch,
        "valid_accuracy": trained.valid.accuracy,
        "valid_loss": trained.valid.loss,
        "test_accuracy": trained.test.accuracy,
        "test_macro_f1": trained.test.macro_f1,
        "test_loss": trained.test.loss,
        "seconds": trained.seconds,
        "diverged": False,
    }
