"""The filter of the list of runs: words, `field:value`, `!` for not, quotes. Knows no Textual, and never raises.

cnn failed            both words, anywhere in what is told of a run
state:failed,stopped  one of these, in that field
!tag:old "one fold"   not that tag; words that belong together
seeds:>3 age:<2d      numbers and times with <, <=, > and >=
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

Summary = dict[str, Any]
Test = Callable[[Summary, str, datetime], bool]  # a run, its haystack, and now

_TOKEN = re.compile(r'(!?)(?:([A-Za-z_]+):)?(?:"([^"]*)"?|(\S*))')
_NUMBER = re.compile(r"(<=|>=|<|>|=)?([0-9]{1,12}(?:\.[0-9]{0,12})?)%?")
_TIME = re.compile(r"(<=|>=|<|>|=)?([0-9]{1,6}(?:\.[0-9]{0,6})?)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": lambda one, two: one < two,
    "<=": lambda one, two: one <= two,
    ">": lambda one, two: one > two,
    ">=": lambda one, two: one >= two,
}


class Query(NamedTuple):
    """What was asked for, and in one sentence what of it makes no sense; those parts are passed over."""

    tests: tuple[Test, ...]
    trouble: str = ""


def verdict(one: Summary) -> str:
    """`yes`, `no`, or `undecided`: whether the run found a winning ticket; empty where it has not answered."""
    won = one.get("winning_ticket")
    if type(won) is bool:
        return "yes" if won else "no"
    return "undecided" if one.get("state") == "finished" and one.get("sentence") else ""


def _in(*path: str) -> Callable[[Summary], Any]:
    def of(one: Summary) -> Any:
        value: Any = one
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return of


def _percent(*path: str) -> Callable[[Summary], Any]:
    value = _in(*path)
    return lambda one: 100 * found if type(found := value(one)) in (int, float) else None


TEXTS: dict[str, Callable[[Summary], Any]] = {
    **{name: _in(name) for name in ("state", "model", "dataset", "schedule", "name", "note", "cause")},
    "run": _in("id"),
    "tag": _in("tags"),
    "arm": _in("arms"),
    "verdict": verdict,
}
NUMBERS: dict[str, Callable[[Summary], Any]] = {
    "seeds": _in("seeds"),
    "rounds": _in("rounds"),
    "dense": _percent("best", "dense"),
    "ticket": _percent("best", "ticket"),
    "sparsity": _percent("best", "sparsity"),
    "progress": _percent("progress", "fraction"),
}
FIELDS = (*TEXTS, *NUMBERS, "age")


def parse(text: str) -> Query:
    """What a filter asks for. Of the parts that make no sense the first is told."""
    tests: list[Test] = []
    trouble = ""
    for match in _TOKEN.finditer(text):
        negated, field, quoted, bare = match.groups()
        value = (bare if quoted is None else quoted).lower()
        if not value:  # nothing, or a field whose value is still to come
            if field and not _known(field):
                trouble = trouble or _unknown(field)
            continue
        made = _words(value) if field is None else _test(field.lower(), value)
        if isinstance(made, str):
            trouble = trouble or made
        else:
            tests.append(_not(made) if negated else made)
    return Query(tuple(tests), trouble)


def _known(field: str) -> bool:
    return field.lower() in FIELDS


def _unknown(field: str) -> str:
    shown = field if len(field) <= 30 else f"{field[:29]}…"
    return f"{shown}: no such field; there are {', '.join(FIELDS)}."


def _words(value: str) -> Test:
    return lambda one, haystack, now: value in haystack


def _not(test: Test) -> Test:
    return lambda one, haystack, now: not test(one, haystack, now)


def _test(field: str, value: str) -> Test | str:
    """The test of `field:value`, or what is wrong with it."""
    if field in TEXTS:
        return _text(TEXTS[field], value)
    if field == "age":
        return _age(value)
    return _number(field, value) if field in NUMBERS else _unknown(field)


def _text(of: Callable[[Summary], Any], value: str) -> Test:
    wanted = [part for part in value.split(",") if part]

    def test(one: Summary, _text: str, _now: datetime) -> bool:
        found = of(one)
        several = found if isinstance(found, list) else [found]
        told = [str(part).lower() for part in several if part is not None]
        return any(part in text for part in wanted for text in told)

    return test


def _number(field: str, value: str) -> Test | str:
    match = _NUMBER.fullmatch(value)
    if match is None:
        return f"{field}: {_short(value)} given; give a number, also after <, <=, > or >=."
    sign, limit, of = match[1] or "=", float(match[2]), NUMBERS[field]
    shown = len(match[2].partition(".")[2])  # as exact as it was asked

    def test(one: Summary, _text: str, _now: datetime) -> bool:
        found = of(one)
        if type(found) not in (int, float):
            return False
        return round(found, shown) == limit if sign == "=" else _COMPARED[sign](found, limit)

    return test


def _age(value: str) -> Test | str:
    match = _TIME.fullmatch(value)
    if match is None:
        return f"age: {_short(value)} given; give a time as 30m, 12h, 2d or 1w, also after < or >."
    sign, unit = match[1] or "=", _SECONDS[match[3]]
    limit = float(match[2]) * unit

    def test(one: Summary, _text: str, now: datetime) -> bool:
        try:
            seconds = (now - datetime.fromisoformat(str(one.get("created")))).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return False
        return limit <= seconds < limit + unit if sign == "=" else _COMPARED[sign](seconds, limit)

    return test


def _short(value: str) -> str:
    return repr(value if len(value) <= 30 else f"{value[:29]}…")


def narrows(before: str, after: str) -> bool:
    """Whether whatever passes `after` passed `before`: so while words are typed, not fields, nots or quotes."""
    return after.startswith(before) and not set('!:"') & set(after)


def haystack(one: Summary) -> str:
    """All that words are looked for in, in small letters."""
    parts = [one.get(part) for part in ("id", "state", "model", "dataset", "schedule", "name", "note", "cause")]
    lists = [part for name in ("arms", "tags") if isinstance(found := one.get(name), list) for part in found]
    return " ".join(str(part) for part in (*parts, *lists) if part).lower()


class Sieve:
    """Keeps what words are looked for in, for as long as a run's summary is the same object."""

    def __init__(self) -> None:
        self._haystacks: dict[str, tuple[Summary, str]] = {}

    def fitting(self, summaries: Sequence[Summary], query: Query, now: datetime) -> Sequence[Summary]:
        """The runs that pass all the tests, in their order."""
        if not query.tests:
            return summaries
        return [one for one in summaries if self._passes(one, query.tests, now)]

    def warm(self, summaries: Sequence[Summary]) -> None:
        """Have ready what words are looked for in: most of the time that the first word takes. Any thread may."""
        for one in summaries:
            self._text(one)

    def _passes(self, one: Summary, tests: Iterable[Test], now: datetime) -> bool:
        text = self._text(one)
        return all(test(one, text, now) for test in tests)

    def _text(self, one: Summary) -> str:
        kept = self._haystacks.get(one["id"])
        if kept is None or kept[0] is not one:
            kept = self._haystacks[one["id"]] = (one, haystack(one))
        return kept[1]
