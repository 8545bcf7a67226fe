"""A laboratory without a run directory: a made-up corpus, a small CNN, and a journal that remembers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.data.batches import Part, part
from engine.data.encoding import Texts as Encoded
from engine.halfway import Bookmark
from engine.lottery import Dense, Laboratory, Standing, experiment
from engine.models import network
from engine.pruning import mask as masks
from engine.pruning.criteria import Evidence, magnitude
from engine.pruning.mask import Mask, Weights
from engine.spec import RunSpec, compose
from engine.training import Texts

VOCABULARY, CLASSES = 40, 3
WORDS = [f"word{number}" for number in range(VOCABULARY)]
WORD_VECTORS = {"vectors": None, "embeddings": "tuned", "reinit_vectors": False}  # settings: random, trained ones


def encoded(count: int, seed: int) -> Encoded:
    """Texts of 1 to 12 tokens; a class is told by which third of the vocabulary its words come from, mostly."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    lengths = random.integers(1, 13, count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    owner = np.repeat(labels, lengths)
    owner = np.where(random.random(len(owner)) < 0.5, owner, random.integers(0, CLASSES, len(owner)))
    tokens = 2 + owner * 12 + random.integers(0, 12, len(owner))
    return Encoded(tokens.astype(np.uint16), offsets.astype(np.int64), labels.astype(np.int64))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks so small are slower on several."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def texts() -> Texts:
    train: Part = part(encoded(150, 0))
    return Texts(train.take(np.arange(120)), train.take(np.arange(120, 150)), part(encoded(60, 1)))


@dataclass
class Memory:
    """A journal in memory; `told` are the events, `rounds` the standings, `stop_after` epochs it asks to stop."""

    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rounds: dict[tuple[int, int], Standing] = field(default_factory=dict)
    rewinds: dict[int, Weights] = field(default_factory=dict)
    stop_after: int | None = None

    def tell(self, event: str, **fields: Any) -> None:
        self.told.append((event, fields))

    def standing(self, seed: int) -> Standing | None:
        done = [number for s, number in self.rounds if s == seed]
        return self.rounds[seed, max(done)] if done else None

    def ended(self, seed: int) -> bool:
        lead = [f for event, f in self.told if event == "trained" and f["arm"] in ("dense", "ticket")]
        return any(f["diverged"] and f["seed"] == seed for f in lead)

    def rewound(self, seed: int) -> Weights | None:
        return self.rewinds.get(seed)

    def recall(self, seed: int, step: int | None) -> Dense | None:
        return None

    def share(self, seed: int, step: int | None, dense: Dense) -> None:
        pass

    def keep_rewind(self, seed: int, weights: Weights) -> None:
        self.rewinds[seed] = weights

    def keep_round(self, seed: int, standing: Standing) -> None:
        self.rounds[seed, standing.number] = standing

    def bookmark(self, seed: int, number: int, copy: int = 0) -> Bookmark:
        return Bookmark()

    def compared(self, seed: int, arm: str) -> bool:
        return any(event == "stability" and (f["seed"], f["arm"]) == (seed, arm) for event, f in self.told)

    def stop_asked(self) -> bool:
        return self.stop_after is not None and sum(event == "epoch" for event, _ in self.told) >= self.stop_after

    def numbers(self) -> dict[tuple[int, int, str], tuple]:
        """What every training came to, without its seconds and who trained it."""
        return {
            (f["seed"], f["round"], f["arm"]): tuple(v for k, v in f.items() if k not in ("seconds", "shared"))
            for event, f in self.told
            if event == "trained"
        }


def small_spec(**changes: Any) -> RunSpec:
    settings = {
        "model.embedding_dim": 6, "model.filters": 5, "model.widths": "2,3", "model.dropout": 0.3,
        "training.epochs": 2, "training.batch_size": 16, "training.learning_rate": 0.01,
        "schedule.rounds": 2, "schedule.rate": 0.3,
    }  # fmt: skip
    seeds = changes.pop("seeds", 1)
    arms = changes.pop("arms", None)
    return compose("cnn", "ag_news", changes.pop("schedule", "imp"), arms, seeds, settings | changes)


def by_magnitude(trained: Weights, mask: Mask) -> Weights:
    """The scores of the criterion `magnitude`, which looks at nothing else."""
    return magnitude(evidence(trained, mask))


def narrower_of(spec: RunSpec) -> Callable[[int], nn.Module | None]:
    """As the worker has it: the widest dense network like the spec's of at most so many parameters."""
    return lambda parameters: network.narrower(spec.model, WORDS, CLASSES, parameters)


def laboratory(spec: RunSpec, texts: Texts, narrower: Callable[[int], nn.Module | None] | None = None) -> Laboratory:
    template = network.build(spec.model, WORDS, CLASSES)
    module = network.build(spec.model, WORDS, CLASSES)
    return Laboratory(spec, module, template, lambda seed: texts, narrower=narrower or narrower_of(spec))


def conducted(
    spec: RunSpec,
    texts: Texts,
    journal: Memory | None = None,
    narrower: Callable[[int], nn.Module | None] | None = None,
) -> Memory:
    journal = journal or Memory()
    experiment(laboratory(spec, texts, narrower), journal)
    return journal


def evidence(weights: Weights, mask: Mask, scope: str = "layerwise", **more: Any) -> Evidence:
    """What a criterion sees of a network that was not trained since it was drawn, and not pruned yet."""

    def prune(scores: Weights, kept: Mask, rate: float) -> Mask:
        return masks.prune(scores, kept, rate, scope)

    fields = {
        "trained": weights, "rewound": weights, "mask": mask, "whole": mask, "module": None, "train": None,
        "batch_size": 16, "prune": prune, "rate": 0.5, "seed": 0, "stop": lambda: False,
    }  # fmt: skip
    return Evidence(**fields | more)
