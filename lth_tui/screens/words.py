"""How values are put into words and signs: states, numbers, times, bars. Imports nothing of Textual."""

import math
from datetime import datetime
from typing import Any

from lth_tui import plain

Piece = tuple[str, str]

# A sign and a tone for every state: told apart without colour, and by colour at a glance.
STATES: dict[str, Piece] = {
    "queued": ("○", "dim"),
    "running": ("●", "live"),
    "stopping": ("◐", "warn"),
    "finished": ("✓", "good"),
    "failed": ("✗", "bad"),
    "stopped": ("■", "dim"),
    "orphaned": ("!", "warn"),
    "unreadable": ("?", "dim"),
}
# Tones as colours of the theme, for text outside tables.
COLOURS = {
    "": "",
    "dim": "$foreground-muted",
    "good": "$success",
    "warn": "$warning",
    "bad": "$error",
    "live": "$primary",
    "accent": "$accent",
    "strong": "bold",
}


def state(name: object) -> Piece:
    """`● running` and its tone."""
    sign, tone = STATES.get(str(name), ("?", "warn"))
    return f"{sign} {'private' if name == 'unreadable' else plain.line(name, 12)}", tone


def number(value: object) -> float | None:
    """A finite number, or None for anything else that a file may hold."""
    if type(value) not in (int, float):
        return None
    try:
        return float(value) if math.isfinite(value) else None  # type: ignore[arg-type]
    except OverflowError:
        return None


def mapping(value: object) -> dict[str, Any]:
    """An object, or an empty one for anything else that a file may hold."""
    return value if isinstance(value, dict) else {}


def share(value: object) -> float | None:
    """A number from 0 to 1, or None."""
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def percent(value: object, digits: int = 1) -> str:
    """0.9051 as `90.5`; a dot where it is not known."""
    found = share(value)
    return "·" if found is None else f"{100 * found:.{digits}f}"


def sparsity(value: object) -> str:
    """A share of pruned weights as `48.8 %`, `0 %`."""
    found = share(value)
    return "·" if found is None else f"{100 * found:.{0 if found == 0 else 1}f} %"


def duration(value: object) -> str:
    """Seconds as `42s`, `12m`, `3h20`, `4d`."""
    seconds = number(value)
    if seconds is None or seconds < 0 or seconds > 1e9:
        return ""
    if seconds < 60:
        return f"{seconds:.0f}s"
    if seconds < 3600:
        return f"{seconds / 60:.0f}m"
    if seconds < 86_400:
        return f"{int(seconds // 3600)}h{int(seconds % 3600 // 60):02d}"
    return f"{seconds / 86_400:.0f}d"


def age(created: object, now: datetime) -> str:
    """How long ago, coarsely: `3s`, `5m`, `2h`, `4d`."""
    try:
        seconds = (now - datetime.fromisoformat(str(created))).total_seconds()
    except (ValueError, TypeError):
        return ""
    seconds = max(seconds, 0)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def bar(fraction: object, width: int, tone: str = "live") -> list[Piece]:
    """A line that fills: `━━━━╌╌╌╌`."""
    done = round((share(fraction) or 0.0) * width)
    return [("━" * done, tone), ("─" * (width - done), "dim")]


def count(value: int, one: str, many: str | None = None) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def best(value: Any) -> str:
    """The mean accuracy of the sparsest ticket within the margin of dense, in percent, and its sparsity: `90.5 @ 48.8`.

    By means alone: it is not what the verdict tests.
    """
    if not isinstance(value, dict) or share(value.get("ticket")) is None:
        return "·"
    return f"{percent(value['ticket'])} @ {percent(value.get('sparsity'))}"


def linear(view: dict[str, Any]) -> float | None:
    """The test accuracy of the linear reference, a mean over the seeds; None while no seed has one."""
    found = view.get("reference")
    return share(found.get("linear_test_accuracy")) if isinstance(found, dict) else None
