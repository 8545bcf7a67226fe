"""What the signs and colours of the screens mean, as the tables have them that the screens draw with."""

from collections.abc import Sequence

from lth_tui import chart, meters
from lth_tui.screens import words
from lth_tui.screens.panes import rounds
from lth_tui.screens.runs_table import VERDICTS

Piece = tuple[str, str]  # text, and its style in the colours of the theme
Entry = tuple[Sequence[Piece], str]  # a sign as it is drawn, and what it means

_STATES = {
    "queued": "waits for its turn, or to be started",
    "running": "an engine works on it",
    "stopping": "was asked to stop, and ends its step",
    "finished": "all of it is trained",
    "failed": "it broke off; its row says why",
    "stopped": "stopped before its end; resume goes on",
    "orphaned": "its engine is gone; resume goes on",
    "unreadable": "another user's, and not shared",
}
_VERDICTS = {
    "yes": "it found a winning ticket",
    "undecided": "more seeds would tell",
    "no": "it found that there is none",
}


def groups() -> list[tuple[str, list[Entry]]]:
    """Titles, each with signs and what they mean."""
    return [("What a run is", _states()), ("In its row and its rounds", _rows()), ("In charts and meters", _charts())]


def _states() -> list[Entry]:
    return [([_toned(words.state(name))], _STATES[name]) for name in words.STATES]


def _rows() -> list[Entry]:
    return [
        *(([_toned((verdict, tone))], _VERDICTS[verdict]) for verdict, tone in VERDICTS.items()),
        ([*map(_toned, words.bar(0.4, 6))], "so much of it is trained"),
        ([_toned(rounds.NOW)], "the round that is trained now"),
        ([_toned((words.best({"ticket": 0.905, "sparsity": 0.488}), ""))], "sparsest near dense by means, not tested"),
        ([_toned((words.percent(None), "dim"))], "not known, or not yet"),
        ([_toned((rounds.SPREAD, "dim"))], "SD over seeds, of a difference over pairs"),
        ([(sign, _drawn(colour)) for sign, colour in rounds.against(["ticket", "reinit"])], "ticket less reinit"),
    ]


def _charts() -> list[Entry]:
    markers = [(f"{marker} ", _drawn(colour)) for marker, colour in map(chart.style_of, range(len(chart.MARKERS)))]
    levels = ((chart.DENSE, "the dense network"), (chart.LINEAR, "the linear reference"))
    return [
        (markers[:5], "arms, or the runs that are compared,"),
        (markers[5:], "each with its colour, in their order"),
        *(([(sign * 6, _drawn(colour))], name) for (sign, colour), name in levels),
        ([(meters.BLOCKS, "$primary")], "from 0 to 100 %, the latest at right"),
    ]


def _toned(piece: Piece) -> Piece:
    return piece[0], words.COLOURS[piece[1]]


def _drawn(colour: str) -> str:
    return f"ansi_{colour}" if colour else ""
