"""One line of a form: a label, an input, and beside it a hint or what is wrong."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Label, Static

from lth_tui import plain

NO_CONTROLS = r"[^\x00-\x1f\x7f-\x9f]*"


class Field(Horizontal):
    """A label, an input, and beside it a hint, or in its place what is wrong with the input."""

    def __init__(self, path: str, label: str, example: str = "") -> None:
        super().__init__(classes="field -long" if example else "field")
        self.path, self.label, self.example = path, label, example
        self.said = ("", "", "")
        self.error = ""

    def compose(self) -> ComposeResult:
        yield Label(self.label, markup=False, classes="label")
        yield Input(placeholder=self.example, compact=True, restrict=NO_CONTROLS, max_length=500)
        yield Static(markup=False, classes="hint")

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    def say(self, hint: str, error: str, mind: str = "") -> None:
        """Show a hint; instead of it an error, else what to mind."""
        if (hint, error, mind) != self.said:
            self.said, self.error = (hint, error, mind), error
            self.set_class(bool(error), "-wrong")
            self.set_class(bool(mind), "-mind")
            self.query_one(".hint", Static).update(Content(plain.line(error or mind or hint)))
