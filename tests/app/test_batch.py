"""Runs that are marked, and what is done to all of them: asked once, told once, undone as one."""

import csv
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from textual.widgets import Input

from engine.errors import BadInput
from engine.process import launch, queue
from engine.record import finding, history, notes, rundir, trash
from lth_tui.app import LthApp
from lth_tui.screens import batch
from lth_tui.screens.acts import ActsScreen
from lth_tui.screens.ask import AskScreen
from lth_tui.screens.confirm import ConfirmScreen
from lth_tui.screens.runs import RunsScreen
from tests.app.story import Story, drawn, sees, until


def many(runs: Path, *states: str) -> list[Path]:
    """Runs in these states, the first of them on top."""
    made = [Story(runs, state, cause="the disk is full").run for state in reversed(states)]
    history.refresh(runs)
    return made[::-1]


def there(runs: Path) -> set[Path]:
    return set(finding.run_dirs(runs))


async def told(pilot, words: str) -> None:
    """Wait for a notice with these words."""
    await until(pilot, lambda: any(words in one.message for one in pilot.app._notifications))


async def answered(pilot, text: str) -> None:
    """Type into the dialog in place of what it holds, and confirm."""
    await until(pilot, lambda: isinstance(pilot.app.screen, AskScreen))
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_space_marks_and_goes_on_and_each_way_of_unmarking_unmarks(runs: Path) -> None:
    made = many(runs, "finished", "failed", "stopped")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        screen = pilot.app.screen
        await pilot.press("space", "space")
        await sees(pilot, "2 marked", "r resume", "U unmark", "•✓ finished")
        assert screen.table.cursor == 2
        assert screen.marked == {made[0].name, made[1].name}
        await pilot.press("k", "space")
        assert screen.marked == {made[0].name}
        await pilot.press("U")
        await until(pilot, lambda: "marked" not in drawn(pilot))
        for key in ("asterisk", "ctrl+a"):
            await pilot.press(key)
            await sees(pilot, "3 marked")
            await pilot.press("escape")
            await until(pilot, lambda: "marked" not in drawn(pilot))
        assert screen.marked == set()


async def test_marks_survive_the_filter_a_look_and_another_order_and_go_with_their_run(runs: Path) -> None:
    made = many(runs, "finished", "failed", "stopped")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        screen = pilot.app.screen
        await pilot.press("space", "space", "slash", *"stopped", "enter")
        await sees(pilot, "2 marked, 2 of them hidden by the filter")
        await pilot.press("asterisk")
        await sees(pilot, "3 marked, 2 of them hidden")
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.table.items) == 3)
        assert screen.marked == {run.name for run in made}, "the first escape only shows all again"
        Story(runs, "running")
        await until(pilot, lambda: len(screen.table.items) == 4)
        await pilot.press("O")
        assert screen.marked == {run.name for run in made}
        trash.put(made[0])
        await sees(pilot, "2 marked")
        assert screen.marked == {run.name for run in made[1:]}


async def test_marked_runs_are_removed_with_one_question_and_come_back_with_one_key(runs: Path) -> None:
    made = many(runs, "finished", "failed", "stopped")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("space", "space", "x")
        await sees(pilot, "Remove 2 runs?", "1 finished, 1 failed")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        assert there(runs) == set(made)
        await pilot.press("x")
        await sees(pilot, "Remove 2 runs?")
        await pilot.press("y")
        await told(pilot, "2 removed. u brings them back.")
        assert there(runs) == {made[2]}
        await until(pilot, lambda: len(pilot.app.screen.table.items) == 1)
        await pilot.press("x")
        await sees(pilot, "No runs yet")
        assert there(runs) == set()
        await pilot.press("u")
        await until(pilot, lambda: there(runs) == {made[2]})
        await until(pilot, lambda: not pilot.app.screen.at_work)
        await pilot.press("u")
        await told(pilot, "2 back.")
        assert there(runs) == set(made)
        await until(pilot, lambda: not pilot.app.screen.at_work)
        await pilot.press("u")
        await told(pilot, "Nothing was removed here.")


def test_a_run_that_is_over_is_not_removed_while_somebody_starts_it_again(runs: Path) -> None:
    """Between the look at its state and the move its engine may be beginning, with no lock of its own yet."""
    (run,) = many(runs, "finished")
    with ThreadPoolExecutor() as pool:
        with queue._alone(runs):  # as a dispatcher while its engine has not said that it lives
            removed = pool.submit(batch.do, batch.REMOVE, run)
            time.sleep(0.3)
            assert run.is_dir()
            assert not removed.done()
            hold = "import sys, time, pathlib, engine.record.liveness as l; l.hold(pathlib.Path(sys.argv[1]))"
            code = f"{hold}; print(flush=True); time.sleep(60)"
            engine = subprocess.Popen([sys.executable, "-c", code, run], stdout=subprocess.PIPE)
            assert engine.stdout is not None
            engine.stdout.readline()
        try:
            became = removed.result(60)
        finally:
            engine.kill()
            engine.communicate()
    assert not became.well
    assert "has a working engine" in became.sentence
    assert run.is_dir()


async def test_stopping_says_what_became_of_each_kind(runs: Path, monkeypatch) -> None:
    made = many(runs, "running", "running", "finished", "running")
    asked: list[Path] = []

    def ask_to_stop(run: Path, now: bool = False) -> bool:
        asked.append(run)
        if run == made[3]:
            rundir.write_status(run, {"state": "stopped"})
            return False
        return True

    monkeypatch.setattr(launch, "ask_to_stop", ask_to_stop)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("asterisk", "s")
        await sees(pilot, "Stop 3 runs?", "3 running", "Left alone: 1 finished")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.press("x")
        await sees(pilot, "Remove 1 run?", "Left alone: 3")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.press("s")
        await sees(pilot, "Stop 3 runs?")
        await pilot.press("y")
        await told(pilot, "2 asked to stop, 1 had no engine")
        assert asked == [made[0], made[1], made[3]]
        assert len(pilot.app._notifications) == 1


async def test_who_was_asked_whether_to_stop_kills_nothing_that_somebody_else_stopped_meanwhile(
    runs: Path, monkeypatch
) -> None:
    (run,) = many(runs, "running")
    did: list[str] = []
    monkeypatch.setattr(launch, "ask_to_stop", lambda run: bool(did.append("asked")) or True)
    monkeypatch.setattr(launch, "end", lambda run: bool(did.append("killed")) or True)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        await pilot.press("s")
        await sees(pilot, "Stop this run?")
        rundir.write_status(run, rundir.read_status(run) | {"state": "stopping"})
        await pilot.press("y")
        await told(pilot, f"{run.name} was asked to stop.")
        await sees(pilot, "◐ stopping")
        await pilot.press("s")
        await sees(pilot, "End it at once?")
        await pilot.press("y")
        await told(pilot, f"{run.name} was ended.")
    assert did == ["asked", "killed"]


def test_a_screen_that_leaves_out_what_its_list_shows_cannot_be_made() -> None:
    class Half(ActsScreen):
        chosen = shown = ()

    with pytest.raises(TypeError, match=r"current.*tell"):
        Half()


async def test_what_nothing_can_be_done_to_is_told_and_not_asked(runs: Path) -> None:
    many(runs, "finished", "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("asterisk", "s")
        await told(pilot, "Stop: nothing to do; 2 finished")
        await pilot.press("r")
        await told(pilot, "Resume: nothing to do; 2 finished")
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_an_orphan_a_stopped_and_a_failed_run_are_resumed_in_their_turn(runs: Path, monkeypatch) -> None:
    made = many(runs, "failed", "stopped", "running", "finished")
    rundir.write_status(made[2], {"state": "running"})  # nobody holds it: orphaned
    resumed: list[Path] = []

    def in_turn(run: Path) -> None:
        resumed.append(run)
        if run == made[1]:
            raise launch.LaunchFailed("no room")
        rundir.write_status(run, {"state": "running", "process": {"host": "elsewhere"}})

    monkeypatch.setattr(queue, "launch_in_turn", in_turn)
    monkeypatch.setattr("engine.spec.of_run", lambda run: None)
    async with LthApp().run_test(notifications=True, size=(120, 40)) as pilot:
        await sees(pilot, "! orphaned", "✓ finished")
        await pilot.press("asterisk", "r")
        await sees(pilot, "Resume 3 runs?", "Left alone: 1 finished")
        await pilot.press("y")
        await told(pilot, "2 at work again, 1 refused: ")
        await told(pilot, "did not start: no room")
        assert resumed == made[:3]


async def test_one_run_is_resumed_without_a_question_and_refused_with_the_reason(runs: Path, monkeypatch) -> None:
    made = many(runs, "stopped", "finished")
    monkeypatch.setattr("engine.spec.of_run", lambda run: None)
    monkeypatch.setattr(queue, "launch_in_turn", lambda run: None)
    async with LthApp().run_test(notifications=True, size=(120, 40)) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("r")
        await told(pilot, f"{made[0].name} is at work again.")
        await until(pilot, lambda: not pilot.app.screen.at_work)
        await pilot.press("j", "r")
        await told(pilot, f"{made[1].name} is finished: there is nothing to resume.")


async def test_tags_of_one_run_are_edited_and_those_of_many_added_and_taken_away(runs: Path) -> None:
    one, two = many(runs, "finished", "failed")
    notes.write(one, tags=["old", "kept"])
    history.refresh(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskScreen))
        assert pilot.app.screen.query_one(Input).value == "old kept"
        await pilot.press(*" b[d")
        await sees(pilot, "tag: 'b[d' given")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, AskScreen)
        await answered(pilot, "old new")
        await until(pilot, lambda: notes.read(one).tags == ("old", "new"))
        await until(pilot, lambda: not pilot.app.screen.at_work)
        await pilot.press("asterisk", "t")
        await answered(pilot, "-old sweep")
        await told(pilot, "2 tagged.")
        assert (notes.read(one).tags, notes.read(two).tags) == (("new", "sweep"), ("sweep",))
        await until(pilot, lambda: not pilot.app.screen.at_work)
        await pilot.press("slash", *"tag:new")
        await until(pilot, lambda: [item["id"] for item in pilot.app.screen.table.items] == [one.name])
        await pilot.press("escape")
        await until(pilot, lambda: len(pilot.app.screen.table.items) == 2)


async def test_a_run_is_named_and_its_name_taken_away(runs: Path) -> None:
    (one,) = many(runs, "finished")
    history.refresh(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("m")
        await sees(pilot, f"Name of {one.name}", "Leave it empty to take the name away.")
        await pilot.press(*"a b")
        await sees(pilot, "name: 'a b' given")
        await answered(pilot, "base30")
        await sees(pilot, " base30 ")
        assert notes.read(one).name == "base30"
        await until(pilot, lambda: not pilot.app.screen.at_work)
        await pilot.press("m")
        await sees(pilot, "Name of")
        assert pilot.app.screen.query_one(Input).value == "base30"
        await answered(pilot, "")
        await until(pilot, lambda: notes.read(one).name is None)


async def test_a_note_is_kept_shown_and_left_as_it_was_by_escape(runs: Path) -> None:
    (one,) = many(runs, "finished")
    notes.write(one, note="two\nlines")
    history.refresh(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("N")
        await sees(pilot, "Note of", "two lines", "Leave it empty to take the note away.")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.press("N")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskScreen))
        await pilot.press(*"xy", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        assert notes.read(one).note == "two\nlines"
        await pilot.press("N")
        await answered(pilot, "another")
        await until(pilot, lambda: notes.read(one).note == "another")


async def test_runs_are_exported_to_a_file_that_is_not_there_yet(runs: Path, tmp_path: Path, monkeypatch) -> None:
    made = many(runs, "finished", "failed", "stopped")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine")
    async with LthApp().run_test(notifications=True, size=(120, 40)) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("space", "space", "e")
        await sees(pilot, "Export 2 runs as csv", "the marked")
        assert pilot.app.screen.query_one(Input).value.startswith("runs-2")
        for text, wrong in (("there.csv", "is there already"), ("", "nothing given"), ("no/x.csv", "is no folder")):
            pilot.app.screen.query_one(Input).value = text
            await sees(pilot, wrong)
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, AskScreen)
        await answered(pilot, "out.csv")
        await told(pilot, "2 runs written")
        rows = list(csv.DictReader((tmp_path / "out.csv").open(newline="")))
        assert [row["id"] for row in rows] == [made[0].name, made[1].name]
        assert (tmp_path / "there.csv").read_text() == "mine"
        await pilot.press("U", "e")
        await sees(pilot, "Export 3 runs", "all that are shown")
        await pilot.press("escape")


async def test_marked_runs_are_compared_and_one_alone_is_not(runs: Path, monkeypatch) -> None:
    made = many(runs, "finished", "failed")
    compared: list[list[Path]] = []
    monkeypatch.setattr(LthApp, "compare", lambda app, found: compared.append(found))
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("v")
        await told(pilot, "Mark two runs or more")
        await pilot.press("asterisk", "v")
        assert compared == [made]


async def test_a_clone_fills_the_form_with_what_the_run_was_made_of(runs: Path, monkeypatch) -> None:
    from lth_tui.screens.launch import LaunchScreen

    (one,) = many(runs, "finished")
    filled: list[tuple[dict, str]] = []
    fill = lambda screen, spec, from_run: filled.append((spec, from_run))  # noqa: E731
    monkeypatch.setattr(LaunchScreen, "fill", fill, raising=False)
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("c")
        await until(pilot, lambda: filled)
        assert isinstance(pilot.app.screen, LaunchScreen)
        assert filled[0][0]["model"] == {"name": "cnn"}
        assert filled[0][1] == one.name


async def test_a_paused_queue_is_told_with_the_key_that_goes_on(runs: Path, monkeypatch) -> None:
    monkeypatch.setattr(queue, "tend", lambda runs, seen=None: None)
    monkeypatch.setattr(queue, "dispatch", lambda runs: [])
    (one,) = many(runs, "queued")
    queue.submit(one)
    queue.pause(runs, "by [/b] somebody")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "The queue is paused: by [/b] somebody. P goes on with it.")
        await pilot.press("P")
        await told(pilot, "The queue goes on.")
        await until(pilot, lambda: "is paused" not in drawn(pilot))
        assert queue.paused(runs) is None


async def test_a_batch_ends_when_the_app_is_left(runs: Path, monkeypatch) -> None:
    many(runs, *["finished"] * 5)
    done: list[Path] = []

    def slowly(run: Path) -> tuple[str, None]:
        done.append(run)
        time.sleep(0.5)
        return "removed", None

    monkeypatch.setattr(batch, "REMOVE", batch.REMOVE._replace(do=slowly))
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        await pilot.press("asterisk", "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await sees(pilot, "removing… ")
        await pilot.press("s", "q")
    assert len(done) < 5


HOSTILE = "[/foo] [@click=app.quit]x[/] \x1b]52;c;aGk=\x07 {run} {0} \u202e\ufdfa"


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_hostile_words_break_nothing_of_it(runs: Path, size: tuple[int, int], monkeypatch) -> None:
    made = many(runs, "failed", "finished")
    for run in made:
        status = {"state": "finished", "cause": HOSTILE, "sentence": HOSTILE, "best": {"ticket": HOSTILE, "dense": []}}
        rundir.write_status(run, status)
        (run / notes.FILE).write_bytes(b'{"tags":["[/foo]\\u001b[2J"],"note":"[/foo]\\u001b[2J","name":"[/foo]"}')

    def refused(run: Path) -> None:
        raise BadInput(HOSTILE)

    monkeypatch.setattr(trash, "put", refused)
    async with LthApp().run_test(notifications=True, size=size) as pilot:
        await until(pilot, lambda: len(pilot.app.screen.table.items) == 2)
        for key in ("t", "N", "e", "o"):
            await pilot.press(key)
            await until(pilot, lambda: not isinstance(pilot.app.screen, RunsScreen))
            assert "\x1b" not in drawn(pilot)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        for _ in range(8):
            await pilot.press("greater_than_sign")
        await pilot.press("asterisk", "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await told(pilot, "2 refused")
        assert "\x1b" not in drawn(pilot)


async def test_runs_that_are_empty_corrupt_or_half_written_appear_and_can_be_marked_and_removed(runs: Path) -> None:
    many(runs, "finished")
    async with LthApp().run_test(notifications=True) as pilot:
        await sees(pilot, "✓ finished")
        for name, spec in (("empty", b""), ("torn", b'{"version": 1, "mod'), ("list", b"[1, 2]")):
            run = runs / f"20261122-071205-{name}-cnn-imp-0001"
            run.mkdir()
            (run / "spec.json").write_bytes(spec)
        await until(pilot, lambda: len(pilot.app.screen.table.items) == 4)
        (run / "status.json").write_bytes(b'{"state": "running", "best": 3, "progress": [')
        await pilot.press("asterisk", *"oj", "enter", "O", "x")
        await sees(pilot, "Remove 4 runs?")
        await pilot.press("y")
        await told(pilot, "4 removed.")
        await pilot.press("u")
        await told(pilot, "4 back.")
