"""Which column of a table holds the texts and which the labels, and what their values mean."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from engine.data.lines import bad, short
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.data.tables import Table

MOST_LABELS = 1000  # a column of more values is no column of labels

# By these names columns are known, the likeliest first; letters' case and what stands between words do not matter.
_TEXTS = (
    "text", "sentence", "review", "review text", "content", "document", "body", "comment", "comment text", "message",
    "tweet", "article", "description", "abstract", "post", "question", "utterance", "query", "news", "summary",
    "headline", "title", "texts", "sentences", "reviews", "raw text", "full text", "v2",
)  # fmt: skip
_LABELS = (
    "label", "labels", "class", "class index", "classes", "category", "sentiment", "target", "topic", "stars", "star",
    "polarity", "intent", "emotion", "rating", "overall", "score", "genre", "type", "section", "tag", "y", "v1",
    "label text", "label name",
)  # fmt: skip
_HEADINGS = ("title", "headline", "subject")
_BODIES = ("description", "content", "text", "body", "abstract", "article", "review", "review text")


def known(name: str) -> bool:
    """Whether a column's name says that it holds texts or labels."""
    return _bare(name) in _TEXTS or _bare(name) in _LABELS


def choose(
    table: "Table", text: str | Sequence[str] | None = None, label: str | None = None
) -> tuple[tuple[str, ...], str]:
    """The columns of texts, to be joined, and the column of labels: those given, else guessed.

    Columns of texts are given as a sequence, or as a person writes them: one name, or several with a + between.
    By their names where these are known (a title is joined with its description); else the labels are in the column
    of fewest values, and the texts in that of the longest strings. Raises BadInput for a column that is not there,
    and where none looks like what is sought.
    """
    if not table.header and text is None and label is None and len(table.columns) > 1 and _counts(table):
        return table.columns[1:], table.columns[0]  # classic csv: class, then text
    chosen_label = None if label is None else _given(table, "data.label_column", label)
    if text is not None:
        parts = _parts(table, text) if isinstance(text, str) else text
        chosen_text = tuple(_given(table, "data.text_column", part) for part in parts)
    else:
        chosen_text = _texts_by_name([name for name in table.columns if name != chosen_label])
    if chosen_label is None:
        chosen_label = _by_name([name for name in table.columns if name not in chosen_text], _LABELS)
    if not chosen_text or chosen_label is None:
        chosen_text, chosen_label = _by_content(table, chosen_text, chosen_label)
    if chosen_label in chosen_text:
        raise BadInput(f"data.label_column: {chosen_label!r} is among the columns of texts too; name another column.")
    return chosen_text, chosen_label


def text_of(table: "Table", number: int, values: Sequence[Any]) -> str:
    """The texts of a row joined by a space, stripped; "" where there is none. Raises BadInput for a list or object."""
    return " ".join(_text(table, number, value) for value in values).strip()


def label_of(table: "Table", number: int, value: Any) -> str:
    """A label's value as a word, the same for 1, 1.0 and "1"; "" where it is missing. Raises BadInput for a list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = _text(table, number, value).strip()
    return text.partition(".")[0] if re.fullmatch(r"[+-]?(0|[1-9]\d*)\.0+", text) else text


def in_order(labels: Sequence[str]) -> list[str]:
    """Numbers by size, anything else by alphabet."""
    if all(re.fullmatch(r"[+-]?\d+(\.\d+)?", label) for label in labels):  # which nan and inf are not
        return sorted(labels, key=lambda label: (float(label), label))
    return sorted(labels, key=lambda label: (label.casefold(), label))


def _text(table: "Table", number: int, value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list | dict | tuple | set):
        raise bad(table.path, number, f"{short(value)} given", "give a text or a number in this column", table.unit)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise bad(table.path, number, "bytes that are not UTF-8 given", "give a text", table.unit) from None
    return str(value)


def _parts(table: "Table", text: str) -> list[str]:
    """`a+b+c` as the names of columns, which may hold a + themselves: the longest that are there go first."""
    there = {name.casefold() for name in table.columns}
    words = text.split("+")
    found: dict[int, list[str]] = {len(words): []}  # the names from this word on
    for begin in reversed(range(len(words))):
        for end in (end for end in range(len(words), begin, -1) if end in found):
            name = "+".join(words[begin:end]).strip()
            if name.casefold() in there:
                found[begin] = [name, *found[end]]
                break
    return found.get(0) or [word.strip() for word in words]


def _given(table: "Table", field: str, name: str) -> str:
    if name in table.columns:
        return name
    same = [column for column in table.columns if column.casefold() == name.casefold()]
    if len(same) == 1:
        return same[0]
    there = ", ".join(name[:40] for name in table.columns[:30])
    raise BadInput(f"{field}: {short(name)} given, but {table.path} has the columns {there}; name one of those.")


def _bare(name: str) -> str:
    return " ".join(re.findall(r"[a-z]+|\d+", name.casefold()))


def _by_name(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    bare = {_bare(name): name for name in reversed(names)}
    return next((bare[name] for name in wanted if name in bare), None)


def _texts_by_name(names: Sequence[str]) -> tuple[str, ...]:
    heading, body = _by_name(names, _HEADINGS), _by_name(names, _BODIES)
    if heading is not None and body is not None:
        return heading, body
    found = _by_name(names, _TEXTS)
    return () if found is None else (found,)


def _counts(table: "Table") -> bool:
    """Whether the first column holds whole numbers alone, so many of them as classes may be."""
    values = set()
    for _, (value,) in table.rows(table.columns[:1]):
        if not re.fullmatch(r"\s*\d{1,4}\s*", value):
            return False
        values.add(value.strip())
    return len(values) <= MOST_LABELS


def _by_content(table: "Table", text: tuple[str, ...], label: str | None) -> tuple[tuple[str, ...], str]:
    """What names did not tell, from all rows: a label repeats itself, a text is long."""
    names = [name for name in dict.fromkeys(table.columns) if name not in text and name != label]
    values: list[set[int]] = [set() for _ in names]
    lengths, rows = [0] * len(names), 0
    for rows, (_, row) in enumerate(table.rows(names), 1):  # noqa: B007
        for place, value in enumerate(row):
            if isinstance(value, str):
                lengths[place] += len(value)
            if len(values[place]) <= MOST_LABELS and value not in (None, ""):
                values[place].add(hash(str(value)))
    if label is None:
        few = [place for place, met in enumerate(values) if 2 <= len(met) <= min(MOST_LABELS, rows // 2)]
        if not few:
            raise _unclear(table, "data.label_column", "labels")
        label = names[min(few, key=lambda place: len(values[place]))]
    if not text:
        long = [place for place, name in enumerate(names) if name != label and lengths[place]]
        if not long:
            raise _unclear(table, "data.text_column", "texts")
        text = (names[max(long, key=lambda place: lengths[place])],)
    return text, label


def _unclear(table: "Table", field: str, what: str) -> BadInput:
    there = ", ".join(name[:40] for name in table.columns[:30])
    return BadInput(
        f"{field}: none given, and no column of {table.path} looks like {what} (it has {there}); "
        f"name one with --set {field}=NAME."
    )


def pairs(table: "Table", text: Sequence[str], label: str) -> Iterator[tuple[int, str, str]]:
    """Number, text and label of every row, the last two "" where missing."""
    for number, (*texts, value) in table.rows([*text, label]):
        yield number, text_of(table, number, texts), label_of(table, number, value)
