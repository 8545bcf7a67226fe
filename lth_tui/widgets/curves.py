"""A chart, as lth_tui.chart draws it, in whatever room there is."""

from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from lth_tui import chart
from lth_tui.chart import Axis, Curve

WIDEST, TALLEST = 120, 36


class Curves(Widget, can_focus=False):
    """Curves under a title; drawn anew when it is given other points or another size, at no other time."""

    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self._what: tuple[Any, ...] = ([], None, None, None)
        self._title = self._empty = ""
        self._lines: list[list[tuple[str, str]]] = []

    def show(
        self,
        found: list[Curve],
        dense: float | None = None,
        linear: float | None = None,
        axis: Axis | None = None,
        *,
        title: str = "",
        empty: str = "",
    ) -> None:
        """Draw these, if they say something new; `empty` is said where there is no point yet."""
        if (found, dense, linear, axis) != self._what or (title, empty) != (self._title, self._empty):
            self._what, self._title, self._empty = (found, dense, linear, axis), title, empty
            self._draw()

    def on_resize(self, _: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        found, dense, linear, axis = self._what
        width, height = min(self.size.width, WIDEST), min(self.size.height, TALLEST)
        head = [[(self._title[:width], "bold")]] if self._title else []
        drawn = chart.draw(found, dense, width, height - len(head), linear, axis) if width > 0 and height > 0 else []
        if not drawn:
            some = any(curve.points for curve in found)
            said = "There is no room for a chart here." if some else self._empty
            drawn = [[(said[:width], chart.DENSE_COLOUR)]]
        self._lines = [*head, *drawn]
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if y >= len(self._lines):
            return Strip.blank(self.size.width, base)
        drawn = [
            Segment(text, base + (Style.parse(colour) if colour else Style.null())) for text, colour in self._lines[y]
        ]
        return Strip(drawn).adjust_cell_length(self.size.width, base)
