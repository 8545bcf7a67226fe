"""What a training comes to, epoch by epoch and in the end; and the same as plain JSON values and back.

Weights are no JSON: they go beside it.
"""

from dataclasses import asdict, dataclass
from typing import Any

from engine.pruning.mask import Weights


@dataclass(frozen=True)
class Metrics:
    """Of one network on one set, per example: accuracy and macro-F1 as fractions, mean cross-entropy in nats."""

    accuracy: float
    macro_f1: float
    loss: float


@dataclass(frozen=True)
class Epoch:
    """What one epoch of one arm came to."""

    arm: str
    number: int
    train_loss: float
    valid: Metrics
    seconds: float


@dataclass(frozen=True)
class Trained:
    """A trained network at its best validation epoch. `test` was read once, after that epoch was chosen.

    `passed` are the weights before the step that was to be kept, where one was and the training came so far.
    """

    weights: Weights
    best_epoch: int
    valid: Metrics
    test: Metrics
    seconds: float
    passed: Weights | None = None
    epochs: tuple[Epoch, ...] = ()


@dataclass(frozen=True)
class Diverged:
    """A training whose loss left the finite numbers, and the epoch it happened in."""

    epoch: int
    seconds: float


Outcome = Trained | Diverged


def told(outcome: Outcome) -> dict[str, Any]:
    """All of it but the weights."""
    if isinstance(outcome, Diverged):
        return {"diverged": asdict(outcome)}
    return {
        "epochs": [asdict(epoch) for epoch in outcome.epochs],
        "best_epoch": outcome.best_epoch,
        "valid": asdict(outcome.valid),
        "test": asdict(outcome.test),
        "seconds": outcome.seconds,
    }


def of(numbers: dict[str, Any], weights: Weights, passed: Weights | None) -> Outcome:
    """The outcome that `told` these numbers, with its weights."""
    if "diverged" in numbers:
        return Diverged(**numbers["diverged"])
    valid, test = Metrics(**numbers["valid"]), Metrics(**numbers["test"])
    return Trained(weights, numbers["best_epoch"], valid, test, numbers["seconds"], passed, epochs(numbers["epochs"]))


def epochs(numbers: list[dict[str, Any]]) -> tuple[Epoch, ...]:
    """Epochs as `told` has them."""
    return tuple(Epoch(**one | {"valid": Metrics(**one["valid"])}) for one in numbers)
