"""The one place where foreign text is made safe to show: names, paths, logs, dataset rows, exception messages.

A terminal obeys control characters, so a log line could set its title or its clipboard. They become visible signs here.
Markup is no concern of this module: nobody parses foreign text as markup, neither rich's nor Textual's.
"""

import re
from functools import cache
from pathlib import Path
from unicodedata import category

_SIGNS: dict[int, str | None] = {code: chr(0x2400 + code) for code in range(0x20)}  # ESC becomes ␛
_SIGNS |= {0x7F: "\u2421"}
_SIGNS |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")  # C1: one-byte escape sequences
_SIGNS |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # lone surrogates cannot be written at all
_SIGNS |= dict.fromkeys([0x2028, 0x2029], " ")
# What reorders the text around it or has no shape: bidirectional controls, zero-width characters, fillers, tags.
# Joiners and variation selectors stay: scripts and emoji need them.
_SIGNS |= dict.fromkeys([0xAD, 0x061C, 0x115F, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F)], "")
_SIGNS |= dict.fromkeys([*range(0x2060, 0x2065), *range(0x2066, 0x2070), 0x3164, 0xFEFF, 0xFFA0], "")
_SIGNS |= dict.fromkeys([*range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)], "")
_JOINERS = "\u200c\u200d"
_PILED = 8  # no script needs more on one letter
_ONE_LINE = _SIGNS | {0x09: " ", 0x0A: " ", 0x0D: ""}
_MANY_LINES = _SIGNS | {0x09: "    ", 0x0A: "\n", 0x0D: ""}


def line(value: object, most: int = 500) -> str:
    """Any value as one safe line of at most `most` characters; one that is cut ends in `…`."""
    text = str(value)
    room = 4 * most + 100  # some signs are dropped; a megabyte need not be translated to find out
    safe = _tamed(text[:room].translate(_ONE_LINE))
    return safe if len(safe) <= most and len(text) <= room else safe[: most - 1] + "…"


def lines(value: object, most: int = 100_000) -> str:
    """Any value as safe text that keeps its line breaks, at most `most` characters of it."""
    return _tamed(str(value)[:most].translate(_MANY_LINES))


def _tamed(text: str) -> str:
    """The text with at most a few signs of no width in a row: hundreds are piled over the lines around it."""
    if text.isascii():
        return text
    kept, row = [], 0
    for sign in text:
        row = row + 1 if sign >= "\u0300" and (sign in _JOINERS or category(sign) in ("Mn", "Me")) else 0
        if row <= _PILED:
            kept.append(sign)
    return text if len(kept) == len(text) else "".join(kept)


def escaped(text: str) -> str:
    """JSON text with what a terminal would obey, reorder or not show written as escapes; its value stays the same.

    C0 is escaped in JSON already, save the line breaks between its values.
    """
    if text.isascii() and "\x7f" not in text:  # most of it, and at once
        return text
    return _obeyed().sub(_escape, text)


@cache
def _obeyed() -> re.Pattern[str]:
    """Any character of the signs above that JSON has as it is."""
    codes = sorted(code for code in _SIGNS if code >= 0x7F)
    first = [code for code in codes if code - 1 not in _SIGNS or code == 0x7F]
    last = [code for code in codes if code + 1 not in _SIGNS]
    return re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(first, last, strict=True)) + "]")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code - 0x10000 & 0x3FF):04x}"


def path(value: Path) -> str:
    """A path as people write it: below the home folder with a ~."""
    try:
        return line("~" / value.relative_to(Path.home()))
    except ValueError:
        return line(value)
