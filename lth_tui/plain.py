"""The one place where foreign text is made safe to show: names, paths, logs, dataset rows, exception messages.

A terminal obeys control characters, so a log line could set its title or its clipboard. They become visible signs here.
Markup is no concern of this module: nobody parses foreign text as markup, neither rich's nor Textual's.
"""

from pathlib import Path

_SIGNS: dict[int, str | None] = {code: chr(0x2400 + code) for code in range(0x20)}  # ESC becomes ␛
_SIGNS |= {0x7F: "\u2421"}
_SIGNS |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")  # C1: one-byte escape sequences
_SIGNS |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # lone surrogates cannot be written at all
_SIGNS |= dict.fromkeys([0x2028, 0x2029], " ")
# What reorders or hides text around it: bidirectional controls, zero-width characters, tags.
_SIGNS |= dict.fromkeys(
    [0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF], ""
)
_SIGNS |= dict.fromkeys(range(0xE0000, 0xE0080), "")
_ONE_LINE = _SIGNS | {0x09: " ", 0x0A: " ", 0x0D: ""}
_MANY_LINES = _SIGNS | {0x09: "    ", 0x0A: "\n", 0x0D: ""}


def line(value: object, most: int = 500) -> str:
    """Any value as one safe line of at most `most` characters."""
    text = str(value)
    text = text[: most + 1].translate(_ONE_LINE) if len(text) > most else text.translate(_ONE_LINE)
    return text if len(text) <= most else text[: most - 1] + "…"


def lines(value: object, most: int = 100_000) -> str:
    """Any value as safe text that keeps its line breaks, at most `most` characters of it."""
    return str(value)[:most].translate(_MANY_LINES)


def path(value: Path) -> str:
    """A path as people write it: below the home folder with a ~."""
    try:
        return line("~" / value.relative_to(Path.home()))
    except ValueError:
        return line(value)
