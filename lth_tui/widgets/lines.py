"""A few lines of pieces, each with a tone; only those that say something else are drawn again."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from lth_tui.screens.words import Piece
from lth_tui.widgets.table import TONES


class Lines(Widget, can_focus=False):
    """Shows lines as they are given: nothing wraps, nothing is markup. Its height is that of its lines."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines--{tone}" for tone in TONES}

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self.lines: list[list[Piece]] = []

    def show(self, lines: Sequence[Sequence[Piece]]) -> None:
        """Replace the lines, and redraw those that changed."""
        before, self.lines = self.lines, [list(line) for line in lines]
        if len(before) != len(self.lines):
            self.styles.height = len(self.lines)
            self.refresh()
            return
        for place, (was, now) in enumerate(zip(before, self.lines, strict=True)):
            if was != now:
                self.refresh(Region(0, place, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if y >= len(self.lines):
            return Strip.blank(self.size.width, base)
        drawn = [Segment(text, base + self._tone(tone)) for text, tone in self.lines[y]]
        return Strip(drawn).adjust_cell_length(self.size.width, base).simplify()

    def _tone(self, tone: str) -> Style:
        if tone not in TONES:
            return Style.null()
        full = self.get_component_rich_style(f"lines--{tone}")
        return Style(color=None if tone == "strong" else full.color, bold=full.bold, dim=full.dim)
