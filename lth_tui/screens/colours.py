"""The colours to choose from: the screen behind shows each as the cursor comes to it."""

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from lth_tui import themes
from lth_tui.keys import KEYS, bindings
from lth_tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from lth_tui.app import LthApp

COLUMNS = (Column("", 1), Column("colours", 13), Column("what they are", 39))


class ColoursScreen(ModalScreen[None]):
    """A list of themes, small, so that much of what lies behind is seen."""

    HELP_TITLE = KEYS["colours"].title
    CSS_PATH = "colours.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("colours")

    app: "LthApp"

    def __init__(self, before: str) -> None:
        super().__init__()
        self.before = before

    def compose(self) -> ComposeResult:
        with Vertical(id="colours"):
            yield Table(COLUMNS, key=str, cells=self._cells, header=False)
            keep, back = self.app.key("colours.keep"), self.app.key("colours.back")
            yield Static(
                Content.assemble(
                    (f"{keep} ", "bold $accent"), "keeps these   ", (f"{back} ", "bold $accent"), "as they were"
                ),
                markup=False,
            )

    def _cells(self, name: str) -> tuple[str, ...]:
        return ("●" if name == self.before else " ", name, themes.THEMES[name].words)

    def on_mount(self) -> None:
        self.query_one("#colours").border_title = "Colours"
        table = self.query_one(Table)
        table.show(tuple(themes.THEMES))
        table.move_to_key(self.before)

    @on(Table.Moved)
    def _preview(self, event: Table.Moved) -> None:
        if event.key is not None and event.key != self.app.theme:
            self.app.colour(event.key)

    @on(Table.Chosen)
    def action_keep(self) -> None:
        self.app.keep_colours(self.query_one(Table).key or self.before)
        self.dismiss()

    def action_back(self) -> None:
        self.app.colour(self.before)
        self.dismiss()
