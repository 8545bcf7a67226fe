"""What a run is set to, in groups, what differs from the usual standing out; and the line that would make it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BadInput
from engine.record import summary
from lth_tui import plain
from lth_tui.screens import words
from lth_tui.widgets.page import Line, wrapped

_GROUPS = ("model", "data", "schedule", "training", "verdict")


@dataclass(frozen=True)
class Told:
    """What is said of a spec, made once: it needs the code of specs."""

    line: str  # that makes such a run, or empty
    why_not: str  # a sentence, where no line does
    usual: Mapping[str, Any]  # dotted path -> what stands there where nothing is said


def told(spec: dict[str, Any]) -> Told:
    """The line and the usual values. Never raises; for a thread, since it imports what checks specs."""
    from lth_tui import command_line

    try:
        line, why_not = command_line.line(spec), ""
    except BadInput as error:
        line, why_not = "", str(error)
    return Told(line, why_not, _usual(spec))


def _usual(spec: dict[str, Any]) -> dict[str, Any]:
    from engine import spec as specs

    try:
        model = summary.named(spec, "model") or ""
        data, schedule = (words.mapping(spec.get(part)) for part in ("data", "schedule"))
        dataset = data.get("file") or data.get("name")
        usual = specs.compose(model, str(dataset), str(schedule.get("name"))).model_dump(mode="json")
    except BadInput:  # a schedule that is gone, a criterion that cannot score this model: nothing is usual here
        return {}
    return _flat(usual)


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    """Settings by dotted path, groups one deep."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and name in _GROUPS:
            found |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            found[name] = value
    return found


def lines(spec: dict[str, Any], about: Told | None, width: int, key: Callable[[str], str]) -> list[Line]:
    """The pane, as wide as there is room; before it is known what is usual nothing stands out.

    `key` tells the key of a name of the registry.
    """
    usual = about.usual if about is not None else {}
    made: list[Line] = []
    if about is not None and about.line:
        command = wrapped([(plain.line(about.line, 4_000), "strong")], max(width - 2, 1))
        made += [[("  " if at else "$ ", "dim"), *line] for at, line in enumerate(command)]
        made += [[(f"{key('run.copy-line')} copies it", "dim")], []]
    elif about is not None:
        made += [*wrapped([(f"No line makes this run: {plain.line(about.why_not, 300)}", "warn")], width), []]
    known = {path: value for path, value in _flat(spec).items() if path not in ("version", "origin")}
    groups = [*_GROUPS, ""]
    for group in groups:
        of_group = {path: value for path, value in known.items() if _group(path) == group}
        if of_group:
            made += [[(group or "run", "accent")]]
            made += [_setting(path, value, usual, width) for path, value in of_group.items()]
    for name, value in summary.origin_of(spec).items():
        made.append([(f"  origin.{plain.line(name, 30)}  ", "dim"), (plain.line(value, 120), "")])
    return made


def _group(path: str) -> str:
    group, dot, _ = path.partition(".")
    return group if dot and group in _GROUPS else ""


def _setting(path: str, value: Any, usual: Mapping[str, Any], width: int) -> Line:
    """`  learning_rate      0.003   usually 0.001`"""
    name = path.partition(".")[2] if _group(path) else path
    label = f"  {plain.line(name, 24):<{min(20, max(width // 2 - 2, 8))}} "
    shown = worded(value)
    if path in usual and usual[path] != value:
        return [(label, ""), (shown, "strong"), (f"   usually {worded(usual[path])}", "dim")]
    return [(label, "dim"), (shown, "dim" if path in usual else "")]


def worded(value: Any) -> str:
    """A value as --set takes it, made safe."""
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    if isinstance(value, dict):
        return (
            ", ".join(f"{plain.line(name, 60)}:{plain.line(one, 60)}" for name, one in list(value.items())[:20])
            or "none"
        )
    if isinstance(value, list):
        return ", ".join(plain.line(one, 60) for one in value[:60])
    return plain.line(value, 300)
