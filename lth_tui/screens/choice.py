"""What is chosen on the launch screen: its defaults, its spec, its errors, its command line. Knows no Textual."""

import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engine import schedules
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.spec import RunSpec

SEEDS, FURTHER = "seeds", "further"
FIELDS = {  # a field of the form -> its label; dotted ones are paths of the spec
    SEEDS: "seeds",
    "training.epochs": "epochs",
    "schedule.rounds": "rounds",
    "schedule.rate": "rate",
    "training.learning_rate": "learning rate",
    FURTHER: "further",
}
ARMS = ("ticket", "reinit", "shuffle")
DEFAULT_SEEDS = 3
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

    def with_text(self, name: str, text: str) -> "Choice":
        return replace(self, texts=self.texts | {name: text})


@dataclass(frozen=True)
class Checked:
    """A choice looked at: the spec where it is sound, else what is wrong, by field or list."""

    spec: "RunSpec | None"
    errors: dict[str, str]
    command: str
    ladder: tuple[float, ...]  # sparsities of the pruned rounds


def defaults(model: str, dataset: str, schedule: str) -> dict[str, str]:
    """What the fields hold where nothing is said. BadInput where there is no such schedule, or no longer.

    Whether the three go together is not asked here: `check` says so.
    """
    from engine import spec as specs

    card = schedules.find(schedule)
    base = specs.compose(model, dataset, "imp").model_dump()  # which goes with every model
    base["schedule"] |= {name: getattr(card, name) for name in base["schedule"]}
    texts = {SEEDS: str(DEFAULT_SEEDS), FURTHER: ""}
    for path in FIELDS:
        group, _, name = path.partition(".")
        if name:
            texts[path] = f"{base[group][name]:g}" if isinstance(base[group][name], float) else str(base[group][name])
    return texts


def hints(model: str) -> dict[str, str]:
    """A few words on each field."""
    from engine import spec as specs

    settable = specs.settable(model)
    said = {path: settable[path][1] for path in FIELDS if path in settable}
    said[SEEDS] = "repetitions; a verdict needs three or more"
    return said


def check(choice: Choice) -> Checked:
    """Compose the choice. Every field that is wrong gets its sentence, not only the first."""
    from engine import spec as specs

    try:
        usual = defaults(choice.model, choice.dataset, choice.schedule)
    except BadInput as error:  # one's own file, edited or removed since it was listed
        return Checked(None, {place(str(error)): str(error)}, _command(choice, DEFAULT_SEEDS, {}), ())
    errors: dict[str, str] = {}
    changed = {
        path: choice.texts[path].strip()
        for path in FIELDS
        if "." in path and choice.texts.get(path, usual[path]).strip() != usual[path]
    }
    seeds = DEFAULT_SEEDS
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
    command = _command(choice, seeds, settings)
    spec = None
    while spec is None:
        try:
            spec = specs.compose(
                choice.model, choice.dataset, choice.schedule, list(choice.arms), seeds=seeds, settings=settings
            )
        except BadInput as error:
            name = str(error).partition(":")[0]
            errors.setdefault(FURTHER if name in further else place(str(error)), str(error))
            path = name if name in settings else next((path for path in further if repr(path) in str(error)), None)
            if path not in settings:
                break
            del settings[path]
    ladder = tuple(spec.sparsity(number) for number in range(1, spec.schedule.rounds + 1)) if spec else ()
    return Checked(None if errors else spec, errors, command, ladder)


def place(sentence: str) -> str:
    """The field or list that a sentence is about; what is on neither stands at the further settings."""
    name = sentence.partition(":")[0]
    return name if name in FIELDS else _PLACES.get(name, FURTHER)


def _seeds(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        raise BadInput(f"seeds: {text[:40]!r} given; give a whole number from 1 to 1000.") from None
    if not 1 <= count <= 1000:
        raise BadInput(f"seeds: {count} given; give a number from 1 to 1000.")
    return count


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise BadInput(f"further settings: {text[:60]!r} has an open quotation; close it.") from None


def _command(choice: Choice, seeds: int, settings: dict[str, Any]) -> str:
    """The same run from a shell."""
    words = ["lth", "run", "-m", choice.model, "-d", choice.dataset, "-s", choice.schedule]
    if set(choice.arms) | {"ticket"} != set(ARMS):
        words += [word for arm in choice.arms for word in ("-a", arm)]
    if seeds != DEFAULT_SEEDS:
        words += ["--seeds", str(seeds)]
    words += [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]
    return shlex.join(words)
