"""Runs made up on disk as an engine would leave them, and the app driven and read as a person would."""

import html
import re
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from rich.cells import cell_len
from textual.pilot import Pilot

from engine.record import history, rundir
from engine.record.events import EventLog
from lth_tui.app import LthApp

SPEC: dict[str, Any] = {
    "version": 1,
    "model": {"name": "cnn"},
    "data": {"name": "pydoc"},
    "schedule": {"name": "imp", "rounds": 2, "rate": 0.2},
    "training": {"epochs": 3},
    "arms": ["ticket", "reinit"],
    "seeds": [0, 1],
}


class Story:
    """One run, told event by event. Its engine is said to be on another machine, so that nobody looks for its lock."""

    def __init__(self, runs: Path, state: str = "running", spec: dict[str, Any] | None = None, **status: Any) -> None:
        self.run = rundir.create(runs, orjson.dumps(SPEC | (spec or {})), "cnn", "pydoc", "imp")
        self.log = EventLog(self.run)
        self.state = state
        self.say(**status)

    def say(self, state: str | None = None, **status: Any) -> None:
        """Replace the status."""
        self.state = state or self.state
        base = {"state": self.state, "process": {"host": "elsewhere"}, "epochs": 3}
        rundir.write_status(self.run, base | status)

    def epoch(self, seed: int, number: int, arm: str, epoch: int) -> None:
        self.log.append("epoch", seed=seed, round=number, arm=arm, epoch=epoch, epochs=3, sparsity=0.0)

    def trained(self, seed: int, number: int, arm: str, accuracy: float, **more: float) -> None:
        sparsity = 1 - 0.8**number
        fields = {"sparsity": sparsity, "test_accuracy": accuracy, "seconds": 2.0, "best_epoch": 2, **more}
        self.log.append("trained", seed=seed, round=number, arm=arm, **fields)


def shown(app: LthApp) -> str:
    """What stands on the terminal, line by line, dialogs and notices included."""
    lines: dict[float, list[tuple[float, str]]] = defaultdict(list)
    for attributes, text in re.findall(r"<text ([^>]*)>([^<]*)</text>", app.export_screenshot()):
        x, y = (float(re.search(rf'\b{axis}="([\d.]+)"', attributes)[1]) for axis in "xy")
        lines[y].append((x, html.unescape(text).replace("\xa0", " ")))
    return "\n".join(_line(sorted(parts)) for _, parts in sorted(lines.items()))


def _line(parts: list[tuple[float, str]]) -> str:
    """Pieces at their places; the picture has no pieces of mere spaces, and a cell is 12.2 wide in it."""
    line = ""
    for x, text in parts:
        line += " " * (round(x / 12.2) - cell_len(line)) + text
    return line


async def until(pilot: Pilot, condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until the condition holds; fails with what is on the screen instead."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain; on the screen:\n{shown(pilot.app)}"
        await pilot.pause(0.05)


def drawn(pilot: Pilot) -> str:
    """What the screen in front shows; cheaper than `shown`, and the same where no dialog lies above it."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def sees(pilot: Pilot, *words: str, seconds: float = 60) -> None:
    """Wait until all these words are on the screen, at once."""

    def there() -> bool:
        found = drawn(pilot)
        return all(word in found for word in words)

    await until(pilot, there, seconds)


def farewell(app: LthApp) -> list[str]:
    """What the app says on the terminal when it leaves, once it has."""
    said: list[str] = []
    leave = app.exit

    def overheard(*args: Any, message: Any = None, **kwargs: Any) -> None:
        said.append(str(message))
        leave(*args, message=message, **kwargs)

    app.exit = overheard  # type: ignore[method-assign]
    return said


def many(runs: Path, count: int) -> list[history.Summary]:
    """Summaries of so many runs, newest first, as `history.refresh` gives them; nothing of them is on disk."""
    base = history.summarise(Story(runs, "finished").run)
    return [base | {"id": f"20261122-071205-pydoc-cnn-imp-{number:04x}"} for number in range(count)]
