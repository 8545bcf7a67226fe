"""The line-drawn table, apart from any screen."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from lth_tui.widgets.table import Column, Table, clipped, fit

COLUMNS = st.lists(
    st.builds(
        Column,
        title=st.just("title"),
        width=st.integers(1, 20),
        grow=st.integers(0, 3),
        keep=st.integers(0, 100),
        most=st.integers(20, 60),
    ),
    min_size=1,
    max_size=12,
)


@given(COLUMNS, st.integers(1, 200))
def test_columns_fit_the_width_in_their_order(columns: list[Column], width: int) -> None:
    chosen = fit(columns, width)
    places = [place for place, _ in chosen]
    assert places == sorted(places)
    assert chosen, "one column stays, however narrow it is"
    if len(chosen) > 1:
        assert sum(one.width + 1 for _, one in chosen) - 1 <= width
    assert all(one.width >= columns[place].width for place, one in chosen)
    gone = set(range(len(columns))) - set(places)
    assert all(columns[out].keep <= columns[kept].keep for out in gone for kept in places)


@given(st.text(max_size=40), st.integers(1, 30), st.booleans())
def test_a_cell_takes_exactly_its_width(text: str, width: int, right: bool) -> None:
    text = "".join(letter for letter in text if letter.isprintable())
    pieces = clipped([(text[:5], "bad"), (text[5:], "")], width, right)
    assert sum(cell_len(piece) for piece, _ in pieces) == width


class Bench(App[None]):
    def compose(self) -> ComposeResult:
        yield Table([Column("number", 8)], key=str, cells=lambda item: (f"n{item}",))


async def test_the_cursor_stays_when_its_row_goes_or_the_table_empties() -> None:
    async with Bench().run_test(size=(40, 10)) as pilot:
        table = pilot.app.query_one(Table)
        table.focus()
        table.show(list(range(100)))
        await pilot.press("G")
        assert table.item == 99
        table.show(list(range(50)))
        assert table.item == 49
        table.show([])
        assert table.item is None
        await pilot.press("j", "k", "g", "G", "pagedown")
        table.show([7])
        assert table.item == 7


async def test_a_hundred_thousand_rows_make_cells_only_where_they_are_seen() -> None:
    async with Bench().run_test(size=(40, 10)) as pilot:
        table = pilot.app.query_one(Table)
        asked: list[int] = []
        cells = table._cells
        table._cells = lambda item: asked.append(item) or cells(item)
        table.show(range(100_000))
        await pilot.pause()
        assert 0 < len(set(asked)) <= 10
