"""keys.toml: other keys for the names of lth_tui.keys, such as `runs.stop = "S"`. And the table of all keys.

A line that makes no sense is told and passed over; the others hold. Knows no Textual.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from engine.record import rundir
from lth_tui import plain
from lth_tui.keys import KEYS, Key

Keys = dict[str, tuple[str, ...]]  # a name, `runs.stop` -> its keys, as Textual names them

_MOST = 100_000  # bytes of a keys.toml; the longest that makes sense has a tenth of it
_NAMED = {"escape": "Esc", "enter": "Enter", "tab": "Tab", "space": "Space", "backspace": "Backspace"}
_NAMED |= {"delete": "Del", "insert": "Ins", "home": "Home", "end": "End", "pageup": "PgUp", "pagedown": "PgDn"}
_NAMED |= {"up": "↑", "down": "↓", "left": "←", "right": "→"}
_SPELT = {shown.lower(): key for key, shown in _NAMED.items()} | {key: key for key in _NAMED} | {"return": "enter"}
_SHORT = {"solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus"}
_SHORT |= {"plus_sign": "plus", "low_line": "underscore"}
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter"}  # what a terminal sends alike
_FUNCTION = re.compile(r"f([1-9]|1[0-9]|2[0-4])")
_EVERYWHERE = ("app", "table")  # places whose keys work in the others too


def _punctuation() -> dict[str, str]:
    """The signs of a keyboard by Textual's names: `question_mark` is `?`."""
    signs = {sign: unicodedata.name(sign).lower() for sign in map(chr, range(33, 127)) if not sign.isalnum()}
    names = {sign: name.replace("-", "_").replace(" ", "_") for sign, name in signs.items()}
    return {_SHORT.get(name, name): sign for sign, name in names.items()}


_SIGNS = _punctuation()
_SIGN_NAMES = {sign: name for name, sign in _SIGNS.items()}


def spelt(given: str) -> str | None:
    """A key as Textual names it, however it was written: `S`, `?`, `ctrl+s`, `^s`, `F5`, `Esc`; None for no key."""
    if given == " ":
        return "space"
    text = given.strip()
    if len(text) == 2 and text[0] == "^":
        text = f"ctrl+{text[1]}"
    *modifiers, base = text.split("+") if len(text) > 1 else [text]
    held = {"control": "ctrl"}.get(modifiers[0].lower(), modifiers[0].lower()) if len(modifiers) == 1 else ""
    wanted = sorted({held} if held else {one.lower() for one in modifiers})
    if any(one not in ("ctrl", "shift", "alt") for one in wanted) or len(wanted) != len(modifiers):
        return None
    key = _base(base)
    if key is None or (wanted == ["shift"] and len(key) == 1 and not key.isalpha()) or (wanted and key in _SIGNS):
        return None
    if len(key) == 1 and wanted:
        if wanted == ["shift"]:  # a terminal sends the capital
            return key.upper()
        key = key.lower()
    whole = "+".join([*wanted, key])
    return _SAME.get(whole, whole)


def _base(text: str) -> str | None:
    if len(text) == 1 and text not in _SPELT:
        return _SIGN_NAMES.get(text, text if text.isalnum() else None)
    lower = text.lower()
    return _SPELT.get(lower) or (lower if _FUNCTION.fullmatch(lower) or lower in _SIGNS else None)


def shown(key: str) -> str:
    """A key as people write it: `?`, `^q`, `Esc`, `PgDn`, `F5`; `spelt` reads it back."""
    *modifiers, base = key.split("+")
    base = _NAMED.get(base) or _SIGNS.get(base) or (base.upper() if _FUNCTION.fullmatch(base) else base)
    if modifiers == ["ctrl"] and len(base) == 1:
        return f"^{base}"
    return "+".join([*modifiers, base])


def usual() -> Keys:
    """The keys of every name where nobody has moved any."""
    return {name: tuple(key.keys.split(",")) for name, key in named().items()}


def named() -> dict[str, Key]:
    """Every key of the app by its name, in the order of the registry."""
    return {f"{place}.{key.name}": key for place, group in KEYS.items() for key in group.keys}


class Read(NamedTuple):
    """What keys.toml says: the names that have other keys, and a sentence for each line that makes no sense."""

    moved: Keys
    troubles: list[str]

    @property
    def keys(self) -> Keys:
        """Of every name."""
        return usual() | self.moved


def read(path: Path) -> Read:
    """The keys of a file; none where there is no file. Never raises."""
    where = plain.line(path.name, 60)
    try:
        tree = tomllib.loads(rundir.content(path, _MOST).decode())
    except (FileNotFoundError, NotADirectoryError):
        return Read({}, [])
    except UnicodeDecodeError as error:
        return Read({}, [f"{where}: byte {error.start} of {plain.path(path)} is no UTF-8; save it as UTF-8."])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = plain.line(str(error), 120)
        return Read({}, [f'{where}: {plain.path(path)} is no TOML ({said}); write lines such as runs.stop = "S".'])
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return Read({}, [f"{where}: {plain.path(path)} cannot be read ({why}), so every key is as usual."])
    moved: Keys = {}
    troubles = []
    for name, given in _leaves(tree):
        found, wrong = _understood(name, given)
        if wrong:
            troubles.append(f"{where}: {wrong}")
        else:
            moved[name] = found
    return _without_clashes(moved, troubles, where)


def _leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _understood(name: str, given: Any) -> tuple[tuple[str, ...], str]:
    """The keys that a name is given; or none, and what is wrong with them."""
    known, told = named(), plain.line(name, 80)
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.6)
        offer = f"did you mean {' or '.join(near)}?" if near else "`lth keys` lists the names."
        return (), f"{told} is not known; {offer}"
    listed = given if isinstance(given, list) else [given]
    keys = [spelt(one) if isinstance(one, str) else None for one in listed]
    if not keys or None in keys:
        wrong = plain.line(_toml(given if not keys else listed[keys.index(None)]), 60)
        return (), f'{told} = {wrong} is no key; give one such as "S", "ctrl+s" or "f5", or a list of them.'
    found = tuple(dict.fromkeys(key for key in keys if key))
    if known[name].priority and (typed := next((key for key in found if is_typed(key)), None)):
        return (), f'{told} = "{shown(typed)}" would be taken from what you type; give one such as "ctrl+s" or "f5".'
    return found, ""


def is_typed(key: str) -> bool:
    """Whether a field takes this key as text."""
    return len(key) == 1 or key in _SIGNS or key == "space"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _without_clashes(moved: Keys, troubles: list[str], where: str) -> Read:
    """Leave out, and tell of, what would put two actions on one key where both can be meant."""
    while (clash := _clash(moved)) is not None:
        name, other, key = clash
        troubles.append(f'{where}: {name} = "{shown(key)}" is the key of {other} too; give one of them another.')
        moved = {one: keys for one, keys in moved.items() if one != name}
    return Read(moved, troubles)


def _clash(moved: Keys) -> tuple[str, str, str] | None:
    """A name that was moved onto the key of another one."""
    now = usual() | moved
    for name in reversed(moved):  # the later line is the one to tell of
        for other, keys in now.items():
            if other != name and _together(name.partition(".")[0], other.partition(".")[0]):
                for key in now[name]:
                    if key in keys:
                        return name, other, key
    return None


def _together(one: str, other: str) -> bool:
    """Whether the keys of two places work at once. Places that share a key as it is are never open together."""
    if one == other:
        return True
    return bool({one, other} & set(_EVERYWHERE)) and not _usual_of(one) & _usual_of(other)


def _usual_of(place: str) -> set[str]:
    return {key for one in KEYS[place].keys for key in one.keys.split(",")}


# The table of all keys


def rows(keys: Keys) -> list[dict[str, Any]]:
    """Every action: where, its keys as people write them, what it does, and the name that keys.toml knows it by."""
    return [
        {
            "place": place,
            "where": group.title,
            "name": (name := f"{place}.{key.name}"),
            "keys": [shown(one) for one in keys[name]],
            "does": key.words or key.title,
        }
        for place, group in KEYS.items()
        for key in group.keys
    ]


def markdown() -> str:
    """The usual keys as a table for the README."""
    lines = ["| where | key | does | name |", "|---|---|---|---|"]
    where = ""
    for row in rows(usual()):
        keys = " ".join(f"`{key}`" for key in row["keys"]).replace("|", "\\|")
        lines.append(f"| {'' if row['where'] == where else row['where']} | {keys} | {row['does']} | `{row['name']}` |")
        where = row["where"]
    return "\n".join(lines)
