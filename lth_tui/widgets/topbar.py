"""The line at the top: the places one can be, where one is, and how many runs are at work."""

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from lth_tui import plain
from lth_tui.keys import PLACES


class TopBar(Widget, can_focus=False):
    """`lth  1 Launch  2 Runs  3 Machine  4 Inbox 3 new              ● 2 running`"""

    running: reactive[int] = reactive(0)
    unread: reactive[int] = reactive(0)

    def __init__(self, place: str, within: str = "") -> None:
        super().__init__()
        self.place = place
        self.within = plain.line(within, 200)

    def on_mount(self) -> None:
        self.running = getattr(self.app, "working", 0)
        if self.within and self.app.current_mode in PLACES:  # what a run was opened from
            self.place = self.app.current_mode
        self.unread = len(self.app.mail.news or ()) if hasattr(self.app, "mail") else 0

    def render(self) -> Content:
        parts: list[tuple[str, str]] = [(" lth ", "bold $accent")]
        for name, key, title in self._places():
            here = name == self.place
            parts += [(f" {key} ", "$accent" if here else "$foreground-muted")]
            parts += [(title, "bold" if here else "$foreground-muted")]
            if name == "inbox" and self.unread:
                parts += [(self._count(), "bold $warning")]
        if self.within:
            parts += [("› ", "$foreground-muted"), (self.within, "bold")]
        right = f"● {self.running} running " if self.running else ""
        room = self.size.width - sum(Content(text).cell_length for text, _ in parts) - len(right)
        if right and room >= 1:
            parts += [(" " * room, ""), (right, "$primary")]
        return Content.assemble(*parts)

    def _places(self) -> list[tuple[str, str, str]]:
        """Name, key and title of each place; where there is no room for all, the keys alone and the title one is at."""
        full = [(name, key, f"{title} ") for name, (key, title) in PLACES.items()]
        needed = 5 + sum(3 + len(title) for _, _, title in full) + (len(self._count()) if self.unread else 0)
        needed += cell_len(self.within) + 2 if self.within else 0
        if needed <= self.size.width:
            return full
        return [(name, key, title if name == self.place else "") for name, key, title in full]

    def _count(self) -> str:
        return f"{self.unread} new "

    async def on_click(self, event: events.Click) -> None:
        at = 5
        for name, _, title in self._places():
            end = at + 3 + len(title) + (len(self._count()) if name == "inbox" and self.unread else 0)
            if at <= event.x < end:
                await self.app.run_action(f"go('{name}')")
            at = end
