"""The screen of one run: it fills as events arrive, and nothing in a run's files can break it."""

import errno
import shutil
import sys
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from engine import spec as specs
from engine.errors import BadInput
from engine.process import launch
from engine.record import notes, trash
from lth_tui.app import LthApp
from lth_tui.screens.run import PANES, RunScreen
from lth_tui.widgets.curves import Curves
from tests.app.story import SPEC, Story, sees, shown, until


async def test_the_rounds_table_fills_as_events_arrive(runs: Path) -> None:
    story = Story(runs, "running", seed=0, round=0, arm="dense")
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "seed 1 of 2 · round 0 of 2 · dense", "36.0 %")
        story.epoch(0, 0, "dense", 2)
        await sees(pilot, "epoch 2/3")
        story.trained(0, 0, "dense", 0.8712)
        await sees(pilot, "87.12", "1 of 10 trainings")
        story.trained(0, 1, "ticket", 0.90)
        story.trained(0, 1, "reinit", 0.88)
        await sees(pilot, "90.00", "88.00", "+2.00")
        story.trained(1, 1, "ticket", 0.91)
        await sees(pilot, "90.50 ±0.71")


async def test_name_tags_and_note_stand_on_top_and_a_long_note_is_cut(runs: Path) -> None:
    story = Story(runs, "running")
    async with LthApp(run=story.run).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "● running")
        notes.write(story.run, name="base30", tags=["study", "old"], note="without dropout [/b]")
        await sees(pilot, "base30 · #study #old · without dropout [/b]")
        notes.write(story.run, note="word " * 500)
        await sees(pilot, "base30 · #study #old · word word", "…")
        assert sum("word word" in line for line in shown(pilot.app).splitlines()) == 1


async def test_a_run_that_was_removed_keeps_its_view_and_says_what_brings_it_back(runs: Path) -> None:
    story = Story(runs, "stopped")
    story.trained(0, 0, "dense", 0.8712)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "87.12", "Stopped; what is done stays")
        kept = trash.put(story.run)
        await sees(
            pilot, f"This run was removed; `lth rm --undo {story.run.name}` brings it back.", "87.12", "■ stopped"
        )
        assert "goes on from its last checkpoint" not in shown(pilot.app)
        for key in ("s", "r", "e", "t", "b"):
            pilot.app.clear_notifications()
            await pilot.press(key)
            await until(
                pilot, lambda: [one.message[:20] for one in pilot.app._notifications] == ["This run was removed"]
            )
            assert isinstance(pilot.app.screen, RunScreen), key
        kept.rename(story.run)
        await sees(pilot, "Stopped; what is done stays")
        assert "brings it back" not in "".join(line for line in shown(pilot.app).splitlines()[:6])
        shutil.rmtree(story.run)
        await sees(pilot, "This run was removed.", "87.12", "■ stopped")


async def test_a_difference_of_ten_points_stands_whole_with_its_spread(runs: Path) -> None:
    story = Story(runs, "running")
    for seed, ticket in enumerate((0.7527, 0.6991)):
        story.trained(seed, 0, "dense", 0.8)
        story.trained(seed, 1, "ticket", ticket)
        story.trained(seed, 1, "reinit", 0.6)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "+12.59 ±3.79")


async def test_the_chart_is_drawn_again_only_on_a_new_network(runs: Path) -> None:
    story = Story(runs, "running")
    story.trained(0, 0, "dense", 0.87)
    story.trained(0, 1, "ticket", 0.90)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "test accuracy % by sparsity %")
        story.epoch(0, 1, "reinit", 1)
        story.say(seed=0, round=1, arm="reinit", epoch=1)  # which makes the head a line higher
        await sees(pilot, "epoch 1 of 3")
        await pilot.pause(0.3)
        curves = pilot.app.screen.query_one("#chart", Curves)
        draw, times = curves._draw, []
        curves._draw = lambda: times.append(1) or draw()
        story.epoch(0, 1, "reinit", 2)
        story.say(seed=0, round=1, arm="reinit", epoch=2)
        await sees(pilot, "epoch 2 of 3")
        assert times == []
        story.trained(0, 1, "reinit", 0.88)
        await sees(pilot, "88.00")
        await until(pilot, lambda: times)
        assert times == [1]


async def test_the_verdict_stands_on_top(runs: Path) -> None:
    story = Story(runs, "running")
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        verdict = {"winning_ticket": True, "sentence": "A winning ticket down to 10.7 % of the weights."}
        story.log.append("run_finished", verdict=verdict, reference=None)
        story.say("finished", sentence=verdict["sentence"])
        await sees(pilot, "✓ finished", "A winning ticket down to 10.7 %")


async def test_the_linear_reference_is_in_the_headline_and_a_level_in_the_chart(runs: Path) -> None:
    story = Story(runs, "running")
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        story.log.append("reference", seed=0, linear_test_accuracy=0.88)
        await sees(pilot, "linear reference 88.0 %")
        story.trained(0, 0, "dense", 0.85)
        story.trained(0, 1, "ticket", 0.90)
        await sees(pilot, "┄ dense  · linear")
        story.log.append("reference", seed=1, linear_test_accuracy=0.96)
        await sees(pilot, "linear reference 92.0 %", "· linear 92.0 ↑")
        assert "┄ dense  · linear" not in shown(pilot.app), "a level above all others would press the curves together"


async def test_a_failure_says_why_and_warnings_are_shown(runs: Path) -> None:
    story = Story(runs, "failed", cause="out of memory; a smaller training.batch_size or model would fit")
    story.log.append("warning", message="layer head.weight is emptied by pruning")
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "✗ failed", "✗ out of memory", "⚠ layer head.weight is emptied")


async def test_a_diverged_network_is_named(runs: Path) -> None:
    story = Story(runs, "running")
    story.log.append("trained", seed=0, round=1, arm="ticket", sparsity=0.2, diverged=True)
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "diverged")


async def test_a_run_without_an_engine_says_how_to_go_on(runs: Path) -> None:
    story = Story(runs, "running", process={"pid": 1})
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "! orphaned", "lth resume")


async def test_the_log_is_followed_and_made_safe(runs: Path) -> None:
    story = Story(runs, "running")
    log = story.run / "engine.log"
    log.write_bytes(b"first line\n\x1b]0;title\x07 [/b] [@click=app.quit]x[/] \xff\n")
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await pilot.press("l")
        await sees(pilot, "first line", "␛]0;title␇ [/b] [@click=app.quit]x[/]")
        with log.open("ab") as file:
            file.write(b"\n".join(b"line %d" % number for number in range(200)) + b"\n")
        await sees(pilot, "line 199")
        log.write_bytes(b"begun again\n")
        await sees(pilot, "begun again")
        await pilot.press("escape")
        await sees(pilot, "● running")


async def test_a_run_that_vanishes_is_told(runs: Path) -> None:
    story = Story(runs, "running")
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "● running")
        story.run.rename(runs / ".gone")
        await sees(pilot, "This run was removed.")


async def test_a_damaged_run_shows_words(runs: Path) -> None:
    story = Story(runs, "running")
    story.log.close()
    (story.run / "status.json").write_bytes(b"\x00\x01{")
    (story.run / "spec.json").write_bytes(b"[]")
    (story.run / "events.jsonl").write_bytes(b"nonsense\n" * 3)
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "status.json is damaged", "3 events could not be read")


async def test_an_event_file_that_cannot_be_read_is_told(runs: Path, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    story = Story(runs, "running")
    monkeypatch.setattr("engine.record.events.read", broken)
    async with LthApp(run=story.run).run_test(notifications=True) as pilot:
        await sees(pilot, "● running", "⚠ events.jsonl cannot be read (Input/output error)")


async def test_many_arms_drop_columns_instead_of_breaking_the_table(runs: Path) -> None:
    arms = ["ticket", "reinit", "shuffle", *(f"arm-{number}" for number in range(6))]
    story = Story(runs, "running", spec=SPEC | {"arms": arms})
    for arm in arms:
        story.trained(0, 1, arm, 0.5)
    async with LthApp(run=story.run).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "ticket", "50.00")
        assert all(len(line.rstrip()) <= 80 for line in shown(pilot.app).splitlines())
        await pilot.resize_terminal(200, 24)
        await sees(pilot, "reinit", "shuffle")


async def test_the_table_shows_macro_f1_and_loss_on_asking(runs: Path) -> None:
    story = Story(runs, "running")
    story.trained(0, 0, "dense", 0.8712, test_macro_f1=0.8511, test_loss=0.4321)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "87.12")
        await pilot.press("m")
        await sees(pilot, "85.11", "table shows test macro-F1")
        await pilot.press("m")
        await sees(pilot, "0.432", "table shows test cross-entropy")
        await pilot.press("m")
        await sees(pilot, "87.12")


async def test_a_question_says_whose_tickets_it_is_about_and_shows_no_round_that_will_not_come(runs: Path) -> None:
    origin = {"question": "stability", "run": "20260101-000000-pydoc-cnn-imp-abcd", "round": 5}
    spec = SPEC | {"arms": ["ticket"], "origin": origin, "schedule": SPEC["schedule"] | {"rounds": 5}}
    story = Story(runs, "running", spec=spec, seed=0, round=5, arm="ticket", epoch=1)
    for copy in (1, 2):
        story.trained(0, 0, "dense", 0.80 + copy / 100, copy=copy)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "stability of round 5 of 20260101-000000-pydoc-cnn-imp-abcd", "81.50", "67.2 %", "2 of 8")
        assert "59.0 %" not in shown(pilot.app), "round 4 is none of this run's"


async def test_the_round_of_a_moved_ticket_aims_at_the_sparsity_it_had(runs: Path) -> None:
    origin = {"question": "transfer", "run": "20260101-000000-pydoc-cnn-imp-abcd", "round": 5}
    story = Story(runs, "running", spec=SPEC | {"origin": origin, "schedule": SPEC["schedule"] | {"rounds": 1}})
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "transfer of round 5", "67.2 %", "0 of 6")


def told(runs: Path, state: str = "running", spec: dict | None = None, **status) -> Story:
    """A run in its first round, with a learning curve, layers and a log."""
    story = Story(runs, state, spec=spec, **{"seed": 0, "round": 1, "arm": "reinit", "epoch": 2} | status)
    shape = {"sparsity": 0.2, "total_sparsity": 0.1, "parameters": 1000, "nonzero": 800}
    story.trained(0, 0, "dense", 0.87)
    story.log.append("round_started", seed=0, round=1, layers={"head.weight": 0.8}, arms=["ticket"], **shape)
    for epoch, accuracy in ((1, 0.6), (2, 0.7)):
        where = {"seed": 0, "round": 1, "arm": "ticket", "epoch": epoch, "epochs": 3}
        story.log.append("epoch", valid_accuracy=accuracy, valid_loss=0.5, **where)
    story.trained(0, 1, "ticket", 0.90)
    (story.run / "engine.log").write_text("".join(f"line {number} of it\n" for number in range(100)))
    return story


PANE_KEYS = {
    "a": ("● ticket", "90.00"),
    "c": ("test accuracy % by sparsity %", "┄ dense"),
    "u": ("validation accuracy % by epoch · round 1, seed 0", "● ticket"),
    "w": ("20.0 % pruned of what may be", "head.weight"),
    "d": ("schedule", "learning"),
    "v": ("events.jsonl: the end of it, followed", "90.00 %"),
    "l": ("engine.log: the end of it, followed", "line 99 of it"),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_every_pane_opens_by_its_key_and_tab_goes_round(runs: Path, size: tuple[int, int]) -> None:
    story = told(runs, spec={"training": {"epochs": 3, "learning_rate": 0.1}})
    async with LthApp(run=story.run).run_test(size=size, notifications=True) as pilot:
        await sees(pilot, "90.00")
        for key, words in PANE_KEYS.items():
            await pilot.press(key)
            await sees(pilot, *words)
        screen = pilot.app.screen
        seen = []
        for _ in PANES:
            await pilot.press("tab")
            seen.append(screen.pane)
        assert seen == list(PANES)
        await pilot.press("shift+tab", "shift+tab")
        assert screen.pane == "settings"
        assert screen.query_one("#rounds").display == (size[1] >= 34 or size[0] >= 160), (
            "beside it, where there is room"
        )


async def test_only_the_pane_that_is_shown_is_drawn(runs: Path) -> None:
    story = told(runs)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "90.00", "┄ dense")
        await pilot.press("v")
        await sees(pilot, "events.jsonl: the end of it, followed")
        drawn = []
        for curves in pilot.app.screen.query(Curves):
            curves.show = lambda *_, **__: drawn.append(1)
        story.trained(0, 1, "reinit", 0.88)
        await sees(pilot, "88.00")
        assert drawn == []


async def test_a_cell_that_changes_leaves_the_other_lines_as_they_are(runs: Path, monkeypatch) -> None:
    story = told(runs)
    drawn: list[int] = []
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "90.00", "┄ dense")
        await pilot.pause(0.3)
        for page in (pilot.app.screen.query_one("#rounds"), pilot.app.screen.query_one("#head")):
            line = page.render_line
            page.render_line = lambda y, line=line: drawn.append(y) or line(y)
        story.epoch(0, 1, "reinit", 3)
        await sees(pilot, "epoch 3/3")
        await pilot.pause(0.3)
    assert 1 <= len(drawn) <= 3, "the row, and the progress"


async def test_the_log_is_searched_and_followed_again(runs: Path) -> None:
    story = told(runs)
    async with LthApp(run=story.run).run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("l")
        await sees(pilot, "line 99 of it")
        await pilot.press("slash", *"LINE 4", "enter")
        await sees(pilot, "“line 4”: 11 of 11", "line 49 of it")
        await pilot.press("n")
        await sees(pilot, "“line 4”: 1 of 11", "line 4 of it", "f follows its end")
        await pilot.press("N")
        await sees(pilot, "“line 4”: 11 of 11")
        with (story.run / "engine.log").open("a") as file:
            file.write("one more\n")
        await pilot.pause(0.3)
        assert "one more" not in shown(pilot.app), "one reads elsewhere"
        await pilot.press("f")
        await sees(pilot, "one more", "the end of it, followed")
        await pilot.press("slash", *"absent", "enter")
        await sees(pilot, "“absent”: nowhere")
        await pilot.press("slash", "x", "escape")
        await sees(pilot, "“absent”: nowhere")
        await pilot.press("slash", "enter")
        await sees(pilot, "/ searches")
        await pilot.press("g")
        await sees(pilot, "line 0 of it", "f follows its end")
        await pilot.press("k", "up", "pageup", "G")
        await sees(pilot, "one more", "the end of it, followed")


async def test_the_cursor_goes_along_with_the_training_until_it_is_moved(runs: Path) -> None:
    story = Story(runs, "running", seed=0, round=0)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "round 0 of 2")
        screen = pilot.app.screen
        story.say(seed=0, round=1)
        await until(pilot, lambda: screen.round == 1)
        await pilot.press("left_square_bracket")
        assert screen.round == 0
        story.say(seed=0, round=2)
        await sees(pilot, "round 2 of 2")
        assert screen.round == 0, "somebody looks at it"


async def test_the_line_that_makes_the_run_is_copied(runs: Path) -> None:
    spec = orjson.loads(specs.dump(specs.compose("cnn", "pydoc", seeds=2)))
    story = told(runs, "finished", spec=spec)
    async with LthApp(run=story.run).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "90.00")
        await pilot.press("Y")
        await until(pilot, lambda: "lth run -m cnn -d pydoc --seeds 2" in pilot.app.clipboard)
        await pilot.press("d")
        await sees(pilot, "$ lth run -m cnn -d pydoc --seeds 2")


async def test_a_run_that_stopped_is_resumed(runs: Path, monkeypatch) -> None:
    begun: list[Path] = []
    monkeypatch.setattr("engine.process.queue.launch_in_turn", begun.append)
    spec = orjson.loads(specs.dump(specs.compose("cnn", "pydoc")))
    story = told(runs, "stopped", spec=spec)
    async with LthApp(run=story.run).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "Stopped; what is done stays")
        await pilot.press("r")
        again = f"{story.run.name} is at work again."
        await until(pilot, lambda: again in [one.message for one in pilot.app._notifications])
    assert begun == [story.run]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadInput("run: it is not sound."), "run: it is not sound."),
        (launch.LaunchFailed("no memory [/b]"), "did not start: no memory [/b]"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left"),
    ],
)
async def test_what_hinders_a_resume_is_one_sentence(runs: Path, monkeypatch, error: Exception, words: str) -> None:
    def refuse(_: Path) -> None:
        raise error

    monkeypatch.setattr("engine.process.queue.launch_in_turn", refuse)
    story = told(runs, "stopped", spec=orjson.loads(specs.dump(specs.compose("cnn", "pydoc"))))
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "Stopped")
        await pilot.press("r")
        await until(pilot, lambda: words in shown(pilot.app))


@pytest.mark.parametrize(("state", "words"), [("running", "is running: there is"), ("finished", "is finished: there")])
async def test_there_is_nothing_to_resume_in_a_run_that_works_or_is_done(runs: Path, state: str, words: str) -> None:
    story = told(runs, state)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "90.00")
        await pilot.press("r")
        await until(pilot, lambda: words in shown(pilot.app))


async def test_questions_are_asked_of_the_round_under_the_cursor(runs: Path, monkeypatch) -> None:
    asked: list[tuple] = []
    questions = ModuleType("questions")
    for name in ("ask_extend", "ask_transfer", "ask_stability"):
        setattr(questions, name, lambda app, *rest, name=name: asked.append((name, *rest)))
    monkeypatch.setitem(sys.modules, "lth_tui.screens.questions", questions)
    monkeypatch.setattr("lth_tui.screens.questions", questions, raising=False)
    story = told(runs, "finished")
    story.log.append("run_finished", verdict={"matching_round": 1, "sentence": "Yes."}, reference=None)
    async with LthApp(run=story.run).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "Yes.")
        await pilot.press("e", "t", "b", "left_square_bracket", "b")
    run = story.run
    assert asked == [
        ("ask_extend", run),
        ("ask_transfer", run, 1),
        ("ask_stability", run, 1),
        ("ask_stability", run, 0),
    ]


async def test_a_run_in_the_queue_says_what_it_waits_for(runs: Path, monkeypatch) -> None:
    monkeypatch.setattr("engine.record.waiting.of", lambda *_: object())
    monkeypatch.setattr("lth_tui.queue_view.before", lambda _: "waiting: 2 runs before it; 1 slot, held by [/b]")
    story = Story(runs, "queued")
    async with LthApp(run=story.run).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "Waiting: 2 runs before it; 1 slot, held by [/b].")


@pytest.mark.parametrize("state", ["running", "failed"])
async def test_tiny_terminals_and_empty_runs_show_something_in_every_pane(runs: Path, state: str) -> None:
    empty, full = Story(runs, state), told(runs, state)
    for story in (empty, full):
        async with LthApp(run=story.run).run_test(size=(40, 12), notifications=True) as pilot:
            await sees(pilot, state)
            for key in (*PANE_KEYS, "left_square_bracket", "right_square_bracket", "m", "m"):
                await pilot.press(key)
            for size in ((1, 1), (120, 40), (3, 60), (200, 5), (40, 12)):
                await pilot.resize_terminal(*size)
                await pilot.press("tab")
            await sees(pilot, state)


async def test_a_stability_run_draws_the_line_between_its_copies(runs: Path) -> None:
    origin = {"question": "stability", "run": "20260101-000000-pydoc-cnn-imp-abcd", "round": 1}
    story = told(runs, "finished", spec=SPEC | {"arms": ["ticket"], "origin": origin})
    line = {"alphas": [0.0, 0.5, 1.0], "errors": [0.10, 0.14, 0.10], "barrier": 0.04}
    story.log.append("stability", seed=0, round=1, arm="ticket", sparsity=0.2, **line)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("c")
        await sees(pilot, "validation error % from one copy to the other", "ticket, round 1", "14.")
