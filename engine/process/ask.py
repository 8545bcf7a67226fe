"""Questions about a run's tickets, each answered by a run of its own: what its spec is, and what it takes with it.

A question takes copies of the tickets along, so that neither a removed source nor a moved run does it any harm. Imports
no torch, unless a vocabulary has to be made from texts again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import catalog
from engine.errors import BadInput, unknown
from engine.process import launch
from engine.record import tickets

if TYPE_CHECKING:
    from engine.spec import RunSpec

Progress = Callable[[str], None]
SETTABLE = {"transfer": ("data.", "training.", "verdict.", "device", "threads"), "stability": ("device", "threads")}
ARMS = ("ticket", "reinit", "shuffle")


@dataclass(frozen=True)
class Question:
    """A run to make: its spec, what puts copies of the tickets into its directory, and what is to be known of it."""

    spec: "RunSpec"
    fill: Callable[[Path], None]
    remarks: tuple[str, ...]


def transfer(
    source: Path,
    number: int,
    dataset: str,
    arms: list[str] | None = None,
    settings: dict[str, Any] | None = None,
    progress: Progress = lambda _: None,
) -> Question:
    """Does the ticket of a round do as well on other data? It is trained there in the setting that is usual there.

    The texts are prepared, to say what of the ticket has a place there. Raises BadInput.
    """
    from engine import spec as specs
    from engine.data import alignment, encoding

    before = source_spec(source, "transfer")
    if number == 0:
        raise BadInput("round: 0 given, which is the dense network; give the round of a ticket, from 1 on.")
    seeds, remarks = seeds_of_source(source, before, number)
    refuse_unsettable("transfer", settings or {})
    arms = list(arms or ARMS)
    for arm in arms:
        if catalog.card("arm", catalog.ARMS, arm).mask == "own":
            fitting = [name for name, card in catalog.ARMS.items() if card.mask != "own"]
            raise BadInput(
                f"arm: {arm} given, but it has no mask of its own in a moved round; choose from {', '.join(fitting)}."
            )
    machine = {"device": before.device, "threads": before.threads}
    own = {name: "none" if value is None else value for name, value in machine.items()}
    usual = specs.compose(before.model.name, dataset, "imp", arms, seeds, own | (settings or {}))
    model = before.model.model_dump(mode="json")
    if (folder := launch.checkpoint(before, download=True, progress=progress)) is not None:
        given = model["checkpoint"]
        model["checkpoint"] = str(folder) if given is None or Path(given).expanduser().is_dir() else given
    schedule = before.schedule.model_dump(mode="json") | {"rounds": 1, "rewind": "init", "retrain": "rewind"}
    origin = {"question": "transfer", "run": source.name, "round": number, "rewind": before.schedule.rewind}
    spec = specs.changed(usual, model=model, schedule=schedule, origin=origin)

    vocabulary = _vocabulary(source, before, folder, progress)
    encoded = encoding.load(spec.data, progress, checkpoint=folder)
    if folder is not None and encoded.vocabulary != vocabulary:
        raise BadInput(
            f"model.checkpoint: the tokenizer in {folder} has changed since {source.name} was trained, so its pieces "
            "cannot be aligned; bring the old one back."
        )
    classes = tickets.data(source)["class_names"]
    found = alignment.align(vocabulary, encoded.vocabulary, classes, encoded.class_names)
    remarks = [*remarks, alignment.remark(found, encoded.class_names)]
    return Question(spec, lambda run: tickets.copy(source, run, seeds, number, vocabulary), tuple(remarks))


def stability(source: Path, number: int, points: int = 11, settings: dict[str, Any] | None = None) -> Question:
    """Do two copies from the rewind point, in other data orders, end in one valley? Raises BadInput."""
    from engine import spec as specs

    before = source_spec(source, "stability")
    seeds, remarks = seeds_of_source(source, before, number)
    refuse_unsettable("stability", settings or {})
    if not 11 <= points <= 1001:
        raise BadInput(f"points: {points} given; give from 11 to 1001 along the line, its ends among them.")
    schedule = before.schedule.model_dump(mode="json") | {"rounds": number, "retrain": "rewind"}
    if before.schedule.retrain != "rewind" and number:
        remarks.append(f"the tickets of {source.name} train on from trained weights; here they start from rewound ones")
    rewind = before.schedule.rewind
    origin = {"question": "stability", "run": source.name, "round": number, "rewind": rewind, "points": points}
    parts = {"seeds": seeds, "arms": ["ticket"], "schedule": schedule, "origin": origin}
    spec = specs.changed(before, **parts, **(settings or {}))
    return Question(spec, lambda run: tickets.copy(source, run, seeds, number, None), tuple(remarks))


def source_spec(source: Path, question: str) -> "RunSpec":
    """The spec of the run that is asked about. Raises BadInput where its tickets cannot be."""
    from engine import spec as specs

    before = specs.of_run(source)
    if before.origin is not None and (before.origin.question, question) != ("transfer", "transfer"):
        raise BadInput(
            f"run: {source.name} asks about the tickets of {before.origin.run} itself; ask about those, with "
            f"`lth {question} {before.origin.run}`."
        )
    return before


def seeds_of_source(source: Path, before: "RunSpec", number: int) -> tuple[list[int], list[str]]:
    """The seeds that have the ticket of a round, its files sound; and what is to be said of the others. BadInput."""
    rounds = tickets.rounds(source, before.seeds)
    if number not in rounds:
        if not rounds:
            raise BadInput(f"run: {source.name} has trained no network yet; wait until it has finished a round.")
        raise BadInput(f"round: {number} given, and {source.name} has {_listed(rounds)}; give one of these.")
    tickets.check(source, rounds[number], number)
    missing = [seed for seed in before.seeds if seed not in rounds[number]]
    many = len(missing) > 1
    names, have, are = ", ".join(map(str, missing)), "have" if many else "has", "are" if many else "is"
    said = f"seed{'s' * many} {names} of {source.name} {have} no round {number} and {are} left out"
    return rounds[number], [said] if missing else []


def _listed(rounds: Iterable[int]) -> str:
    """`0 to 10`, or each where one is missing between."""
    every = list(rounds)
    return f"{every[0]} to {every[-1]}" if len(every) == every[-1] - every[0] + 1 > 2 else ", ".join(map(str, every))


def refuse_unsettable(question: str, settings: dict[str, Any]) -> None:
    """BadInput for a setting that the tickets have decided already."""
    from engine import spec as specs

    known = specs.settable_anywhere()
    for path in settings:
        if path not in known:
            raise unknown("--set", path, known)
        if not path.startswith(SETTABLE[question]):
            free = ", ".join(f"{name}*" if name.endswith(".") else name for name in SETTABLE[question])
            raise BadInput(f"--set: {path} given, but it is as in the run that is asked about; set {free}.")


def _vocabulary(source: Path, before: "RunSpec", checkpoint: Path | None, progress: Progress) -> list[str]:
    """The words of a run by id: as it kept them, or, of an older run, as its data has them today. Raises BadInput."""
    if (kept := tickets.words(source)) is not None:
        return kept
    from engine.data import encoding

    encoded = encoding.load(before.data, progress, checkpoint=checkpoint)
    told = tickets.data(source)
    same = list(encoded.class_names) == told["class_names"] and len(encoded.vocabulary) == told["vocabulary"]
    if checkpoint is None and getattr(before.model, "vectors", None) is None:  # of the others it also covers weights
        same = blake2b(encoded.fingerprint().encode(), digest_size=16).hexdigest() == told["fingerprint"]
    if not same:
        raise BadInput(
            f"run: {source.name} kept no list of its words, and {before.data.name} has changed since; run it again."
        )
    return encoded.vocabulary
