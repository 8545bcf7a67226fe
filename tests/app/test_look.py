"""How every screen looks, at three sizes and in all colours: a picture of each is kept in `__snapshots__` beside this.

Where one has changed on purpose, look at what it is now (`build/screens.html`, which a failed test writes) and keep it:
`python -m pytest tests/app/test_look.py --snapshot-update`.
"""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from lth_tui import preferences, themes
from lth_tui.app import LthApp
from tests.app import lab
from tests.app.story import drawn, until

clock, machine = lab.clock, lab.machine  # fixtures
Runs = dict[str, Path]
Prepare = Callable[[Pilot, Runs], Awaitable[None]]
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "40x12": (40, 12)}


@pytest.fixture
def runs_made(runs: Path, clock: lab.Clock, machine: None, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return lab.made(runs, clock, monkeypatch)


async def still(pilot: Pilot) -> None:
    """Wait until nothing is at work in the background and the screen stays as it is, however slow the machine."""
    before: list[str] = []
    while len(before) < 3 or len(set(before[-3:])) > 1:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.pause(0.03)
        before.append(drawn(pilot))


def keys(*pressed: str) -> Prepare:
    """The runs as they come, then these keys."""

    async def press(pilot: Pilot, _: Runs) -> None:
        for key in pressed:
            await pilot.press(key)
            await still(pilot)

    return press


def of(run: str, *pressed: str) -> Prepare:
    """A run, opened, and then these keys."""

    async def press(pilot: Pilot, made: Runs) -> None:
        pilot.app.open_run(made[run])
        await until(pilot, lambda: getattr(pilot.app.screen, "look", None))
        await still(pilot)
        await keys(*pressed)(pilot, made)

    return press


def compared(*pressed: str) -> Prepare:
    async def press(pilot: Pilot, made: Runs) -> None:
        pilot.app.compare([made[name] for name in ("won", "global", "lost")])
        await until(pilot, lambda: getattr(pilot.app.screen, "compared", None))
        await keys(*pressed)(pilot, made)

    return press


async def asked(pilot: Pilot, made: Runs) -> None:
    await of("won", "e")(pilot, made)
    await until(pilot, lambda: pilot.app.screen.checked)


def counted(*pressed: str) -> Prepare:
    """The launch form, once it says what the run comes to."""

    async def press(pilot: Pilot, made: Runs) -> None:
        await pilot.press("1")
        await until(pilot, lambda: getattr(pilot.app.screen, "preview", None))
        await keys(*pressed)(pilot, made)

    return press


async def metered(pilot: Pilot, _: Runs) -> None:
    await pilot.press("3")
    await until(pilot, lambda: getattr(pilot.app.screen, "sample", None))


async def searched(pilot: Pilot, _: Runs) -> None:
    await pilot.press("colon", *"stop")
    await until(pilot, lambda: "Stop" in drawn(pilot))


SCENES: dict[str, Prepare] = {
    "runs": keys(),
    "run": of("won"),
    "run-at-work": of("two"),
    "compare": compared(),
    "launch": counted(),
    "machine": metered,
    "inbox": keys("4"),
    "help": keys("question_mark"),
    "palette": keys("colon"),
    "colours": keys("ctrl+t"),
    "note": keys("N"),
    "extend": asked,
}
ONCE: dict[str, Prepare] = {  # at one size, where the others show little else
    "marked": keys("space", "space", "down", "space"),
    "filtered": keys("slash", *"tag:study"),
    "nothing-fits": keys("slash", *"nowhere"),
    "run-chart": of("won", "c"),
    "run-learning": of("won", "u"),
    "run-layers": of("won", "w"),
    "run-settings": of("won", "d"),
    "run-events": of("won", "v"),
    "run-log": of("two", "l"),
    "run-failed": of("failed"),
    "run-queued": of("second"),
    "compare-differences": compared("tab"),
    "compare-settings": compared("tab", "tab"),
    "launch-presets": counted("f8"),
    "launch-keep": counted("f7"),
    "palette-search": searched,
    "sort": keys("o"),
    "tag": keys("slash", *"baseline", "enter", "t"),
    "stop": keys("down", "down", "s"),
    "transfer": of("won", "t"),
    "stability": of("won", "b"),
}


@pytest.fixture
def looks(snap_compare: Callable[..., bool], tmp_path: Path) -> Callable[..., bool]:
    """Whether the app looks as it did; no picture tells of the machine it was taken on."""

    def look(app: LthApp, size: str, prepare: Callable[[Pilot], Awaitable[None]]) -> bool:
        taken: list[str] = []

        async def before(pilot: Pilot) -> None:
            app.animation_level = "none"
            await until(pilot, lambda: app.summaries is not None and app.mail.news is not None)
            await still(pilot)
            await prepare(pilot)
            await still(pilot)
            taken.append(drawn(pilot))

        same = snap_compare(app, terminal_size=SIZES[size], run_before=before)
        assert not re.findall(rf"{re.escape(str(tmp_path))}|/tmp|/home|/root", taken[0])
        return same

    return look


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCENES)
def test_a_screen(name: str, size: str, runs_made: Runs, looks: Callable[..., bool]) -> None:
    assert looks(LthApp(), size, lambda pilot: SCENES[name](pilot, runs_made))


@pytest.mark.parametrize("name", ONCE)
def test_a_screen_once(name: str, runs_made: Runs, looks: Callable[..., bool]) -> None:
    assert looks(LthApp(), "80x24", lambda pilot: ONCE[name](pilot, runs_made))


@pytest.mark.parametrize(
    ("place", "size"),
    [*(("runs", size) for size in SIZES), *((one, "80x24") for one in ("launch", "machine", "inbox"))],
)
def test_a_first_start(place: str, size: str, clock: lab.Clock, machine: None, looks: Callable[..., bool]) -> None:
    async def there(pilot: Pilot) -> None:
        await until(pilot, lambda: place != "launch" or pilot.app.screen.preview)
        await until(pilot, lambda: place != "machine" or pilot.app.screen.sample)

    assert looks(LthApp(place), size, there)


@pytest.mark.parametrize("theme", [name for name in themes.THEMES if name != themes.DARK])
@pytest.mark.parametrize("scene", ["runs", "run-chart"])
def test_the_colours(scene: str, theme: str, runs_made: Runs, runs: Path, looks: Callable[..., bool]) -> None:
    preferences.set(runs, "theme", theme)
    assert looks(LthApp(), "80x24", lambda pilot: (SCENES | ONCE)[scene](pilot, runs_made))
