"""Textual's line of keys, which lets go of the keys it showed before: each change of the focus draws new ones."""

from textual import widgets
from textual.app import ComposeResult


class Footer(widgets.Footer):
    """A key watches whether the footer is compact, and is kept for that as long as the footer does not change it."""

    def compose(self) -> ComposeResult:
        self.mutate_reactive(Footer.compact)  # the watchers that are gone are dropped then, at no other time
        yield from super().compose()
