"""Pretrains a small BERT on a dataset's own training texts, so that pretrained tickets need no download.

A `<folder>.part` beside the folder keeps where it stands, replaced after each epoch, so that the same call goes on
there, to the same bits as if it had never stopped. The finished folder appears by one rename. The test texts are never
read, and labels are not looked at. torch is imported only once there is something to train.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import orjson

from engine.data import corpus
from engine.errors import BadInput, Stopped, unknown
from engine.models import unfinished, wordpiece
from engine.models.sizes import BERTS
from engine.models.unfinished import ABOUT, DRAFT, STATE
from engine.places import data_root, pretrained_root
from engine.randomness import derive

if TYPE_CHECKING:
    from engine.models.blocks import Blocks
    from engine.models.standing import Standing
    from engine.spec import DataSpec

SIZES = {name: BERTS[name] for name in ("bert-tiny", "bert-mini")}
LEAST_TEXTS = 100
BOUNDS = {
    "vocabulary_size": (100, 65_536),
    "epochs": (1, 10_000),
    "batch_size": (1, 65_536),
    "max_tokens": (8, 512),
    "seed": (0, 2**31 - 1),
}
_FORMAT = 1  # raise it whenever the same plan comes to other weights
_HELD_OUT = 20  # one text in so many is never trained on, only measured


@dataclass(frozen=True)
class Plan:
    """How a network is pretrained. `pieces` is a given vocabulary; None trains one of at most `vocabulary_size`."""

    model: str = "bert-tiny"
    pieces: tuple[str, ...] | None = None
    vocabulary_size: int = 8000
    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 2e-3
    max_tokens: int = 128
    seed: int = 0
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to: mean loss a masked piece, in nats, and the share of them guessed right."""

    epoch: int
    loss: float
    held_out_loss: float
    held_out_accuracy: float
    seconds: float
    device: str
    threads: int


@dataclass(frozen=True)
class Listener:
    """Who follows a pretraining. `say` is told in words of what takes seconds, `tell` a sentence that should stay.

    `on_step` is told the epoch, steps done of how many, and now and then the loss.
    """

    say: Callable[[str], None] = lambda words: None
    tell: Callable[[str], None] = lambda sentence: None
    on_step: Callable[[int, int, int, float | None], None] = lambda epoch, step, steps, loss: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    stop: Callable[[], bool] = lambda: False


def folder_for(model: str, data: "DataSpec") -> Path:
    """Where a network pretrained on a dataset is kept: `bert-tiny-imdb`.

    That of a user's file bears a hash of all that its texts hang on, so that another split of the same file, whose test
    texts were trained on, is never taken for it.
    """
    mark = f"-{blake2b(repr(corpus.fingerprint(data)).encode(), digest_size=4).hexdigest()}" if data.file else ""
    name = f"{model}-{data.name}{mark}"
    shared = data_root() / ".pretrained" / name
    return shared if shared.is_dir() else pretrained_root() / name


def pretrain(
    data: "DataSpec", plan: Plan, folder: Path | None = None, force: bool = False, listener: Listener = Listener()
) -> dict[str, Any]:
    """Train a network by masked language modelling and leave it in `folder` as transformers does; what was done.

    `force` replaces a folder that an earlier call made. Raises BadInput, and Stopped soon after `listener.stop()` has
    become true; its argument is how many epochs were finished, and are kept.
    """
    _check(plan)
    folder = (folder or folder_for(plan.model, data)).absolute()
    unfinished.refuse(folder, force)
    settings = _settings(data, plan)
    with unfinished.at_work(folder) as part:
        unfinished.refuse(folder, force)  # once more: another process may just have finished it
        source = corpus.read(data)
        kept = unfinished.left(part, settings, listener.tell)
        try:
            prepared = _prepare(source, plan, kept.account["vocabulary"] if kept else None, listener)
            account = kept.account if kept else _account(source, plan, settings, prepared)
            account = _train(plan, prepared, part, kept, account, listener)
        except Stopped:
            found = unfinished.left(part, settings)
            raise Stopped(len(found.account["epochs"]) if found else 0) from None
        (part / DRAFT / "vocab.txt").write_text("\n".join(account["vocabulary"]) + "\n", encoding="utf-8")
        (part / DRAFT / ABOUT).write_bytes(orjson.dumps(_told(account), option=orjson.OPT_INDENT_2) + b"\n")
        unfinished.put(part, folder)
    return _told(account) | {"folder": str(folder)}


def held_out(text: str) -> bool:
    """Whether a training text is kept out of pretraining, to measure it: a hash says so, so copies stay together."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) % _HELD_OUT == 0


def _check(plan: Plan) -> None:
    if plan.model not in SIZES:
        raise unknown("model", plan.model, SIZES)
    for name, (low, high) in BOUNDS.items():
        if not low <= (given := getattr(plan, name)) <= high:
            raise BadInput(f"{name.replace('_', '-')}: {given} given; give a whole number from {low} to {high}.")
    if not 0 < plan.learning_rate <= 1:
        raise BadInput(f"learning-rate: {plan.learning_rate:g} given; give a number above 0 and at most 1.")


def _settings(data: "DataSpec", plan: Plan) -> dict[str, Any]:
    """All that decides the weights, but for the machine; two calls that agree in it are one piece of work."""
    pieces = plan.pieces and blake2b("\n".join(plan.pieces).encode("utf-8"), digest_size=16).hexdigest()
    given = asdict(plan) | {"pieces": pieces, "vocabulary_size": plan.vocabulary_size if pieces is None else None}
    machine = ("device", "threads")
    return {
        "format": _FORMAT,
        **{name: value for name, value in given.items() if name not in machine},
        "dataset": data.name,
        "texts": blake2b(repr(corpus.fingerprint(data)).encode(), digest_size=16).hexdigest(),
    }


@dataclass(frozen=True)
class _Prepared:
    """Texts to train on and to measure with, in pieces of one vocabulary."""

    vocabulary: list[str]
    train: "Blocks"
    held_out: "Blocks"


def _prepare(source: corpus.Corpus, plan: Plan, vocabulary: list[str] | None, listener: Listener) -> _Prepared:
    """`vocabulary` is that of an earlier call. Raises BadInput where there is too little to learn from, and Stopped."""

    def texts(kept_out: bool) -> Iterator[str]:
        for text, _ in source.train:
            if listener.stop():
                raise Stopped
            if held_out(text) == kept_out:
                yield text

    if vocabulary is None and plan.pieces is not None:
        vocabulary = list(plan.pieces)
    if vocabulary is None:
        listener.say(f"training a vocabulary on {source.name}")
        vocabulary = wordpiece.train(partial(texts, False), plan.vocabulary_size)
    listener.say(f"cutting the texts of {source.name} into pieces")
    from engine.models import blocks

    train, measured = (blocks.cut(texts(kept_out), vocabulary, plan.max_tokens) for kept_out in (False, True))
    found = train.texts + measured.texts
    if found < LEAST_TEXTS or not len(train) or not len(measured):
        raise BadInput(
            f"dataset: {source.name} has {found:,} training texts, too few to pretrain on; "
            f"give at least {LEAST_TEXTS} different ones."
        )
    return _Prepared(vocabulary, train, measured)


def _account(source: corpus.Corpus, plan: Plan, settings: dict[str, Any], prepared: _Prepared) -> dict[str, Any]:
    """What is known before the first epoch."""
    from engine.models import blocks

    return {
        "model": plan.model,
        "dataset": source.name,
        "texts": prepared.train.texts,
        "held_out_texts": prepared.held_out.texts,
        "pieces": len(prepared.train.pieces),
        "blocks": len(prepared.train),
        "unigram_loss": blocks.unigram_loss(prepared.train, prepared.held_out, len(prepared.vocabulary)),
        "settings": settings,
        "vocabulary": prepared.vocabulary,
        "epochs": [],
    }


def _train(
    plan: Plan, prepared: _Prepared, part: Path, kept: "Standing | None", account: dict[str, Any], listener: Listener
) -> dict[str, Any]:
    """Every epoch that is not yet done; where the network stands is written after each. The account of all of them."""
    import torch

    from engine.models import blocks, masked, standing
    from engine.models import device as devices

    device, shape = devices.find(plan.device), SIZES[plan.model]
    if plan.threads:
        torch.set_num_threads(plan.threads)
    masking = blocks.Masking(prepared.vocabulary, shape.positions)
    pad = prepared.vocabulary.index(wordpiece.PAD)
    network = masked.network(shape, len(prepared.vocabulary), pad, derive(plan.seed, "weights")).to(device)
    optimizer = masked.optimizer_of(network, plan.learning_rate)
    steps = -(-len(prepared.train) // plan.batch_size)
    done: list[dict[str, Any]] = account["epochs"]
    if kept is not None:
        standing.restore(kept, network, optimizer, steps * len(done))
    for number in range(len(done) + 1, plan.epochs + 1):
        began = perf_counter()
        orders = derive(plan.seed, "order", number), derive(plan.seed, "masks", number)
        loss = masked.epoch(
            network,
            optimizer,
            masking.shuffled(prepared.train, plan.batch_size, *orders),
            lambda step, first=steps * (number - 1): masked.learning_rate(  # type: ignore[misc]
                plan.learning_rate, first + step, steps * plan.epochs
            ),
            lambda step, loss, number=number: listener.on_step(number, step, steps, loss),  # type: ignore[misc]
            listener.stop,
        )
        seen = masking.by_length(prepared.held_out, 64, derive(plan.seed, "held out masks"))
        measured = masked.evaluate(network, seen, listener.stop)
        if not masked.finite(loss, measured[0]):
            raise BadInput(
                f"learning-rate: at {plan.learning_rate:g} the loss left the finite numbers in epoch {number}; "
                "give a smaller one."
            )
        seconds = perf_counter() - began
        epoch = Epoch(number, loss, *measured, round(seconds, 3), str(device), torch.get_num_threads())
        account = account | {"epochs": [*account["epochs"], asdict(epoch)]}
        standing.write(part / STATE, standing.take(network, optimizer, account))
        listener.on_epoch(epoch)
    draft = part / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    masked.save(network, blocks.tokenizer(prepared.vocabulary, shape.positions), draft)
    return account


def _told(account: dict[str, Any]) -> dict[str, Any]:
    """The account as pretraining.json has it: with versions and times, without the vocabulary, which is beside it."""
    from importlib.metadata import version

    return account | {
        "vocabulary": len(account["vocabulary"]),
        "seed": account["settings"]["seed"],
        "seconds": round(sum(epoch["seconds"] for epoch in account["epochs"]), 3),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }
