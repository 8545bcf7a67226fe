"""The line at the top: the places one can be, where one is, and how many runs are at work."""

from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from lth_tui import plain
from lth_tui.keys import PLACES

if TYPE_CHECKING:
    from lth_tui.app import LthApp


class TopBar(Widget, can_focus=False):
    """`lth  1 Launch  2 Runs › id              ● 2 running`"""

    app: "LthApp"
    running: reactive[int] = reactive(0)

    def __init__(self, place: str, within: str = "") -> None:
        super().__init__()
        self.place = place
        self.within = plain.line(within, 200)

    def on_mount(self) -> None:
        self.running = self.app.working

    def render(self) -> Content:
        parts: list[tuple[str, str]] = [(" lth ", "bold $accent")]
        for name, (_, title) in PLACES.items():
            here = name == self.place
            parts += [(f" {self._key(name)} ", "$accent" if here else "$foreground-muted")]
            parts += [(f"{title} ", "bold" if here else "$foreground-muted")]
        if self.within:
            parts += [("› ", "$foreground-muted"), (self.within, "bold")]
        right = f"● {self.running} running " if self.running else ""
        room = self.size.width - sum(Content(text).cell_length for text, _ in parts) - len(right)
        if right and room >= 1:
            parts += [(" " * room, ""), (right, "$primary")]
        return Content.assemble(*parts)

    def _key(self, place: str) -> str:
        """The key that leads there, wherever it was moved."""
        return self.app.key(f"app.go.{place}")

    async def on_click(self, event: events.Click) -> None:
        at = 5
        for name, (_, title) in PLACES.items():
            end = at + 3 + len(self._key(name)) + len(title)
            if at <= event.x < end:
                await self.app.run_action(f"go('{name}')")
            at = end
