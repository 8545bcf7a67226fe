"""The keys that do something where one is, read from the bindings, so never out of date; and what the signs mean."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from lth_tui.keymap import shown
from lth_tui.keys import bindings
from lth_tui.screens import legend

if TYPE_CHECKING:
    from lth_tui.app import LthApp

_LEFT_OUT = ("app.focus_previous", "screen.copy_text", "scroll_left", "scroll_right", "page_left")
_LEFT_OUT += ("page_right",)


class HelpScreen(ModalScreen[None]):
    """One list of keys, those of the screen first."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("help")

    app: "LthApp"

    def __init__(self, behind: Screen) -> None:
        super().__init__()
        self.groups = groups(behind)

    def compose(self) -> ComposeResult:
        parts: list[tuple[str, str]] = []
        for title, keys in self.groups:
            parts += [(f"{title}\n", "bold $accent")]
            parts += [piece for key, words in keys for piece in _told([(key, "$primary")], words)]
            parts += [("\n", "")]
        for title, entries in legend.groups():
            parts += [(f"{title}\n", "bold $accent")]
            parts += [piece for signs, words in entries for piece in _told(signs, words)]
            parts += [("\n", "")]
        close = self.app.key("help.close")
        parts += [(f"{close} closes this. Runs go on when the app is closed.", "$foreground-muted")]
        with VerticalScroll(id="help"):
            yield Static(Content.assemble(*parts), markup=False)

    def on_mount(self) -> None:
        self.query_one("#help").border_title = "Keys"

    async def action_dismiss(self, result: None = None) -> None:
        self.dismiss(result)


def _told(signs: Sequence[legend.Piece], words: str) -> list[tuple[str, str]]:
    """A line: keys, or signs as they are drawn, and what they do or mean."""
    gap = max(14 - sum(cell_len(text) for text, _ in signs), 0)
    return [("  ", ""), *signs, (f"{' ' * gap}{words}\n", "")]


def groups(screen: Screen) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, each with (keys, words): what is bound on a screen now, the same action's keys together."""
    found: dict[str, dict[str, tuple[list[str], str]]] = {}
    for key, active in screen.active_bindings.items():
        node, binding = active.node, active.binding
        title = _title(node)
        told = binding.action not in _LEFT_OUT and binding.description != "Focus Next"
        if title and binding.description and active.enabled and told:
            keys, text = found.setdefault(title, {}).get(binding.action, ([], ""))
            text = str(binding.tooltip or binding.description) if binding.show or not text else text
            found[title][binding.action] = (keys if (known := shown(key)) in keys else [known, *keys], text)
    order = sorted(found, key=lambda title: (title != getattr(screen, "HELP_TITLE", ""), title == "Everywhere"))
    return [(title, [(" ".join(keys), text) for keys, text in found[title].values()]) for title in order]


def _title(node: object) -> str:
    if title := getattr(node, "HELP_TITLE", ""):
        return title
    name = type(node).__name__
    return {"LthApp": "Everywhere", "Table": "In a table", "Input": "", "Log": ""}.get(name, "")
