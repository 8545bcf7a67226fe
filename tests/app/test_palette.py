"""The command palette: what can be done where one is, and any of thousands of runs by a part of its id."""

from pathlib import Path

import pytest
from textual.command import CommandList

from engine.record import history
from lth_tui import keymap, palette, themes
from lth_tui.app import LthApp
from lth_tui.screens.confirm import ConfirmScreen
from lth_tui.screens.help import HelpScreen
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.run import RunScreen
from lth_tui.screens.runs import RunsScreen
from tests.app.story import Story, drawn, many, sees, until

HOSTILE = "[/foo][@click=app.quit]\x1b]0;owned\x07[bold"


async def opened(pilot, typed: str = "") -> list[str]:
    """The palette opened and typed into: the texts of its list, once it has settled."""
    await pilot.press("ctrl+p")
    await until(pilot, lambda: palette.Palette.is_open(pilot.app) and listed(pilot))
    before = listed(pilot)
    if typed:
        pilot.app.screen.query_one("CommandInput").value = typed
        await until(pilot, lambda: listed(pilot) != before)
    return listed(pilot)


def listed(pilot) -> list[str]:
    return [str(one.prompt) for one in pilot.app.screen.query_one(CommandList).options]


async def test_it_lists_what_can_be_done_here_with_keys_and_nothing_of_other_places(runs: Path) -> None:
    Story(runs, "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        found = await opened(pilot)
        known = keymap.named()
        for name in ("runs.stop", "runs.remove", "runs.undo", "app.help", "app.quit"):
            title = known[name].words or known[name].title
            assert any(one.startswith(f"{title}  {keymap.shown(known[name].keys.split(',')[0])}  ") for one in found)
        assert not any("Accuracy against" in one or "On this form" in one or "In a table" in one for one in found)
        assert {f"Colours: {name}" for name in themes.THEMES} <= {one.partition("  ")[0] for one in found}
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert any("Accuracy against" in one for one in await opened(pilot))


async def test_a_command_is_done_where_it_was_meant(runs: Path) -> None:
    Story(runs, "running")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        assert (await opened(pilot, "stop"))[0].startswith("Stop  s")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("n", "colon", *"go to launch")
        await until(pilot, lambda: listed(pilot) and listed(pilot)[0].startswith("Go to Launch"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen))
        await opened(pilot, "all keys of")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))


async def test_a_run_is_found_by_the_end_of_its_id_and_opened_from_anywhere(runs: Path) -> None:
    names = [Story(runs, "finished").run.name for _ in range(3)]
    async with LthApp("launch").run_test(notifications=True) as pilot:
        await until(pilot, lambda: len(pilot.app.summaries or []) == 3)
        assert (await opened(pilot, names[1][-4:]))[0].startswith(f"Run {names[1]}")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert pilot.app.screen.run_path == runs / names[1]
        await opened(pilot, names[2][-4:])
        await pilot.press("enter")
        await until(pilot, lambda: getattr(pilot.app.screen, "run_path", None) == runs / names[2])
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))  # one run at a time on top of the runs


async def test_ten_thousand_runs_are_searched_and_the_newest_that_fit_are_shown(runs: Path, monkeypatch) -> None:
    found = many(runs, 10_000)
    monkeypatch.setattr("engine.record.history.refresh", lambda _: (found, None))
    async with LthApp().run_test(notifications=True) as pilot:
        await until(pilot, lambda: pilot.app.summaries)
        rows = [one for one in await opened(pilot, "pydoc cnn") if one.startswith("Run ")]
        assert [one.split()[1] for one in rows] == [one["id"] for one in found[: palette.RUNS]]


def test_words_are_found_in_any_field_and_in_any_order(runs: Path) -> None:
    base = history.summarise(Story(runs, "failed").run)
    mine = base | {"id": "20261122-071205-x", "name": "baseline", "model": "cnn"}
    other = base | {"id": "20261122-071206-y", "name": None, "model": "lstm"}
    assert list(palette.runs([mine, other], ["cnn", "base"])) == [mine]
    assert list(palette.runs([mine, other], ["failed", "lstm"])) == [other]
    assert list(palette.runs([mine, other], ["nothing"])) == []
    assert list(palette.runs([mine, other], [])) == [mine, other]


def test_what_begins_as_typed_comes_before_what_holds_it_and_that_before_what_has_its_letters() -> None:
    order = ["stop on a run", "all stop", "unstoppable", "so that others play"]
    assert sorted(order, key=lambda text: -palette.fitness(text, ["stop"])) == order
    assert palette.fitness("quit", ["stop"]) == 0


async def test_hostile_names_are_shown_as_they_are_and_do_nothing(runs: Path, monkeypatch) -> None:
    story = Story(runs, "finished")
    hostile = [history.summarise(story.run) | {"name": HOSTILE, "model": HOSTILE}]
    monkeypatch.setattr("engine.record.history.refresh", lambda _: (hostile, None))
    async with LthApp().run_test(notifications=True, size=(120, 40)) as pilot:
        await until(pilot, lambda: pilot.app.summaries)
        for typed in ("click", "[/foo]", "[bold", "\\[", "$accent"):
            pilot.app.screen.focus()
            await pilot.press("ctrl+p")
            await until(pilot, lambda: palette.Palette.is_open(pilot.app))
            pilot.app.screen.query_one("CommandInput").value = typed
            await pilot.pause(0.1)
            if typed in HOSTILE:
                await until(pilot, lambda: "[/foo][@click=app.quit]" in drawn(pilot))
            assert "\x1b" not in drawn(pilot)
            await pilot.press("escape")
            await until(pilot, lambda: not palette.Palette.is_open(pilot.app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)])
async def test_it_opens_at_any_size_and_only_once(runs: Path, size: tuple[int, int]) -> None:
    async with LthApp().run_test(notifications=True, size=size) as pilot:
        await sees(pilot, "lth")
        await opened(pilot)
        await pilot.press("ctrl+p", "ctrl+p")
        assert sum(isinstance(one, palette.Palette) for one in pilot.app.screen_stack) == 1
        assert "what to do" in drawn(pilot)


async def test_a_colon_in_a_field_is_typed(runs: Path) -> None:
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        await pilot.press("slash", "colon")
        assert not palette.Palette.is_open(pilot.app)
