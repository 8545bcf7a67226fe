"""Keys that keys.toml has moved: they work, the usual ones do not, and help, footer, palette and bar agree."""

import os
from pathlib import Path

import pytest
from textual.widgets import Footer, Input

from lth_tui import keymap
from lth_tui.app import LthApp
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.run import RunScreen
from lth_tui.screens.runs import RunsScreen
from tests.app.story import Story, drawn, sees, shown, until


def keys_toml(text: str) -> None:
    Path(os.environ["LTH_KEYS"]).write_text(text)


async def test_a_moved_key_does_it_and_the_usual_one_no_longer(runs: Path) -> None:
    keys_toml('runs.filter = "F"\nruns.open = ["f9"]\napp.go.launch = "f12"\ntable.down = "n"\nruns.new = "f11"')
    Story(runs, "finished")
    Story(runs, "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        app = pilot.app
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen.table.items) == 2)
        await pilot.press("slash", "j", "enter", "1")
        assert isinstance(app.screen, RunsScreen)
        assert app.screen.table.cursor == 0
        assert not app.screen.has_class("-filtering")
        await pilot.press("n")
        assert app.screen.table.cursor == 1
        await pilot.press("F")
        assert app.screen.has_class("-filtering")
        await pilot.press("escape", "f9")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))


async def test_a_moved_letter_is_still_typed_into_a_field(runs: Path) -> None:
    keys_toml('runs.remove = "f"\nruns.stop = "a"')
    story = Story(runs, "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("slash", *"fax")
        assert pilot.app.screen.query_one(Input).value == "fax"
        assert story.run.is_dir()


async def test_footer_help_palette_and_top_bar_show_the_moved_keys(runs: Path) -> None:
    keys_toml('runs.stop = "Z"\napp.go.launch = "f12"')
    Story(runs, "running")
    async with LthApp().run_test(notifications=True, size=(100, 50)) as pilot:
        app = pilot.app
        await sees(pilot, "● running", "F12 Launch")
        stop = [one for one in app.screen.query_one(Footer).query("FooterKey") if one.description == "Stop"]
        assert [app.get_key_display(app.screen.active_bindings[one.key].binding) for one in stop] == ["Z"]
        await pilot.press("question_mark")
        await until(pilot, lambda: "Keys" in shown(app))
        assert any(line.split()[:2] == ["Z", "Stop"] for line in _help(app))
        assert not any(line.split()[:2] == ["s", "Stop"] for line in _help(app))
        await pilot.press("escape", "colon")
        await until(pilot, lambda: "Stop  Z" in drawn(pilot))
        await pilot.press("escape")
        await pilot.click("TopBar", offset=(9, 0))
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))


def _help(app: LthApp) -> list[str]:
    return [line.replace("│", " ").strip() for line in shown(app).splitlines()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('runs.stpo = "S"', "did you mean runs.stop"),
        ('runs.stop = "x"', "is the key of runs.remove too"),
        ("not toml", "is no TOML"),
        ('runs.stop = "[/foo][@click=app.quit]"', "is no key"),
    ],
)
async def test_trouble_is_a_notice_and_the_app_goes_on_with_its_usual_keys(runs: Path, text: str, said: str) -> None:
    keys_toml(text)
    Story(runs, "running")
    async with LthApp().run_test(notifications=True, size=(120, 40)) as pilot:
        await sees(pilot, "keys.toml: ")
        (notice,) = pilot.app._notifications
        assert said in notice.message
        await sees(pilot, "● running")
        await pilot.press("s")
        await sees(pilot, "Stop this run?")


async def test_the_app_reads_the_keys_that_it_shows(runs: Path) -> None:
    keys_toml('runs.undo = "ctrl+z"')
    app = LthApp()
    assert app.key("runs.undo") == "^z"
    assert [app.key(name) for name in ("runs.stop", "app.help", "run.back")] == ["s", "?", "Esc"]
    assert app.keys == {"runs.undo": ("ctrl+z",)}
    assert set(app.keys) <= set(keymap.named())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)])
async def test_help_closes_with_its_keys_at_any_size(runs: Path, size: tuple[int, int]) -> None:
    async with LthApp().run_test(notifications=True, size=size) as pilot:
        await sees(pilot, "lth")
        for key in ("escape", "question_mark", "q", "enter", "f1"):
            await pilot.press("f1")
            await until(pilot, lambda: not isinstance(pilot.app.screen, RunsScreen))
            await pilot.press(key)
            await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
