"""The keys of the screens, in one place: their bindings are made from it, and so footer, help, palette and `lth keys`.

Imports Textual only where bindings are made, so that the command line can list the keys without it.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textual.binding import BindingType

PLACES = {"launch": ("1", "Launch"), "runs": ("2", "Runs")}


class Key(NamedTuple):
    """What a key does where one is."""

    name: str  # together with the place it stands at, `runs.stop`, the id of its binding; what keys.toml calls it
    keys: str  # comma-separated, as Textual names them
    action: str
    title: str  # in the footer
    words: str = ""  # where the title says too little
    footer: bool = True
    priority: bool = False  # also while typing
    shown: str | None = None  # the key as the footer writes it, where Textual would write another


class Group(NamedTuple):
    """The keys that work together, and the title above them."""

    title: str
    keys: tuple[Key, ...]


KEYS = {
    "app": Group(
        "Everywhere",
        (
            *(Key(f"go.{place}", key, f"go('{place}')", title, footer=False) for place, (key, title) in PLACES.items()),
            Key("help", "question_mark,f1", "help", "Help", "All keys of the screen", shown="?"),
            Key("palette", "ctrl+p,colon", "palette", "Commands", "All commands, and any run by its name", shown=":"),
            Key("theme", "ctrl+t", "theme", "Colours", "The colours of the app", footer=False),
            Key("quit", "q", "quit", "Quit", "Leave the app; runs go on"),
            Key("quit-anywhere", "ctrl+q", "quit", "Quit, also while typing", footer=False, priority=True),
        ),
    ),
    "runs": Group(
        "On a run",
        (
            Key("open", "enter", "open", "Open"),
            Key("stop", "s", "stop", "Stop"),
            Key("remove", "x", "remove", "Remove"),
            Key("undo", "u", "undo", "Undo"),
            Key("filter", "slash", "filter", "Filter", shown="/"),
            Key("copy", "y", "copy", "Copy id", "Copy the run's id, through tmux and SSH too", footer=False),
            Key("new", "n", "app.go('launch')", "New run"),
            Key("unfilter", "escape", "unfilter", "Show all again", footer=False),
        ),
    ),
    "run": Group(
        "On this run",
        (
            Key("back", "escape,backspace", "app.pop_screen", "Back", shown="Esc"),
            Key("stop", "s", "stop", "Stop"),
            Key("log", "l", "log", "Log"),
            Key("chart", "c", "chart", "Chart/table"),
            Key("metric", "m", "metric", "Accuracy/F1/loss"),
            Key("copy", "y", "copy", "Copy id", "Copy the run's id, through tmux and SSH too", footer=False),
        ),
    ),
    "log": Group(
        "In the log",
        (
            Key("back", "escape,backspace,l", "app.pop_screen", "Back", shown="Esc"),
            Key("follow", "f", "follow", "Follow"),
            Key("down", "j", "scroll(1)", "Down", footer=False),
            Key("up", "k", "scroll(-1)", "Up", footer=False),
            Key("first", "g", "edge(0)", "First line", footer=False),
            Key("last", "G", "edge(1)", "Last line, and follow", footer=False),
        ),
    ),
    "launch": Group(
        "On this form",
        (
            Key("launch", "f5,ctrl+l", "launch", "Launch", priority=True, shown="F5"),
            Key("queue", "f6", "queue", "Queue", "Have it wait its turn, and stay here", priority=True, shown="F6"),
            Key("save", "f7", "save", "Keep", "Keep what is chosen as a preset", priority=True, shown="F7"),
            Key("presets", "f8", "presets", "Presets", "Fill the form from a preset", priority=True, shown="F8"),
            Key("copy", "y", "copy", "Copy", "Copy the lth line, through tmux and SSH too"),
            Key("copy-anywhere", "ctrl+y", "copy", "Copy the lth line, also while typing", footer=False, priority=True),
            Key("fetch", "f", "fetch", "Fetch", "Bring the dataset under the cursor from the hub", footer=False),
            Key("next", "enter", "next", "Next", footer=False),
            Key("tab", "tab", "app.focus_next", "Next field", footer=False),
            Key("left", "left,h", "aside(-1)", "The list to the left", footer=False),
            Key("right", "right,l", "aside(1)", "The list to the right", footer=False),
            Key("toggle", "space", "toggle", "Arm", "Train an arm too, or not", shown="Space"),
            Key("leave", "escape", "leave", "Leave the field", footer=False),
            Key("reset", "r", "reset", "Settings as usual", footer=False),
        ),
    ),
    "naming": Group(
        "Naming a preset",
        (Key("leave", "escape", "leave", "Keep nothing", footer=False),),
    ),
    "presets": Group(
        "Among the presets",
        (
            Key("choose", "enter", "choose", "Fill the form", footer=False),
            Key("forget", "x", "forget", "Forget it", footer=False),
            Key("undo", "u", "undo", "Bring the last one back", footer=False),
            Key("back", "escape,q", "back", "Back", footer=False),
        ),
    ),
    "help": Group(
        "In the help",
        (Key("close", "escape,question_mark,q,enter,f1", "dismiss", "Close", footer=False),),
    ),
    "colours": Group(
        "Choosing colours",
        (
            Key("keep", "enter", "keep", "Keep these", footer=False),
            Key("back", "escape,q", "back", "As they were", footer=False),
        ),
    ),
    "table": Group(
        "In a table",
        (
            Key("down", "down,j", "move(1)", "Next row", footer=False),
            Key("up", "up,k", "move(-1)", "Previous row", footer=False),
            Key("page.down", "pagedown,ctrl+d", "page(1)", "A page down", footer=False),
            Key("page.up", "pageup,ctrl+u", "page(-1)", "A page up", footer=False),
            Key("first", "home,g", "edge(0)", "First row", footer=False),
            Key("last", "end,G", "edge(1)", "Last row", footer=False),
        ),
    ),
}


def bindings(place: str) -> "list[BindingType]":
    """The bindings of a screen or widget, each with an id, `place.name`, that Textual's keymaps know it by."""
    from textual.binding import Binding

    return [
        Binding(
            key.keys,
            key.action,
            key.title,
            show=key.footer,
            key_display=key.shown,
            priority=key.priority,
            id=f"{place}.{key.name}",
            tooltip=key.words or key.title,
        )
        for key in KEYS[place].keys
    ]
