"""A question that one more key answers: `y` does it, every other key leaves things as they are."""

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from lth_tui import plain


class ConfirmScreen(ModalScreen[bool]):
    """Dismissed with whether it was confirmed."""

    CSS_PATH = "confirm.tcss"

    def __init__(self, question: str, about: str, yes: str) -> None:
        super().__init__()
        self.question, self.about, self.yes = plain.line(question), plain.line(about), yes

    def compose(self) -> ComposeResult:
        yield Static(
            Content.assemble(
                (f"{self.question}\n", "bold"),
                (f"{self.about}\n\n", "$foreground-muted"),
                (" y ", "bold $accent"),
                (f"{self.yes}     ", ""),
                (" any other key ", "bold $accent"),
                ("leave it", ""),
            ),
            id="confirm",
            markup=False,
        )

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(event.key == "y")
