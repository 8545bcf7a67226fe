"""A short list to choose one thing from."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from lth_tui import plain
from lth_tui.widgets.table import Column, Table

Choice = tuple[str, str]  # a name, and words about it


class PickScreen(ModalScreen[str | None]):
    """Dismissed with the name that was chosen; with None where the list was left, by Esc."""

    CSS_PATH = "pick.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave it", show=False),
        Binding("enter,space", "pick", "Choose", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], current: str = "") -> None:
        super().__init__()
        self.asked, self.choices, self.current = plain.line(title), choices, current

    def compose(self) -> ComposeResult:
        width = max(len(name) for name, _ in self.choices)
        columns = [Column("", width), Column("", 20, grow=1)]
        with Vertical(id="pick") as box:
            box.border_title = self.asked
            box.border_subtitle = "Enter chooses, Esc leaves it"
            yield Table(
                columns, key=lambda one: one[0], cells=lambda one: (one[0], [(one[1], "dim")]), header=False, id="list"
            )

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.styles.height = len(self.choices)
        table.show(self.choices)
        table.move_to_key(self.current)
        table.focus()

    @on(Table.Chosen)
    def action_pick(self) -> None:
        self.dismiss(self.query_one(Table).key)

    def action_leave(self) -> None:
        self.dismiss(None)
