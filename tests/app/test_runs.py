"""The runs screen: live, and what can be done to a run there."""

import asyncio
import re
import threading
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from engine.record import finding, history, notes, rundir, trash
from lth_tui import chart
from lth_tui.app import LthApp
from lth_tui.screens import legend, words
from lth_tui.screens.confirm import ConfirmScreen
from lth_tui.screens.help import HelpScreen
from lth_tui.screens.run import RunScreen
from lth_tui.screens.runs import RunsScreen
from lth_tui.screens.runs_table import VERDICTS
from tests.app.story import Story, drawn, farewell, many, sees, shown, until


async def test_an_empty_folder_explains_what_to_do(runs: Path) -> None:
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet", "lth demo", "launch")
        await pilot.press("1")
        await sees(pilot, "Dataset", "pydoc")


async def test_a_run_that_begins_elsewhere_appears(runs: Path) -> None:
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        Story(runs, "running", progress={"fraction": 0.25})
        await sees(pilot, "● running", "25%", "● 1 running")
        assert "No runs yet" not in shown(pilot.app)


async def test_a_change_of_state_is_seen(runs: Path) -> None:
    story = Story(runs, "running", progress={"fraction": 0.5})
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "● running", "50%")
        story.say("finished", best={"dense": 0.9051, "ticket": 0.9134, "sparsity": 0.488}, sentence="It is one.")
        await sees(pilot, "✓ finished", "90.5", "91.3 @ 48.8", "It is one.")
        assert "running" not in shown(pilot.app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_names_of_a_sweep_stand_in_its_rows_and_tags_and_note_below(runs: Path, size) -> None:
    stories = [Story(runs, "finished", progress={"fraction": 1.0}) for _ in range(30)]  # a bar to scroll with too
    notes.write(stories[-1].run, name="base30", tags=["study", "old"], note="without\ndropout")
    async with LthApp().run_test(size=size, notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("g")
        last = stories[-1].run.name
        await sees(pilot, f"{last} · base30 · #study #old · without ")
        rows = drawn(pilot).splitlines()
        assert "base30" in next(row for row in rows if row.startswith("▌"))
        for story in stories[-3:-1]:
            assert any(f" {story.run.name[-4:]} " in row and "finished" in row for row in rows), "told from each other"


async def test_a_run_that_waits_says_so_and_where_one_sees_what_for(runs: Path) -> None:
    Story(runs, "queued")
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "waits its turn, or to be started by r; 3 shows what for")


async def test_the_column_of_means_is_not_called_the_ticket_that_the_verdict_is_about(runs: Path) -> None:
    Story(runs, "finished", best={"dense": 0.528, "ticket": 0.523, "sparsity": 0.75}, sentence="matches up to 50.0 %")
    async with LthApp().run_test(size=(80, 50), notifications=True) as pilot:
        await sees(pilot, "mean @ %", "52.3 @ 75.0", "matches up to 50.0 %")
        assert "ticket @" not in drawn(pilot)
    meanings = {"".join(text for text, _ in signs): meaning for _, rows in legend.groups() for signs, meaning in rows}
    assert meanings["90.5 @ 48.8"] == "sparsest near dense by means, not tested"


async def test_the_cursor_stays_on_its_run_when_newer_ones_come(runs: Path) -> None:
    first = Story(runs, "finished").run.name
    async with LthApp().run_test(notifications=True) as pilot:
        await until(pilot, lambda: len(pilot.app.summaries or []) == 1)
        for _ in range(3):
            Story(runs, "running")
        table = pilot.app.screen.table
        await until(pilot, lambda: len(table.items) == 4)
        assert table.key == first
        await pilot.press("g")
        assert table.key != first


async def test_five_thousand_runs_scroll_and_the_cursor_keeps_its_run(runs: Path, monkeypatch) -> None:
    found = many(runs, 5_000)
    listed = list(found)
    monkeypatch.setattr("engine.record.history.refresh", lambda _: (list(listed), None))
    app = LthApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.table.items)
        screen = app.screen
        for key in ("G", "pageup", "k", "j", "g", "pagedown", "pagedown", "down"):
            await pilot.press(key)
        key = screen.table.key
        assert key == found[screen.table.cursor]["id"]
        assert screen.table.cursor > 20
        line = screen.table.cursor - screen.table.scroll_offset.y
        newer = [found[0] | {"id": f"20261123-000000-pydoc-cnn-imp-{number:04x}"} for number in range(7)]
        listed[:0] = newer
        await until(pilot, lambda: len(screen.table.items) == 5_007)
        assert screen.table.key == key
        assert screen.table.cursor - screen.table.scroll_offset.y == line
        assert key in shown(app)


async def test_only_a_changed_row_is_drawn_again(runs: Path, monkeypatch) -> None:
    monkeypatch.setattr("lth_tui.screens.words.age", lambda *_: "1m")
    stories = [Story(runs, "running", progress={"fraction": 0.1}) for _ in range(5)]
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await until(pilot, lambda: len(app.summaries or []) == 5 and "10%" in shown(app))
        table = app.screen.table
        drawn: list[int] = []
        paint = table.render_line
        table.render_line = lambda y: drawn.append(y) or paint(y)
        redrawn = []
        for percent in (20, 30, 40, 50):  # the first may meet what is left of laying out the screen
            stories[2].say(progress={"fraction": percent / 100})
            await sees(pilot, f"{percent}%")
            redrawn.append(set(drawn))
            drawn.clear()
        changed = next(at for at, one in enumerate(table.items) if one["id"] == stories[2].run.name)
        assert redrawn[-1] == {changed + 1}  # the header is line 0


async def test_enter_opens_a_run_and_escape_comes_back(runs: Path) -> None:
    name = Story(runs, "finished").run.name
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await sees(pilot, f"› {name}")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_a_click_chooses_a_run_and_a_second_one_opens_it(runs: Path) -> None:
    second = Story(runs, "finished").run.name
    Story(runs, "finished")
    history.refresh(runs)  # else a notice that the index is rebuilt comes and goes above, and the rows move
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        table = pilot.app.screen.table
        await pilot.click("#runs", offset=(5, 2))
        await until(pilot, lambda: table.key == second)
        assert isinstance(pilot.app.screen, RunsScreen)
        await pilot.click("#runs", offset=(5, 2))
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert pilot.app.screen.run_path.name == second


async def test_stopping_asks_and_any_other_key_leaves_the_run_alone(runs: Path, monkeypatch) -> None:
    asked: list[tuple[Path, bool]] = []
    monkeypatch.setattr("engine.process.launch.ask_to_stop", lambda run: bool(asked.append((run, False))) or True)
    story = Story(runs, "running")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        await pilot.press("s")
        await sees(pilot, "Stop this run?")
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ConfirmScreen))
        assert asked == []
        await pilot.press("s")
        await sees(pilot, "Stop this run?")
        await pilot.press("y")
        await sees(pilot, "was asked to stop")
        assert asked == [(story.run, False)]


async def test_a_finished_run_has_nothing_to_stop(runs: Path) -> None:
    Story(runs, "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("s")
        await sees(pilot, "engine to stop")


async def test_a_removed_run_goes_to_the_trash_and_comes_back(runs: Path) -> None:
    story = Story(runs, "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("x")
        await sees(pilot, "No runs yet", "u brings it back")
        assert not story.run.exists()
        assert (runs / ".trash" / story.run.name).is_dir()
        await pilot.press("u")
        await sees(pilot, "✓ finished", "is back")
        assert (story.run / "spec.json").is_file()


async def test_a_run_at_work_is_not_removed(runs: Path, monkeypatch) -> None:
    story = Story(runs, "running")
    monkeypatch.setattr("engine.record.rundir.holder", lambda run: 4242)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        await pilot.press("x")
        await sees(pilot, "at work; s stops it")
        assert story.run.is_dir()


async def test_the_filter_narrows_and_escape_shows_all_again(runs: Path) -> None:
    Story(runs, "finished")
    Story(runs, "failed", cause="the disk is full")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished", "✗ failed")
        await pilot.press("slash", *"fail", "enter")
        await until(pilot, lambda: len(pilot.app.screen.table.items) == 1)
        assert "✓ finished" not in shown(pilot.app)
        await pilot.press("escape")
        await sees(pilot, "✓ finished", "✗ failed")


async def test_a_notice_about_the_index_is_shown_as_one_line(runs: Path) -> None:
    Story(runs, "finished")
    (runs / "history.json").write_bytes(b"{torn")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        assert pilot.app.screen.table.key is not None
        torn = lambda: (runs / "history.json").write_bytes(b"{torn again")  # noqa: E731
        await until(pilot, lambda: torn() and "history.json was damaged" in drawn(pilot))  # each look mends it


async def test_a_runs_folder_that_is_a_file_is_told(runs: Path) -> None:
    runs.write_text("not a folder")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "runs folder:")


async def test_help_lists_the_keys_of_the_screen(runs: Path) -> None:
    Story(runs, "finished")
    async with LthApp().run_test(notifications=True, size=(100, 50)) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("question_mark")
        await sees(pilot, "Remove", "Leave the app", "Next row", "Filter", "Bring back what was removed last")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_help_explains_every_sign_and_colour_below_the_keys_on_a_small_terminal_too(runs: Path) -> None:
    Story(runs, "finished")
    async with LthApp().run_test(notifications=True, size=(80, 24)) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        page, static = pilot.app.screen.query_one("#help"), pilot.app.screen.query_one("#help Static", Static)
        seen: set[str] = set()
        for top in range(0, page.max_scroll_y + 10, 10):
            page.scroll_to(y=top, animate=False)
            await pilot.pause(0.1)
            seen |= {found[1].strip() for found in re.finditer(r"│  (.{57})", drawn(pilot))}
        assert "Esc closes this. Runs go on when the app is closed." in seen, "all of it can be scrolled to"
        entries = [entry for _, entries in legend.groups() for entry in entries]
        for signs, meaning in entries:
            (line,) = [one for one in seen if one.endswith(f" {meaning}")]
            assert line.startswith("".join(text for text, _ in signs).strip()), "on one line"
        spans = {(static.content.plain[one.start : one.end], one.style) for one in static.content.spans}
        for name, (sign, tone) in words.STATES.items():
            shown_as = words.state(name)[0]
            assert shown_as.startswith(sign)
            assert (shown_as, words.COLOURS[tone]) in spans
        for verdict, tone in VERDICTS.items():
            assert (verdict, words.COLOURS[tone]) in spans
        drawn_with = "".join(text for signs, _ in entries for text, _ in signs)
        assert set(chart.MARKERS + chart.DENSE[0] + chart.LINEAR[0]) <= set(drawn_with)


async def test_a_list_that_comes_while_the_app_is_leaving_finds_no_screen_to_break(runs: Path, monkeypatch) -> None:
    leave = Input._message_loop_exit

    async def slowly(widget: Input) -> None:
        await asyncio.sleep(0.5)  # its neighbours are gone by then
        await leave(widget)

    monkeypatch.setattr(Input, "_message_loop_exit", slowly)
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        asyncio.get_running_loop().call_later(0.2, app.post_message, app.Listed([], None))


async def test_quitting_says_which_runs_go_on(runs: Path) -> None:
    Story(runs, "running")
    Story(runs, "running")
    app = LthApp()
    farewells = farewell(app)
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "● 2 running")
        await pilot.press("q")
        await pilot.pause()
    assert farewells == ["2 runs go on without the app; `lth` comes back to them."]
    assert all(rundir.read_status(run)["state"] == "running" for run in finding.run_dirs(runs))


async def test_the_filter_knows_fields_and_tells_what_makes_no_sense(runs: Path) -> None:
    Story(runs, "finished")
    Story(runs, "failed", cause="the disk is full")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished", "✗ failed")
        await pilot.press("slash", *"!state:failed")
        await until(pilot, lambda: [one["state"] for one in pilot.app.screen.table.items] == ["finished"])
        await pilot.press(*" colour:red")
        await sees(pilot, "colour: no such field; there are state")
        await pilot.press("escape", "escape")
        await sees(pilot, "✓ finished", "✗ failed")
        assert "no such field" not in shown(pilot.app)


async def test_y_copies_the_id_of_a_run_in_both_screens(runs: Path) -> None:
    story = Story(runs, "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("y")
        assert pilot.app.clipboard == story.run.name
        await sees(pilot, "Copied:")
        pilot.app.copy("something else")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == story.run.name)


async def test_the_index_is_shown_before_all_runs_are_read_and_put_right_after(runs: Path, monkeypatch) -> None:
    stories = [Story(runs, "finished") for _ in range(3)]
    history.refresh(runs)
    trash.put(stories[0].run)  # nobody told the index
    refresh, go_on = history.refresh, threading.Event()
    monkeypatch.setattr(history, "refresh", lambda runs: go_on.wait(60) and refresh(runs))
    async with LthApp().run_test(notifications=True) as pilot:
        try:
            await until(pilot, lambda: len(pilot.app.screen.table.items) == 3)
            await pilot.press("j")
        finally:
            go_on.set()
        await until(pilot, lambda: len(pilot.app.screen.table.items) == 2)
        assert pilot.app.screen.table.key == stories[1].run.name


async def test_while_nothing_changes_the_runs_are_neither_filtered_nor_sorted_again(runs: Path, monkeypatch) -> None:
    Story(runs, "finished")
    sifted: list[str] = []
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("O", "slash", *"cnn", "enter")
        await pilot.pause(0.5)
        screen, looks = pilot.app.screen, []
        fitting, take = screen.sieve.fitting, screen.take
        monkeypatch.setattr(screen.sieve, "fitting", lambda *a: sifted.append("") or fitting(*a))
        monkeypatch.setattr(screen, "take", lambda *a: looks.append("") or take(*a))
        await until(pilot, lambda: len(looks) >= 5)
        assert sifted == []
        Story(runs, "running")
        await sees(pilot, "● running")
        assert sifted


async def test_words_that_are_typed_on_look_only_through_what_fitted_so_far(runs: Path, monkeypatch) -> None:
    for state in ("finished", "failed", "stopped"):
        Story(runs, state)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        through: list[int] = []
        sieve = pilot.app.screen.sieve
        fitting = sieve.fitting
        monkeypatch.setattr(pilot.app, "look", lambda at_once=False: None)
        await pilot.pause(0.3)
        monkeypatch.setattr(sieve, "fitting", lambda found, *more: through.append(len(found)) or fitting(found, *more))
        await pilot.press("slash", *"sto", "backspace", *"o !")
        assert through == [3, 2, 1, 3, 1, 1, 3]


def test_fast_looks_four_times_a_second() -> None:
    assert LthApp(fast=True).TICK == 0.25


async def test_a_key_that_a_run_is_needed_for_does_nothing_where_there_is_none(runs: Path) -> None:
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "No runs yet")
        for key in ("enter", "space", "asterisk", "U", "s", "r", "x", "u", "v", "c", "e", "t", "N", "y", "O", "P"):
            await pilot.press(key)
            assert isinstance(pilot.app.screen, RunsScreen)
        await pilot.press("o", "j", "enter", "greater_than_sign", "less_than_sign")
        await sees(pilot, "No runs yet")


async def test_where_the_filter_lets_no_run_through_any_more_the_keys_go_on_to_the_screen(runs: Path) -> None:
    Story(runs)
    story = Story(runs, state="stopped")
    app = LthApp()
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "pydoc")
        await pilot.press("slash", *"state:stopped", "enter", "x", "y")
        await sees(pilot, "No run fits")
        assert not story.run.exists()
        await pilot.press("u")
        await until(pilot, story.run.exists)
        await until(pilot, lambda: app.screen.table.has_focus and app.screen.fitting)
        assert app.screen.query_one("#filter").value == "state:stopped"
