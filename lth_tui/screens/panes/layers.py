"""What a round leaves of each layer: parameters, kept share, a bar; and of each kind of layers."""

from typing import Any

from lth_tui import plain
from lth_tui.screens import words
from lth_tui.screens.follow import Look
from lth_tui.widgets.page import Line, wrapped


def lines(look: Look, number: int | None, width: int) -> list[Line]:
    """A round's densities, means over its seeds, as wide as there is room."""
    one = next((one for one in look.view["rounds"] if one["round"] == number), None)
    if one is None or not one["layers"]:
        when = "when it begins" if look.now is not None else "and this one did not say"
        return [[(f"A round tells what is left of its layers {when}.", "dim")]]
    layers: dict[str, Any] = one["layers"]
    total, left = one["parameters"], one["nonzero"]
    sizes = _parameters(look, layers, total)
    head = f"{words.sparsity(one['sparsity'])} pruned of what may be"
    if total:
        head += f", {words.sparsity(one['total_sparsity'])} of all; {left:,} of {total:,} left"
    names = {name: plain.line(name, 60) for name in layers}
    widest = min(max(map(len, names.values())), max(width - 30, 8))
    made: list[Line] = [*wrapped([(head, "")], width), []]
    for name, kept in layers.items():
        made.append(_line(names[name], sizes.get(name), kept, widest, width))
    if one["kinds"]:
        made += [[], [("by kind", "dim")]]
        made += [_line(plain.line(kind, 60), None, 1 - pruned, widest, width) for kind, pruned in one["kinds"].items()]
    return made


def _parameters(look: Look, layers: dict[str, Any], total: int | None) -> dict[str, int]:
    """The sizes that are known, less the embedding's padding row, which is no parameter."""
    sizes = {name: look.sizes[name] for name in layers if name in look.sizes}
    padding = sum(sizes.values()) - total if total is not None and sizes.keys() == layers.keys() else 0
    padded = next((name for name, size in sizes.items() if "embedding" in name and 0 < padding < size), None)
    return sizes if padded is None else sizes | {padded: sizes[padded] - padding}


def _line(name: str, size: int | None, kept: float, widest: int, width: int) -> Line:
    """`conv.3.weight        90,000  51.2 %  ━━━━━────`"""
    name = name if len(name) <= widest else name[: widest - 1] + "…"
    many = "" if size is None else f"{size:,}"
    text = f"{name:<{widest}} {many:>11} "
    share = f"{100 * kept:5.1f} %  "
    tone = "dim" if kept == 1 else "bad" if kept == 0 else ""
    bar = words.bar(kept, max(min(width - len(text) - len(share) - 1, 40), 0), "dim" if kept == 1 else "live")
    return [(text, tone), (share, tone), *bar]
