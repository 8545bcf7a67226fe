"""A question that is answered with a line of text; what would not do is told below it while one types."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from lth_tui import plain
from lth_tui.widgets.field import NO_CONTROLS

LONGEST = 10_000  # characters of an answer


class AskScreen(ModalScreen[str | None]):
    """Dismissed with the text; with None where it was left, by Esc.

    `wrong` says in a sentence why a text would not do, or nothing.
    """

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave it", show=False)]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (16, "-roomy")]  # noqa: RUF012

    def __init__(
        self,
        title: str,
        about: str,
        value: str = "",
        wrong: Callable[[str], str] = lambda text: "",
        example: str = "",
    ) -> None:
        super().__init__()
        self.asked, self.about, self.value, self.example = (
            plain.line(title),
            plain.line(about),
            plain.line(value, LONGEST),
            example,
        )
        self.wrong = wrong

    def compose(self) -> ComposeResult:
        with Vertical(id="ask"):
            yield Static(Content.assemble((self.asked, "bold"), "\n", (self.about, "$foreground-muted")), markup=False)
            yield Input(self.value, placeholder=self.example, compact=True, restrict=NO_CONTROLS, max_length=LONGEST)
            yield Static(id="wrong", markup=False)
            keys = (" Enter ", "bold $accent"), ("keep     ", ""), (" Esc ", "bold $accent"), ("leave it as it was", "")
            yield Static(Content.assemble(*keys), markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _check(self) -> bool:
        """Whether the text would do; what is wrong with it is shown."""
        sentence = plain.line(self.wrong(self.query_one(Input).value))
        self.query_one("#wrong", Static).update(Content(sentence))
        return not sentence

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if self._check():
            self.dismiss(self.query_one(Input).value)

    def action_leave(self) -> None:
        self.dismiss(None)
