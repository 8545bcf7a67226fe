"""The keys of the screens, in one place: their bindings are made from it, and so footer, help, palette and `lth keys`.

Imports Textual only where bindings are made, so that the command line can list the keys without it.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textual.binding import BindingType

PLACES = {"launch": ("1", "Launch"), "runs": ("2", "Runs"), "machine": ("3", "Machine"), "inbox": ("4", "Inbox")}


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
            Key("mark", "space", "mark", "Mark", "Mark; what is done is then done to all marked", shown="␣"),
            Key("mark-all", "asterisk,ctrl+a", "mark_all", "Mark all that are shown", footer=False, shown="*"),
            Key("unmark", "U", "unmark", "Unmark all", footer=False),
            Key("stop", "s", "stop", "Stop"),
            Key("resume", "r", "resume", "Resume", "Go on with a run that stopped, failed or lost its engine"),
            Key("remove", "x", "remove", "Remove"),
            Key("undo", "u", "undo", "Undo", "Bring back what was removed last", footer=False),
            Key("filter", "slash", "filter", "Filter", shown="/"),
            Key("sort", "o", "sort", "Sort", "Choose the column to sort by"),
            Key("sort-left", "less_than_sign", "sort_by(-1)", "Sort by the column to the left", footer=False),
            Key("sort-right", "greater_than_sign", "sort_by(1)", "Sort by the column to the right", footer=False),
            Key("sort-reverse", "O", "reverse", "Sort the other way round", footer=False),
            Key("compare", "v", "compare", "Compare", "Lay the marked runs over each other", footer=False),
            Key("clone", "c", "clone", "Clone", "Fill the launch form as this run was launched", footer=False),
            Key("export", "e", "export", "Export", "Write the marked runs, or those shown, as csv", footer=False),
            Key("tag", "t", "tag", "Tag", "Tag the run, or all that are marked", footer=False),
            Key("name", "m", "name", "Name", "Give the run under the cursor a name of its own", footer=False),
            Key("note", "N", "note", "Note", "Write a note to the run, or to all that are marked", footer=False),
            Key("queue.go", "P", "queue_go", "Go on with a queue that is paused", footer=False),
            Key("copy", "y", "copy", "Copy id", "Copy the run's id, through tmux and SSH too", footer=False),
            Key("new", "n", "app.go('launch')", "New run"),
            Key("unfilter", "escape", "unfilter", "Show all again; then unmark", footer=False),
        ),
    ),
    "run": Group(
        "On this run",
        (
            Key("back", "escape,backspace", "back", "Back", shown="Esc"),
            Key("pane", "tab", "turn(1)", "Pane", "The next pane", footer=False),
            Key("pane-back", "shift+tab", "turn(-1)", "The pane before", footer=False),
            Key("rounds", "a", "pane('rounds')", "Rounds", "All rounds in a table; ± is the SD over seeds", False),
            Key("chart", "c", "pane('chart')", "Chart", "Accuracy against sparsity", False),
            Key("learning", "u", "pane('learning')", "Learning", "The learning curves of this round", False),
            Key("layers", "w", "pane('layers')", "Layers", "How much this round leaves of each layer", False),
            Key("settings", "d", "pane('settings')", "Settings", "Settings, and the line that makes the run", False),
            Key("events", "v", "pane('events')", "Events", "Events as they come", False),
            Key("log", "l", "pane('log')", "Log", "What the engine prints", False),
            Key("round.before", "left_square_bracket", "round(-1)", "The round before", footer=False),
            Key("round.next", "right_square_bracket", "round(1)", "The next round", footer=False),
            Key("stop", "s", "stop", "Stop"),
            Key("resume", "r", "resume", "Resume"),
            Key("extend", "e", "extend", "Extend", "More seeds or more rounds"),
            Key("transfer", "t", "transfer", "Transfer", "Move this round's ticket to another dataset"),
            Key("stability", "b", "stability", "Stability", "Ask whether this round's tickets end in one valley"),
            Key("metric", "m", "metric", "Metric", "Accuracy, macro-F1, cross-entropy", footer=False),
            Key("copy", "y", "copy", "Copy id", "Copy the run's id, through tmux and SSH too", footer=False),
            Key("copy-line", "Y", "copy_line", "Copy line", "Copy the `lth` line that makes this run", footer=False),
        ),
    ),
    "compare": Group(
        "On these runs",
        (
            Key("back", "escape,backspace", "app.pop_screen", "Back", shown="Esc"),
            Key(
                "curve",
                "space",
                "curve",
                "Curve",
                "Show or hide the curve of the run under the cursor",
                shown="Space",
            ),
            Key("base", "b", "base", "Base", "The run under the cursor is what the others are compared to"),
            Key("arm", "a", "arm", "Arm", "The next arm; the ticket comes round again"),
            Key("metric", "m", "metric", "Metric", "Accuracy, macro-F1 or loss"),
            Key("pane", "tab", "pane(1)", "Pane", "Runs, differences, settings", shown="Tab"),
            Key("pane-back", "shift+tab", "pane(-1)", "The pane before", footer=False),
            Key("write", "w", "write", "Csv", "Write the differences to a csv file in this folder"),
            Key("copy", "y", "copy", "Copy", "Copy the `lth compare` line, through tmux and SSH too"),
            Key("open", "enter", "open", "Open", "Open the run under the cursor", footer=False),
        ),
    ),
    "question": Group(
        "In this question",
        (
            Key("start", "enter,f5", "start", "Start", priority=True, shown="Enter"),
            Key("next", "tab", "app.focus_next", "Next field", shown="Tab"),
            Key("leave", "escape", "leave", "Leave it", priority=True, shown="Esc"),
        ),
    ),
    "page": Group(
        "In these lines",
        (
            Key("follow", "f", "follow", "Follow", footer=False),
            Key("search", "slash", "screen.search", "Search", footer=False),
            Key("again", "n", "find(1)", "The next line found", footer=False),
            Key("again-back", "N", "find(-1)", "The line found before", footer=False),
            Key("down", "down,j", "scroll(1)", "Down", footer=False),
            Key("up", "up,k", "scroll(-1)", "Up", footer=False),
            Key("page.down", "pagedown,ctrl+d", "page(1)", "A page down", footer=False),
            Key("page.up", "pageup,ctrl+u", "page(-1)", "A page up", footer=False),
            Key("left", "left,h", "aside(-8)", "To the left", footer=False),
            Key("right", "right", "aside(8)", "To the right", footer=False),
            Key("first", "home,g", "edge(0)", "First line", footer=False),
            Key("last", "end,G", "edge(1)", "Last line, and follow", footer=False),
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
    "machine": Group(
        "In the queue",
        (
            Key("open", "enter", "open", "Open"),
            Key("down", "J,ctrl+down", "move(1)", "Later", "Let it wait behind the next", shown="J"),
            Key("up", "K,ctrl+up", "move(-1)", "Sooner", "Let it wait before the one above", shown="K"),
            Key("first", "less_than_sign,ctrl+home", "move(-1000000)", "First", "Let it be the first", footer=False),
            Key("last", "greater_than_sign,ctrl+end", "move(1000000)", "Last", "Let it be the last", footer=False),
            Key("pause", "p", "pause", "Pause/go on", "Start nothing more, or go on"),
            Key("stop", "s", "stop", "Stop", "Stop it, or take it out of the queue"),
        ),
    ),
    "inbox": Group(
        "On what ended",
        (
            Key("open", "enter", "open", "Open", "Open it; it is read then"),
            Key("read", "r", "read", "Read"),
            Key("all", "R", "read_all", "All read"),
            Key("undo", "u", "undo", "Undo", "Unread again what was read last"),
            Key("copy", "y", "copy", "Copy id", "Copy the run's id, through tmux and SSH too", footer=False),
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
