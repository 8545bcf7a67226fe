"""What stands on the terminal, so that of a change only the cells that are others are written: a line may be slow.

Textual writes the changed part of a widget from the widget's left edge on, whatever of it is new. Here it is compared,
cell by cell, with what was written before. Where all of the screen is drawn anew (another screen, another size) all of
it is written, which also mends what somebody else wrote over it; but only once, since Textual does so two or three
times in a row.
"""

import time
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

Cell = tuple[str, Style | None]
AGAIN = 1.0  # seconds within which a screen that is drawn anew once more is compared as well
GAP = 8  # cells that stayed are written again, rather than jumped over, up to so many


class Painted:
    """The cells that were written last, line by line; a line that is not known is written as it comes."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Cell | None]] = {}
        self._whole: tuple[Region, float] | None = None  # what was written as a whole, and when

    def forget(self) -> None:
        """Nothing is known of what the terminal shows."""
        self._lines.clear()
        self._whole = None

    def sparing(self, update: object) -> object:
        """The same update, which finds out when it is written what of it need not be."""
        if isinstance(update, ChopsUpdate):
            return _Changes(self, update)
        if isinstance(update, LayoutUpdate):
            return _Whole(self, update)
        if update is not None:
            self.forget()
        return update

    def begin(self, region: Region) -> None:
        """All of it is drawn anew: it is all to be written, unless it was just now."""
        now = time.monotonic()
        if self._whole is None or self._whole[0] != region or now - self._whole[1] >= AGAIN:
            self.forget()
            self._whole = (region, now)

    def _keep(self, y: int, x: int, cells: Sequence[Cell | None]) -> None:
        """These were written."""
        line = self._lines.setdefault(y, [])
        if len(line) < x + len(cells):
            line += [None] * (x + len(cells) - len(line))
        line[x : x + len(cells)] = cells

    def write(self, y: int, x: int, strip: Strip, console: Console) -> str:
        """What is to be written so that this stands there."""
        cells = _cells(strip)
        if cells is None:  # signs of another width than one: nobody knows how wide a terminal shows them
            runs = [(0, strip.cell_length)]
            self._keep(y, x, [None] * strip.cell_length)
        else:
            runs = self._new(y, x, cells)
            self._keep(y, x, cells)
        parts = ((Control.move_to(x + start, y).segment.text, strip.crop(start, end)) for start, end in runs)
        return "".join(move + part.render(console) for move, part in parts)

    def _new(self, y: int, x: int, cells: Sequence[Cell]) -> list[tuple[int, int]]:
        """Which of these differ from what stands there, from and to, counted from the first of them."""
        line = self._lines.get(y, [])[x : x + len(cells)]
        line += [None] * (len(cells) - len(line))
        runs: list[tuple[int, int]] = []
        for at, (was, now) in enumerate(zip(line, cells, strict=True)):
            if was == now:
                continue
            if runs and at - runs[-1][1] <= GAP:
                runs[-1] = (runs[-1][0], at + 1)
            else:
                runs.append((at, at + 1))
        return runs


class _Changes(CompositorUpdate):
    """Some parts of the screen."""

    def __init__(self, painted: Painted, update: ChopsUpdate) -> None:
        self.painted, self.update = painted, update

    def render_segments(self, console: Console) -> str:
        spans = self.update.spans
        parts = ((y, x, strip) for y, left, right in spans for x, strip in self._strips(y, left, right))
        return "".join(self.painted.write(y, x, strip, console) for y, x, strip in parts)

    def _strips(self, y: int, left: int, right: int) -> Iterator[tuple[int, Strip]]:
        """What is drawn from `left` to `right` of a line, each with where it begins."""
        chops = self.update.chops[y]
        for end, (x, strip) in zip(self.update.chop_ends[y], chops.items(), strict=False):
            start, stop = max(x, left), min(end, right)
            if strip is not None and start < stop:
                yield start, strip.crop(start - x, stop - x)


class _Whole(CompositorUpdate):
    """All of the screen."""

    def __init__(self, painted: Painted, update: LayoutUpdate) -> None:
        self.painted = painted
        self.region, self.lines = update.region, [Strip.join(line) for line in update.strips]

    def render_segments(self, console: Console) -> str:
        self.painted.begin(self.region)
        lines = enumerate(self.lines, self.region.y)
        return "".join(self.painted.write(y, self.region.x, line, console) for y, line in lines)


def _cells(segments: Iterable[Segment]) -> list[Cell] | None:
    """The sign and style of each cell; None where a sign takes none, or two."""
    cells: list[Cell] = []
    for segment in segments:
        text, style, control = segment
        if control or segment.cell_length != len(text):
            return None
        cells += [(sign, style) for sign in text]
    return cells
