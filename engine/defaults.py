"""What a run starts from where nothing is said, per model and dataset: dotted paths of the spec.

Each is what gave the dense network its best validation accuracy among what was tried; tickets and controls had no say,
and nobody looked at test accuracies.
"""

from collections.abc import Mapping
from typing import Any

Settings = Mapping[str, Any]
ANY = "*"  # every dataset, the user's own too

DEFAULTS: Mapping[str, Mapping[str, Settings]] = {
    "cnn": {
        ANY: {
            "training.epochs": 6,
            "training.batch_size": 32,
            "training.learning_rate": 1e-3,
            "training.lr_schedule": "linear",
        },
        "pydoc": {"training.learning_rate": 3e-3},
        "ag_news": {"training.epochs": 3, "training.batch_size": 64},
    },
}

# `lth demo`: small enough for two minutes on two cores; `lth run -m cnn -d pydoc` is the real thing.
DEMO: Mapping[str, Any] = {
    "data.train_size": 4000,
    "model.embedding_dim": 50,
    "model.filters": 32,
    "schedule.rate": 0.34,
    "schedule.rounds": 4,
    "training.epochs": 4,
    "training.batch_size": 64,
    "training.learning_rate": 8e-3,
    "verdict.margin": 0.02,  # so small a network differs by a point from seed to seed
}


def of(model: str, dataset: str) -> Settings:
    """The defaults of one model on one dataset: those for any dataset, then its own."""
    found = DEFAULTS.get(model, {})
    return {**found.get(ANY, {}), **found.get(dataset, {})}
