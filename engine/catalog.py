"""The menu: models, datasets, schedules, arms, in words. Adding one touches its module and one card here.

Datasets have their cards in `data/cards.py`; what a run starts from where nothing is said stands in `defaults.py`.

Cards are plain data and import nothing heavy; `module:function` strings say where the real thing lives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeVar

from engine.data.cards import DATASETS, DatasetCard
from engine.errors import unknown

__all__ = ["ARMS", "CRITERIA", "DATASETS", "MODELS", "SCHEDULES", "DatasetCard", "card", "load", "sparsity"]


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
    """`reads` is what texts become: words of the dataset's own vocabulary, or the pieces of a checkpoint's tokenizer.

    `prunable` are the kinds of layers that a schedule prunes where neither it nor the user says which.
    """

    name: str
    title: str
    build: str
    settings: tuple[Setting, ...]
    citation: str
    reads: Literal["words", "pieces"] = "words"
    prunable: tuple[str, ...] = ("embedding", "encoder", "head")


@dataclass(frozen=True)
class ScheduleCard:
    name: str
    title: str
    criterion: str
    scope: str
    rate: float
    rounds: int
    rewind: str
    prunable: tuple[str, ...] | None  # None: the model's own
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

SCHEDULES = _by_name(
    ScheduleCard(
        name="imp",
        title="iterative magnitude pruning, each layer at the same rate",
        criterion="magnitude",
        scope="layerwise",
        rate=0.2,
        rounds=10,
        rewind="init",
        prunable=None,
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
        prunable=None,
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
