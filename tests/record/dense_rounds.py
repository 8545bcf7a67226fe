"""A dense round to keep, and ways to tell that what comes back is that or nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from engine import places
from engine.pruning.mask import Weights
from engine.record import shared

PARTS: dict[str, Any] = {
    "model": {"name": "cnn", "filters": 5, "dropout": 0.1},
    "data": {"name": "ag_news", "fingerprint": "ab" * 16},
    "training": {"epochs": 2, "learning_rate": 0.001},
    "seed": 3,
}
KEY = shared.key(PARTS)
TOLD = {
    "epochs": [{"epoch": 1, "train_loss": 0.1 + 0.2, "valid_accuracy": 1 / 3}, {"epoch": 2, "train_loss": 5e-324}],
    "trained": {"best_epoch": 2, "test_accuracy": 0.9134210526315789, "seconds": 1e16},
}
RUN = "20261122-071205-ag_news-cnn-imp-7f3a"


def weights(seed: int, size: int = 24) -> Weights:
    drawn = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    odd = torch.tensor([-0.0, float("nan"), 1e-42, float("-inf")])
    return {"embedding.weight": drawn.view(-1, 4), "head.bias": odd, "count": torch.tensor(seed, dtype=torch.int64)}


DENSE, THEN = weights(1), weights(2)


def parts_of(seed: int) -> dict[str, Any]:
    return PARTS | {"seed": seed}


def root() -> Path:
    """The cache's folder."""
    place = places.cache_root()
    assert place is not None
    return place


def keep(parts: Mapping[str, Any] = PARTS, trained: Weights = DENSE, then: Weights = THEN) -> Path:
    """An entry, with weights passed at step 5; its folder."""
    assert shared.save(shared.key(parts), parts, TOLD, trained, {5: then}, RUN) is None
    return root() / shared.key(parts)


def found(key: str = KEY) -> shared.Entry:
    entry = shared.find(key)
    assert entry is not None
    return entry


def bits(given: Weights | None) -> dict[str, tuple[Any, ...]]:
    """Weights such that equal means equal bit by bit, NaN and -0.0 too."""
    assert given is not None
    return {name: (one.dtype, tuple(one.shape), one.numpy().tobytes()) for name, one in given.items()}


def doubted() -> str | None:
    """Read all of KEY's entry, which must be what was kept bit by bit; the sentence where it is not believed."""
    try:
        entry = shared.find(KEY)
        if entry is None:
            return None
        assert (entry.parts, entry.told, entry.run) == (PARTS, TOLD, RUN)
        for step, wanted in ((None, DENSE), (5, THEN)):
            loaded = shared.load(entry, step)
            assert loaded is None or bits(loaded) == bits(wanted)
    except shared.Damaged as damaged:
        return str(damaged)
    return None
