"""The README's pictures, made from the app itself: `python -m tests.picture [RUN_DIR]` writes tests/pictures/*.svg.

Without a run directory they show the newest finished run of the runs folder; two others, the oldest, are compared with
it. The numbers are those of the runs.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot

from engine.places import runs_root
from engine.record import finding, rundir
from lth_tui.app import LthApp

SIZE, LOW = (120, 36), (120, 16)
FOLDER = Path(__file__).parent / "pictures"


def finished() -> list[Path]:
    """The runs to show, newest first."""
    found = [run for run in finding.run_dirs(runs_root()) if rundir.read_status(run)["state"] == "finished"]
    return found or sys.exit(f"There is no finished run in {runs_root()}; make one with `lth demo`.")


async def until(pilot: Pilot, there: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not there():
        if time.monotonic() > end:
            sys.exit("The app did not come to what is to be shown within 60 s.")
        await pilot.pause(0.05)
    await pilot.pause(1.0)


async def picture(app: LthApp, prepare: Callable[[Pilot], Awaitable[None]], size: tuple[int, int]) -> str:
    async with app.run_test(size=size, notifications=False) as pilot:
        await prepare(pilot)
        return app.export_screenshot(title="lth")


async def run_screen(pilot: Pilot) -> None:
    await until(pilot, lambda: getattr(pilot.app.screen, "look", None))


async def runs_screen(pilot: Pilot) -> None:
    await until(pilot, lambda: pilot.app.summaries)


async def launch_screen(pilot: Pilot) -> None:
    await until(pilot, lambda: "What it visits" in "".join(strip.text for strip in shown(pilot)))


def shown(pilot: Pilot) -> list:
    return pilot.app.screen._compositor.render_strips()


def main() -> None:
    run = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else finished()[0]
    os.environ["LTH_RUNS"] = str(run.parent)
    FOLDER.mkdir(exist_ok=True)
    wanted: dict[str, tuple[Callable[[], LthApp], Callable[[Pilot], Awaitable[None]]]] = {
        "app": (lambda: LthApp(run=run), run_screen),
        "runs": (LthApp, runs_screen),
        "launch": (lambda: LthApp("launch"), launch_screen),
    }

    async def compare_screen(pilot: Pilot) -> None:
        await until(pilot, lambda: pilot.app.summaries)
        pilot.app.compare([run, *reversed(others)])
        await until(pilot, lambda: getattr(pilot.app.screen, "compared", None))

    if others := [one for one in finished() if one != run][-2:]:
        wanted["compare"] = (LthApp, compare_screen)
    for name, (app, prepare) in wanted.items():
        drawn = asyncio.run(picture(app(), prepare, LOW if name == "runs" else SIZE))
        (FOLDER / f"{name}.svg").write_text(drawn, encoding="utf-8")
        print(f"{FOLDER / name}.svg")


if __name__ == "__main__":
    main()
