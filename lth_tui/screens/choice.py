"""What is chosen on the launch screen: its defaults, its spec, its errors, its command line. Knows no Textual."""

import os
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine import schedules
from engine.errors import BadInput
from lth_tui import command_line

if TYPE_CHECKING:
    from engine.spec import RunSpec

SEEDS, FILE, FURTHER = "seeds", "file", "further"
ELSEWHERE = "elsewhere"  # what is wrong with the machine, and no field's fault
FIELDS = {  # a field of the form -> its label; dotted ones are paths of the spec
    SEEDS: "seeds",
    "training.epochs": "epochs",
    "schedule.rounds": "rounds",
    "schedule.rate": "rate",
    "training.learning_rate": "learning rate",
    FILE: "own file",
    FURTHER: "further",
}
ARMS = ("ticket", "reinit", "shuffle")
DEFAULT_SEEDS = 3
FALLBACK = "pydoc"  # the dataset under the cursor while a file is given
_PATH = re.compile(r"(model|data|schedule|training|verdict)\.\w+")
_PLACES = {
    "model": "model",
    "dataset": "dataset",
    "schedule": "schedule",
    "schedule.name": "schedule",
    "schedule.criterion": "schedule",
    "schedule.rewind": "schedule",
    "schedule.factors": "schedule",
    "arm": "arms",
    "model.checkpoint": "model",  # an answer to the model and the dataset that were chosen
    "model.vectors": "model",
}  # a sentence's field -> a list


@dataclass(frozen=True)
class Choice:
    """Names, arms, and the text of every field as it stands."""

    model: str
    dataset: str
    schedule: str
    arms: tuple[str, ...] = ARMS
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> str:
        """The dataset, or the file that is given in its place."""
        return self.texts.get(FILE, "").strip() or self.dataset


@dataclass(frozen=True)
class Checked:
    """A choice looked at: the spec where it is sound, else what is wrong, by field or list.

    `command` is empty for a sound choice that no line of the command line makes; `overruled` are the fields that the
    further settings say otherwise, with what they say.
    """

    spec: "RunSpec | None"
    errors: dict[str, str]
    command: str
    ladder: tuple[float, ...]  # sparsities of the pruned rounds
    overruled: dict[str, str] = field(default_factory=dict)


def defaults(model: str, dataset: str, schedule: str) -> dict[str, str]:
    """What the fields hold where nothing is said. BadInput where there is no such schedule, or no longer.

    Whether the three go together is not asked here: `check` says so.
    """
    from engine import spec as specs

    card = schedules.find(schedule)
    base = specs.compose(model, dataset, "imp").model_dump()  # which goes with every model
    base["schedule"] |= {name: getattr(card, name) for name in base["schedule"]}
    texts = {SEEDS: str(DEFAULT_SEEDS), FILE: "", FURTHER: ""}
    for path in FIELDS:
        group, _, name = path.partition(".")
        if name:
            texts[path] = _worded(base[group][name])
    return texts


def _worded(value: object) -> str:
    """A number in as few digits as mean it."""
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return short if not isinstance(value, float) or float(short) == value else repr(value)


def hints(model: str) -> dict[str, str]:
    """A few words on each field."""
    from engine import spec as specs

    settable = specs.settable(model)
    said = {path: settable[path][1] for path in FIELDS if path in settable}
    said[SEEDS] = "how many, or which: 0,3,7; a verdict needs 3"
    said[FILE] = "a csv, tsv, jsonl or parquet of yours, instead of the dataset"
    return said


def check(choice: Choice) -> Checked:
    """Compose the choice. Every field that is wrong gets its sentence, not only the first."""
    from engine import spec as specs

    try:
        usual = defaults(choice.model, choice.data, choice.schedule)
    except BadInput as error:  # a file that is none, or a schedule that was edited or removed since it was listed
        where = place(str(error), choice)
        return Checked(None, {where: str(error)} | _wrong_file(choice), _command(choice, DEFAULT_SEEDS, {}), ())
    errors: dict[str, str] = {}
    changed = {
        path: choice.texts[path].strip()
        for path in FIELDS
        if "." in path and choice.texts.get(path, usual[path]).strip() != usual[path]
    }
    errors |= _wrong_file(choice)
    seeds: int | list[int] = DEFAULT_SEEDS
    try:
        seeds = _seeds(choice.texts.get(SEEDS, usual[SEEDS]))
    except BadInput as error:
        errors[SEEDS] = str(error)
    further: dict[str, str] = {}
    try:
        further = specs.parse_settings(_split(choice.texts.get(FURTHER, "")))
    except BadInput as error:
        errors[FURTHER] = str(error)
    settings: dict[str, Any] = changed | further
    overruled = {path: text for path, text in further.items() if text != choice.texts.get(path, text).strip()}
    command = _command(choice, seeds, settings)
    spec = None
    while spec is None:
        try:
            spec = specs.compose(
                choice.model, choice.data, choice.schedule, list(choice.arms), seeds=seeds, settings=settings
            )
        except BadInput as error:
            name = str(error).partition(":")[0]
            errors.setdefault(FURTHER if name in further else place(str(error), choice), str(error))
            path = name if name in settings else next((path for path in further if repr(path) in str(error)), None)
            if path not in settings:
                break
            del settings[path]
    ladder = tuple(spec.sparsity(number) for number in range(1, spec.schedule.rounds + 1)) if spec else ()
    if spec is None or errors:
        return Checked(None, errors, command, ladder, overruled)
    try:
        return Checked(spec, {}, command_line.line(spec.model_dump(mode="json")), ladder, overruled)
    except BadInput:
        return Checked(spec, {}, "", ladder, overruled)


def place(sentence: str, choice: Choice) -> str:
    """The field or list that a sentence is about; settings on neither stand at the further ones."""
    from engine import spec as specs

    name = sentence.partition(":")[0]
    if name == "dataset" and choice.data != choice.dataset:
        return FILE
    if name in FIELDS or name in _PLACES:
        return _PLACES.get(name, name)
    return FURTHER if name == "--set" or name in specs.settable(choice.model) or _PATH.fullmatch(name) else ELSEWHERE


def _wrong_file(choice: Choice) -> dict[str, str]:
    """What is wrong with a file that is not there; what is in it is looked at by the launch."""
    given = choice.texts.get(FILE, "").strip()
    path = os.path.expanduser(given)
    if not given or os.path.isfile(path):
        return {}
    state = "is no file" if os.path.exists(path) else "does not exist"
    return {FILE: f"dataset: {given} {state}; give a csv, tsv, jsonl or parquet file."}


def _seeds(text: str) -> int | list[int]:
    """How many, or with commas which ones: `0,3,7`, or `7,` for one. Raises BadInput."""
    if "," in text:
        listed = [part.strip() for part in text.split(",")]
        listed = listed[:-1] if listed[-1] == "" else listed
        if not all(part.isdecimal() and part.isascii() and int(part) < 2**31 for part in listed):
            raise BadInput(f"seeds: {text[:40]!r} given; give whole numbers from 0, with commas between: 0,3,7.")
        if len(set(map(int, listed))) < len(listed):
            raise BadInput(f"seeds: {text[:40]!r} names a seed twice; name each once.")
        if not 1 <= len(listed) <= 1000:
            raise BadInput(f"seeds: {len(listed)} given; give from 1 to 1000.")
        return list(map(int, listed))
    try:
        count = int(text)
    except ValueError:
        raise BadInput(f"seeds: {text[:40]!r} given; give a whole number from 1 to 1000, or which: 0,3,7.") from None
    if not 1 <= count <= 1000:
        raise BadInput(f"seeds: {count} given; give a number from 1 to 1000.")
    return count


def _split(text: str) -> list[str]:
    """The settings in it; those that were copied from a command line with their `--set` too."""
    try:
        return [word.removeprefix("--set=") for word in shlex.split(text) if word != "--set"]
    except ValueError:
        raise BadInput(f"further settings: {text[:60]!r} has an open quotation; close it.") from None


def _command(choice: Choice, seeds: int | list[int], settings: dict[str, Any]) -> str:
    """The line of a choice that is not sound yet, as far as it goes."""
    words = ["lth", "run", "-m", choice.model, "-d", choice.data, "-s", choice.schedule]
    if set(choice.arms) | {"ticket"} != set(ARMS):
        words += [word for arm in choice.arms for word in ("-a", arm)]
    if isinstance(seeds, int) and seeds != DEFAULT_SEEDS:
        words += ["--seeds", str(seeds)]
    words += [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]
    return shlex.join(words)
