"""The events of a run, a line each, read on as they are written."""

import time
from pathlib import Path
from typing import Any

from engine.record import events
from engine.record.kinds import KINDS, sound
from lth_tui import plain
from lth_tui.screens import words
from lth_tui.widgets.page import Line, Page

_TONES = {
    "warning": "warn",
    "run_failed": "bad",
    "run_finished": "good",
    "run_stopped": "warn",
    "round_started": "accent",
    "trained": "strong",
    "epoch": "dim",
}


class Tail:
    """Reads what is new in events.jsonl. Used by one thread at a time."""

    def __init__(self, run: Path) -> None:
        self._path = run / events.FILE
        self._offset = 0
        self._troubled = False

    def read(self) -> tuple[list[Line], Line | None]:
        """The lines of what was not read before, at most as many as a page keeps. Never raises on what the file is."""
        try:
            tail = events.read(self._path, self._offset)
        except OSError as error:
            told, self._troubled = self._troubled, True
            return ([] if told else [[(f"events.jsonl cannot be read ({error.strerror or error})", "bad")]]), None
        begun = [[("events.jsonl begins anew", "warn")]] if tail.offset < self._offset else []
        self._offset = tail.offset
        bad = [[(f"{words.count(tail.bad, 'event')} here could not be read", "warn")]] if tail.bad else []
        return [*begun, *map(line, tail.events[-Page.MOST :]), *bad], None

    def close(self) -> None:
        """Nothing is kept open."""


def line(event: dict[str, Any]) -> Line:
    """`07:12:05  trained         seed 0 · round 3 · ticket · test 90.51 % ...`"""
    kind = event["event"]
    known = kind in KINDS and sound(event)
    told = _WORDS.get(kind, _anything)(event) if known else _anything(event)
    return [
        (f"{_time(event['time'])}  ", "dim"),
        (f"{plain.line(kind, 14):<14} ", _TONES.get(kind, "")),
        (told, "" if known else "dim"),
    ]


def _time(value: object) -> str:
    try:
        return time.strftime("%d %b %H:%M:%S", time.localtime(float(value)))  # type: ignore[arg-type]
    except (ValueError, OverflowError, OSError, TypeError):
        return " " * 15


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _where(event: dict[str, Any]) -> str:
    copy = f" copy {event['copy']}" if event.get("copy") else ""
    arm = f"{event['arm']}{copy}" if "arm" in event else ""
    of = f"/{event['epochs']}" if event.get("epochs") else ""
    epoch = f"epoch {event['epoch']}{of}" if "epoch" in event else ""
    return _joined(f"seed {event['seed']}", f"round {event['round']}" if "round" in event else "", arm, epoch)


def _share(event: dict[str, Any], name: str, title: str) -> str:
    return "" if event.get(name) is None else f"{title} {words.percent(event[name], 2)} %"


def _nats(event: dict[str, Any], name: str, title: str) -> str:
    return "" if event.get(name) is None else f"{title} {event[name]:.4g}"


def _epoch(event: dict[str, Any]) -> str:
    loss = (_nats(event, "train_loss", "train loss"), _nats(event, "valid_loss", "validation loss"))
    return _joined(_where(event), _share(event, "valid_accuracy", "validation"), *loss)


def _trained(event: dict[str, Any]) -> str:
    if event.get("diverged"):
        return _joined(_where(event), "diverged")
    best = f"best epoch {event['best_epoch']}" if event.get("best_epoch") is not None else ""
    shared = "shared by an earlier run" if event.get("shared") else ""
    took = words.duration(event.get("seconds"))
    return _joined(_where(event), _share(event, "test_accuracy", "test"), best, shared, took)


def _round(event: dict[str, Any]) -> str:
    pruned = f"{words.sparsity(event['sparsity'])} pruned"
    return _joined(_where(event), pruned, f"{event['nonzero']:,} of {event['parameters']:,} left")


def _data(event: dict[str, Any]) -> str:
    counts = " + ".join(f"{event[part]:,}" for part in ("train", "valid", "test"))
    return _joined(plain.line(event["name"], 60), f"{counts} texts", f"{event['classes']} classes")


def _reference(event: dict[str, Any]) -> str:
    return f"seed {event['seed']} · linear {words.percent(event['linear_test_accuracy'], 2)} %"


def _finished(event: dict[str, Any]) -> str:
    return plain.line(words.mapping(event.get("verdict")).get("sentence") or "")


def _anything(event: dict[str, Any]) -> str:
    """Whatever else an event says, as a file has it."""
    left_out = ("event", "time", "seq", "crc32")
    parts = [f"{plain.line(name, 40)} {_short(value)}" for name, value in event.items() if name not in left_out]
    return plain.line(_joined(*parts), 1000)


def _short(value: object) -> str:
    if isinstance(value, dict | list) and len(value) > 3:
        return words.count(len(value), "entry", "entries")
    return plain.line(value, 200)


_WORDS = {
    "epoch": _epoch,
    "trained": _trained,
    "round_started": _round,
    "data_ready": _data,
    "reference": _reference,
    "run_finished": _finished,
    "warning": lambda event: plain.line(event["message"], 1000),
    "run_failed": lambda event: plain.line(event.get("cause") or "nobody knows why", 1000),
}
