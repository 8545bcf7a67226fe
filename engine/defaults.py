"""What a run starts from where nothing is said, per model and dataset: dotted paths of the spec.

Each is what gave the dense network its best validation accuracy among what was tried; tickets and controls had no say,
and nobody looked at test accuracies.
"""

from collections.abc import Mapping
from typing import Any

Settings = Mapping[str, Any]
ANY = "*"  # every dataset, the user's own too

_STUDY: Settings = {
    "data.valid_fraction": 0.3,
    "training.epochs": 10,
    "training.batch_size": 64,
    "training.learning_rate": 1e-3,
    "training.lr_schedule": "constant",
}

_RECURRENT: Mapping[str, Settings] = {
    ANY: {
        "training.epochs": 6,
        "training.batch_size": 32,
        "training.learning_rate": 1e-3,
        "training.lr_schedule": "linear",
        "training.max_norm": 1.0,
        "data.max_tokens": 200,
    },
    "pydoc": {"training.learning_rate": 3e-3},
    "ag_news": {"training.epochs": 3, "training.batch_size": 64},
    "imdb": {"training.epochs": 4, "training.batch_size": 64},
}

_BERT: Mapping[str, Settings] = {
    ANY: {
        "training.epochs": 3,
        "training.batch_size": 32,
        "training.learning_rate": 2e-5,
        "training.lr_schedule": "linear",
        "training.warmup": 0.1,
        "training.weight_decay": 0.01,
        "training.max_norm": 1.0,
        "data.max_tokens": 128,
    },
    "imdb": {"data.max_tokens": 256},
}
_SMALL_BERT = {
    name: {**given, "training.learning_rate": 3e-4} if name == ANY else given for name, given in _BERT.items()
}

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
        "imdb": {"training.epochs": 3},
        "sst2": {"training.epochs": 4, "data.min_count": 1, "model.embedding_dropout": 0.5},
    },
    "rnn": _RECURRENT,
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
    "bert": _BERT,
    "bert-tiny": _SMALL_BERT,
    "bert-mini": _SMALL_BERT,
    # The 2020 study's own settings, as published; it stopped early on validation loss, here it is accuracy.
    "cnn-2020": {
        ANY: {**_STUDY, "data.vocabulary_size": 50_000},
        "imdb": {"training.learning_rate": 5e-3, "training.epochs": 20, "training.patience": 3},
    },
    "lstm-2020": {
        ANY: {**_STUDY, "data.vocabulary_size": 25_000},
        "imdb": {"training.learning_rate": 5e-3},
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
