"""The order of the runs: any column, either way round, what is missing last, the cursor on its run."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lth_tui.app import LthApp
from lth_tui.screens.pick import PickScreen
from lth_tui.screens.runs import RunsScreen
from lth_tui.screens.runs_table import COLUMNS, SORTS, Order, arranged, cells, columns
from tests.app.story import Story, drawn, many, sees, shown, until

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["ticket", "dense", "sparsity", "fraction"]), st.floats() | st.text(), max_size=3),
)  # fmt: skip
RUNS = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(("model", "dataset", "schedule", "seeds", "best", "progress", "name", "sentence"), ANYTHING)
        | {"id": st.text(min_size=1, max_size=5), "winning_ticket": st.sampled_from([None, True, False])}
        | {"state": st.sampled_from(["running", "finished", "failed", "unreadable", "gone"])}
        | {"created": st.none() | st.text(max_size=5)}
    ),
    max_size=12,
)


@given(RUNS, st.sampled_from(list(SORTS)), st.booleans())
def test_any_column_sorts_whatever_stands_there_and_what_is_missing_comes_last(
    summaries: list[dict[str, Any]], column: str, reverse: bool
) -> None:
    found = arranged(summaries, Order(column, reverse))
    assert sorted(map(id, found)) == sorted(map(id, summaries))
    key, falling, _ = SORTS[column]
    values = [key(one) for one in found]
    if (column, reverse) != ("age", False):  # they come newest first
        known = [value for value in values if value is not None]
        assert values[len(known) :] == [None] * (len(values) - len(known))
        assert all((a >= b) if falling != reverse else (a <= b) for a, b in pairwise(known))


def test_equal_runs_stay_newest_first_either_way_round(tmp_path: Path) -> None:
    found = many(tmp_path / "runs", 6)
    assert arranged(found, Order("model")) == found
    assert arranged(found, Order("model", reverse=True)) == found


@pytest.mark.parametrize("column", SORTS)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_column_that_is_sorted_by_has_an_arrow_and_never_goes(column: str, reverse: bool) -> None:
    titles = ["".join(text for text, _ in one.title) for one in columns(Order(column, reverse)) if one.title != ""
              and not isinstance(one.title, str)]  # fmt: skip
    assert titles == [f"{column}{'↑↓'[(SORTS[column][1] != reverse) != (column == 'age')]}"]
    assert {one.title for one in COLUMNS} >= SORTS.keys()


def stories(runs: Path) -> list[str]:
    """Three runs, oldest first: with the best ticket, without one, with the second best."""
    best = {"dense": 0.9, "sparsity": 0.5}
    return [
        Story(runs, "finished", best=best | {"ticket": 0.93}, sentence="Yes.", winning_ticket=True).run.name,
        Story(runs, "failed", cause="the disk is full").run.name,
        Story(runs, "finished", best=best | {"ticket": 0.91}, sentence="Open.").run.name,
    ]


def listed(pilot) -> list[str]:
    return [one["id"] for one in pilot.app.screen.table.items]


async def test_keys_choose_the_column_and_the_way_round_and_the_cursor_keeps_its_run(runs: Path) -> None:
    first, second, third = stories(runs)
    async with LthApp().run_test(notifications=True, size=(120, 40)) as pilot:
        await sees(pilot, "✗ failed", "age↑", "yes", "undecided")
        assert listed(pilot) == [third, second, first]
        await pilot.press("j")
        assert pilot.app.screen.table.key == second
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        await sees(pilot, "most accurate first", "newest first")
        await pilot.press("g", *"jjjjjjj", "enter")
        await sees(pilot, "mean @ %↓")
        assert listed(pilot) == [first, third, second]
        assert pilot.app.screen.table.key == second
        await pilot.press("O")
        await sees(pilot, "mean @ %↑")
        assert listed(pilot) == [third, first, second]
        await pilot.press("greater_than_sign")
        await sees(pilot, "verdict↑")
        assert listed(pilot) == [first, third, second]
        await pilot.press("less_than_sign", "less_than_sign")
        await sees(pilot, "dense↓")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        await pilot.press("G", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await sees(pilot, "dense↓")
        assert pilot.app.screen.table.key == second


async def test_a_run_that_changes_moves_to_its_place(runs: Path) -> None:
    first, second, third = stories(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✗ failed")
        pilot.app.screen.sort(Order("mean @ %"))
        await until(pilot, lambda: listed(pilot) == [first, third, second])
        fourth = Story(runs, "running", best={"dense": 0.9, "ticket": 0.95, "sparsity": 0.2})
        await until(pilot, lambda: listed(pilot) == [fourth.run.name, first, third, second])
        fourth.say(best={"dense": 0.9, "ticket": 0.92, "sparsity": 0.2})
        await until(pilot, lambda: listed(pilot) == [first, fourth.run.name, third, second])


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (200, 60)])
async def test_the_sorted_column_and_the_verdict_in_words_are_shown_at_any_size(runs: Path, size) -> None:
    stories(runs)
    async with LthApp().run_test(notifications=True, size=size) as pilot:
        await sees(pilot, "✗ failed")
        for _ in SORTS:
            await pilot.press("greater_than_sign")
            await pilot.pause()
            assert "↑" in drawn(pilot) or "↓" in drawn(pilot)
        if size[0] >= 80:
            assert "yes" in shown(pilot.app)
            assert "undecided" in shown(pilot.app)


@given(RUNS)
def test_a_row_can_be_made_of_whatever_the_files_hold(summaries: list[dict[str, Any]]) -> None:
    from datetime import datetime

    for one in summaries:
        full = one | {"cause": one["name"], "unverified": None}
        assert len(cells(full, datetime.now(), str)) == len(COLUMNS)
