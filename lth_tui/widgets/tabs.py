"""One line that names the panes of a screen, each with its key, and marks the one that is shown."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class Tabs(Widget, can_focus=False):
    """` a Rounds  c Chart  u Learning ...`; where there is no room only the one that is shown has its title."""

    ALLOW_SELECT = False

    class Picked(Message):
        """One was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, tabs: Sequence[tuple[str, str, str]], id: str | None = None) -> None:  # noqa: A002
        """`tabs`: name, key and title of each."""
        super().__init__(id=id)
        self.tabs = tuple(tabs)
        self.shown = ""
        self._ends: list[tuple[int, str]] = []  # where each ends, for the mouse

    def show(self, name: str) -> None:
        """Mark one."""
        if name != self.shown:
            self.shown = name
            self.refresh()

    def render(self) -> Content:
        whole = sum(len(key) + len(title) + 3 for _, key, title in self.tabs)
        parts: list[tuple[str, str]] = []
        self._ends, at = [], 0
        for name, key, title in self.tabs:
            here = name == self.shown
            words = title if here or whole <= self.size.width else ""
            parts += [(f" {key} ", "bold $accent" if here else "$foreground-muted")]
            parts += [(words, "bold $accent" if here else "$foreground-muted"), (" " if words else "", "")]
            at += len(key) + len(words) + 2 + bool(words)
            self._ends.append((at, name))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        if name := next((name for end, name in self._ends if event.x < end), None):
            self.post_message(self.Picked(name))
