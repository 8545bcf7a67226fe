"""The experiment: train dense; then, round by round, prune, and for every arm initialise, train, evaluate.

Frankle and Carbin 2019, with the controls of Frankle et al. 2020 and others, all from one shared dense round a seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from torch import nn

from engine import catalog, steps
from engine.errors import BadInput
from engine.halfway import Bookmark
from engine.models import network
from engine.optimisation import Plan, Start
from engine.outcomes import Diverged, Outcome, Trained
from engine.pruning import mask as masks
from engine.pruning.arms import Rewind, Turn
from engine.pruning.criteria import Evidence
from engine.pruning.mask import Mask, Weights
from engine.randomness import derive
from engine.spec import RunSpec
from engine.telling import Teller
from engine.training import Texts, train, weights_at


@dataclass(frozen=True)
class Track:
    """Where an arm with a mask of its own stands after a round: that mask, and what it trained to under it."""

    mask: Mask
    trained: Weights  # at the best epoch; none where a random mask follows, which looks at no weights


@dataclass(frozen=True)
class Standing:
    """Where a replicate stands after a round: enough to go on from it. In round 0 every track is the dense network's.

    An arm whose training diverged has no track any more, and no later rounds.
    """

    number: int
    tracks: dict[str, Track]

    @property
    def mask(self) -> Mask:
        """The ticket's."""
        return self.tracks["ticket"].mask

    @property
    def trained(self) -> Weights:
        """The ticket's."""
        return self.tracks["ticket"].trained


@dataclass(frozen=True)
class Dense:
    """A dense training whole, so that a later run with the same dense part can go on from it as if it were its own."""

    trained: Trained
    run: str | None = None  # the run that trained it, where it was another


class Journal(Protocol):
    """What becomes of the experiment's findings; the worker writes them to the run directory."""

    def tell(self, event: str, **fields: Any) -> None: ...
    def ended(self, seed: int) -> bool: ...
    def standing(self, seed: int) -> Standing | None: ...
    def rewound(self, seed: int) -> Weights | None: ...
    def recall(self, seed: int, step: int | None) -> Dense | None: ...
    def share(self, seed: int, step: int | None, dense: Dense) -> None: ...
    def keep_rewind(self, seed: int, weights: Weights) -> None: ...
    def keep_round(self, seed: int, standing: Standing) -> None: ...
    def bookmark(self, seed: int, number: int, copy: int = 0) -> Bookmark: ...
    def stop_asked(self) -> bool: ...


@dataclass(frozen=True)
class Laboratory:
    """What every replicate of a run shares."""

    spec: RunSpec
    module: nn.Module  # trained in, on the device
    template: nn.Module  # drawn from, on the CPU, so that fresh weights are the same on every device
    texts: Callable[[int], Texts]  # the split of a seed
    refer: Callable[[int], None] = lambda seed: None  # tells what a linear model reaches on that split
    narrower: Callable[[int], nn.Module | None] = lambda parameters: None

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Each layer's kind."""
        return network.kinds(self.template)

    def plan(self, seed: int) -> Plan:
        """How every network of a seed is trained."""
        return Plan(**self.spec.training.model_dump(), seed=seed)


def experiment(lab: Laboratory, journal: Journal) -> None:
    """Every replicate, seed by seed. What is done already is not done again. Raises Stopped when asked."""
    for seed in lab.spec.seeds:
        replicate(lab, journal, seed)


def replicate(lab: Laboratory, journal: Journal, seed: int) -> None:
    """One seed: train dense, then prune, rewind and train, round by round."""
    rounds = lab.spec.schedule.rounds
    if journal.ended(seed):
        return  # its dense network or its ticket diverged: nothing can follow
    before = journal.standing(seed)
    if before is not None and before.number >= rounds:
        return
    texts = lab.texts(seed)
    initial = network.draw(lab.template, derive(seed, "init"))
    entries = masks.support(initial, network.padding(lab.template))
    rewind = _rewound(lab, journal, texts, seed, initial) if before is not None else None
    if rewind is None:
        lab.refer(seed)
        begun = train_dense(lab, journal, texts, seed, initial, entries)
        if begun is None:
            return
        before, rewind = begun
    while before is not None and before.number < rounds:
        before = train_round(lab, journal, texts, seed, before, rewind, entries)


def train_dense(
    lab: Laboratory, journal: Journal, texts: Texts, seed: int, initial: Weights, entries: Mask
) -> tuple[Standing, Rewind] | None:
    """Round 0: the dense network, trained here or by an earlier run; and the rewind point. None where it diverged."""
    whole = prunable(lab, entries)
    step = rewind_step(lab, texts)
    told = announce(lab, journal, seed, 0, whole, entries, ["dense"])
    dense, start = journal.recall(seed, step), Start(initial, {})
    if dense is not None:
        for epoch in dense.trained.epochs:
            told.epoch(epoch)
        told.trained("dense", dense.trained, shared=dense.run)
    else:
        plan, stop, bookmark = lab.plan(seed), journal.stop_asked, journal.bookmark(seed, 0)
        group = {"dense": start}
        found = train(group, plan, lab.module, texts, told.epoch, told.trained, stop, step or None, bookmark)["dense"]
        if isinstance(found, Diverged):
            return None
        dense = Dense(found)
        journal.share(seed, step, dense)
    dense = _with_passed(lab, journal, texts, seed, dense, start, step)
    trained = dense.trained
    weights = trained.weights if step is None else trained.passed if step else initial
    assert weights is not None
    journal.keep_rewind(seed, weights)
    standing = Standing(0, {arm: Track(whole, trained.weights) for arm in ("ticket", *own_arms(lab.spec))})
    journal.keep_round(seed, standing)
    return standing, Rewind(weights, step or 0)


def _with_passed(
    lab: Laboratory, journal: Journal, texts: Texts, seed: int, dense: Dense, start: Start, step: int | None
) -> Dense:
    """A dense training with the weights of the rewind point.

    An earlier run may not have kept them; and one that stopped early never came to them, where going on would have.
    """
    if not step or dense.trained.passed is not None:
        return dense
    plan = lab.plan(seed)
    if step >= len(dense.trained.epochs) * plan.steps_an_epoch(texts.train):
        where = f"dense training of seed {seed} stopped early, before {lab.spec.schedule.rewind}"
        message = f"{where}; tickets are rewound to the weights that going on would have passed there"
        journal.tell("warning", seed=seed, round=0, message=message)
    passed = weights_at(step, start, plan, lab.module, texts, journal.stop_asked)
    dense = replace(dense, trained=replace(dense.trained, passed=passed))
    journal.share(seed, step, dense)
    return dense


def rewind_step(lab: Laboratory, texts: Texts) -> int | None:
    """The step of the rewind point, 0 for the initial weights and None for the trained ones. Raises BadInput."""
    plan = lab.plan(lab.spec.seeds[0])  # all seeds train alike
    return steps.within(lab.spec.schedule.rewind, plan.epochs, plan.steps_an_epoch(texts.train))


def prunable(lab: Laboratory, entries: Mask) -> Mask:
    """The layers that the schedule may prune, whole. Raises BadInput where the network has none of them."""
    wanted = lab.spec.schedule.prunable
    whole = {name: entries[name] for name, kind in lab.kinds.items() if kind in wanted}
    if not whole:
        raise BadInput(
            f"schedule.prunable: {', '.join(wanted)} given, but {lab.spec.model.name} trains no such layers here."
        )
    known = {*whole, *(lab.kinds[name] for name in whole)}
    if strange := [name for name in lab.spec.schedule.factors if name not in known]:
        raise BadInput(
            f"schedule.factors: {strange[0]!r} is no layer or kind that is pruned here; "
            f"choose from: {', '.join(sorted(known))}."
        )
    return whole


def own_arms(spec: RunSpec) -> list[str]:
    """The arms whose mask is their own."""
    return [arm for arm in spec.arms if catalog.ARMS[arm].mask == "own"]


def train_round(
    lab: Laboratory,
    journal: Journal,
    texts: Texts,
    seed: int,
    before: Standing,
    rewind: Rewind,
    entries: Mask,
) -> Standing | None:
    """Prune, then initialise, train and evaluate every arm. None where the ticket diverged: nothing can follow it."""
    number, spec = before.number + 1, lab.spec

    def own(arm: str, criterion: str | None = None) -> Mask:
        track, drawn = before.tracks[arm], derive(seed, "mask", number, arm)
        return prune(lab, journal, texts, track, rewind, entries, criterion or spec.schedule.criterion, drawn)

    mask = own("ticket")

    def turn(arm: str) -> Turn:
        card = catalog.ARMS[arm]
        return Turn(
            rewind=rewind,
            mask=mask,
            entries=entries,
            own=lambda: mask if arm == "ticket" else own(arm, card.criterion),
            trained=before.tracks[arm if card.mask == "own" else "ticket"].trained,
            fresh=lambda: network.draw(lab.template, derive(seed, "fresh", number, arm), control=True),
            random=derive(seed, "fresh", number, arm),
            narrower=lab.narrower,
        )

    # An arm without a track diverged in an earlier round, which was told then.
    here = [arm for arm in spec.arms if catalog.ARMS[arm].mask != "own" or arm in before.tracks]
    group = start_arms(lab, journal, seed, number, here, turn)
    for arm in own_arms(spec):
        if arm in group:
            _warn_of_emptied(journal, seed, number, group[arm].mask, arm)
    arms = train_arms(lab, journal, texts, seed, number, mask, entries, group)
    tracks = {
        arm: Track(group[arm].mask, {} if catalog.ARMS[arm].criterion == "random" else trained.weights)
        for arm, trained in arms.items()
        if arm in before.tracks and not isinstance(trained, Diverged)
    }
    if "ticket" not in tracks:
        return None
    standing = Standing(number, tracks)
    journal.keep_round(seed, standing)
    return standing


def start_arms(
    lab: Laboratory, journal: Journal, seed: int, number: int, arms: list[str], turn: Callable[[str], Turn]
) -> dict[str, Start]:
    """Where each arm starts in a round; one that cannot is left out, and that is told."""
    group: dict[str, Start] = {}
    for arm in arms:
        begin = lab.spec.schedule.retrain if arm == "ticket" and lab.spec.schedule.retrain != "rewind" else arm
        start = catalog.load(catalog.ARMS[begin].start)(turn(arm))
        if start is not None:
            group[arm] = start
        else:
            message = f"{arm} is left out: no network so narrow has as few parameters as the ticket"
            journal.tell("warning", seed=seed, round=number, message=message)
    return group


def train_arms(
    lab: Laboratory,
    journal: Journal,
    texts: Texts,
    seed: int,
    number: int,
    mask: Mask,
    entries: Mask,
    group: dict[str, Start],
) -> dict[str, Outcome]:
    """Train and evaluate the arms of a round as one group; all of it is told."""
    told = announce(lab, journal, seed, number, mask, entries, list(group))
    told.parameters.update({arm: _parameters(start.module) for arm, start in group.items() if start.module})
    bookmark = journal.bookmark(seed, number)
    plan, stop = lab.plan(seed), journal.stop_asked
    return train(group, plan, lab.module, texts, told.epoch, told.trained, stop, None, bookmark)


def prune(
    lab: Laboratory,
    journal: Journal,
    texts: Texts,
    track: Track,
    rewind: Rewind,
    entries: Mask,
    criterion: str,
    drawn: int,
) -> Mask:
    """The next mask of a track, by a criterion."""
    schedule = lab.spec.schedule
    rates = {name: schedule.rate_of(name, lab.kinds[name]) for name in track.mask}

    def remove(scores: Weights, mask: Mask, share: float) -> Mask:
        return masks.prune(scores, mask, {name: rates[name] * share for name in mask}, schedule.scope)

    score = catalog.load(catalog.CRITERIA[criterion].score)
    evidence = Evidence(
        trained=track.trained,
        rewound=rewind.weights,
        mask=track.mask,
        whole={name: entries[name] for name in track.mask},
        module=lab.module,
        train=texts.train,
        batch_size=lab.spec.training.batch_size,
        prune=lambda scores, mask, rate: remove(scores, mask, rate / schedule.rate),
        rate=schedule.rate,
        seed=drawn,
        stop=journal.stop_asked,
    )
    return remove(score(evidence), track.mask, 1.0)


def _rewound(lab: Laboratory, journal: Journal, texts: Texts, seed: int, initial: Weights) -> Rewind | None:
    """The rewind point of a seed that an earlier engine began; None where its weights cannot be read any more."""
    step = rewind_step(lab, texts)
    weights = initial if step == 0 else journal.rewound(seed)
    return None if weights is None else Rewind(weights, step or 0)


def announce(
    lab: Laboratory, journal: Journal, seed: int, number: int, mask: Mask, entries: Mask, arms: list[str]
) -> Teller:
    """Tell that a round begins, and of layers that its mask empties."""
    counts = masks.count(mask, entries, lab.kinds)
    journal.tell("round_started", seed=seed, round=number, arms=arms, **counts)
    _warn_of_emptied(journal, seed, number, mask)
    return Teller(journal.tell, seed, number, counts["sparsity"], lab.spec.training.epochs)


def _warn_of_emptied(journal: Journal, seed: int, number: int, mask: Mask, arm: str | None = None) -> None:
    of = "" if arm is None else f" of {arm}"
    for layer, kept in mask.items():
        if not kept.any():
            journal.tell("warning", seed=seed, round=number, message=f"layer {layer}{of} is emptied by pruning")


def _parameters(module: nn.Module) -> int:
    entries = masks.support(network.weights(module), network.padding(module))
    return sum(int(present.sum()) for present in entries.values())
