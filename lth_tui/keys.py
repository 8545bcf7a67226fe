"""The places of the app and the keys that are the same everywhere. The help screen is made from the bindings."""

from textual.binding import Binding, BindingType

PLACES = {"launch": ("1", "Launch"), "runs": ("2", "Runs")}

GLOBAL: list[BindingType] = [
    *(Binding(key, f"go('{name}')", title, show=False, id=f"go.{name}") for name, (key, title) in PLACES.items()),
    Binding("question_mark,f1", "help", "Help", key_display="?", id="help"),
    Binding("q", "quit", "Quit", id="quit"),
    Binding("ctrl+q", "quit", "Quit, also while typing", show=False, priority=True, id="quit.anywhere"),
]
