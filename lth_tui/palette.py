"""The command palette: what can be done here, by the registry of keys, the places, the colours, and any run by its id.

Textual reads texts of its palette as markup unless they are Content; all of ours are.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider, SearchIcon
from textual.content import Content
from textual.screen import Screen

from engine.record import history
from lth_tui import keymap, plain, themes
from lth_tui.keys import KEYS

if TYPE_CHECKING:
    from lth_tui.app import LthApp

RUNS = 20  # of the newest that fit; who wants another types more of its name
_LEFT_OUT = ("table", "help", "colours")  # places whose keys are for fingers alone
_THEMSELVES = ("app.palette", "app.quit-anywhere")


class Command(NamedTuple):
    """What can be done, its key, where it belongs, and the doing."""

    title: str
    key: str
    where: str
    do: Callable[[], Any]

    @property
    def content(self) -> Content:
        parts: list[tuple[str, str]] = [(self.title, "")]
        parts += [(f"  {self.key}", "$accent")] if self.key else []
        parts += [(f"  {self.where}", "$foreground-muted")] if self.where else []
        return Content.assemble(*parts)


class Commands(Provider):
    """Commands of the screen in front, those that can be meant now, and runs."""

    app: "LthApp"

    def __init__(self, screen: Screen[Any], match_style: Any = None) -> None:
        super().__init__(screen, match_style)
        self.commands = [*_bound(self.app, screen), *_colours(self.app)]

    async def discover(self) -> Hits:
        for command in self.commands:
            yield DiscoveryHit(command.content, command.do, text=command.title)

    async def search(self, query: str) -> Hits:
        words = query.lower().split()
        for command in self.commands:
            if score := fitness(f"{command.title} {command.where}".lower(), words):
                yield Hit(score, command.content, command.do, text=command.title)
        for one in islice(runs(self.app.summaries or (), words), RUNS):
            score = 3.5 if one["id"].endswith(query) else 1.0
            yield Hit(score, _run(one), partial(_open, self.app, one["id"]), text=plain.line(one["id"], 140))


def runs(summaries: Sequence[history.Summary], words: list[str]) -> Iterator[history.Summary]:
    """The runs in whose id, name, model, dataset, schedule or state all the words are, in their order."""
    fields = ("id", "name", "model", "dataset", "schedule", "state")
    for one in summaries:
        text = " ".join(str(one[field] or "") for field in fields).lower()
        if all(word in text for word in words):
            yield one


def fitness(text: str, words: list[str]) -> float:
    """How well a command fits what was typed: 0 for not at all, more where the words begin it, or words of it."""
    if all(word in text for word in words):
        starts = sum(text.startswith(word) + (f" {word}" in f" {text}") for word in words)
        return 1.5 + starts / len(words)
    letters = iter(text)
    return 0.5 * all(letter in letters for letter in "".join(words))


def _bound(app: "LthApp", screen: Screen[Any]) -> Iterator[Command]:
    """The keys of the registry that do something where one is, each once."""
    known = keymap.named()
    for active in {one.binding.id: one for one in screen.active_bindings.values() if one.enabled}.values():
        name = active.binding.id or ""
        place = name.partition(".")[0]
        if name not in known or place in _LEFT_OUT or name in _THEMSELVES:
            continue
        key = known[name]
        title = f"Go to {key.title}" if name.startswith("app.go.") else key.words or key.title
        do = partial(app.run_action, active.binding.action, active.node)
        yield Command(title, app.key(name), KEYS[place].title, do)


def _colours(app: "LthApp") -> Iterator[Command]:
    for name, one in themes.THEMES.items():
        yield Command(f"Colours: {name}", "", one.words, partial(app.keep_colours, name))


def _run(one: history.Summary) -> Content:
    parts = [("Run ", "$foreground-muted"), (plain.line(one["id"], 140), ""), ("  ", "")]
    parts += [(plain.line(one["name"] or one["state"] or "", 60), "$foreground-muted")]
    return Content.assemble(*parts)


def _open(app: "LthApp", name: str) -> None:
    app.action_go("runs")
    app.open_run(app.runs / name)


class Palette(CommandPalette):
    """Textual's palette with these commands, and a sign that any font has."""

    CSS_PATH = "palette.tcss"

    def __init__(self) -> None:
        super().__init__([Commands], placeholder="what to do, or any part of a run's id")

    def on_mount(self) -> None:
        self.query_one(SearchIcon).icon = ":"
