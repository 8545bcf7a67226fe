"""A dense round as JSON and back, for `engine.record.shared`, which keeps it for later runs."""

import math
from dataclasses import asdict
from typing import Any

from engine.lottery import Dense
from engine.pruning.mask import Weights
from engine.training import Epoch, Metrics, Trained


def told(dense: Dense) -> dict[str, Any] | None:
    """All numbers of a dense training; None where one of them is none that JSON has."""
    trained = dense.trained
    if not math.isfinite(trained.test.loss):
        return None
    return {
        "epochs": [asdict(epoch) for epoch in dense.epochs],
        "best_epoch": trained.best_epoch,
        "valid": asdict(trained.valid),
        "test": asdict(trained.test),
        "seconds": trained.seconds,
    }


def of(numbers: dict[str, Any], run: str, weights: Weights, passed: Weights | None) -> Dense:
    """The dense training that `told` these numbers, by `run`; its trained weights, and those of the rewind point."""
    epochs = (Epoch(**epoch | {"valid": Metrics(**epoch["valid"])}) for epoch in numbers["epochs"])
    valid, test = Metrics(**numbers["valid"]), Metrics(**numbers["test"])
    return Dense(Trained(weights, numbers["best_epoch"], valid, test, numbers["seconds"], passed), tuple(epochs), run)
