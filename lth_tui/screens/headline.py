"""The words on top of a run: its state, what it came to or is doing, how far it is, and what warns."""

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest

from engine.record import rundir, summary
from lth_tui import plain
from lth_tui.screens import words
from lth_tui.screens.follow import Look
from lth_tui.widgets.page import Line, wrapped
from lth_tui.widgets.table import clipped

_NUMBER, _OF_A_SEED = re.compile(r"\d+(?:\.\d+)?"), re.compile(r"\bseed \d")


def lines(look: Look, width: int, key: Callable[[str], str], tall: bool = True, note: str = "") -> list[Line]:
    """The lines of it, wrapped; `note` is one more word on what is shown below.

    `key` tells the key of a name of the registry.
    """
    view = look.view
    state = view["state"]
    text, tone = words.state(state)
    made = wrapped([(f"{text}  ", tone), (_what(view, note), "dim")], width)[: None if width >= 60 else 1]
    made += wrapped([(look.gone, "warn")], width) if look.gone else []
    made += _noted(look, width, 3 if tall else 1)
    told = [] if look.gone and state != "finished" else _words(look, key("run.resume"))
    made += [line for sentence in told for line in wrapped([sentence], width)]
    if state in rundir.ACTIVE or (state != "finished" and view["progress"]["trained"]):
        made.append(_progress(view, width))
    if doing := _doing(look):
        made += wrapped([(doing, "")], width)
    warnings = [plain.line(one, 300) for one in _folded(view["warnings"])]
    if view["events_skipped"]:
        warnings.insert(0, f"{words.count(view['events_skipped'], 'event')} could not be read and were passed over")
    most = 4 if tall else 1
    made += [line for one in warnings[:most] for line in wrapped([(f"⚠ {one}", "warn")], width)]
    if len(warnings) > most:
        made.append([(f"⚠ and {words.count(len(warnings) - most, 'more warning')}", "warn")])
    return made


def _noted(look: Look, width: int, most: int) -> list[Line]:
    """Its name, its tags and as much of its note as there is room for."""
    said = look.noted
    name, note = plain.line(said.name or "", 80), plain.line(said.note, 1000)
    tags = plain.line(" ".join(f"#{tag}" for tag in said.tags))
    parts = [(name, "strong"), (tags, "accent"), (note, "")]
    parts = [piece for part in parts if part[0] for piece in ((" · ", "dim"), part)]
    made = wrapped(parts[1:], width) if parts else []
    return made if len(made) <= most else [*made[: most - 1], clipped([*made[most - 1], (" …", "dim")], width, False)]


def _folded(warnings: Sequence[str]) -> list[str]:
    """Warnings about one seed each that differ in numbers alone are one: `seeds 0, 1 and 2 ... 10.1 to 13.0 points`."""
    alike: dict[str, list[list[str]]] = {}
    for one in warnings:
        seeds = _OF_A_SEED.search(one) is not None
        kind = _NUMBER.sub("\0", one) if seeds else one
        alike.setdefault(kind, []).append(_NUMBER.findall(one) if seeds else [])
    made = []
    for kind, numbers in alike.items():
        told = map(_together, zip(*numbers, strict=False))
        text = "".join(part for pair in zip_longest(kind.split("\0"), told, fillvalue="") for part in pair)
        made.append(re.sub(r"\bseed (?=\d+(, \d+)* and )", "seeds ", text))
    return made


def _together(numbers: Sequence[str]) -> str:
    """`3`, `0, 1 and 2`, or `10.1 to 13.0`."""
    found = list(dict.fromkeys(numbers))
    if len(found) == 1:
        return found[0]
    if len(found) > 6 or any("." in one for one in found):
        return f"{min(found, key=float)} to {max(found, key=float)}"
    return f"{', '.join(found[:-1])} and {found[-1]}"


def _progress(view: dict, width: int) -> Line:
    """`━━━━────  44 %  12 of 93 trainings`"""
    progress = view["progress"]
    tail = "" if progress["fraction"] is None else f" {100 * progress['fraction']:3.0f} %"
    if progress["trainings"]:
        tail += f"  {progress['trained']:,} of {progress['trainings']:,} trainings"
    room = max(min(width - len(tail), 60), 4)
    return [*words.bar(progress["fraction"], room, "live" if view["state"] in rundir.ACTIVE else "dim"), (tail, "")]


def _what(view: dict, note: str) -> str:
    spec = view["spec"]
    names = " × ".join(plain.line(summary.named(spec, part) or "?", 40) for part in ("model", "data", "schedule"))
    device = view["machine"]["device"]
    on = f" · on {plain.line(device, 20)}" if device else ""
    level = words.linear(view)
    linear = "" if level is None else f" · linear reference {words.percent(level)} %"
    return f"{names} · {words.count(len(view['seeds']), 'seed')}{on}{linear}{_asked(spec)}{note and f' · {note}'}"


def _asked(spec: dict) -> str:
    """What the run asks of the tickets of another; empty for an ordinary run."""
    question, origin = summary.question_of(spec), summary.origin_of(spec)
    if question is None:
        return ""
    return f" · {question} of round {plain.line(origin.get('round'), 8)} of {plain.line(origin.get('run'), 80)}"


def _doing(look: Look) -> str:
    status, view = look.status, look.view
    if view["state"] not in rundir.ACTIVE or look.gone:
        return ""
    parts = []
    seeds, seed = view["seeds"], status.get("seed")
    if seed in seeds:
        parts.append(f"seed {seeds.index(seed) + 1} of {len(seeds)}")
    if (number := status.get("round")) is not None:
        parts.append(f"round {plain.line(number, 20)} of {summary.rounds_of(view['spec']) or '?'}")
    if arm := status.get("arm"):
        parts.append(plain.line(arm, 20))
    if status.get("epoch") and status.get("epochs"):
        parts.append(f"epoch {plain.line(status['epoch'], 20)} of {plain.line(status['epochs'], 20)}")
    doing = status.get("doing")
    if not parts:
        parts.append(plain.line(doing, 80) if isinstance(doing, str) else "the engine is starting")
    left = words.duration(words.mapping(status.get("progress")).get("seconds_left"))
    if left:
        parts.append(f"about {left} left")
    if view["state"] == "stopping":
        parts.append("stopping after this step")
    return " · ".join(parts)


def _words(look: Look, key: str) -> list[tuple[str, str]]:
    """The verdict, or why there is none and what goes on from here: a key, and a line in a shell."""
    view, status = look.view, look.status
    state, again = view["state"], f"`lth resume {view['id'][-4:]}`"
    verdict = words.mapping(view["verdict"])
    sentence = verdict.get("sentence") or status.get("sentence")
    if state == "failed":
        cause = plain.line(view["cause"] or "nobody knows why")
        return [(f"✗ {cause}", "bad"), (f"{key}, or {again}, goes on from its last checkpoint.", "dim")]
    if state == "orphaned":
        cause = plain.line(view["cause"] or "its engine is gone")
        goes = f"{again} goes on from its last checkpoint, and so does {key}."
        return [(f"{cause[:1].upper()}{cause[1:]}; {goes}", "warn")]
    if state == "stopped":
        how = f" ({plain.line(view['cause'])})" if view["cause"] else ""
        return [(f"Stopped{how}; what is done stays. {key}, or {again}, goes on from its last checkpoint.", "dim")]
    if state == "queued":
        waits = look.waits[:1].upper() + look.waits[1:]
        return [(f"{waits}." if waits else f"Nobody works on it yet; {key}, or {again}, starts it.", "accent")]
    if sentence and state == "finished":
        won = verdict.get("winning_ticket")
        return [(plain.line(sentence, 1000), "good" if won is True else "warn" if won is False else "accent")]
    return []
