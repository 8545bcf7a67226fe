"""A dense round as JSON and back, for `engine.record.shared`, which keeps it for later runs."""

import math
from typing import Any

from engine import outcomes
from engine.lottery import Dense
from engine.pruning.mask import Weights


def told(dense: Dense) -> dict[str, Any] | None:
    """All numbers of a dense training; None where one of them is none that JSON has."""
    return outcomes.told(dense.trained) if math.isfinite(dense.trained.test.loss) else None


def of(numbers: dict[str, Any], run: str, weights: Weights, passed: Weights | None) -> Dense:
    """The dense training that `told` these numbers, by `run`; its trained weights, and those of the rewind point."""
    trained = outcomes.of(numbers, weights, passed)
    assert isinstance(trained, outcomes.Trained), "a training that diverged is never kept"
    return Dense(trained, run)
