"""The colours of the app: seen as they are chosen, kept, readable, and none at all where nobody wants any."""

import os
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.style import Style
from textual.color import Color

from lth_tui import preferences, themes
from lth_tui.app import LthApp
from lth_tui.screens.colours import ColoursScreen
from tests.app.story import Story, sees, shown, until

TONES = ("foreground", "primary", "secondary", "accent", "success", "warning", "error", "foreground-muted")
GROUNDS = ("background", "surface", "panel")


def contrast(one: Color, other: Color) -> float:
    """WCAG 2's ratio of relative luminances, 1 to 21."""

    def luminance(colour: Color) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("name", "least"), [(themes.DARK, 4.5), (themes.LIGHT, 4.5), (themes.CONTRAST, 7.0)])
def test_every_tone_can_be_read_on_every_ground(name: str, least: float) -> None:
    colours = themes.THEMES[name].theme.to_color_system().generate()
    for tone, ground in product(TONES, GROUNDS):
        under = Color.parse(colours[ground])
        over = Color.parse(colours[tone])
        assert contrast(under.blend(over, over.a), under) >= least, (tone, ground)


@pytest.mark.parametrize(("name", "least"), [(themes.DARK, 3.0), (themes.LIGHT, 3.0), (themes.CONTRAST, 7.0)])
def test_every_colour_of_the_charts_can_be_seen_on_the_background(name: str, least: float) -> None:
    from lth_tui import chart

    palette = themes.THEMES[name].palette
    under = Color.parse(themes.THEMES[name].theme.background or "")
    for colour in (*chart.COLOURS, chart.DENSE_COLOUR, chart.LINEAR[1]):
        drawn = Color(*Style.parse(colour).color.get_truecolor(palette))
        assert contrast(drawn, under) >= least, colour


async def test_the_cursor_shows_colours_at_once_enter_keeps_them_and_escape_brings_the_old_ones_back(
    runs: Path,
) -> None:
    Story(runs, "finished")
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        assert app.theme == themes.DARK
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, ColoursScreen))
        for name in list(themes.THEMES)[1:]:
            await pilot.press("down")
            await until(pilot, lambda name=name: app.theme == name)
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == themes.DARK and not isinstance(app.screen, ColoursScreen))
        assert not app.no_color
        assert preferences.get(runs, preferences.mine("theme")) is None
        await pilot.press("ctrl+t", "j", "enter")
        await until(pilot, lambda: preferences.get(runs, preferences.mine("theme")) == themes.LIGHT)
        assert app.theme == themes.LIGHT
    again = LthApp()
    async with again.run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        assert again.theme == themes.LIGHT


async def test_in_a_shared_folder_each_user_has_colours_of_his_own(runs: Path, monkeypatch) -> None:
    def become(name: str) -> None:
        monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name=name))

    preferences.set(runs, "theme", themes.ANSI)  # as versions kept it that knew of no users
    for user, before, chosen in (("ada", themes.ANSI, themes.LIGHT), ("bob", themes.ANSI, themes.CONTRAST)):
        become(user)
        app = LthApp()
        async with app.run_test(notifications=True) as pilot:
            await sees(pilot, "No runs yet")
            assert app.theme == before
            app.keep_colours(chosen)
            await until(pilot, lambda name=chosen: preferences.get(runs, preferences.mine("theme")) == name)
    become("ada")
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        assert app.theme == themes.LIGHT


async def test_the_palette_chooses_colours_too(runs: Path) -> None:
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        await pilot.press("ctrl+p", *"colours: high")
        await until(pilot, lambda: "Colours: high-contrast" in shown(pilot.app) and "none" not in shown(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: preferences.get(runs, preferences.mine("theme")) == themes.CONTRAST)
        assert pilot.app.theme == themes.CONTRAST


def colours_sent(app: LthApp) -> set[str]:
    """The colours that the screen in front asks of the terminal."""
    styles = [segment.style for strip in app.screen._compositor.render_strips() for segment in strip if segment.style]
    return {colour.name for style in styles for colour in (style.color, style.bgcolor) if colour is not None}


@pytest.mark.parametrize("screen", ["runs", "launch"])
async def test_no_color_means_none_whatever_was_chosen(runs: Path, monkeypatch, screen: str) -> None:
    preferences.set(runs, preferences.mine("theme"), themes.LIGHT)
    monkeypatch.setenv("NO_COLOR", "1")
    Story(runs, "failed", cause="the disk is full")
    app = LthApp(screen)
    async with app.run_test(notifications=True, size=(120, 40)) as pilot:
        await sees(pilot, "lth")
        await pilot.pause(0.3)
        assert colours_sent(app) == {"default"}
        await pilot.press("question_mark")
        await pilot.pause(0.1)
        assert colours_sent(app) == {"default"}
        assert preferences.get(runs, preferences.mine("theme")) == themes.LIGHT
        assert os.environ["NO_COLOR"] == "1"  # for the engines that are started here


async def test_an_empty_no_color_is_no_wish(runs: Path, monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        assert app.theme == themes.DARK
        assert themes.THEMES[themes.DARK].theme.accent in colours_sent(app)


async def test_in_ansi_every_colour_is_one_of_the_terminals_own(runs: Path) -> None:
    preferences.set(runs, preferences.mine("theme"), themes.ANSI)
    story = Story(runs, "finished", sentence="It is one.")
    for arm, accuracy in (("ticket", 0.9), ("reinit", 0.8)):
        story.trained(0, 0, "dense", 0.9)
        story.trained(0, 1, arm, accuracy)
    app = LthApp()
    async with app.run_test(notifications=True, size=(120, 40)) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("enter")
        await sees(pilot, "It is one.", "reinit")
        for _ in range(2):
            sent = colours_sent(app)
            assert len(sent) > 3
            assert not [one for one in sent if one.startswith("#")]
            await pilot.press("colon")
            await pilot.pause(0.3)


@pytest.mark.parametrize(("name", "size"), [*((name, (40, 12)) for name in themes.THEMES), (themes.ANSI, (120, 40))])
async def test_every_theme_shows_every_screen_at_any_size(runs: Path, name: str, size: tuple[int, int]) -> None:
    preferences.set(runs, preferences.mine("theme"), name)
    Story(runs, "finished")
    app = LthApp()
    async with app.run_test(notifications=True, size=size) as pilot:
        await sees(pilot, "✓ finished")
        for keys in (["ctrl+t", "escape"], ["question_mark", "escape"], ["colon", "escape"], ["enter"], ["1"]):
            await pilot.press(*keys)
        await sees(pilot, "cnn")
        assert app.theme == name


@pytest.mark.parametrize("value", ["solarized", 5, None, ["dark"], "[/foo]"])
async def test_a_theme_that_there_is_not_is_the_usual_one(runs: Path, value: object) -> None:
    preferences.set(runs, preferences.mine("theme"), value)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        assert pilot.app.theme == themes.DARK


async def test_damaged_settings_are_told_and_the_app_begins(runs: Path) -> None:
    runs.mkdir()
    (runs / "app.json").write_bytes(b"{torn")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet", "app.json.damaged")


async def test_colours_that_cannot_be_kept_are_shown_and_that_is_told(runs: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        monkeypatch.setattr("engine.record.rundir.write_atomically", full)
        await pilot.press("ctrl+t", "down", "enter")
        await until(pilot, lambda: any("No space left on device" in one.message for one in pilot.app._notifications))
        assert pilot.app.theme == themes.LIGHT


@pytest.mark.parametrize("kind", ["dumb", "", "vt100", "linux", "xterm"])
async def test_a_poor_terminal_breaks_nothing(runs: Path, monkeypatch, kind: str) -> None:
    monkeypatch.setenv("TERM", kind)
    monkeypatch.delenv("COLORTERM", raising=False)
    async with LthApp().run_test(notifications=True, size=(40, 12)) as pilot:
        await sees(pilot, "lth")
        await pilot.press("1", "question_mark", "escape", "2")
        await sees(pilot, "No runs yet")


def test_without_a_choice_a_terminal_of_sixteen_colours_gets_its_own() -> None:
    assert themes.first(None, False, "standard") == themes.ANSI
    assert themes.first(None, False, "256") == themes.first(None, False, "truecolor") == themes.DARK
    assert themes.first(None, False, None) == themes.DARK
    assert themes.first(themes.LIGHT, False, "standard") == themes.LIGHT
    assert themes.first(themes.LIGHT, True, "truecolor") == themes.NONE
