"""The inbox: what ended while nobody looked stands there until it is read, and is told once to who looks elsewhere."""

import re
import time
from pathlib import Path

import orjson
import pytest

from engine.record import notes, rundir, trash
from lth_tui import news, preferences, themes
from lth_tui.app import LthApp
from lth_tui.screens.confirm import ConfirmScreen
from lth_tui.screens.inbox import InboxScreen
from lth_tui.screens.run import RunScreen
from tests.app.story import Story, drawn, sees, shown, until
from tests.faults import hostile

NOW = time.time()
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def _begun(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The inbox began a while ago, and what is not in front is looked at as often as what is."""
    runs.mkdir()
    (runs / preferences.FILE).write_bytes(orjson.dumps({news.SINCE: NOW - 1000}))
    monkeypatch.setattr(LthApp, "ELSEWHERE", 0.0)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every notice of the app."""
    told: list[tuple[str, str]] = []
    say = LthApp.say

    def overheard(app: LthApp, text: str, severity: str = "information") -> None:
        told.append((text, severity))
        say(app, text, severity)

    monkeypatch.setattr(LthApp, "say", overheard)
    return told


def ended(runs: Path, state: str = "finished", ago: float = 10.0, **status: object) -> Story:
    return Story(runs, state, finished=NOW - ago, updated=NOW - ago, **status)


def listed(pilot) -> list[str]:
    return [one.run for one in pilot.app.screen.table.items]


async def opened(pilot, count: int) -> None:
    await pilot.press("4")
    await until(pilot, lambda: isinstance(pilot.app.screen, InboxScreen) and len(listed(pilot)) == count)
    await until(pilot, lambda: pilot.app.mail.news is not None)


def read_on_disk(*runs: Path) -> list[bool]:
    return [notes.read(run).read == news.end(run, rundir.state(run)) for run in runs]


async def test_an_empty_inbox_says_what_will_stand_here(runs: Path) -> None:
    ended(runs, ago=5000)
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 0)
        await sees(pilot, "Nothing new", "until it is read")
        assert "new " not in drawn(pilot).splitlines()[0]
        for key in ("r", "R", "enter", "y"):
            await pilot.press(key)
        await pilot.press("u")
        await sees(pilot, "Nothing was read here")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_ended_is_listed_with_how_and_counted(runs: Path, size: tuple[int, int]) -> None:
    done = ended(runs, ago=30, sentence="A winning ticket.", best={"ticket": 0.9134, "sparsity": 0.488})
    failed = ended(runs, "failed", ago=20, cause="the disk is full")
    stopped = ended(runs, "stopped", ago=15)
    lost = ended(runs, "running", ago=10, process={})
    async with LthApp().run_test(size=size, notifications=True) as pilot:
        await opened(pilot, 4)
        await sees(pilot, "4 Inbox 4 new", "✓ finished", "91.3 @ 48.8", "✗ failed", "■ stopped", "! orphaned")
        assert listed(pilot) == [one.run.name for one in (lost, stopped, failed, done)]
        assert all(run in drawn(pilot) for run in listed(pilot)), "whole"
        await sees(pilot, "its engine ended without a word", f"`lth resume {lost.run.name[-4:]}` goes on")
        for words in ("stopped before its end", "the disk is full", "A winning ticket."):
            await pilot.press("j")
            await sees(pilot, words)


async def test_a_long_verdict_stands_whole_below_a_table_with_room(runs: Path) -> None:
    ended(runs, sentence=f"{'No winning ticket here, and these are the reasons why. ' * 6}The end of it.")
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, 1)
        await sees(pilot, "The end of it.")


async def test_r_marks_read_and_u_takes_it_back(runs: Path) -> None:
    made = [ended(runs, ago=ago).run for ago in (10, 20, 30)]
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 3)
        await pilot.press("j", "r")
        assert listed(pilot) == [made[0].name, made[2].name]
        await sees(pilot, "2 new")
        await until(pilot, lambda: read_on_disk(*made) == [False, True, False])
        await pilot.pause(0.3)
        assert listed(pilot) == [made[0].name, made[2].name]
        await pilot.press("R")
        assert listed(pilot) == []
        await sees(pilot, "Nothing new")
        await until(pilot, lambda: all(read_on_disk(*made)))
        await pilot.press("u")
        assert listed(pilot) == [made[0].name, made[2].name], "as many as were read at once"
        await pilot.press("u")
        assert listed(pilot) == [one.name for one in made]
        await until(pilot, lambda: read_on_disk(*made) == [False] * 3)
        await pilot.pause(0.3)
        assert listed(pilot) == [one.name for one in made]
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 3)


async def test_read_and_unread_at_once_leaves_it_unread(runs: Path) -> None:
    run = ended(runs).run
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 1)
        await pilot.press("r", "u", "r", "u")
        await pilot.pause(0.5)
        await until(pilot, lambda: listed(pilot) == [run.name])
    assert notes.read(run).read is None


async def test_enter_opens_marks_read_and_escape_comes_back(runs: Path) -> None:
    made = [ended(runs, ago=ago).run for ago in (10, 20)]
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 2)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert pilot.app.screen.run_path == made[0]
        await sees(pilot, made[0].name)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, InboxScreen))
        assert listed(pilot) == [made[1].name]
        await until(pilot, lambda: read_on_disk(*made) == [True, False])


async def test_y_copies_the_id(runs: Path, said) -> None:
    run = ended(runs).run
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 1)
        await pilot.press("y")
        assert (f"Copied: {run.name}", "information") in said


async def test_an_end_while_one_looks_elsewhere_is_told_once_and_counted(runs: Path, said) -> None:
    story = Story(runs, "running")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        await until(pilot, lambda: pilot.app.mail.news == [])
        story.say("failed", finished=NOW, cause="the disk is full [/b]")
        await sees(pilot, "1 new")
        assert "the disk is full [/b]" in shown(pilot.app)
        await pilot.pause(0.5)
        await pilot.press("1")
        await pilot.pause(0.5)
        assert said == [(f"✗ failed  {story.run.name} · the disk is full [/b]", "error")]
        story.say("running")
        await until(pilot, lambda: pilot.app.mail.news == [])
        story.say("finished", finished=NOW + 1, sentence="It is one.")
        await until(pilot, lambda: len(said) == 2)
        assert said[1] == (f"✓ finished  {story.run.name} · It is one.", "information")


async def test_many_ends_at_once_are_one_notice(runs: Path, said, monkeypatch) -> None:
    stories = [Story(runs, "running") for _ in range(5)]
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await until(pilot, lambda: len(app.summaries or []) == 5 and app.mail.news == [])
        asked: list[int] = []
        with monkeypatch.context() as still:  # so that they are seen together
            before = list(app.summaries)
            still.setattr("engine.record.history.refresh", lambda _: asked.append(1) or (list(before), None))
            await until(pilot, lambda: len(asked) > 1)  # what had begun to read the files is over
            for number, story in enumerate(stories):
                story.say("failed" if number == 0 else "finished", finished=NOW)
        await until(pilot, lambda: len(app.mail.news) == 5)
        await pilot.pause(0.3)
        assert said == [("5 runs ended: 4 finished, 1 failed. 4 opens the inbox.", "error")]


async def test_what_had_ended_before_the_app_was_opened_is_counted_and_not_told(runs: Path, said) -> None:
    ended(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "1 new")
        await pilot.pause(0.3)
        assert said == []


async def test_the_end_of_a_run_one_looks_at_is_read_by_that(runs: Path, said) -> None:
    story = Story(runs, "running")
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.mail.news == [])
        await pilot.press("l")  # its log, still the same run
        story.say("finished", finished=NOW, sentence="It is one.")
        await until(pilot, lambda: read_on_disk(story.run) == [True])
        await pilot.pause(0.3)
        assert pilot.app.mail.news == []
        assert said == []


async def test_an_end_is_not_told_to_who_looks_at_the_inbox(runs: Path, said) -> None:
    story = Story(runs, "running")
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 0)
        story.say("finished", finished=NOW)
        await until(pilot, lambda: listed(pilot) == [story.run.name])
        await pilot.press("2")
        await pilot.pause(0.3)
        assert said == []


async def test_a_run_that_was_stopped_from_here_is_no_news(runs: Path, said, monkeypatch) -> None:
    story = Story(runs, "running")
    monkeypatch.setattr("engine.process.launch.ask_to_stop", lambda run, now=False: True)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await sees(pilot, "was asked to stop")
        story.say("stopped", finished=NOW)
        await until(pilot, lambda: read_on_disk(story.run) == [True])
        assert [text for text, _ in said if "stopped" in text] == []
        assert pilot.app.mail.news == []


async def test_two_apps_share_one_inbox(runs: Path) -> None:
    made = [ended(runs, ago=ago).run for ago in (10, 20)]
    one, other = LthApp(), LthApp()
    async with one.run_test(notifications=True) as here:
        await opened(here, 2)
        async with other.run_test(notifications=True) as there:
            await opened(there, 2)
            await there.press("r")
            await until(here, lambda: [item.run for item in one.screen.table.items] == [made[1].name])
            await there.press("u")
            await until(here, lambda: len(one.screen.table.items) == 2)


async def test_a_folder_that_cannot_be_written_is_told_and_read_until_the_app_is_closed(
    runs: Path, said, monkeypatch
) -> None:
    from engine.errors import BadInput

    def refuse(*_: object, **__: object) -> None:
        raise BadInput("notes: it cannot be written (Read-only file system); make its folder writable.")

    monkeypatch.setattr(notes, "write", refuse)
    ended(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 1)
        await pilot.press("r")
        await until(pilot, lambda: said)
        assert "Read-only" in said[0][0]
        assert "until the app is closed" in said[0][0]
        await pilot.pause(0.3)
        assert listed(pilot) == []


async def test_a_run_that_is_removed_is_no_news_any_more(runs: Path) -> None:
    story = ended(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, 1)
        trash.put(story.run)
        await until(pilot, lambda: listed(pilot) == [])
        await sees(pilot, "Nothing new")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)])
@pytest.mark.parametrize("theme", list(themes.THEMES)[::2])
async def test_hostile_words_are_shown_harmlessly(runs: Path, size: tuple[int, int], theme: str) -> None:
    text = "".join(hostile.ATOMS)
    for state in ("finished", "failed", "stopped"):  # one at work is believed for a minute
        hostile.run(runs, text, state)
    app = LthApp()
    async with app.run_test(size=size, notifications=True) as pilot:
        app.colour(theme)
        await opened(pilot, 3)
        for _ in range(3):
            assert not CONTROLS.search(drawn(pilot).replace("\n", ""))
            await pilot.press("j")
        await pilot.press("r", "R")
        assert listed(pilot) == []


async def test_it_fits_every_terminal_and_a_storm_of_resizing(runs: Path) -> None:
    for ago in (10, 20, 30):
        ended(runs, ago=ago)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, 3)
        for size in [(20, 5), (200, 60), (1, 1), (80, 24), (40, 12), (300, 10), (10, 100)]:
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
            widths = {line.cell_length for line in pilot.app.screen._compositor.render_strips()}
            assert len(widths) == 1
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "3 new", "✓ finished")


async def test_the_bar_makes_room_for_the_name_of_a_run_and_a_click_still_finds_its_place(runs: Path) -> None:
    run = ended(runs).run
    async with LthApp(run=run).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, f"› {run.name}")
        bar = drawn(pilot).splitlines()[0]
        await pilot.click("TopBar", offset=(bar.index(" 4 ") + 1, 0))
        await until(pilot, lambda: isinstance(pilot.app.screen, InboxScreen))
        bar = drawn(pilot).splitlines()[0]
        await pilot.click("TopBar", offset=(bar.index("Machine"), 0))
        await until(pilot, lambda: pilot.app.current_mode == "machine")
