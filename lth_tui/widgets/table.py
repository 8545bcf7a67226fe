"""A table drawn line by line: it shows ten thousand rows at once, and an update repaints only the lines that changed.

It is handed items, a key for each and a function that makes an item's cells; cells are made for visible rows alone.
A cell is plain text, or pieces of text each with a tone; nothing in it is ever read as markup. The cursor stays on its
item's key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.errors import StyleSyntaxError
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lth_tui.keys import bindings

Piece = tuple[str, str]  # text and its tone
Cell = str | Sequence[Piece]
Row = tuple[Cell, ...]

TONES = ("dim", "good", "warn", "bad", "live", "accent", "strong")  # each a component class; else a colour's name


@dataclass(frozen=True)
class Column:
    """How a column is laid out; `keep` says which columns go first where there is no room: those of the lowest."""

    title: Cell
    width: int
    right: bool = False
    grow: int = 0  # share of the width to spare
    keep: int = 100
    most: int = 1000  # width it may grow to


def fit(columns: Sequence[Column], width: int) -> list[tuple[int, Column]]:
    """The columns that have room, with their place in `columns` and their widths grown; the gap between two is 1."""
    chosen = list(enumerate(columns))
    while len(chosen) > 1 and sum(one.width + 1 for _, one in chosen) - 1 > width:
        chosen.remove(min(chosen, key=lambda pair: (pair[1].keep, -pair[0])))
    spare = width - sum(one.width + 1 for _, one in chosen) + 1
    while spare > 0:
        growing = [place for place, (_, one) in enumerate(chosen) if one.grow and one.width < one.most]
        if not growing:
            break
        shares = sum(chosen[place][1].grow for place in growing)
        before = spare
        for place in growing:
            index, one = chosen[place]
            more = min(spare, one.most - one.width, max(1, before * one.grow // shares))
            chosen[place] = (index, replace(one, width=one.width + more))
            spare -= more
    return chosen


def clipped(cell: Cell, width: int, right: bool) -> list[Piece]:
    """The pieces of a cell in exactly `width` terminal cells, cut with an ellipsis or padded."""
    pieces = [(cell, "")] if isinstance(cell, str) else list(cell)
    used = sum(cell_len(text) for text, _ in pieces)
    if used <= width:
        pad = (" " * (width - used), "")
        return [pad, *pieces] if right else [*pieces, pad]
    left, fitted = width - 1, []
    for text, tone in pieces:
        if (size := cell_len(text)) > left:
            fitted.append((set_cell_size(text, max(left, 0)) + "…", tone))
            break
        fitted.append((text, tone))
        left -= size
    return fitted if width > 0 else []


class Table(ScrollView, can_focus=True):
    """Rows of cells under a header, with a cursor."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--marked",
        *(f"table--{tone}" for tone in TONES),
    }
    BINDINGS: ClassVar[list[BindingType]] = bindings("table")

    class Moved(Message):
        """The cursor came to another item, or to none."""

        def __init__(self, table: "Table", key: str | None) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> "Table":
            return self.table

    class Chosen(Moved):
        """An item was chosen, by a click."""

    def __init__(
        self,
        columns: Sequence[Column],
        key: Callable[[Any], str],
        cells: Callable[[Any], Row],
        header: bool = True,
        id: str | None = None,  # noqa: A002  Textual's own name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.header = int(header)
        self.items: Sequence[Any] = ()
        self.cursor = 0
        self.marked: set[str] = set()  # keys; `repaint` after a change
        self._key, self._cells = key, cells
        self._painted: dict[int, Any] = {}  # line -> what was drawn there
        self._fitted: tuple[tuple[Any, ...], list[tuple[int, Column]]] | None = None

    # What is shown

    def show(self, items: Sequence[Any]) -> None:
        """Replace the items. The cursor stays on its item, and on its line where the table can scroll."""
        before, was = self.key, self.cursor
        self.items = items
        if before is not None and self.key != before:
            found = next((at for at, item in enumerate(items) if self._key(item) == before), None)
            self.cursor = min(was, max(len(items) - 1, 0)) if found is None else found
        self.cursor = min(self.cursor, max(len(items) - 1, 0))
        size = Size(self.size.width, len(items) + self.header)
        if size.height != self.virtual_size.height:
            self.virtual_size = size
        if self.cursor != was and self.scroll_offset.y > 0:
            self.scroll_to(y=max(0, self.scroll_offset.y + self.cursor - was), animate=False)
        self._keep_in_sight()
        self.repaint()
        if self.key != before:
            self.post_message(self.Moved(self, self.key))

    def repaint(self) -> None:
        """Redraw the lines whose content is no longer what was drawn."""
        for line in range(self.size.height):
            if self._painted.get(line) != self._content(line):
                self.refresh(Region(0, line, self.size.width, 1))

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Lay the table out anew."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self.refresh()

    @property
    def item(self) -> Any:
        """The item under the cursor; None in an empty table."""
        return self.items[self.cursor] if 0 <= self.cursor < len(self.items) else None

    @property
    def key(self) -> str | None:
        return None if self.item is None else self._key(self.item)

    @property
    def shown_columns(self) -> list[Column]:
        """The columns there is room for."""
        return [one for _, one in self._layout()]

    # The cursor

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, or the nearest there is."""
        index = min(max(index, 0), len(self.items) - 1)
        if index < 0 or index == self.cursor:
            return
        self.cursor = index
        self._keep_in_sight()
        self.repaint()
        self.post_message(self.Moved(self, self.key))

    def move_to_key(self, key: str) -> None:
        """Put the cursor on the item with this key, if it is here."""
        self.move_to(next((at for at, item in enumerate(self.items) if self._key(item) == key), self.cursor))

    def action_move(self, by: int) -> None:
        self.move_to(self.cursor + by)

    def action_page(self, direction: int) -> None:
        self.move_to(self.cursor + direction * max(self._rows_in_sight - 1, 1))

    def action_edge(self, last: int) -> None:
        self.move_to(len(self.items) - 1 if last else 0)

    @property
    def _rows_in_sight(self) -> int:
        return max(self.scrollable_content_region.height - self.header, 1)

    def _keep_in_sight(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + self._rows_in_sight:
            self.scroll_to(y=self.cursor - self._rows_in_sight + 1, animate=False)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        row = -1 if offset is None else self._row_of(offset.y)
        if 0 <= row < len(self.items):
            again = row == self.cursor
            self.move_to(row)
            if again or event.chain > 1:
                self.post_message(self.Chosen(self, self.key))

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.items) + self.header)
        self._keep_in_sight()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # Drawing

    def _row_of(self, line: int) -> int:
        """The row drawn on a line of the widget; -1 for the header."""
        return line - self.header + self.scroll_offset.y if line >= self.header else -1

    def _content(self, line: int) -> Any:
        row = self._row_of(line)
        if row < 0 or row >= len(self.items):
            return row if row < 0 else None
        return self._cells(self.items[row]), row == self.cursor, bool(self.marked) and self._is_marked(row)

    def _is_marked(self, row: int) -> bool:
        return self._key(self.items[row]) in self.marked

    def _layout(self) -> list[tuple[int, Column]]:
        want = (self.columns, self.scrollable_content_region.width)
        if self._fitted is None or self._fitted[0] != want:
            self._fitted = (want, fit(self.columns, want[1] - 2))
        return self._fitted[1]

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        content = self._painted[y] = self._content(y)
        if content is None or width <= 0:
            return Strip.blank(max(width, 0), self.rich_style)
        if content == -1:
            base = self.get_component_rich_style("table--header")
            pieces = [(" ", "")]
            for _, column in self._layout():
                pieces += [*clipped(column.title, column.width, column.right), (" ", "")]
        else:
            cells, current, marked = content
            base = self.get_component_rich_style("table--marked") if marked else Style.null()
            base = self.get_component_rich_style("table--cursor") if current else base
            pieces = [(("◆" if current else "•") if marked else "▌" if current else " ", "accent")]
            for index, column in self._layout():
                cell = cells[index] if index < len(cells) else ""
                pieces += [*clipped(cell, column.width, column.right), (" ", "")]
        style = self.rich_style + base
        # A tone on a reversed line would be a patch of another background.
        drawn = [Segment(text, style if base.reverse else style + self._tone(tone)) for text, tone in pieces if text]
        return Strip(drawn).adjust_cell_length(width, style).simplify()

    def _tone(self, tone: str) -> Style:
        if not tone:
            return Style.null()
        if tone in TONES:
            full = self.get_component_rich_style(f"table--{tone}")  # blended with the background
            return Style(color=None if tone == "strong" else full.color, bold=full.bold, dim=full.dim)
        try:
            return Style.parse(tone)
        except StyleSyntaxError:
            return Style.null()
