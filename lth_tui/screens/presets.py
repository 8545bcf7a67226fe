"""Choices kept under a name in runs/app.json: name one, choose one, forget one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.errors import BadInput
from lth_tui import plain, preferences
from lth_tui.keys import KEYS, bindings
from lth_tui.screens.words import mapping
from lth_tui.widgets.field import NO_CONTROLS
from lth_tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from lth_tui.app import LthApp

Preset = tuple[str, Any]  # a name, and the spec as JSON
_COLUMNS = (
    Column("preset", 12, grow=2, most=40),
    Column("model", 9, grow=1, most=12),
    Column("dataset", 9, grow=1, most=14, keep=40),
    Column("schedule", 10, grow=1, most=16, keep=30),
    Column("seeds", 8, right=True, keep=20),
)


def keep(runs: Path, name: str, spec: dict[str, Any]) -> None:
    """Keep a spec as a preset. BadInput."""
    preferences.keep_preset(runs, name.strip(), spec)


def row(preset: Preset) -> Row:
    """Its name, and what may well be anything, since it stood in a file."""
    name, spec = preset
    tree = mapping(spec)
    of = [plain.line(mapping(tree.get(part)).get("name", "·"), 40) for part in ("model", "data", "schedule")]
    seeds = tree.get("seeds")
    told = f"{len(seeds):,}" if isinstance(seeds, list) else "·"
    return (plain.line(name, 60), of[0], of[1], [(of[2], "dim")], [(told, "dim")])


class NameScreen(ModalScreen[str | None]):
    """Asks for the name of a preset; dismissed with it once `keep` took it, or with None."""

    CSS_PATH = "presets.tcss"
    HELP_TITLE = KEYS["naming"].title
    BINDINGS: ClassVar[list[BindingType]] = bindings("naming")

    app: "LthApp"

    def __init__(self, runs: Path, spec: dict[str, Any], suggested: str) -> None:
        super().__init__()
        self.runs, self.spec, self.suggested = runs, spec, suggested
        self.error = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="naming"):
            yield Static("Keep this as a preset", markup=False)
            yield Input(self.suggested, compact=True, restrict=NO_CONTROLS, max_length=60)
            yield Static(id="told", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._told()

    @on(Input.Changed)
    def _told(self) -> None:
        self.error = ""
        there = self.query_one(Input).value.strip() in preferences.presets(self.runs)
        leave = self.app.key_while_typing("naming.leave")
        keeps = f"Enter keeps it, {leave} does not." if leave else "Enter keeps it."
        self._say("One of this name is there; Enter replaces it." if there else keeps)

    def _say(self, text: str, tone: str = "$foreground-muted") -> None:
        self.query_one("#told", Static).update(Content.assemble((plain.line(text), tone)))

    @on(Input.Submitted)
    def _named(self) -> None:
        name = self.query_one(Input).value.strip()
        try:
            keep(self.runs, name, self.spec)
        except BadInput as error:
            self.error = str(error)
            self._say(self.error, "$error")
        else:
            self.dismiss(name)

    def action_leave(self) -> None:
        self.dismiss(None)


class PresetsScreen(ModalScreen[Preset | None]):
    """The list of them; dismissed with the one that was chosen."""

    CSS_PATH = "presets.tcss"
    HELP_TITLE = KEYS["presets"].title
    BINDINGS: ClassVar[list[BindingType]] = bindings("presets")

    app: "LthApp"

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.runs = runs
        self.gone: list[Preset] = []  # forgotten here, the last of them last

    def compose(self) -> ComposeResult:
        with Vertical(id="presets"):
            yield Table(_COLUMNS, key=lambda preset: preset[0], cells=row, id="kept")
            yield Static(id="told", markup=False)

    @property
    def table(self) -> Table:
        return self.query_one("#kept", Table)

    def on_mount(self) -> None:
        self.query_one("#presets").border_title = "Presets"
        self.table.focus()
        self._list()

    def _list(self) -> None:
        found = sorted(preferences.presets(self.runs).items(), key=lambda preset: str(preset[0]).lower())
        self.table.show(found)
        self.table.repaint()
        keys = [("choose", "fill the form"), ("forget", "forget")] if found else []
        keys += [("undo", f"bring back {plain.line(self.gone[-1][0], 30)}")] if self.gone else []
        parts: list[tuple[str, str]] = []
        if not found:
            keep = f"Nothing is kept yet: {self.app.key('launch.save')} keeps what is chosen."
            parts += [(f"{keep}   ", "$foreground-muted")]
        for name, text in [*keys, ("back", "back")]:
            parts += [(f"{self.app.key(f'presets.{name}')} ", "bold $accent"), (f"{text}   ", "$foreground-muted")]
        self.query_one("#told", Static).update(Content.assemble(*parts).rstrip())

    @on(Table.Chosen)
    def _clicked(self) -> None:
        self.action_choose()

    def action_choose(self) -> None:
        if self.table.item is not None:
            self.dismiss(self.table.item)

    def action_forget(self) -> None:
        """Forget the one under the cursor; `u` brings it back."""
        if (preset := self.table.item) is not None:
            self._change(lambda: preferences.drop_preset(self.runs, preset[0]), then=self.gone.append, of=preset)

    def action_undo(self) -> None:
        if self.gone:
            preset = self.gone[-1]
            self._change(lambda: preferences.keep_preset(self.runs, *preset), then=self.gone.remove, of=preset)

    def _change(self, write: Any, then: Any, of: Preset) -> None:
        try:
            write()
        except BadInput as error:
            self.notify(plain.line(error), severity="error", markup=False)
        else:
            then(of)
        self._list()

    def action_back(self) -> None:
        self.dismiss(None)
