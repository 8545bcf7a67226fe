"""The line of keys at the bottom: as many as have room, whole, and how to see all of them always among them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Footer, Input
from textual.widgets._footer import FooterKey

from lth_tui import keymap

if TYPE_CHECKING:
    from lth_tui.app import LthApp

_ANYWHERE = ("palette", "quit")  # actions that go before the first two of the screen's own; `help` never goes


class KeyBar(Footer):
    """Keys and titles. Where not all have room the last of the screen's own go first; while somebody types, those that
    would be typed go, and `typing` (a field's Enter or names of keys, and what they do then) comes.
    """

    app: "LthApp"

    def __init__(self, typing: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self.typing = typing

    def compose(self) -> ComposeResult:
        # Each change of the focus draws new keys. The old ones watch `compact`, and the gone are dropped only
        # when it changes: without this they would be kept for good, some megabytes an hour.
        self.mutate_reactive(Footer.compact)
        keys: list[Widget] = list(super().compose())
        if isinstance(self.screen.focused, Input) and keys:
            keys = [one for one in keys if not isinstance(one, FooterKey) or self._works_while_typing(one)]
            told = [
                FooterKey(key, keymap.shown(key), title, "").data_bind(compact=Footer.compact)
                for name, title in self.typing
                if (key := name if name == "enter" else self.app.pressed_while_typing(name))
            ]
            keys = [*told, *keys]
        self._fit([one for one in keys if isinstance(one, FooterKey)])
        yield from keys

    def _works_while_typing(self, key: FooterKey) -> bool:
        """Whether it does, or another key does the same, which is then told in its place."""
        if len(key.key_display) > 1 or key.key == "enter":
            return True
        name = f"app.{key.action}"
        others = self.app.keys.get(name) or keymap.usual().get(name, ())
        key.key_display = next((one for one in map(keymap.shown, others) if len(one) > 1), "")
        return bool(key.key_display)

    def on_resize(self, _: events.Resize) -> None:
        self._fit(list(self.query(FooterKey)))

    def _fit(self, keys: Sequence[FooterKey]) -> None:
        own = [one for one in keys if one.action not in (*_ANYWHERE, "help")]
        rest = [one for one in keys if one.action in _ANYWHERE]
        going = [*reversed(own[2:]), *rest, *reversed(own[:2])]
        room, needed = self.size.width or self.app.size.width, sum(map(_width, keys)) - 1
        for one in going:
            one.display = needed <= room
            needed -= 0 if one.display else _width(one)


def _width(key: FooterKey) -> int:
    return len(key.key_display) + len(key.description) + 2
