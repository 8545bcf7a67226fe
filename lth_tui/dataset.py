"""What `lth data show` prints of a dataset, from the plain data of the engine's survey. Its texts are foreign."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lth_tui import plain, tables

_MOST_CLASSES = 50  # are listed; examples of fewer
_EXEMPLARY = 14
_BAR = 30  # cells of the longest bar


def shown(found: dict[str, Any], width: int) -> RenderableType:
    """A dataset whole: its classes, lengths, what to beware of, examples."""
    classes = found["classes"]
    count = f"{found['train']:,} texts to train on, {found['test']:,} to test on, {len(classes)} classes"
    parts: list[RenderableType] = [tables.text(found["name"], "bold"), tables.text(count)]
    if found["file"]:
        parts.append(tables.text(found["file"], tables.QUIET))
    if found["note"]:
        parts.append(tables.text(found["note"], tables.QUIET))
    parts += ["", _classes(classes), "", *_lengths(found["lengths"]), "", *_beware(found)]
    return Group(*parts, "", *_examples(classes[:_EXEMPLARY], width))


def _classes(classes: list[dict[str, Any]]) -> Table:
    made = tables.table("class", "train", "%", "test", "%", right=("train", "test", "%"))
    totals = [max(sum(one[part] for one in classes), 1) for part in ("train", "test")]
    for one in classes[:_MOST_CLASSES]:
        counts = zip((one["train"], one["test"]), totals, strict=True)
        cells = [cell for count, total in counts for cell in (f"{count:,}", f"{100 * count / total:.1f}")]
        made.add_row(tables.text(plain.line(one["name"], 40)), *cells)
    if len(classes) > _MOST_CLASSES:
        made.add_row(tables.text(f"and {len(classes) - _MOST_CLASSES} more", tables.QUIET))
    return made


def _lengths(lengths: dict[str, Any]) -> list[Text]:
    bars = lengths["histogram"]
    most = max(bar["texts"] for bar in bars)
    names = [f"{bar['from']:,} to {bar['to']:,}" for bar in bars]
    wide = max(map(len, names))
    lines = [Text("tokens a text", "bold")]
    for name, bar in zip(names, bars, strict=True):
        drawn = "█" * max(round(_BAR * bar["texts"] / most), bool(bar["texts"]))
        lines.append(Text(f"{name:>{wide}}  {drawn} {bar['texts']:,}"))
    facts = f"median {lengths['median']:,}, 90 % up to {lengths['ninety_percent']:,}, longest {lengths['longest']:,}"
    most = f"longer than data.max_tokens ({lengths['max_tokens']:,})"
    cut = f"{_share(lengths['longer_share'])} are {most} and will be cut" if lengths["longer"] else f"none is {most}"
    return [*lines, Text(f"{facts}; {cut}", tables.QUIET)]


def _beware(found: dict[str, Any]) -> list[Text]:
    """Duplicates and unknown words."""
    twice, words = found["duplicates"], found["vocabulary"]
    texts = (
        f"{twice['test_in_train']:,} of the test texts ({_share(twice['share'])}) stand among the training texts too"
    )
    within = f"{twice['within_train']:,} training texts repeat another"
    unknown = f"{_share(words['unknown_share'])} of the words of the test texts are unknown"
    return [
        tables.text(f"{texts}; {within}", "yellow" if twice["share"] > 0.01 else ""),
        tables.text(f"{unknown} to a vocabulary of {words['words']:,} words of the training texts"),
    ]


def _examples(classes: list[dict[str, Any]], width: int) -> list[Text]:
    lines = []
    for one in classes:
        lines.append(tables.text(plain.line(one["name"], 40), "bold"))
        lines += [
            tables.text("  " + plain.line(" ".join(text.split()), max(width - 2, 20))) for text in one["examples"]
        ]
    return lines


def _share(fraction: float) -> str:
    """A share in percent; never 0 for a little."""
    return "less than 0.1 %" if 0 < fraction < 0.0005 else f"{100 * fraction:.1f} %"
