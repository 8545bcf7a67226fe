"""The screen of one run: it fills as events arrive, and nothing in a run's files can break it."""

import errno
from pathlib import Path

from lth_tui.app import LthApp
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


async def test_the_chart_is_drawn_again_only_on_a_new_network(runs: Path) -> None:
    story = Story(runs, "running")
    story.trained(0, 0, "dense", 0.87)
    story.trained(0, 1, "ticket", 0.90)
    async with LthApp(run=story.run).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "test accuracy % by sparsity %")
        curves = pilot.app.screen.query_one("#chart", Curves)
        draw, times = curves._draw, []
        curves._draw = lambda: times.append(1) or draw()
        story.epoch(0, 1, "reinit", 1)
        story.say(seed=0, round=1, arm="reinit", epoch=1)
        await sees(pilot, "epoch 1 of 3")
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
        await sees(pilot, "linear reference 92.0 %")
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
        await sees(pilot, "cannot be read")


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
