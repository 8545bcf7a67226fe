"""Curves of several runs laid over one another."""

from lth_tui import chart
from lth_tui.chart import Axis, Curve
from lth_tui.widgets.curves import TALLEST, WIDEST, Curves


class Overlay(Curves):
    """A curve a run, each in the colour of its place."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id)
        self._axis = chart.SPARSITY
        self._empty = ""

    def overlay(self, curves: list[Curve], axis: Axis, empty: str) -> None:
        """Draw these curves, or in words that there are none, if they say something new."""
        what = (curves, None)
        if (what, axis.titles, empty) != (self._what, self._axis.titles, self._empty):
            self._what, self._axis, self._empty = what, axis, empty
            self._draw()

    def _draw(self) -> None:
        width, height = min(self.size.width, WIDEST), min(self.size.height, TALLEST)
        drawn = chart.draw(*self._what, width, height, axis=self._axis) if width > 0 and height > 0 else []
        self._lines = drawn or [[(self._empty, chart.DENSE_COLOUR)]]
        self.refresh()
