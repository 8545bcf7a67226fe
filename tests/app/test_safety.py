"""Hostile text, tiny terminals and storms of resizing: words at worst, never a crash, never a control character."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from engine.errors import BadInput
from lth_tui.app import LthApp
from tests.app.story import SPEC, Story, sees, shown, until

HOSTILE = [
    "[/foo] [red]x[/] [@click=app.quit]go[/]",
    "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\x00\x7f",
    "\u202eevil\u200b\u2066 \U000e0041 \u2028new\nline\r\ttab",
    "$primary {0} %s \\[ ]] [[",
    "宽" * 400 + "é" * 50 + "👩‍👩‍👧‍👦" * 20,
]
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hostile_run(runs: Path, text: str, state: str) -> Path:
    """A run whose every field of words is hostile."""
    spec = SPEC | {
        "model": {"name": text},
        "data": {"name": text},
        "schedule": {"name": text, "rounds": 2, "rate": 0.2},
    }
    words = {"cause": text, "sentence": text, "arm": text, "doing": text}
    story = Story(runs, state, spec=spec, **words, best={"dense": text, "ticket": 1e308}, progress={"fraction": text})
    story.log.append("warning", message=text)
    story.log.append("run_started", versions={text: text}, device=text, threads=1, grouping=text)
    story.log.append("trained", seed=0, round=0, arm="dense", test_accuracy=0.5, seconds=1e300)
    story.log.append("run_finished", verdict={"sentence": text, "winning_ticket": text}, reference=None)
    (story.run / "notes.json").write_bytes(orjson.dumps({"name": text, "tags": [text]}))
    (story.run / "engine.log").write_text(text * 50, errors="replace")
    return story.run


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_words_are_shown_harmlessly(runs: Path, size: tuple[int, int], text: str) -> None:
    made = [hostile_run(runs, text, state) for state in ("running", "failed", "finished")]
    app = LthApp()
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: len(app.screen.table.items) == 3)
        assert not CONTROLS.search(shown(app))
        for run in made:
            app.screen.table.move_to_key(run.name)
            await pilot.press("enter")
            await sees(pilot, f"› {run.name}", "50.00")
            assert not CONTROLS.search(shown(app))
            await pilot.press("l")
            await sees(pilot, "engine.log")
            await pilot.pause(0.15)
            assert not CONTROLS.search(shown(app))
            await pilot.press("s")
            await pilot.pause(0.05)
            assert not CONTROLS.search(shown(app))
            await pilot.press("escape", "escape")
            await until(pilot, lambda: hasattr(app.screen, "table"))
        app.say(text, "error")
        await pilot.pause(0.1)
        assert not CONTROLS.search(shown(app))


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (40, 12), (80, 24), (120, 40), (200, 60)])
async def test_every_screen_fits_every_terminal(runs: Path, size: tuple[int, int], monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise BadInput("dataset: not today; come back tomorrow.")

    monkeypatch.setattr("engine.process.launch.new_run", refuse)
    story = Story(runs, "running", progress={"fraction": 0.5})
    for number in range(3):
        story.trained(0, number, "ticket" if number else "dense", 0.9)
    app = LthApp()
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.summaries)
        for keys in (
            ["question_mark"],
            ["escape", "s"],
            ["escape", "enter"],
            *(["c"], ["u"], ["w"], ["d"], ["v"], ["slash"], ["escape", "l"], ["a"], ["tab"], ["Y"]),
            ["1"],
            ["f5"],
            ["tab"],
            ["2"],
        ):
            await pilot.press(*keys)
            await pilot.pause(0.1)
            assert app.is_running
            widths = {line.cell_length for line in app.screen._compositor.render_strips()}
            assert len(widths) == 1


async def test_a_storm_of_resizing_leaves_everything_standing(runs: Path) -> None:
    story = Story(runs, "running")
    story.trained(0, 0, "dense", 0.9)
    story.trained(0, 1, "ticket", 0.9)
    app = LthApp()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.summaries)
        sizes = [(20, 5), (200, 60), (1, 1), (80, 24), (40, 12), (300, 10), (10, 100), (120, 40)]
        for key, size in zip(["enter", "1", "2", "enter"], itertools.repeat(sizes), strict=False):
            await pilot.press(key)
            for width, height in size:
                await pilot.resize_terminal(width, height)
        await pilot.resize_terminal(120, 40)
        await sees(pilot, story.run.name)


async def test_no_colour_and_ansi_themes_work(runs: Path, monkeypatch) -> None:
    Story(runs, "running")
    monkeypatch.setenv("NO_COLOR", "1")
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        for theme in ("ansi-dark", "ansi-light", "textual-light", "nord"):
            app.theme = theme
            await pilot.pause(0.05)
            await pilot.press("1", "2")
            await sees(pilot, "▌● running")


async def test_what_goes_wrong_in_the_background_is_told(runs: Path, monkeypatch, troubles: list[str]) -> None:
    story = Story(runs, "running")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug [/b]")

    monkeypatch.setattr("engine.record.summary.view", broken)
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "something went wrong", "a bug")
        await pilot.pause(0.2)
        assert len(troubles) == 1, "once, not at every look"


def test_importing_the_app_leaves_the_heavy_ones_out() -> None:
    code = (
        "import sys, lth_tui.app; "
        "heavy = {'torch', 'torchtext', 'transformers', 'datasets', 'scipy', 'sklearn', 'pydantic', 'numpy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
