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
from tests.app.lab import clock, machine  # noqa: F401  fixtures
from tests.app.story import drawn, sees, until

Runs = dict[str, Path]
Prepare = Callable[[Pilot, Runs], Awaitable[None]]
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "40x12": (40, 12)}


@pytest.fixture
def runs_made(runs: Path, clock: lab.Clock, machine: None, monkeypatch: pytest.MonkeyPatch) -> Runs:  # noqa: F811
    return lab.made(runs, clock, monkeypatch)


async def still(pilot: Pilot) -> None:
    """Wait until nothing is at work in the background and the screen stays as it is."""
    before = ""
    while before != (before := drawn(pilot)):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.05)


def keys(*pressed: str, after: str = "") -> Prepare:
    """The runs as they come, then these keys; after some words are seen, where they come late."""

    async def press(pilot: Pilot, _: Runs) -> None:
        for key in pressed:
            await pilot.press(key)
            await still(pilot)
        if after:
            await sees(pilot, after)

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


async def counted(pilot: Pilot, _: Runs) -> None:
    await pilot.press("1")
    await until(pilot, lambda: getattr(pilot.app.screen, "preview", None))


async def searched(pilot: Pilot, _: Runs) -> None:
    await pilot.press("colon", *"stop")
    await until(pilot, lambda: "Stop" in drawn(pilot))


SCENES: dict[str, Prepare] = {
    "runs": keys(),
    "marked": keys("space", "space", "down", "space"),
    "filtered": keys("slash", *"tag:study"),
    "nothing-fits": keys("slash", *"nowhere"),
    "run": of("won"),
    "run-at-work": of("two"),
    "compare": compared(),
    "launch": counted,
    "machine": keys("3", after="memory"),
    "inbox": keys("4"),
    "help": keys("question_mark"),
    "palette": keys("colon"),
    "colours": keys("ctrl+t"),
    "tag": keys("slash", *"baseline", "enter", "t"),
    "note": keys("N"),
    "extend": asked,
}
# At one size, where the others show little else
FURTHER: dict[str, tuple[Prepare, str]] = {
    **{
        f"run-{name}": (of("won", key), "80x24")
        for name, key in {"chart": "c", "learning": "u", "layers": "w", "settings": "d", "events": "v"}.items()
    },
    "run-log": (of("two", "l"), "80x24"),
    "run-failed": (of("failed"), "80x24"),
    "run-queued": (of("second"), "80x24"),
    "compare-differences": (compared("tab"), "80x24"),
    "compare-settings": (compared("tab", "tab"), "80x24"),
    "launch-presets": (keys("1", "f8"), "80x24"),
    "launch-keep": (keys("1", "f7"), "80x24"),
    "palette-search": (searched, "80x24"),
    "help-of-a-run": (of("won", "question_mark"), "120x40"),
    "sort": (keys("o"), "80x24"),
    "stop": (keys("down", "down", "s"), "80x24"),
    "remove": (keys("asterisk", "x"), "80x24"),
    "transfer": (of("won", "t"), "80x24"),
    "stability": (of("won", "b"), "80x24"),
}


@pytest.fixture
def looks(snap_compare: Callable[..., bool], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., bool]:
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


@pytest.mark.parametrize("name", FURTHER)
def test_a_further_screen(name: str, runs_made: Runs, looks: Callable[..., bool]) -> None:
    prepare, size = FURTHER[name]
    assert looks(LthApp(), size, lambda pilot: prepare(pilot, runs_made))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", ["runs", "launch", "machine", "inbox"])
def test_a_first_start(place: str, size: str, runs: Path, clock: None, machine: None, looks: Callable[..., bool]) -> None:  # noqa: F811
    async def there(pilot: Pilot) -> None:
        await until(pilot, lambda: place != "launch" or pilot.app.screen.preview)
        await until(pilot, lambda: place != "machine" or "memory" in drawn(pilot))

    assert looks(LthApp(place), size, there)


@pytest.mark.parametrize("name", themes.THEMES)
@pytest.mark.parametrize("scene", ["runs", "run", "launch"])
def test_the_colours(name: str, scene: str, runs_made: Runs, runs: Path, looks: Callable[..., bool]) -> None:
    preferences.set(runs, "theme", name)
    assert looks(LthApp(), "120x40" if scene == "run" else "80x24", lambda pilot: SCENES[scene](pilot, runs_made))
