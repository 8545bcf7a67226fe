"""The launch form: three lists and the arms, a few fields, and what they come to. What is chosen is where the cursors
are.
"""

from collections.abc import Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from engine import catalog
from lth_tui import plain
from lth_tui.screens import choice as choices
from lth_tui.screens import menu
from lth_tui.screens import preview as previews
from lth_tui.widgets.field import Field
from lth_tui.widgets.table import Table

LISTS = ("model", "dataset", "schedule", "arms")


class Form(VerticalScroll, can_focus=False):
    """Holds a choice; says what is wrong with it, and what it comes to, as it is told."""

    def __init__(self) -> None:
        super().__init__(id="form")
        self.arms: tuple[str, ...] = choices.ARMS
        self.usual: dict[str, str] = {}  # what the fields hold where nothing is said
        self.entries: dict[str, dict[str, Any]] = {}  # the datasets, as they are on this machine

    def compose(self) -> ComposeResult:
        with Horizontal(id="lists"):
            yield menu.table("model", menu.model)
            yield menu.table("dataset", lambda card: menu.dataset(card, self.entries.get(card.name)))
            yield menu.table("schedule", menu.schedule)
            yield menu.table("arms", lambda card: menu.arm(card, card.name in self.arms))
        with Horizontal(id="lower"):
            with Vertical(id="left"):
                yield Static(id="about", markup=False)
                yield Static(id="wrong", markup=False)
                yield Static(id="brief", markup=False)
                with Vertical(id="fields"):
                    for path, label in choices.FIELDS.items():
                        yield Field(path, label, menu.EXAMPLES.get(path, ""))
            yield Static(id="preview", markup=False)

    def on_mount(self) -> None:
        cards = (catalog.MODELS, catalog.DATASETS, catalog.SCHEDULES, catalog.ARMS)
        for name, of in zip(LISTS, cards, strict=True):
            self.table(name).show(list(of.values()))
            self.table(name).border_title = name.capitalize()
        self.table("schedule").move_to_key("imp")

    def table(self, name: str) -> Table:
        return self.query_one(f"#{name}", Table)

    @property
    def fields(self) -> dict[str, Field]:
        return {field.path: field for field in self.query(Field)}

    @property
    def focused_list(self) -> str:
        return next((name for name in LISTS if self.table(name).has_focus), "")

    # What it holds

    def choice(self) -> choices.Choice:
        """The form as it stands."""
        return choices.Choice(
            model=self.table("model").key or "",
            dataset=self.table("dataset").key or "",
            schedule=self.table("schedule").key or "",
            arms=self.arms,
            texts={path: field.input.value for path, field in self.fields.items()},
        )

    def put(self, choice: choices.Choice, usual: dict[str, str]) -> None:
        """Hold this choice; `usual` is what its fields hold where nothing is said."""
        self.usual, self.arms = usual, choice.arms
        self._write(choice.texts)
        for name, key in zip(LISTS, (choice.model, choice.dataset, choice.schedule), strict=False):
            self.table(name).move_to_key(key)
        self.table("arms").repaint()

    def follow(self, usual: dict[str, str]) -> None:
        """Other names have other defaults: fields that nobody changed take them."""
        unchanged = [path for path, field in self.fields.items() if field.input.value == self.usual.get(path, "")]
        self._write({path: usual[path] for path in unchanged})
        self.usual = usual

    def toggle(self, arm: str) -> None:
        """Train an arm too, or not."""
        wanted = set(self.arms) ^ {arm}
        self.arms = tuple(name for name in catalog.ARMS if name in wanted)
        self.table("arms").repaint()

    def _write(self, texts: Mapping[str, str]) -> None:
        with self.prevent(Input.Changed):
            for path, text in texts.items():
                self.fields[path].input.value = text

    # What is said of it

    def say(self, hints: Mapping[str, str], errors: Mapping[str, str], note: str, overruled: Mapping[str, str]) -> None:
        """Every error beside its field; those of the lists or of no field, or else a note, in a line below them.

        Beside a field that the further settings overrule stands what they say.
        """
        for path, field in self.fields.items():
            mind = f"{overruled[path]} by further" if path in overruled else ""
            field.say(hints.get(path, ""), errors.get(path, ""), mind)
        for name in LISTS:
            self.table(name).set_class(name in errors, "-wrong")
        text = next((errors[name] for name in (*LISTS, choices.ELSEWHERE) if name in errors), note)
        line = self.query_one("#wrong", Static)
        line.update(Content(plain.line(text)))
        line.set_class(bool(text), "-on")

    def to_what_is_wrong(self, errors: Mapping[str, str]) -> None:
        """Put the cursor on the first thing that is wrong, in the order of the form."""
        if name := next((name for name in LISTS if name in errors), ""):
            self.table(name).focus()
        elif field := next((field for path, field in self.fields.items() if path in errors), None):
            field.input.focus()

    def tell(self, seen: previews.Preview | None, waits: str, ladder: tuple[float, ...], height: int) -> None:
        """What it comes to, beside the fields or, where there is no room for that, above them."""
        self.query_one("#about", Static).update(self._about(short=height < 34))
        line = [*menu.ladder_in_a_line(ladder), ("\n" if ladder else "", "")]
        told = previews.in_lines(seen) if seen else [(waits, "$foreground-muted")]
        self.query_one("#brief", Static).update(Content.assemble(*line, *told))
        told = previews.in_a_pane(seen) if seen else [(f"{waits}\n", "$foreground-muted")]
        pane = Content.assemble(*told, ("\n", ""), *menu.ladder(ladder, height - 28)).rstrip()
        self.query_one("#preview", Static).update(pane)

    def _about(self, short: bool) -> Content:
        """The card that has the focus, in a line; where there is height, all that is chosen."""
        said = {name: menu.said(self.table(name).item, self.entries) for name in LISTS}
        if given := self.fields[choices.FILE].input.value.strip():
            said["dataset"] = plain.line(f"{given} · your own file")
        if short:
            name = self.focused_list or "schedule"
            told = menu.fitted(said[name], self.size.width - len(name) - 5)
            return Content.assemble((f"{name} ", "$accent"), (told, "$foreground-muted"))
        parts = [
            (f"{name:<9}", "$accent") if part == 0 else (f"{said[name]}\n", "") for name in LISTS for part in (0, 1)
        ]
        return Content.assemble(*parts).rstrip()
