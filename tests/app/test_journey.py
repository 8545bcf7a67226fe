"""The whole way on real engines: choose, launch, watch a round arrive, quit, come back, compare, remove, bring back."""

import asyncio
from pathlib import Path

import pytest

from engine.record import finding
from lth_tui.app import LthApp
from lth_tui.screens.compare import CompareScreen
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.run import RunScreen
from tests.app.story import drawn, sees, until
from tests.app.test_launch import checked, field, ready

SMALL = "model.filters=4 model.embedding_dim=8 threads=1 schedule.rounds=1 training.epochs=2"


@pytest.mark.usefixtures("news")
async def test_choose_launch_watch_quit_reopen_compare_remove_undo(runs: Path) -> None:
    app = LthApp("launch")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("right", "down")
        made = []
        for seeds in ("0,1,2", "3,4,5"):
            field(app, "seeds").input.value = seeds
            field(app, "further").input.value = SMALL
            wanted = [int(seed) for seed in seeds.split(",")]
            await until(
                pilot,
                lambda wanted=wanted: checked(app, "ag_news") and list(app.screen.checked.spec.seeds) == wanted,
            )
            await pilot.press("f5")
            await until(pilot, lambda: isinstance(app.screen, RunScreen))
            made.append(app.screen.run_path)
            if len(made) == 1:
                await pilot.press("1")
                await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await until(pilot, lambda: "±" in drawn(pilot), 120)  # a round of several seeds
        await pilot.press("q")
    for engine in app.engines:
        assert await asyncio.to_thread(engine.wait, 120) == 0
    again = LthApp()
    async with again.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: drawn(pilot).count("✓ finished") == 2)
        await pilot.press("asterisk", "v")
        await until(pilot, lambda: isinstance(again.screen, CompareScreen) and again.screen.compared)
        await sees(pilot, "dense", "seeds")
        await pilot.press("escape")
        await until(pilot, lambda: len(again.screen_stack) == 1)
        await pilot.press("x")
        await sees(pilot, "Remove 2 runs?")
        await pilot.press("y")
        await sees(pilot, "No runs yet")
        assert finding.run_dirs(runs) == []
        await until(pilot, lambda: not again.screen.at_work)
        await pilot.press("u")
        await until(pilot, lambda: drawn(pilot).count("✓ finished") == 2)
    assert sorted(finding.run_dirs(runs)) == sorted(made)
