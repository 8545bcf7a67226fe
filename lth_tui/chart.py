"""Accuracy against sparsity, or error along a line, drawn in characters: for the command line and the app alike.

Sparsity runs on a log-density axis, since each round removes a share of what is left: rounds then stand evenly.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor, log2, log10

COLOURS = ("green", "yellow", "magenta", "cyan", "blue", "red", "bright_green", "bright_yellow", "bright_magenta")
MARKERS = "●○×◆□△+◇▲"
DENSE_COLOUR = "bright_black"
DENSE = ("┄", DENSE_COLOUR)
LINEAR = ("·", "white")
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # braille, row by row


@dataclass(frozen=True)
class Curve:
    """One arm: points of (sparsity, accuracy), or of (place on a line, error), all fractions, in order."""

    name: str
    points: tuple[tuple[float, float], ...]
    style: tuple[str, str] | None = None  # marker and colour, where they are not those of its place in the list


def _close(low: float, high: float) -> tuple[float, float]:
    """Just more than from the lowest to the highest."""
    spare = max((high - low) * 0.08, 0.002, max(abs(low), abs(high)) * 1e-9)  # or it is lost in rounding
    return low - spare, high + spare


def steady(low: float, high: float) -> tuple[float, float]:
    """From the lowest to the highest in round steps: a chart that grows moves as a whole only now and then."""
    size = max((high - low) / 4, 0.001, max(abs(low), abs(high)) * 1e-9)
    ten = 10.0 ** floor(log10(size))
    step = next(ten * times for times in (1, 2, 5, 10) if ten * times >= size * 0.999)
    bottom, top = floor(low / step), ceil(high / step)
    return bottom * step, max(top, bottom + 1) * step


@dataclass(frozen=True)
class Axis:
    """What lies along x: where a value stands, how it is written, titles of the chart from long to short; and how what
    lies along y is written, in five characters. `ends` are values of x that have their place whatever the points are,
    `room` says from where to where y goes, given its lowest and highest value.
    """

    place: Callable[[float], float]
    tick: Callable[[float], str]
    titles: tuple[str, ...]
    level: Callable[[float], str] = lambda share: f"{100 * share:5.1f}"
    ends: tuple[float, ...] = ()
    room: Callable[[float, float], tuple[float, float]] = _close


def style_of(index: int) -> tuple[str, str]:
    """Marker and colour of the arm at this place of the spec's list; the same in table, chart and app."""
    return MARKERS[index % len(MARKERS)], COLOURS[index % len(COLOURS)]


def curves(rounds: list[dict], arms: list[str], metric: str = "test_accuracy") -> tuple[list[Curve], float | None]:
    """Means over seeds, from the rounds of `lth show --json`: a curve an arm, and the dense network's."""
    dense = next((mean(r["arms"]["dense"].get(metric, [])) for r in rounds if "dense" in r["arms"]), None)
    found = []
    for arm in arms:
        pairs = [(r["sparsity"], mean(r["arms"].get(arm, {}).get(metric, []))) for r in rounds]
        points = tuple((s, a) for s, a in pairs if s is not None and a is not None)
        found.append(Curve(arm, points))
    return found, dense


def mean(values: list[float | None]) -> float | None:
    """The mean of what is known; None of nothing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def draw(
    found: list[Curve],
    dense: float | None,
    width: int,
    height: int,
    linear: float | None = None,
    axis: Axis | None = None,
) -> list[list[tuple[str, str]]]:
    """Lines of (text, colour) pieces: axis, curves, the dense level as a dotted line, sparsities, a legend.

    Along x lies sparsity, unless another `axis` is given.
    `width` and `height` in characters, the legend and axes included; nothing is drawn where there is no room.
    Numbers that are not finite, or nearly so, are passed over. The linear reference is a level too, where it lies
    among the others: a distant one would press all curves into a line, and stands in the legend with its value.
    """
    axis = axis or SPARSITY
    reference = linear if linear is not None and _known(linear) else None
    styles = [curve.style or style_of(index) for index, curve in enumerate(found)]
    found = [
        Curve(curve.name, tuple(point for point in curve.points if all(map(_known, point))), style)
        for curve, style in zip(found, styles, strict=True)
    ]
    dense = dense if dense is not None and _known(dense) else None
    points = [point for curve in found for point in curve.points]
    left, below = 7, 3
    columns, rows = width - left, height - below
    if not points or columns < 12 or rows < 3:
        return []
    levels = [y for _, y in points] + ([] if dense is None else [dense])
    low, high = axis.room(min(levels), max(levels))
    linear = linear if linear is not None and low <= linear <= high else None
    depths = [axis.place(x) for x in (*(x for x, _ in points), *axis.ends)]
    first, last = (0.0 if dense is not None else min(depths)), max(depths)
    span = (last - first) or 1.0

    def column(sparsity: float) -> float:
        return (axis.place(sparsity) - first) / span * (columns - 1)

    def row(accuracy: float) -> float:
        return (high - accuracy) / (high - low) * (rows - 1)

    axis = _finer(axis, [high - (high - low) * y / (rows - 1) for y in range(0, rows, 3)])
    dots = [[0] * columns for _ in range(rows)]
    paint = [[""] * columns for _ in range(rows)]
    marks: dict[tuple[int, int], tuple[str, str]] = {}
    for start, (accuracy, sign) in enumerate(((dense, DENSE), (linear, LINEAR))):  # both are seen, even on one row
        if accuracy is not None:
            marks |= {(round(row(accuracy)), x): sign for x in range(start, columns, 2)}
    for index in reversed(range(len(found))):  # the first arm is drawn last, on top
        marker, colour = styles[index]
        places = [(column(x), row(y)) for x, y in found[index].points]
        for (x0, y0), (x1, y1) in pairwise(places):
            _line(dots, paint, colour, x0, y0, x1, y1)
        for x, y in places:
            marks[round(y), round(x)] = (marker, colour)
    lines = []
    for y in range(rows):
        told = y % 3 == 0 or (y == rows - 1 and y % 3 == 2)  # never one close above another
        label = f"{axis.level(high - (high - low) * y / (rows - 1)):>5} ┤" if told else "      │"
        pieces = [(label, DENSE_COLOUR)]
        for x in range(columns):
            if (y, x) in marks:
                pieces.append(marks[y, x])
            elif dots[y][x]:
                pieces.append((chr(0x2800 + dots[y][x]), paint[y][x]))
            else:
                pieces.append((" ", ""))
        lines.append(_merged(pieces))
    lines.append([("      └" + "─" * columns, DENSE_COLOUR)])
    ticks = sorted({x for x, _ in points} | set(axis.ends) | ({0.0} if dense is not None else set()))
    lines.append([(_ticks(ticks, axis.tick, column, columns, left), DENSE_COLOUR)])
    away = [] if linear is not None or reference is None else [_away(reference, reference > high)]
    lines.append(_legend([*found, *away], dense is not None, linear is not None, axis.titles, left, width))
    return lines


def _away(linear: float, above: bool) -> Curve:
    """A linear reference that lies above or below what is drawn, as the legend tells it: `· linear 63.8 ↑`."""
    return Curve(f"linear {100 * linear:.1f} {'↑' if above else '↓'}", ((0.0, linear),), LINEAR)


def _finer(axis: Axis, levels: list[float]) -> Axis:
    """The axis, with one more digit where two levels that are written one above the other would read the same."""
    told = [axis.level(one) for one in levels]
    alike = any(one == other for one, other in pairwise(told))
    return replace(axis, level=_hundredths) if alike and axis.level is Axis.level else axis


def _hundredths(share: float) -> str:
    return f"{100 * share:5.2f}"[:5]


def _known(value: float) -> bool:
    return abs(value) < 1e100  # sums and differences of such stay finite


def _depth(sparsity: float) -> float:
    return -log2(max(1 - sparsity, 1e-6))


def _line(
    dots: list[list[int]], paint: list[list[str]], colour: str, x0: float, y0: float, x1: float, y1: float
) -> None:
    """Braille dots along a straight line; coordinates in characters, four dots high and two wide each."""
    steps = max(1, round(max(abs(x1 - x0) * 2, abs(y1 - y0) * 4)))
    for step in range(steps + 1):
        x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
        column, row = int((x + 0.5) * 2), int((y + 0.5) * 4)
        dots[min(row // 4, len(dots) - 1)][min(column // 2, len(dots[0]) - 1)] |= _DOTS[row % 4][column % 2]
        paint[min(row // 4, len(dots) - 1)][min(column // 2, len(dots[0]) - 1)] = colour


def _merged(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    merged: list[tuple[str, str]] = []
    for text, colour in pieces:
        if merged and merged[-1][1] == colour:
            merged[-1] = (merged[-1][0] + text, colour)
        else:
            merged.append((text, colour))
    return merged


def _percent(sparsity: float) -> str:
    return f"{100 * sparsity:.{0 if sparsity < 0.1 else 1}f}"


SPARSITY = Axis(_depth, _percent, ("test accuracy % by sparsity %", "accuracy by sparsity, %"))
LINE = Axis(lambda place: place, "{:g}".format, ("validation error % from one copy to the other", "error, %"))


def _ticks(values: list[float], tick: Callable[[float], str], column, columns: int, left: int) -> str:
    """Values under their columns, as many as fit."""
    line = [" "] * (left + columns)
    free = 0
    for value in values:
        text = tick(value)
        start = min(max(left + round(column(value)) - len(text) // 2, 0), left + columns - len(text))
        if start >= free:
            line[start : start + len(text)] = text
            free = start + len(text) + 1
    return "".join(line)


def _legend(
    found: list[Curve], dense: bool, linear: bool, titles: tuple[str, ...], left: int, width: int
) -> list[tuple[str, str]]:
    """The arms and the levels that are drawn and a title, as far as they fit; close together where that is needed."""
    styles = [(curve.style or style_of(index), curve) for index, curve in enumerate(found)]
    entries = [(f"{marker} {curve.name}", colour) for (marker, colour), curve in styles if curve.points]
    levels = ((dense, DENSE, "dense"), (linear, LINEAR, "linear"))
    entries += [(f"{sign} {name}", colour) for drawn, (sign, colour), name in levels if drawn]
    needed = sum(len(text) for text, _ in entries)
    loose, close = needed + 2 * len(entries), needed + len(entries) - 1
    indent, gap = (left, 2) if left + loose <= width else (left if left + close <= width else 0, 1)
    pieces, free = [(" " * indent, "")], width - indent
    for text, colour in entries:
        if len(text) <= free:
            pieces.append((f"{text}{' ' * gap}"[:free], colour))
            free -= min(len(text) + gap, free)
    if title := next((one for one in titles if len(one) <= free), None):
        pieces.append((title.rjust(free), DENSE_COLOUR))
    return pieces
