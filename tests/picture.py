"""The README's picture, made from the app itself: `python -m tests.picture [RUN_DIR]` writes tests/pictures/app.svg.

Without a run directory it shows the newest finished run of the runs folder. The numbers are that run's own.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from engine.places import runs_root
from engine.record import rundir

SIZE = (120, 36)
TARGET = Path(__file__).parent / "pictures" / "app.svg"


def newest_finished() -> Path:
    """The run to show where none is named."""
    for run in rundir.run_dirs(runs_root()):
        if rundir.read_status(run)["state"] == "finished":
            return run
    sys.exit(f"There is no finished run in {runs_root()}; make one with `lth demo`, or name a run directory.")


async def picture(run: Path) -> str:
    """The run's screen as SVG, once its rounds and its chart are drawn."""
    from lth_tui.app import LthApp
    from lth_tui.screens.run import RunScreen

    app = LthApp(run=run)
    async with app.run_test(size=SIZE, notifications=False) as pilot:
        end = time.monotonic() + 30
        while not (isinstance(app.screen, RunScreen) and app.screen.look):
            if time.monotonic() > end:
                sys.exit(f"{run} could not be shown within 30 s.")
            await pilot.pause(0.05)
        await pilot.pause(0.5)
        return app.export_screenshot(title="lth")


def main() -> None:
    run = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else newest_finished()
    os.environ["LTH_RUNS"] = str(run.parent)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(asyncio.run(picture(run)), encoding="utf-8")
    print(f"{TARGET} shows {run.name}")


if __name__ == "__main__":
    main()
