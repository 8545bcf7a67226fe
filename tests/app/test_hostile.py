"""Every hostile text through the app's screens: words at worst, never a crash, never a sign that a terminal obeys."""

import re
from pathlib import Path

from lth_tui.app import LthApp
from tests.app.story import sees, shown, until
from tests.faults import hostile
from tests.faults.trials import trials

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
STATES = ("finished", "failed", "running", "stopped", "queued")


def texts() -> list[str]:
    """All atoms, a few in each; in the full form each alone, and what chance makes of several."""
    alone = [hostile.text(number) for number in range(len(hostile.ATOMS) + 20)]
    together = ["".join(hostile.ATOMS[start::9]) for start in range(9)]
    return (alone + together)[: trials(len(alone) + 9, 0)] or [*together, hostile.LONG]


async def test_runs_run_and_log_show_every_hostile_text_harmlessly(runs: Path) -> None:
    made = [hostile.run(runs, text, STATES[place % 5]) for place, text in enumerate(texts())]
    app = LthApp()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: len(app.screen.table.items) == len(made))
        assert not OBEYED.search(shown(app))
        for run in made:
            app.screen.table.move_to_key(run.name)
            await pilot.press("enter")
            await sees(pilot, f"› {run.name}", "50.00")
            assert not OBEYED.search(shown(app))
            await pilot.press("l")
            await sees(pilot, "the end of it, followed")
            assert not OBEYED.search(shown(app))
            await pilot.press("g")
            await pilot.pause(0.1)
            assert not OBEYED.search(shown(app))
            await pilot.press("escape")
            await until(pilot, lambda: hasattr(app.screen, "table"))
    assert app.return_code in (0, None)
