"""The menu: models, datasets, schedules, arms, in words and defaults. Adding one touches its module and one card here.

Cards are plain data and import nothing heavy; `module:function` strings say where the real thing lives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from engine.errors import unknown


@dataclass(frozen=True)
class Setting:
    """One value a model can be given with `--set model.<name>=...`."""

    name: str
    kind: Any
    default: Any
    help: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ModelCard:
    name: str
    title: str
    build: str
    settings: tuple[Setting, ...]
    citation: str


@dataclass(frozen=True)
class DatasetCard:
    name: str
    title: str
    read: str
    classes: tuple[str, ...]
    train: int
    test: int
    builtin: bool
    licence: str
    source: str
    citation: str


@dataclass(frozen=True)
class ScheduleCard:
    name: str
    title: str
    criterion: str
    scope: str
    rate: float
    rounds: int
    rewind: str
    prunable: tuple[str, ...]
    citation: str


@dataclass(frozen=True)
class ArmCard:
    name: str
    title: str
    start: str
    question: str


@dataclass(frozen=True)
class CriterionCard:
    name: str
    title: str
    score: str


_Card = TypeVar("_Card", ModelCard, DatasetCard, ScheduleCard, ArmCard, CriterionCard)


def _by_name(*cards: _Card) -> dict[str, _Card]:
    return {card.name: card for card in cards}


MODELS = _by_name(
    ModelCard(
        name="cnn",
        title="convolutional network over words, max-over-time pooling",
        build="engine.models.cnn:build",
        settings=(
            Setting("embedding_dim", int, 100, "width of a word's vector", 1, 4096),
            Setting("filters", int, 100, "filters of each width", 1, 8192),
            Setting("widths", tuple[int, ...], (3, 4, 5), "filter widths in words", 1, 64),
            Setting("dropout", float, 0.5, "share of pooled features dropped in training", 0.0, 0.95),
        ),
        citation="Kim 2014, Convolutional Neural Networks for Sentence Classification, EMNLP",
    ),
)

DATASETS = _by_name(
    DatasetCard(
        name="pydoc",
        title="which part of Python's library does this paragraph document?",
        read="engine.data.pydoc:read",
        classes=("network", "concurrency", "numbers", "files", "gui", "language"),
        train=10_000,
        test=2_500,
        builtin=True,
        licence="Python Software Foundation License",
        source="docstrings of the running Python's standard library",
        citation="built in; counts vary with Python's version",
    ),
    DatasetCard(
        name="ag_news",
        title="topic of a news item, from its title and description",
        read="engine.data.classic_csv:read",
        classes=("World", "Sports", "Business", "Sci/Tech"),
        train=120_000,
        test=7_600,
        builtin=False,
        licence="non-commercial research use",
        source="classic csv: train.csv and test.csv with class, title, description",
        citation="Zhang, Zhao and LeCun 2015, Character-level Convolutional Networks, NeurIPS",
    ),
)

SCHEDULES = _by_name(
    ScheduleCard(
        name="imp",
        title="iterative magnitude pruning, each layer at the same rate",
        criterion="magnitude",
        scope="layerwise",
        rate=0.2,
        rounds=10,
        rewind="init",
        prunable=("embedding", "encoder", "head"),
        citation="Frankle and Carbin 2019, The Lottery Ticket Hypothesis, ICLR",
    ),
    ScheduleCard(
        name="imp-global",
        title="iterative magnitude pruning, all layers ranked together",
        criterion="magnitude",
        scope="global",
        rate=0.2,
        rounds=10,
        rewind="init",
        prunable=("embedding", "encoder", "head"),
        citation="Frankle and Carbin 2019, section 4, ICLR",
    ),
)

ARMS = _by_name(
    ArmCard(
        name="ticket",
        title="the ticket: its mask, weights rewound to the rewind point",
        start="engine.lottery:ticket",
        question="does the sparse network still train to the dense accuracy?",
    ),
    ArmCard(
        name="reinit",
        title="the ticket's mask, fresh random weights",
        start="engine.lottery:reinit",
        question="is it the initial weights, or is the mask enough?",
    ),
    ArmCard(
        name="shuffle",
        title="the ticket's mask permuted inside each layer, weights rewound",
        start="engine.lottery:shuffle",
        question="is it which weights were kept, or only how many in each layer?",
    ),
)

CRITERIA = _by_name(
    CriterionCard(
        name="magnitude",
        title="the smallest trained weights go first",
        score="engine.pruning.criteria:magnitude",
    ),
)

# What `lth run` starts from where nothing is said, per model and dataset: dotted paths of the spec. Each is what gave
# the dense network its best validation accuracy among what was tried; tickets and controls had no say.
DEFAULTS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("cnn", "pydoc"): {
        "training.epochs": 6,
        "training.batch_size": 32,
        "training.learning_rate": 3e-3,
        "training.lr_schedule": "linear",
    },
    ("cnn", "ag_news"): {
        "training.epochs": 3,
        "training.batch_size": 64,
        "training.learning_rate": 1e-3,
        "training.lr_schedule": "linear",
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


def sparsity(rate: float, round_number: int) -> float:
    """What a round aims at; the exact sparsity, after rounding to whole weights, stands in the round's event."""
    return 1 - (1 - rate) ** round_number


def card(field: str, cards: Mapping[str, _Card], name: str) -> _Card:
    """The card of that name; BadInput names the nearest ones where there is none."""
    try:
        return cards[name]
    except KeyError:
        raise unknown(field, name, cards) from None


def load(reference: str) -> Any:
    """The object behind a card's `module:function` string."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
