"""What goes wrong because of what a person gave, worded for that person; and that somebody said stop."""

from collections.abc import Iterable
from difflib import get_close_matches


class BadInput(ValueError):
    """One sentence naming the field, what was given and what would do. The command line exits with 2."""


class Stopped(Exception):
    """Somebody asked the work to stop."""


def unknown(field: str, given: str, known: Iterable[str]) -> BadInput:
    """The error for a name that is on no list: the nearest names first, or all of them where none is near."""
    names = sorted(known)
    near = get_close_matches(given, names, n=3, cutoff=0.5)
    offer = f"did you mean {' or '.join(near)}?" if near else f"choose from: {', '.join(names)}."
    shown = repr(given) if len(repr(given)) <= 80 else repr(given)[:77] + "..."
    return BadInput(f"{field}: {shown} is not known; {offer}")
