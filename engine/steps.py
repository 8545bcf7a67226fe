"""A step of a training, as people write it: `init`, `500it`, `2ep`, `end`. It is where a ticket is rewound to."""

import re

from engine.errors import BadInput

INIT, END = "init", "end"
_STEP = re.compile(r"(0|[1-9]\d{0,8})(it|ep)")
_WANTED = "give init, a step such as 500it, an epoch such as 1ep, or end"


def check(text: str) -> str:
    """The step as it is kept; BadInput where it is none."""
    if text not in (INIT, END) and not _STEP.fullmatch(text):
        raise BadInput(f"schedule.rewind: {text[:60]!r} given; {_WANTED}.")
    return text


def number(text: str, steps_an_epoch: int) -> int | None:
    """Which step that is, counted from 0; None for `end`, which lies behind them all."""
    if text == END:
        return None
    if text == INIT:
        return 0
    found = _STEP.fullmatch(text)
    assert found is not None, "a spec is checked before its steps are counted"
    return int(found[1]) * (steps_an_epoch if found[2] == "ep" else 1)


def within(text: str, epochs: int, steps_an_epoch: int) -> int | None:
    """The same; BadInput where it does not lie inside a training of so many epochs."""
    found = number(text, steps_an_epoch)
    if found is not None and found >= epochs * steps_an_epoch:
        length = f"{epochs} epoch{'' if epochs == 1 else 's'}"
        if not text.endswith("ep"):
            length = f"{epochs * steps_an_epoch:,} steps ({length} of {steps_an_epoch:,})"
        raise BadInput(
            f"schedule.rewind: {text} given, but a training has {length}; "
            "give an earlier step, or end for the trained weights."
        )
    return found
