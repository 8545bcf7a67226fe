"""What is written to a terminal is what changed, and behind it stands what was drawn."""

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from lth_tui.painted import GAP, Painted
from tests.emulator import Emulator

COLUMNS = 24
CONSOLE = Console(color_system="truecolor", force_terminal=True)
STYLES = (Style(), Style(color="#ff0000"), Style(color="#ff0000", bold=True), Style(bgcolor="#00ff00"))
PIECES = st.lists(st.tuples(st.text("ab ─●宽", min_size=1, max_size=9), st.sampled_from(STYLES)), max_size=6)


def strip(pieces: list[tuple[str, Style]]) -> Strip:
    return Strip([Segment(text, style) for text, style in pieces]).adjust_cell_length(COLUMNS)


@given(st.lists(st.tuples(PIECES, st.integers(0, COLUMNS - 1), st.integers(1, COLUMNS)), min_size=1, max_size=6))
def test_what_stands_there_is_what_was_drawn(drawings: list) -> None:
    painted, saved, all_of_it = Painted(), Emulator(COLUMNS, 2), Emulator(COLUMNS, 2)
    for pieces, start, size in drawings:
        part = strip(pieces).crop(start, start + size)
        saved.feed(painted.write(1, start, part, CONSOLE).encode())
        all_of_it.feed(f"\x1b[2;{start + 1}H{part.render(CONSOLE)}".encode())
        assert saved.cells == all_of_it.cells


def test_what_stands_there_already_is_not_written() -> None:
    painted = Painted()
    line = strip([("one ", STYLES[1]), ("two and three", STYLES[0])])
    assert "three" in painted.write(0, 0, line, CONSOLE)
    assert painted.write(0, 0, line, CONSOLE) == ""
    other = strip([("One ", STYLES[1]), ("two and three", STYLES[2])]).crop(0, 2)
    assert painted.write(0, 0, other, CONSOLE) == "\x1b[1;1H\x1b[38;2;255;0;0mO\x1b[0m"


def test_two_changes_apart_are_two_and_close_together_one() -> None:
    for between, moves in ((GAP, 1), (GAP + 1, 2)):
        painted = Painted()
        painted.write(0, 0, strip([("a" + "-" * between + "b", STYLES[0])]), CONSOLE)
        written = painted.write(0, 0, strip([("A" + "-" * between + "B", STYLES[0])]), CONSOLE)
        assert written.count("H") == moves


def test_a_whole_screen_is_written_once_and_anew_once_nothing_is_known() -> None:
    painted, line = Painted(), strip([("one", STYLES[0])])

    def written(region: Region) -> str:
        painted.begin(region)
        return painted.write(0, 0, line, CONSOLE)

    here, larger = Region(0, 0, COLUMNS, 1), Region(0, 0, COLUMNS, 2)
    assert written(here)
    assert not written(here), "Textual draws a new screen twice"
    assert written(larger), "of another size it is another"
    painted.forget()
    assert written(larger)
