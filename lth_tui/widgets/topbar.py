"""The line at the top: the places one can be, where one is, and how many runs are at work."""

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from lth_tui import plain
from lth_tui.keys import PLACES

if TYPE_CHECKING:
    from lth_tui.app import LthApp


class TopBar(Widget, can_focus=False):
    """`lth  1 Launch  2 Runs  3 Machine  4 Inbox 3 new              ● 2 running`"""

    app: "LthApp"
    running: reactive[int] = reactive(0)
    unread: reactive[int] = reactive(0)

    def __init__(self, place: str, within: str = "") -> None:
        super().__init__()
        self.place = place
        self.within = plain.line(within, 200)

    def on_mount(self) -> None:
        self.running = self.app.working
        self.unread = len(self.app.mail.news or ())
        if self.within and self.app.current_mode in PLACES:  # what a run was opened from
            self.place = self.app.current_mode

    def render(self) -> Content:
        parts: list[tuple[str, str]] = [(" lth ", "bold $accent")]
        for name, key, title in self._places():
            here = name == self.place
            parts += [(key, "$accent" if here else "$foreground-muted")]
            parts += [(title, "bold" if here else "$foreground-muted")]
            parts += [(self._count(name), "bold $warning")]
        if self.within:
            room = self.size.width - 3 - sum(Content(text).cell_length for text, _ in parts)
            parts += [("› ", "$foreground-muted"), (_end(self.within, room), "bold")]
        right = f"● {self.running} running " if self.running else ""
        room = self.size.width - sum(Content(text).cell_length for text, _ in parts) - len(right)
        if right and room >= 1:
            parts += [(" " * room, ""), (right, "$primary")]
        return Content.assemble(*parts)

    def _places(self) -> list[tuple[str, str, str]]:
        """Each place with its key and title; where there is no room for all, the title of the one one is at alone."""
        full = [(name, f" {self._key(name)} ", f"{title} ") for name, (_, title) in PLACES.items()]
        needed = 5 + sum(len(key) + len(title) + len(self._count(name)) for name, key, title in full)
        if needed + (cell_len(self.within) + 2 if self.within else 0) <= self.size.width:
            return full
        return [(name, key, title if name == self.place else "") for name, key, title in full]

    def _key(self, place: str) -> str:
        """The key that leads there, wherever it was moved."""
        return self.app.key(f"app.go.{place}")

    def _count(self, place: str) -> str:
        """How much is unread, behind the inbox."""
        return f"{self.unread} new " if place == "inbox" and self.unread else ""

    async def on_click(self, event: events.Click) -> None:
        at = 5
        for name, key, title in self._places():
            end = at + len(key) + len(title) + len(self._count(name))
            if at <= event.x < end:
                await self.app.run_action(f"go('{name}')")
            at = end


def _end(text: str, room: int) -> str:
    """A run's id, or as much of its end as there is room for: that is what tells it from others."""
    return text if cell_len(text) <= room else f"…{text[len(text) - max(room - 1, 0) :]}"
