"""The launch form filled from a spec: that of a run, or a preset. Knows no Textual."""

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput
from engine.schedules import SCHEDULES
from lth_tui import command_line, plain
from lth_tui.screens import choice as choices
from lth_tui.screens.choice import Choice

if TYPE_CHECKING:
    from engine.spec import RunSpec


@dataclass(frozen=True)
class Filled:
    """What the form is to hold; `usual` is what its fields hold where nothing is said; a remark, or nothing."""

    choice: Choice
    usual: dict[str, str]
    remark: str


def of_spec(tree: dict[str, Any]) -> Filled:
    """The choice that makes this very spec. BadInput, in a sentence, where the form has no way to say it."""
    from engine import spec as specs

    spec = specs.of_tree(tree)
    _refuse_questions(spec)
    seeds = list(spec.seeds)
    counted = seeds == list(range(len(seeds)))
    given = spec.model_dump(mode="json") | {"seeds": list(range(len(seeds)))}
    options = _options(command_line.of(given))
    schedule = options.get("-s", ["imp"])[0]
    settings = [*options.get("--set", []), *(f"data.test_file={file}" for file in options.get("--test-file", []))]
    pairs = specs.parse_settings(settings)
    usual = choices.defaults(spec.model.name, spec.data.file or spec.data.name, schedule)
    texts = usual | {path: pairs.pop(path) for path in choices.FIELDS if path in pairs}
    texts[choices.SEEDS] = str(len(seeds)) if counted else ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
    texts[choices.FILE] = spec.data.file or ""
    texts[choices.FURTHER] = shlex.join(f"{path}={value}" for path, value in pairs.items())
    if wild := next((path for path, text in texts.items() if plain.line(text, len(text) + 1) != text), None):
        raise BadInput(f"{wild}: it holds signs that no field shows as they are; start such a run from a shell.")
    remark = ""
    if schedule != spec.schedule.name:
        remark = f"schedule {spec.schedule.name} is not here; its values are settings of {schedule}"
    elif schedule not in SCHEDULES and any(one.startswith("schedule.") for one in settings):
        remark = f"what differs from schedule {schedule}, as it is now, is among the settings"
    dataset = choices.FALLBACK if spec.data.file else spec.data.name
    return Filled(Choice(spec.model.name, dataset, schedule, spec.arms, texts), usual, remark)


def _refuse_questions(spec: "RunSpec") -> None:
    """BadInput for a run that asks about another's tickets: the form makes none of those."""
    if (origin := spec.origin) is None:
        return
    words = ["lth", origin.question, origin.run, "--round", str(origin.round)]
    words += ["-d", spec.data.file or spec.data.name] if origin.question == "transfer" else []
    raise BadInput(
        f"run: it asks about the tickets of {origin.run}, which no form can say; ask anew with: {shlex.join(words)}"
    )


def _options(words: list[str]) -> dict[str, list[str]]:
    """The values of each option of an `lth run` line, in order."""
    found: dict[str, list[str]] = {}
    for option, value in zip(words[2::2], words[3::2], strict=True):
        found.setdefault(option, []).append(value)
    return found
