"""The menu as the launch screen shows it: the rows of its lists, a card in a sentence, a schedule as a ladder."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len
from textual.content import Content

from engine import catalog, schedules
from lth_tui import plain
from lth_tui.screens import choice as choices
from lth_tui.screens import preview as previews
from lth_tui.screens import words
from lth_tui.widgets.table import Column, Piece, Row, Table

EXAMPLES = {choices.FURTHER: "key=value …, say data.train_size=2000"}  # in fields of some length
EXAMPLES[choices.FILE] = "a csv, tsv, jsonl or parquet of yours"
_BLOCKS = " ▁▂▃▄▅▆▇█"
_TITLE = Column("", 24, grow=20, keep=1)
_COLUMNS = {
    "model": (Column("", 9, grow=1, most=12), _TITLE),
    "dataset": (
        Column("", 7, grow=1, most=13),
        Column("", 12, right=True, keep=20),
        Column("", 8, grow=1, most=12, keep=30),
        _TITLE,
    ),
    "schedule": (Column("", 10, grow=1, most=15), Column("", 7, right=True, keep=20), _TITLE),
    "arms": (Column("", 3), Column("", 8, grow=1, most=11), _TITLE),
}


def table(name: str, cells: Callable[[Any], Row]) -> Table:
    """One of the lists, still empty."""
    return Table(_COLUMNS[name], key=lambda card: card.name, cells=cells, header=False, id=name, classes="list")


def model(card: catalog.ModelCard) -> Row:
    return (card.name, [(card.title, "dim")])


def dataset(card: catalog.DatasetCard, entry: dict[str, Any] | None) -> Row:
    """With its counts, `~` where they are the catalog's, and whether it is here; `entry` is of `store.listing`."""
    if entry is None:
        return (card.name, "", "", [(card.title, "dim")])
    to_fetch = "to fetch" if card.hub else "not here"
    size = "" if entry["bytes"] is None else f" {previews.size(entry['bytes'])}"
    here = [("here", "good"), (size, "dim")] if entry["here"] else [(to_fetch, "warn")]
    return (card.name, [(_counts(card, entry), "dim")], here, [(card.title, "dim")])


def _counts(card: catalog.DatasetCard, entry: dict[str, Any]) -> str:
    """Texts to train and to test on, `~` where they are the catalog's."""
    if entry["train"] is not None:
        return f"{_thousands(entry['train'])}+{_thousands(entry['test'])}"
    return f"~{_thousands(card.train)}+{_thousands(card.test)}"


def schedule(card: catalog.ScheduleCard) -> Row:
    """One's own bears the name of a file and what stands in it: foreign text."""
    last = schedules.ladder(card)[-1]
    return (plain.line(card.name), [(f"to {100 * last:.0f} %", "dim")], [(plain.line(card.title), "dim")])


def arm(card: catalog.ArmCard, wanted: bool) -> Row:
    mark = ("[x]", "good") if wanted else ("[ ]", "dim")
    return ([mark], card.name, [(card.question, "dim")])


def said(card: Any, entries: dict[str, dict[str, Any]]) -> str:
    """A card in a sentence."""
    if card is None:
        return ""
    if isinstance(card, catalog.ArmCard):
        return plain.line(f"{card.name} · {card.title}; {card.question}")
    text = f"{card.name} · {card.title}"
    if isinstance(card, catalog.DatasetCard):
        entry = entries.get(card.name, {})
        note = f" · {entry['note']}" if entry.get("note") else ""
        classes = f"{len(entry.get('classes') or card.classes)} classes"
        texts = f"{_counts(card, entry)} texts, {classes}" if entry else classes
        return plain.line(f"{card.name} · {texts} · {card.title}{note}")
    return plain.line(f"{text} · {card.citation}")


def fitted(text: str, width: int) -> str:
    """A card in a sentence, less its last parts where there is no room for them; its first two stay."""
    while cell_len(text) > width and text.count(" · ") > 1:
        text = text.rpartition(" · ")[0]
    return text


def ladder_in_a_line(steps: Sequence[float]) -> list[Piece]:
    """The sparsities that are visited: blocks for what is left, and the numbers. Colours are the theme's."""
    if not steps:
        return []
    blocks = "".join(_BLOCKS[max(1, round(8 * (1 - step)))] for step in (0.0, *steps[:19]))
    shown = [f"{100 * step:.3g}" for step in steps]
    shown = shown if len(shown) <= 10 else [*shown[:5], "…", shown[-1]]
    return [(f"{blocks}  ", "$primary"), (f"visits {' '.join(shown)} % sparsity", "$foreground-muted")]


def ladder(steps: Sequence[float], room: int) -> list[Piece]:
    """The same as a bar a round, in at most `room` lines, though four at least."""
    rows = max(4, room)
    picked = list(enumerate(steps, 1))
    if len(picked) > rows:
        picked = [*picked[: rows - 2], (0, 0.0), picked[-1]]
    parts: list[Piece] = [("What it visits\n", "$accent")] if steps else []
    for number, step in picked:
        if not number:
            parts += [("      …\n", "$foreground-muted")]
            continue
        left = max(1, round(24 * (1 - step)))
        parts += [(f"{number:>4}  ", "$foreground-muted"), ("█" * left, "$primary")]
        parts += [("░" * (24 - left), "$foreground-muted"), (f" {100 * step:5.1f} %\n", "")]
    return parts


def summed(
    checked: choices.Checked | None,
    seen: previews.Preview | None,
    at_work: str,
    width: int,
    key: Callable[[str], str],
) -> Content:
    """What a launch would begin: how many trainings, how long, and the line that does the same; or what is at work.

    `key` tells the key of a name of the registry.
    """
    if at_work:
        return Content.assemble(("⋯ ", "$primary"), (plain.line(at_work), "bold"))
    if checked is None:
        return Content.assemble(("reading the menu", "$foreground-muted"))
    command, spec = plain.line(checked.command, 1000), checked.spec
    if spec is None:
        told = (f"something above is not right yet: {key('launch.launch')} goes there\n", "$error")
        return Content.assemble(told, ("$ ", "$accent"), (command, "$foreground-muted"))
    time = previews.takes(seen) if seen else "…"
    parts = [
        (words.count(spec.trainings, "training"), "bold"),
        (f", {time}", "" if seen and seen.seconds else "$foreground-muted"),
    ]
    if width >= 100:
        arms = f"{words.count(spec.schedule.rounds, 'round')} × {words.count(len(spec.arms), 'arm')}"
        parts += [(f"   {words.count(len(spec.seeds), 'seed')} × (1 dense + {arms})", "$foreground-muted")]
    if seen is not None and seen.too_little:
        parts += [(f"   disk: {previews.room(seen)[0]}", "$error")]
    line = command or f"no line of `lth run` says these seeds; {key('launch.save')} keeps them as a preset"
    sign = ("$ ", "$accent") if command else ("", "")
    return Content.assemble(*parts, ("\n", ""), sign, (line, "" if command else "$foreground-muted"))


def _thousands(count: int) -> str:
    return f"{count}" if count < 1000 else f"{count / 1000:.3g}k"
