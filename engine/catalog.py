"""The menu: models, datasets, schedules, arms, in words. Adding one touches its module and one card here.

Datasets have their cards in `data/cards.py`, schedules in `schedules.py`; what a run starts from where nothing is said
stands in `defaults.py`.

Cards are plain data and import nothing heavy; `module:function` strings say where the real thing lives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeVar

from engine.data.cards import DATASETS, DatasetCard
from engine.errors import unknown
from engine.schedules import SCHEDULES, ScheduleCard

__all__ = ["ARMS", "CRITERIA", "DATASETS", "MODELS", "SCHEDULES", "DatasetCard", "ScheduleCard", "card", "load"]


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

    `size` counts its parameters from settings, words and classes, `kinds` those of each kind; None where a checkpoint
    decides. `narrow` gives the settings of its widest narrower network that has at most so many, from settings, words,
    classes and parameters.
    `prunable` are the kinds of layers that a schedule prunes where neither it nor the user says which.
    """

    name: str
    title: str
    build: str
    narrow: str
    settings: tuple[Setting, ...]
    citation: str
    size: str | None = None
    kinds: str | None = None
    reads: Literal["words", "pieces"] = "words"
    prunable: tuple[str, ...] = ("embedding", "encoder", "head")


@dataclass(frozen=True)
class ArmCard:
    """`mask` is the ticket's; or the arm's own, pruned round by round from what it trained itself; or there is none.

    An own mask is pruned by the schedule's criterion, or always by `criterion`.
    """

    name: str
    title: str
    start: str
    question: str
    mask: Literal["ticket", "own", "none"] = "ticket"
    criterion: str | None = None


@dataclass(frozen=True)
class CriterionCard:
    name: str
    title: str
    score: str
    models: tuple[str, ...] | None = None  # those it can score; None: all


_Card = TypeVar("_Card", ModelCard, DatasetCard, ScheduleCard, ArmCard, CriterionCard)


def _by_name(*cards: _Card) -> dict[str, _Card]:
    return {card.name: card for card in cards}


def _of_words(embedding_dim: int = 100, vectors: str | None = None) -> tuple[Setting, ...]:
    """What every model that reads words can be told about its first layer."""
    return (
        Setting("embedding_dim", int, embedding_dim, "width of a word's vector", 1, 4096),
        Setting("vectors", str, vectors, "pretrained word vectors: a file, or a name such as glove.6B.100d; or none"),
        Setting("embeddings", Literal["tuned", "static"], "tuned", "train the word vectors, or leave them: static"),
        Setting("reinit_vectors", bool, False, "whether the reinit arm redraws pretrained vectors too"),
    )


def _of_cnn(dropout: float = 0.5) -> tuple[Setting, ...]:
    return (
        *_of_words(),
        Setting("filters", int, 100, "filters of each width", 1, 8192),
        Setting("widths", tuple[int, ...], (3, 4, 5), "filter widths in words", 1, 64),
        Setting("dropout", float, dropout, "share of pooled features dropped in training", 0.0, 0.95),
        Setting("embedding_dropout", float, 0.0, "share of the word vectors' numbers dropped in training", 0.0, 0.95),
    )


def _of_recurrent(
    hidden: int = 128, layers: int = 1, pooling: str = "max", vectors: str | None = None
) -> tuple[Setting, ...]:
    return (
        *_of_words(vectors=vectors),
        Setting("hidden", int, hidden, "units of each direction of a layer", 1, 8192),
        Setting("layers", int, layers, "recurrent layers", 1, 16),
        Setting("bidirectional", bool, True, "read texts from both ends"),
        Setting(
            "pooling",
            Literal["last", "max", "mean"],
            pooling,
            "what is classified: the last valid state, or all pooled",
        ),
        Setting("dropout", float, 0.5, "share of inputs and pooled states dropped in training", 0.0, 0.95),
    )


def _of_bert(checkpoint: str | None) -> tuple[Setting, ...]:
    where = "a transformers folder or hub name" + ("" if checkpoint else "; none is what `lth pretrain` made")
    return (
        Setting("checkpoint", str, checkpoint, where),
        Setting("pretrained", bool, True, "begin from the checkpoint's weights; false draws them all afresh"),
    )


_BERT_2020 = "Chen et al. 2020, The Lottery Ticket Hypothesis for Pre-trained BERT Networks, NeurIPS"
_TURC = "Turc et al. 2019, Well-Read Students Learn Better"

MODELS = _by_name(
    ModelCard(
        name="cnn",
        title="convolutional network over words, max-over-time pooling",
        build="engine.models.cnn:build",
        narrow="engine.models.sizes:narrower_cnn",
        settings=_of_cnn(),
        citation="Kim 2014, Convolutional Neural Networks for Sentence Classification, EMNLP",
        size="engine.models.sizes:cnn",
        kinds="engine.models.sizes:cnn_kinds",
    ),
    ModelCard(
        name="cnn-2020",
        title="the 2020 study's CNN, trained as there",
        build="engine.models.cnn:build",
        narrow="engine.models.sizes:narrower_cnn",
        settings=_of_cnn(),
        citation="Kim 2014, with the study's vocabulary, split, rates and epochs",
        size="engine.models.sizes:cnn",
        kinds="engine.models.sizes:cnn_kinds",
    ),
    ModelCard(
        name="rnn",
        title="Elman's recurrent network over words",
        build="engine.models.recurrent:build_rnn",
        narrow="engine.models.sizes:narrower_rnn",
        settings=_of_recurrent(),
        citation="Elman 1990, Finding Structure in Time, Cognitive Science 14",
        size="engine.models.sizes:rnn",
        kinds="engine.models.sizes:rnn_kinds",
    ),
    ModelCard(
        name="lstm",
        title="long short-term memory over words",
        build="engine.models.recurrent:build_lstm",
        narrow="engine.models.sizes:narrower_lstm",
        settings=_of_recurrent(),
        citation="Hochreiter and Schmidhuber 1997, Long Short-Term Memory, Neural Computation 9",
        size="engine.models.sizes:lstm",
        kinds="engine.models.sizes:lstm_kinds",
    ),
    ModelCard(
        name="lstm-2020",
        title="the 2020 study's LSTM, 2 x 256 on GloVe vectors, trained as there",
        build="engine.models.recurrent:build_lstm",
        narrow="engine.models.sizes:narrower_lstm",
        settings=_of_recurrent(hidden=256, layers=2, pooling="last", vectors="glove.6B.100d"),
        citation="Hochreiter and Schmidhuber 1997, with the study's vocabulary, split, rate and epochs",
        size="engine.models.sizes:lstm",
        kinds="engine.models.sizes:lstm_kinds",
    ),
    ModelCard(
        name="gru",
        title="gated recurrent units over words",
        build="engine.models.recurrent:build_gru",
        narrow="engine.models.sizes:narrower_gru",
        settings=_of_recurrent(),
        citation="Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder, EMNLP",
        size="engine.models.sizes:gru",
        kinds="engine.models.sizes:gru_kinds",
    ),
    ModelCard(
        name="bert",
        title="a pretrained transformer, fine-tuned: any sequence classifier of transformers",
        build="engine.models.bert:build",
        narrow="engine.models.bert:narrower",
        settings=_of_bert("bert-base-uncased"),
        citation=f"Devlin et al. 2019, BERT, NAACL; pruned as in {_BERT_2020}",
        reads="pieces",
        prunable=("encoder",),
    ),
    ModelCard(
        name="bert-tiny",
        title="a BERT of 2 layers of 128, pretrained here: lth pretrain -d DATASET",
        build="engine.models.bert:build",
        narrow="engine.models.bert:narrower",
        settings=_of_bert(None),
        citation=f"{_TURC}; pruned as in {_BERT_2020}",
        reads="pieces",
        prunable=("encoder",),
    ),
    ModelCard(
        name="bert-mini",
        title="a BERT of 4 layers of 256, pretrained here: lth pretrain -m bert-mini -d DATASET",
        build="engine.models.bert:build",
        narrow="engine.models.bert:narrower",
        settings=_of_bert(None),
        citation=f"{_TURC}; pruned as in {_BERT_2020}",
        reads="pieces",
        prunable=("encoder",),
    ),
)

ARMS = _by_name(
    ArmCard(
        name="ticket",
        title="the ticket: its mask, weights rewound to the rewind point",
        start="engine.pruning.arms:ticket",
        question="does the sparse network still train to the dense accuracy?",
    ),
    ArmCard(
        name="reinit",
        title="the ticket's mask, fresh random weights",
        start="engine.pruning.arms:reinit",
        question="is it the initial weights, or is the mask enough?",
    ),
    ArmCard(
        name="shuffle",
        title="the ticket's mask permuted inside each layer, weights rewound",
        start="engine.pruning.arms:shuffle",
        question="is it which weights were kept, or only how many in each layer?",
    ),
    ArmCard(
        name="same-sign",
        title="the ticket's mask, fresh sizes with the rewound weights' signs",
        start="engine.pruning.arms:same_sign",
        question="is it the initial values, or only their signs? (Zhou et al. 2019)",
    ),
    ArmCard(
        name="finetune",
        title="pruned, trained weights go on at the final learning rate",
        start="engine.pruning.arms:finetune",
        question="does rewinding do better than training on? (Han et al. 2015)",
        mask="own",
    ),
    ArmCard(
        name="lr-rewind",
        title="pruned, trained weights go on, the learning rate begins anew",
        start="engine.pruning.arms:lr_rewind",
        question="is it the rewound weights, or the rewound learning rate? (Renda et al. 2020)",
        mask="own",
    ),
    ArmCard(
        name="random",
        title="uniformly random masks, each inside the one before, weights rewound",
        start="engine.pruning.arms:random",
        question="does it matter at all which weights are pruned?",
        mask="own",
        criterion="random",
    ),
    ArmCard(
        name="reinit-own",
        title="fresh weights every round, pruned by what they themselves trained to",
        start="engine.pruning.arms:reinit_own",
        question="does pruning find as good a mask from any weights? (the 2020 study's random arm)",
        mask="own",
        criterion="magnitude",
    ),
    ArmCard(
        name="small-dense",
        title="a narrower dense network with as many parameters as the ticket has left",
        start="engine.pruning.arms:small_dense",
        question="would a small network from the start do as well?",
        mask="none",
    ),
)

CRITERIA = _by_name(
    CriterionCard(
        name="magnitude",
        title="the smallest trained weights go first (Han et al. 2015)",
        score="engine.pruning.criteria:magnitude",
    ),
    CriterionCard(
        name="snip",
        title="those whose removal the loss at the rewind point feels least (Lee et al. 2019)",
        score="engine.pruning.saliency:snip",
    ),
    CriterionCard(
        name="grasp",
        title="those whose removal takes least from the gradient's flow (Wang et al. 2020)",
        score="engine.pruning.saliency:grasp",
    ),
    CriterionCard(
        name="synflow",
        title="those through which least flows, without any data (Tanaka et al. 2020)",
        score="engine.pruning.synflow:synflow",
        models=("cnn", "cnn-2020", "rnn"),
    ),
    CriterionCard(
        name="random",
        title="any, at random",
        score="engine.pruning.criteria:random",
    ),
)


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
