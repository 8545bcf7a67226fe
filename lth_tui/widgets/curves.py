"""Accuracy against sparsity, as lth_tui.chart draws it, in whatever room there is."""

from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from lth_tui import chart

WIDEST, TALLEST = 120, 30


class Curves(Widget, can_focus=False):
    """The chart of one run; drawn anew when it is given other points or another size, at no other time."""

    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self._what: tuple[Any, ...] = ([], None)
        self._linear: float | None = None
        self._lines: list[list[tuple[str, str]]] = []

    def show(self, rounds: list[dict[str, Any]], arms: list[str], linear: float | None = None) -> None:
        """Draw these rounds and the level of the linear reference, if they say something new."""
        what = chart.curves(rounds, arms)
        if (what, linear) != (self._what, self._linear):
            self._what, self._linear = what, linear
            self._draw()

    def on_resize(self, _: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width, height = min(self.size.width, WIDEST), min(self.size.height, TALLEST)
        self._lines = chart.draw(*self._what, width, height, self._linear) if width > 0 and height > 0 else []
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if y >= len(self._lines):
            return Strip.blank(self.size.width, base)
        drawn = [
            Segment(text, base + (Style.parse(colour) if colour else Style.null())) for text, colour in self._lines[y]
        ]
        return Strip(drawn).adjust_cell_length(self.size.width, base)
