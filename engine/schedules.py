"""The pruning schedules: those of the menu, and one's own as TOML files.

A schedule says what is unimportant, how much of it goes in each round, where what is left is rewound to, and which
parameters may be pruned at all. Imports nothing heavy.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from engine.errors import BadInput, unknown
from engine.places import schedules_root


@dataclass(frozen=True)
class ScheduleCard:
    """`rate` is the share of what is left that a round prunes; `factors` multiply it for a kind or a layer.

    `retrain` is what a ticket trains from once it is pruned: the weights of the rewind point (`rewind`), or the round
    before's trained ones, by the whole learning-rate schedule (`lr-rewind`) or at its final rate (`finetune`).
    """

    name: str
    title: str
    citation: str
    criterion: str = "magnitude"
    scope: str = "layerwise"
    rate: float = 0.2
    rounds: int = 10
    rewind: str = "init"
    retrain: str = "rewind"
    prunable: tuple[str, ...] | None = None  # None: the model's own
    factors: Mapping[str, float] = field(default_factory=dict)


_LTH = "Frankle and Carbin 2019, The Lottery Ticket Hypothesis, ICLR"
_LATE = "Frankle et al. 2019, Stabilizing the Lottery Ticket Hypothesis; 2020, Linear Mode Connectivity, ICML"
_RENDA = "Renda et al. 2020, Comparing Rewinding and Fine-tuning in Neural Network Pruning, ICLR"
_STUDY = "the 2020 study of tickets in text classification"
_ALL = ("embedding", "encoder", "head", "bias")


def _one_shot(share: int) -> ScheduleCard:
    return ScheduleCard(
        name=f"one-shot-{share}",
        title=f"{share} % pruned at once, each layer alike",
        citation=_LTH + ", section 2 (one-shot pruning)",
        rate=share / 100,
        rounds=1,
    )


SCHEDULES = {
    card.name: card
    for card in (
        ScheduleCard("imp", "iterative magnitude pruning, each layer at the same rate", _LTH),
        ScheduleCard(
            "imp-global",
            "iterative magnitude pruning, all layers ranked together",
            _LTH + ", section 4",
            scope="global",
        ),
        ScheduleCard("lth-2019", "layerwise, the output layer at half the rate", _LTH, factors={"head": 0.5}),
        ScheduleCard("study-2020", "twenty rounds over all parameters", _STUDY, rounds=20, prunable=_ALL),
        ScheduleCard(
            "study-2020-late",
            "the same from the dense network's trained weights, as its script did",
            _STUDY + ", late rewinding as published",
            rounds=20,
            rewind="end",
            prunable=_ALL,
        ),
        ScheduleCard("late-500it", "iterative magnitude pruning, rewound to step 500", _LATE, rewind="500it"),
        ScheduleCard("late-1ep", "iterative magnitude pruning, rewound to the end of epoch 1", _LATE, rewind="1ep"),
        ScheduleCard("lr-rewind", "trained weights go on, the learning rate begins anew", _RENDA, retrain="lr-rewind"),
        ScheduleCard("finetune", "trained weights go on at the final learning rate", _RENDA, retrain="finetune"),
        *map(_one_shot, (50, 80, 90, 95)),
        ScheduleCard(
            "snip",
            "pruned before training, by what the loss would feel",
            "Lee et al. 2019, SNIP: Single-shot Network Pruning based on Connection Sensitivity, ICLR",
            criterion="snip",
            scope="global",
        ),
        ScheduleCard(
            "grasp",
            "pruned before training, keeping the gradient's flow",
            "Wang et al. 2020, Picking Winning Tickets Before Training by Preserving Gradient Flow, ICLR",
            criterion="grasp",
            scope="global",
        ),
        ScheduleCard(
            "synflow",
            "pruned before training, without data, in 100 iterations a round",
            "Tanaka et al. 2020, Pruning neural networks without any data by conserving synaptic flow, NeurIPS",
            criterion="synflow",
            scope="global",
        ),
        ScheduleCard("random", "uniformly random masks, each inside the one before", "a baseline", criterion="random"),
        ScheduleCard(
            "bert-2020",
            "the encoder's matrices of a pretrained network, ranked together",
            "Chen et al. 2020, The Lottery Ticket Hypothesis for Pre-trained BERT Networks, NeurIPS",
            scope="global",
            rate=0.1,
            rounds=12,
            prunable=("encoder",),
        ),
    )
}


def sparsity(rate: float, round_number: int) -> float:
    """What a round aims at; the exact sparsity, after rounding to whole weights, stands in the round's event."""
    return 1 - (1 - rate) ** round_number


def ladder(card: ScheduleCard) -> tuple[float, ...]:
    """The sparsities that a schedule visits, round 0 first; where a layer has a factor, those of the other layers."""
    return tuple(sparsity(card.rate, number) for number in range(card.rounds + 1))


def find(given: str) -> ScheduleCard:
    """A schedule of the menu or of one's own folder by name, or any TOML file by path. Raises BadInput."""
    if given in SCHEDULES:
        return SCHEDULES[given]
    mine = own_files()
    if given in mine:
        return read(mine[given])
    if given.endswith(".toml") or os.sep in given:
        return read(Path(os.path.expanduser(given)))
    raise unknown("schedule", given, {*SCHEDULES, *mine})


def own_files() -> dict[str, Path]:
    """The TOML files of one's own folder by their names; a name of the menu still means the menu's."""
    try:
        return {path.stem: path for path in sorted(schedules_root().glob("*.toml"))}
    except OSError:
        return {}


def every() -> tuple[dict[str, ScheduleCard], list[str]]:
    """All schedules by name, the menu's first; and a sentence for each file of one's own that is none."""
    found, wrong = dict(SCHEDULES), []
    for name, path in own_files().items():
        if name in SCHEDULES:
            wrong.append(f"schedule: {path} bears the name of a schedule of the menu, which is used; rename the file.")
            continue
        try:
            found[name] = read(path)
        except BadInput as error:
            wrong.append(str(error))
    return found, wrong


def _is_text(name: str) -> bool:
    """Whether a file's name can be written down: not where the system's bytes are no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


_KEYS = tuple(one.name for one in fields(ScheduleCard) if one.name != "name")


def read(path: Path) -> ScheduleCard:
    """A schedule from a TOML file whose keys are those of a card; `base` names one that it differs from, else `imp`.

    BadInput where the file cannot be read, or a key or a value is none that a schedule can have.
    """
    where = f"schedule: {path}"
    if not _is_text(path.name):
        raise BadInput(f"{where} has a name that is no text; rename the file.")
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{where} cannot be read ({error.strerror}); give a TOML file, or a name of the menu.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{where} is no TOML ({error}); write lines such as rate = 0.2.") from None
    base = tree.pop("base", "imp")
    if not isinstance(base, str) or base not in SCHEDULES:
        raise BadInput(f"{where} has base = {base!r}, no schedule of the menu; choose from: {', '.join(SCHEDULES)}.")
    for key in tree:
        if key not in _KEYS:
            raise BadInput(f"{where} has the unknown key {key!r}; it can have base, {', '.join(_KEYS)}.")
    given = {key: getattr(SCHEDULES[base], key) for key in _KEYS} | {"citation": "your own"} | tree
    for key in ("title", "citation"):
        if not isinstance(given[key], str):
            raise BadInput(f"{where} has {key} = {given[key]!r}; it should be a text in quotes.")
    from engine import spec as specs  # pydantic, only where somebody has a file

    checked = specs.check_schedule({key: given[key] for key in given if key not in ("title", "citation")}, where)
    return ScheduleCard(path.stem, given["title"], given["citation"], **checked)
