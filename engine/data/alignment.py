"""What two datasets have in common that a ticket can be carried by: words of their vocabularies, names of classes."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.data.encoding import SPECIALS


@dataclass(frozen=True)
class Alignment:
    """Where that which a network on new data knows stood before.

    `words[i]` is the old row of the new word i, None for a word that is new; `classes[i]` the old place of the new
    class i, and `classes` is None where the classes are not the same.
    """

    words: tuple[int | None, ...]
    classes: tuple[int, ...] | None

    @property
    def whole(self) -> bool:
        """Whether all could be carried."""
        return None not in self.words and self.classes is not None


def align(
    old_words: Sequence[str], new_words: Sequence[str], old_classes: Sequence[str], new_classes: Sequence[str]
) -> Alignment:
    """Words are aligned by their spelling; classes by their names, whatever the order and the case of those."""
    if list(old_words) == list(new_words):  # pieces of a tokenizer too, among which a name may stand twice
        words: tuple[int | None, ...] = tuple(range(len(new_words)))
    else:
        words = tuple(map({word: row for row, word in enumerate(old_words)}.get, new_words))
    old, new = ([name.strip().casefold() for name in names] for names in (old_classes, new_classes))
    same = len(set(new)) == len(new) and sorted(old) == sorted(new)
    return Alignment(words, tuple(map(old.index, new)) if same else None)


def remark(found: Alignment, new_classes: Sequence[str]) -> str:
    """What is carried, in words: `11,204 of 18,377 words carried; new head for 6 classes`."""
    of = len(found.words) - len(SPECIALS)
    carried = of - found.words.count(None)
    words = f"all {of:,} words carried" if carried == of else f"{carried:,} of {of:,} words carried"
    if found.classes is None:
        return f"{words}; new head for {len(new_classes)} classes"
    return f"{words}; the head too, for its {len(new_classes)} classes are the same"
