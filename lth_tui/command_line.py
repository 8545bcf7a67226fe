"""The `lth` line that makes a run of a given spec: as short as it can be, saying only what differs from the usual."""

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.spec import RunSpec

Compose = Callable[[list[str]], "RunSpec"]  # from the values of --set to a spec
_BY_OPTION = {"data.test_file": "--test-file"}


def line(spec: dict[str, Any]) -> str:
    """The line, quoted for a shell. Raises BadInput."""
    return shlex.join(of(spec))


def of(spec: dict[str, Any]) -> list[str]:
    """The words of the line for an effective spec, as JSON: `["lth", "run", "-m", "cnn", ...]`.

    A schedule of one's own that is gone is said setting by setting. Raises BadInput for a spec that is none, and where
    no line makes a run of it.
    """
    from engine import spec as specs

    given = _loaded(spec)
    if given.origin is not None:
        return _asked(given)
    schedule = _schedule(given)
    dataset = given.data.file or given.data.name
    words = ["lth", "run", "-m", given.model.name, "-d", dataset, *([] if schedule == "imp" else ["-s", schedule])]
    count = len(given.seeds)
    if given.seeds != tuple(range(count)):
        listed = ", ".join(map(str, given.seeds[:20]))
        raise BadInput(f"seeds: {listed} are chosen by no option; `lth run --seeds` counts from 0.")

    def compose(settings: list[str]) -> "RunSpec":
        arms = list(given.arms)
        return specs.compose(given.model.name, dataset, schedule, arms, count, dict(specs.parse_settings(settings)))

    settings = _needed(given, list(specs.settable(given.model.name)), compose)
    return [*words, *_arms(given, specs.RunSpec.model_fields["arms"].default), *_seeds(count), *settings]


def _loaded(spec: dict[str, Any]) -> "RunSpec":
    from pydantic import ValidationError

    from engine import spec as specs

    newest = {"version": specs.VERSION} if spec.get("version") == 1 else {}
    try:
        return specs.RunSpec.model_validate(spec | newest)
    except ValidationError as error:
        raise BadInput(specs.sentence(error)) from None


def _schedule(given: "RunSpec") -> str:
    """The schedule to begin with: the one it names, or `imp` where that is gone."""
    from engine import schedules

    try:
        return schedules.find(given.schedule.name).name
    except BadInput:
        return "imp"


def _arms(given: "RunSpec", usual: tuple[str, ...]) -> list[str]:
    return [] if given.arms == usual else [word for arm in given.arms for word in ("-a", arm)]


def _seeds(count: int) -> list[str]:
    return [] if count == 3 else ["--seeds", str(count)]


def _needed(given: "RunSpec", paths: list[str], compose: Compose) -> list[str]:
    """The options without which it would be another spec. Raises BadInput where not even all of them make it."""
    every = {path: f"{path}={_worded(_at(given, path))}" for path in paths}
    target = compose(list(every.values()))
    for path in paths:
        if _at(target, path) != _at(given, path):
            raise BadInput(f"{path}: {str(_at(given, path))[:60]!r} is what no --set can say.")
    needed = dict(every)
    for path in every:
        fewer = {key: setting for key, setting in needed.items() if key != path}
        try:
            if compose(list(fewer.values())) == target:
                needed = fewer
        except BadInput:  # it needs this one
            continue
    words: list[str] = []
    for path, setting in needed.items():
        words += [_BY_OPTION[path], str(_at(given, path))] if path in _BY_OPTION else ["--set", setting]
    return words


def _at(spec: "RunSpec", path: str) -> Any:
    group, _, name = path.rpartition(".")
    return getattr(getattr(spec, group) if group else spec, name)


def _worded(value: Any) -> str:
    """A value as --set takes it."""
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{name}:{factor!r}" for name, factor in value.items()) or "none"
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _asked(given: "RunSpec") -> list[str]:
    """The line of a question about another run's tickets, which decide all that is not said here."""
    from engine import spec as specs

    origin = given.origin
    assert origin is not None
    words = ["lth", origin.question, origin.run, "--round", str(origin.round)]
    if origin.question == "stability":
        words += [] if origin.points == 11 else ["--points", str(origin.points)]
        machine = {"device": (given.device, "auto"), "threads": (given.threads, None)}
        return words + [
            word for name, (value, usual) in machine.items() if value != usual for word in ("--set", f"{name}={value}")
        ]
    dataset = given.data.file or given.data.name

    def compose(settings: list[str]) -> "RunSpec":
        seeds = list(given.seeds)
        pairs = dict(specs.parse_settings(settings))
        return specs.compose(given.model.name, dataset, "imp", list(given.arms), seeds, pairs)

    free = [path for path in specs.settable(given.model.name) if not path.startswith(("model.", "schedule."))]
    words += ["-d", dataset, *_arms(given, ("ticket", "reinit", "shuffle"))]
    return words + _needed(given, free, compose)
