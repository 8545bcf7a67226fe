"""The line of keys at the bottom: what it names is named whole, and works where one is."""

from pathlib import Path

import pytest

from lth_tui.app import LthApp
from tests.app.story import Story, drawn, sees, until


def bar(pilot) -> str:
    return (drawn(pilot).splitlines() or [""])[-1].rstrip()


@pytest.mark.parametrize("width", [120, 80, 60, 40])
async def test_no_title_is_cut_and_help_is_always_there(runs: Path, width: int) -> None:
    story = Story(runs, "finished")
    async with LthApp().run_test(size=(width, 24), notifications=True) as pilot:
        await sees(pilot, "✓ finished", "? Help")
        assert bar(pilot).endswith("q Quit")
        pilot.app.open_run(story.run)
        await until(pilot, lambda: "Esc Back" in bar(pilot))
        assert "? Help" in bar(pilot)
        assert bar(pilot).endswith("q Quit")


async def test_it_is_fitted_anew_when_the_terminal_is_resized(runs: Path) -> None:
    Story(runs, "finished")
    async with LthApp().run_test(size=(40, 24), notifications=True) as pilot:
        await sees(pilot, "✓ finished", "? Help")
        assert "Remove" not in bar(pilot)
        await pilot.resize_terminal(120, 24)
        await until(pilot, lambda: "n New run" in bar(pilot))
        await pilot.resize_terminal(40, 24)
        await until(pilot, lambda: "Remove" not in bar(pilot) and bar(pilot).endswith("q Quit"))


async def test_while_one_types_it_names_no_key_that_would_be_typed(runs: Path) -> None:
    Story(runs, "finished")
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "✓ finished", "? Help")
        await pilot.press("slash")
        await until(pilot, lambda: bar(pilot) == "Enter Keep the filter Esc Show all F1 Help ^p Commands")
        await pilot.press("escape")
        await until(pilot, lambda: "/ Filter" in bar(pilot))
