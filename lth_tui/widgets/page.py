"""Lines of pieces, each with a tone, that one can scroll, follow to their end and search. Only changed lines are drawn.

Nothing in a line is ever read as markup, and none wraps: what is too long is scrolled to.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lth_tui.keys import KEYS, bindings
from lth_tui.widgets.table import TONES

Line = Sequence[tuple[str, str]]  # pieces: a text and its tone


class Page(ScrollView, can_focus=True):
    """Follows its end until one scrolls up, and again from the end."""

    HELP_TITLE = KEYS["page"].title
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"page--hit", *(f"page--{tone}" for tone in TONES)}
    BINDINGS: ClassVar[list[BindingType]] = bindings("page")
    MOST = 5_000  # lines kept of what is added

    class Searched(Message):
        """There is a word on how it stands: what is followed, or what was found."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self.lines: list[Line] = []
        self.following = False
        self.term = ""
        self.hit: int | None = None  # the line that the search stands on
        self._open = False  # the last line may yet grow
        self._widest = 0

    # What is shown

    def show(self, lines: Iterable[Line]) -> None:
        """Replace the lines, and draw those that changed."""
        before, self.lines = self.lines, list(lines)
        self._widest = max((_width(line) for line in self.lines), default=0)
        self._measure()
        top = self.scroll_offset.y
        for place in range(top, top + self.size.height):
            was, now = (lines[place] if place < len(lines) else () for lines in (before, self.lines))
            if was != now:
                start = 0 if self.scroll_offset.x else _same(was, now)
                end = max(_width(was), _width(now), start + 1)
                self.refresh(Region(start, place - top, end - start, 1))

    def add(self, lines: Sequence[Line], still_open: Line | None = None) -> None:
        """Add lines at the end, and one that may still grow; the oldest go once there are too many."""
        if self._open:
            self.lines.pop()
        self._open = still_open is not None
        fresh = [*lines, *([] if still_open is None else [still_open])]
        self.lines += fresh
        self._widest = max([self._widest, *map(_width, fresh)])
        gone = max(0, len(self.lines) - self.MOST)
        if gone:
            del self.lines[:gone]
            self.hit = self.hit - gone if self.hit is not None and self.hit >= gone else None
        self._measure()
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        elif gone:
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, force=True)
        self.refresh()

    def _measure(self) -> None:
        size = Size(min(self._widest, 10_000), len(self.lines))
        if size != self.virtual_size:
            self.virtual_size = size

    def on_resize(self) -> None:
        self._measure()
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        end = new >= self.max_scroll_y
        if self.following != end and (not end or (new > old and self.hit is None)):
            self.following = end
            self.post_message(self.Searched())

    # Keys

    def action_follow(self) -> None:
        self.action_edge(1)

    def action_edge(self, last: int) -> None:
        self.following = bool(last)
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False, force=True)
        self.post_message(self.Searched())

    def action_scroll(self, by: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + by, animate=False)

    def action_page(self, direction: int) -> None:
        self.action_scroll(direction * max(self.size.height - 1, 1))

    def action_aside(self, by: int) -> None:
        self.scroll_to(x=self.scroll_offset.x + by, animate=False)

    # Search

    def search(self, term: str) -> None:
        """Mark a text wherever it stands, in capitals or not, and go to the next line with it; an empty one ends it."""
        self.term, self.hit = term.casefold(), None
        self.action_find(-1 if self.following else 1)
        self.refresh()

    def action_find(self, direction: int) -> None:
        """To the next line with what is searched, or the one before; past the end it goes on from the beginning."""
        found = self.hits() if self.term else []
        if found:
            bottom = self.scroll_offset.y + self.size.height
            start = self.hit if self.hit is not None else (self.scroll_offset.y - 1 if direction > 0 else bottom)
            later = [place for place in found if (place > start if direction > 0 else place < start)]
            self.hit = (later or found)[0 if direction > 0 else -1]
            self.following = False
            if not self.scroll_offset.y <= self.hit < bottom:
                self.scroll_to(y=max(0, self.hit - self.size.height // 2), animate=False, force=True)
            self.refresh()
        self.post_message(self.Searched())

    def hits(self) -> list[int]:
        """The lines that hold what is searched."""
        return [place for place, line in enumerate(self.lines) if self.term in _text(line).casefold()]

    # Drawing

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        place = y + self.scroll_offset.y
        if place >= len(self.lines) or width <= 0:
            return Strip.blank(max(width, 0), base)
        line: Line = self.lines[place]
        if self.term and self.term in _text(line).casefold():
            line = _marked(line, self.term)
        here = Style(bold=True) if place == self.hit else Style.null()
        strip = Strip([Segment(text, base + here + self._tone(tone)) for text, tone in line if text])
        left = self.scroll_offset.x
        return strip.crop(left, left + width).adjust_cell_length(width, base).simplify()

    def _tone(self, tone: str) -> Style:
        if not tone:
            return Style.null()
        if tone not in (*TONES, "hit"):
            return Style.parse(tone)
        full = self.get_component_rich_style(f"page--{tone}")
        if tone == "hit":
            return Style(color=full.color, bgcolor=full.bgcolor, reverse=full.reverse)
        return Style(color=None if tone == "strong" else full.color, bold=full.bold, dim=full.dim)


def _text(line: Line) -> str:
    return "".join(text for text, _ in line)


def _width(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def _same(was: Line, now: Line) -> int:
    """How many cells at the beginning of two lines are the same."""
    same = 0
    for (text, tone), (other, shade) in zip(was, now, strict=False):
        if (text, tone) != (other, shade):
            break
        same += cell_len(text)
    return same


def _marked(line: Line, term: str) -> list[tuple[str, str]]:
    """The line with the searched text in a tone of its own, as far as it lies within a piece."""
    pieces: list[tuple[str, str]] = []
    for text, tone in line:
        low, at = text.lower(), 0
        while len(low) == len(text) and (found := low.find(term, at)) >= 0:
            pieces += [(text[at:found], tone), (text[found : found + len(term)], "hit")]
            at = found + len(term)
        pieces.append((text[at:], tone))
    return pieces


def wrapped(line: Line, width: int) -> list[list[tuple[str, str]]]:
    """A line over as many as it needs, broken between words; a word that is wider than all is cut."""
    made: list[list[tuple[str, str]]] = [[]]
    room = width = max(width, 1)
    for text, tone in line:
        for place, word in enumerate(text.split(" ")):
            gap = " " if place else ""
            if room < width and cell_len(gap + word) > room:
                made.append([])
                room, gap = width, ""
            for part in _cut(gap + word, room, width):
                if room < cell_len(part):
                    made.append([])
                    room = width
                made[-1].append((part, tone))
                room -= cell_len(part)
    return [_joined(pieces) for pieces in made]


def _cut(text: str, room: int, width: int) -> list[str]:
    """A text in pieces of at most `width` cells, the first of at most `room`."""
    if cell_len(text) <= room:
        return [text]
    parts, part, used, most = [], "", 0, max(room, 1)
    for sign in text:
        size = cell_len(sign)
        if used + size > most and part:
            parts.append(part)
            part, used, most = "", 0, width
        part, used = part + sign, used + size
    return [*parts, part]


def _joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours of one tone as one piece."""
    made: list[tuple[str, str]] = []
    for text, tone in pieces:
        if made and made[-1][1] == tone:
            made[-1] = (made[-1][0] + text, tone)
        elif text:
            made.append((text, tone))
    return made
