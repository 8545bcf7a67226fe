"""Keys that arrive in one burst, as over a slow line, do what they do one after another."""

from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from engine.record import notes
from lth_tui.app import LthApp
from tests.app.story import Story, sees, until


def burst(pilot: Pilot, *keys: str) -> None:
    """All in the app's queue before it looks at the first."""
    for key in keys:
        pilot.app.post_message(Key(key, key if len(key) == 1 else None))


async def test_what_is_typed_behind_the_key_of_the_filter_stands_in_it(runs: Path) -> None:
    Story(runs)
    app = LthApp()
    async with app.run_test() as pilot:
        await sees(pilot, "pydoc")
        burst(pilot, "slash", *"undec")
        await until(pilot, lambda: app.screen.query_one("#filter", Input).value == "undec")


async def test_a_word_typed_into_a_dialog_stands_in_it_and_enter_keeps_it(runs: Path) -> None:
    story = Story(runs, state="stopped")
    app = LthApp()
    async with app.run_test() as pilot:
        await sees(pilot, "pydoc")
        burst(pilot, "N", *"hello", "enter")
        await until(pilot, lambda: notes.read(story.run).note == "hello")


async def test_a_question_is_answered_by_the_key_behind_it(runs: Path) -> None:
    story = Story(runs, state="stopped")
    app = LthApp()
    async with app.run_test() as pilot:
        await sees(pilot, "pydoc")
        burst(pilot, "x", "y")
        await until(pilot, lambda: not story.run.exists())


async def test_tabs_between_numbers_put_each_into_its_field(runs: Path) -> None:
    app = LthApp("launch")
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "seeds")
        fields = [field for field in app.screen.query(Input) if field.focusable][:4]
        fields[0].focus()
        await pilot.pause()
        for field in fields:
            field.value = ""
        await pilot.pause()
        burst(pilot, "5", "tab", "6", "tab", "7", "tab", "8")
        await until(pilot, lambda: [field.value for field in fields] == ["5", "6", "7", "8"])


@pytest.mark.parametrize("repeats", [40])
async def test_many_keys_of_all_kinds_are_all_given_out(runs: Path, repeats: int) -> None:
    for _ in range(50):
        Story(runs, state="stopped")
    app = LthApp()
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.summaries and len(app.summaries) == 50)
        await until(pilot, lambda: len(app.screen.fitting) == 50)
        burst(pilot, *["j"] * repeats, *["question_mark", "escape"] * 3, "j")
        await until(pilot, lambda: app.screen.query("#runs") and app.screen.table.cursor == repeats + 1)
