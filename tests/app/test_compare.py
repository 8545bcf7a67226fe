"""The screen that compares runs: every key, stable colours, and nothing in a run's files can break it."""

import csv
import io
import re
from pathlib import Path

import pytest

from engine import comparison as engine
from engine.record import summary
from lth_tui import chart, sheet
from lth_tui.app import LthApp
from lth_tui.screens.compare import CompareScreen
from lth_tui.screens.run import RunScreen
from lth_tui.screens.runs import RunsScreen
from lth_tui.widgets.curves import Curves
from tests.app.story import SPEC, Story, drawn, sees, shown, until
from tests.app.test_hostile import OBEYED, texts
from tests.faults import hostile


def made(runs: Path, lead: float = 0.0, state: str = "finished", rounds: int = 2, **spec: object) -> Story:
    """A run whose tickets are so much better than 0.8."""
    story = Story(runs, state, spec=SPEC | spec)
    for seed in (0, 1):
        for number in range(rounds + 1):
            for arm in ("ticket", "reinit") if number else ("dense",):
                better = {"dense": 0.0, "ticket": lead, "reinit": lead / 2 - 0.1}[arm]
                accuracy = 0.8 + better + seed * number / 500
                more = {"test_macro_f1": accuracy - 0.3, "test_loss": 1.2 - accuracy}
                story.trained(seed, number, arm, accuracy, **more)
    return story


async def opened(pilot, *stories: Story) -> CompareScreen:
    """The screen, once it has compared."""
    pilot.app.compare([one.run for one in stories])
    await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen) and pilot.app.screen.compared)
    return pilot.app.screen


def colours(screen: CompareScreen) -> dict[str, set[str]]:
    """The colours in which each marker of a curve is drawn, legend and curve alike."""
    found: dict[str, set[str]] = {}
    for line in screen.query_one(Curves)._lines:
        for text, colour in line:
            for marker in set(text) & set(chart.MARKERS):
                found.setdefault(marker, set()).add(colour)
    return found


def row(screen: CompareScreen, sparsity: str) -> list[str]:
    """A row of the table of differences, as words."""
    lines = [["".join(text for text, _ in cell) if not isinstance(cell, str) else cell for cell in line.cells]
             for line in screen.table("differences").items]  # fmt: skip
    return next(line for line in lines if line[0] == sparsity)


async def test_two_runs_are_overlaid_with_their_differences_and_what_differs(runs: Path) -> None:
    one, two = made(runs), made(runs, 0.03, training={"epochs": 9})
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        await sees(pilot, "test accuracy % by sparsity %", "+3.0 [3.0, 3.0]", "training.epochs", "unadjusted")
        first, second = one.run.name[-4:], two.run.name[-4:]
        assert row(screen, "20.0 %") == ["20.0 %", "80.1", "+3.0 [3.0, 3.0]"]
        assert row(screen, "dense") == ["dense", "80.0", "+0.0 [0.0, 0.0]"]
        text = drawn(pilot)
        assert f"● {first}" in text and f"○ {second}" in text
        assert "schedule.rate" not in text, "the same in both"


async def test_the_numbers_are_those_of_the_command_line(runs: Path) -> None:
    one, two = made(runs), made(runs, 0.03)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        await sees(pilot, "the same in all of these runs")
        assert screen.compared.found == engine.compare([summary.show(one.run), summary.show(two.run)])


async def test_a_run_keeps_its_colour_whatever_is_hidden_and_whichever_arm_is_shown(runs: Path) -> None:
    stories = [made(runs, lead) for lead in (0.0, 0.01, 0.02)]
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, *stories)
        every = {marker: {colour} for marker, colour in map(chart.style_of, range(3))}
        await until(pilot, lambda: colours(screen) == every)
        await pilot.press("space")
        first = chart.style_of(0)[0]
        rest = {marker: colour for marker, colour in every.items() if marker != first}
        await until(pilot, lambda: colours(screen) == rest)
        await pilot.press("j", "space")
        await until(pilot, lambda: colours(screen) == {chart.style_of(2)[0]: {chart.style_of(2)[1]}})
        await pilot.press("j", "space")
        await sees(pilot, "Every curve is hidden; Space shows one.")
        await pilot.press("space", "k", "space", "k", "space", "a")
        await until(pilot, lambda: screen.arm == "reinit" and colours(screen) == every)
        await pilot.press("j", "b", "m")
        await until(pilot, lambda: screen.compared.metric == "macro-f1" and colours(screen) == every)


async def test_another_base_turns_the_signs_and_comes_first(runs: Path) -> None:
    one, two = made(runs), made(runs, 0.03)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        await until(pilot, lambda: row(screen, "36.0 %")[2] == "+3.0 [3.0, 3.0]")
        await pilot.press("j", "b")
        await until(pilot, lambda: row(screen, "36.0 %")[2] == "-3.0 [-3.0, -3.0]")
        assert row(screen, "36.0 %")[1] == "83.2"
        titles = ["".join(text for text, _ in column.title) for column in screen.table("differences").columns[1:]]
        assert titles == [f"○ {two.run.name[-4:]}", f"● {one.run.name[-4:]}"], "each in the sign that it had"
        await sees(pilot, f"against ○ {two.run.name[-4:]}")
        assert screen.command() == f"lth compare {two.run.name} {one.run.name}"


async def test_arm_and_metric_go_round(runs: Path) -> None:
    one, two = made(runs), made(runs, 0.03)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        await pilot.press("a")
        await until(pilot, lambda: row(screen, "20.0 %")[1:] == ["70.1", "+1.5 [1.5, 1.5]"])
        await pilot.press("a", "m")
        await until(pilot, lambda: row(screen, "20.0 %")[1:] == ["50.1", "+3.0 [3.0, 3.0]"])
        await sees(pilot, "test macro-F1 % by sparsity %")
        await pilot.press("m")
        await until(pilot, lambda: row(screen, "20.0 %")[1:] == ["0.399", "-0.030 [-0.030, -0.030]"])
        await sees(pilot, "test cross-entropy by sparsity %", "in nats", "-0.030 [-0.030, -0.030]")
        assert re.search(r"0\.\d{3} ┤", drawn(pilot))
        assert screen.command().endswith(" --metric loss")
        await pilot.press("m")
        await until(pilot, lambda: screen.compared.metric == "accuracy")


async def test_where_it_is_narrow_tab_turns_from_chart_to_differences_to_settings(runs: Path) -> None:
    one, two = made(runs), made(runs, 0.03, training={"epochs": 9})
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, one, two)
        await sees(pilot, "test accuracy % by sparsity %")
        assert "+3.0 [" not in drawn(pilot)
        await pilot.press("tab")
        await sees(pilot, "+3.0 [3.0, 3.0]", "2 seeds, paired")
        assert "training.epochs" not in drawn(pilot)
        await pilot.press("tab")
        await sees(pilot, "training.epochs")
        assert "+3.0 [" not in drawn(pilot)
        await pilot.press("tab")
        await sees(pilot, "by sparsity %")
        await pilot.press("shift+tab", "m", "m")
        await sees(pilot, "training.epochs", "chart  differences  settings")


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (10, 3), (200, 60)])
async def test_every_key_at_every_size(runs: Path, size: tuple[int, int]) -> None:
    stories = [made(runs, lead) for lead in (0.0, 0.01)] + [Story(runs, "queued")]
    async with LthApp().run_test(size=size, notifications=True) as pilot:
        screen = await opened(pilot, *stories)
        for key in ("space", "j", "b", "a", "m", "tab", "j", "tab", "j", "tab", "space", "m", "m", "y", "shift+tab"):
            await pilot.press(key)
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: screen.compared.base == 1 and screen.compared.metric == "accuracy")
        await pilot.resize_terminal(*size)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, CompareScreen))


async def test_runs_that_cannot_be_compared_say_why_and_the_others_are_shown(runs: Path) -> None:
    one, two = made(runs), made(runs, 0.03)
    waits, gone, other = Story(runs, "queued"), made(runs), made(runs, 0.01, data={"name": "imdb"})
    broken, newer, torn = Story(runs, "failed", cause="the disk is full"), made(runs), made(runs)
    (newer.run / "spec.json").write_bytes(b'{"version": 999}')
    (torn.run / "spec.json").write_bytes(b'{"vers')
    gone.run.rename(runs / ".gone")
    names = {story: story.run.name[-4:] for story in (waits, gone, other, broken, newer, torn)}
    async with LthApp().run_test(size=(200, 60), notifications=True) as pilot:
        screen = await opened(pilot, one, two, *names)
        await until(pilot, lambda: row(screen, "20.0 %")[2] == "+3.0 [3.0, 3.0]")
        notes = str(screen.query_one("#notes").render())
        assert f"{names[waits]} has no trained network yet; it is queued." in notes
        assert f"{names[gone]} is not there any more." in notes
        assert f"{names[broken]} has no trained network: the disk is full." in notes
        assert f"{names[newer]}: spec: " in notes and "version 999" in notes
        assert f"{names[torn]} has no trained network that is known: its spec.json cannot be read." in notes
        assert f"{names[other]} is of imdb and {one.run.name[-4:]} of pydoc" in notes
        assert [cell[:6] for cell in row(screen, "20.0 %")[4:]] == ["·", "+1.0 [", "·", "·", "·"]


async def test_a_base_without_networks_leaves_the_others_numbers(runs: Path) -> None:
    waits, one = Story(runs, "queued"), made(runs, 0.03)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, waits, one)
        await sees(pilot, "has no trained network yet", "test accuracy % by sparsity %")
        assert row(screen, "20.0 %") == ["20.0 %", "·", "83.1"]


async def test_rounds_that_meet_none_of_the_bases_stand_between_its_own(runs: Path) -> None:
    one = made(runs)
    two = Story(runs, "finished")
    for number, sparsity in ((0, 0.0), (1, 0.22), (2, 0.9)):
        two.trained(0, number, "ticket" if number else "dense", 0.85, sparsity=sparsity)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        told = [row(screen, name) for name in ("20.0 %", "36.0 %", "90.0 %")]
        assert told[0][2] == "+4.9 @ 22.0", "one seed has no interval"
        assert told[1:] == [["36.0 %", "80.2", "·"], ["90.0 %", "·", "85.0"]]


async def test_a_run_that_works_is_followed_and_compared_anew_only_with_a_new_network(runs: Path, monkeypatch) -> None:
    one, two = made(runs), made(runs, 0.03, "running", rounds=1)
    times: list[int] = []
    compare = engine.compare
    monkeypatch.setattr(engine, "compare", lambda *given: times.append(1) or compare(*given))
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        assert row(screen, "36.0 %")[2] == "·"
        before = len(times)
        two.epoch(0, 2, "ticket", 1)
        two.say(epoch=2)
        await pilot.pause(0.5)
        assert len(times) == before
        two.trained(0, 2, "ticket", 0.87)
        await until(pilot, lambda: row(screen, "36.0 %")[2].startswith("+6.8"))
        assert len(times) > before


async def test_no_runs_say_how_they_are_chosen_and_one_says_what_is_missing(runs: Path) -> None:
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        pilot.app.compare([])
        await sees(pilot, "Nothing to compare yet", "Space", "marks one there")
        for key in ("space", "b", "a", "m", "y", "w", "tab", "enter"):
            await pilot.press(key)
        await pilot.pause(0.3)
        assert isinstance(pilot.app.screen, CompareScreen)
        assert "Nothing to compare yet" in drawn(pilot)
        assert pilot.app.clipboard == ""
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        one = made(runs)
        await opened(pilot, one, one)
        await pilot.press("tab")
        await sees(pilot, "Only one run is here")


async def test_the_command_is_copied_and_enter_opens_a_run(runs: Path) -> None:
    one, two = made(runs), made(runs)
    async with LthApp().run_test(size=(200, 40), notifications=True) as pilot:
        await opened(pilot, one, two)
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == f"lth compare {one.run.name} {two.run.name}")
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert pilot.app.screen.run_path == two.run


async def test_differences_are_written_as_csv_and_no_file_is_replaced(runs: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = made(runs), made(runs, 0.03)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        name = f"lth-compare-{one.run.name[-4:]}-{two.run.name[-4:]}"
        await pilot.press("w")
        await until(pilot, lambda: (tmp_path / f"{name}.csv").exists() and "Written:" in shown(pilot.app))
        await pilot.press("w")
        await until(pilot, (tmp_path / f"{name}-2.csv").exists)
        rows = list(csv.DictReader(io.StringIO((tmp_path / f"{name}.csv").read_text())))
        assert [(each["arm"], each["round"]) for each in rows] == [
            ("dense", "0"), ("ticket", "1"), ("reinit", "1"), ("ticket", "2"), ("reinit", "2")
        ]  # fmt: skip
        assert float(rows[1]["difference"]) == pytest.approx(0.03)
        assert rows[1]["paired"] == "true" and rows[1]["run"] == two.run.name
        assert screen.compared.found["metric"] == rows[0]["metric"]
        monkeypatch.chdir("/proc")
        await pilot.press("w")
        await until(pilot, lambda: "could not be written" in shown(pilot.app))


def test_what_a_spreadsheet_would_compute_is_none_in_a_sheet_of_differences() -> None:
    runs = [
        {"id": name, "state": "finished", "seeds": [0], "spec": {}, "machine": {}, "data": {}}
        for name in ("=1+1", "-b")
    ]
    rounds = [{"round": 0, "sparsity": 0.0, "arms": {"dense": {"test_accuracy": [0.5]}}}]
    text = sheet.comparison(engine.compare([one | {"rounds": rounds} for one in runs]))
    assert "'=1+1,'-b,dense" in text


async def test_every_hostile_text_is_harmless(runs: Path) -> None:
    made_ = [hostile.run(runs, text, "finished" if at % 2 else "failed") for at, text in enumerate(texts())]
    app = LthApp()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.compare(made_)
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.compared)
        for key in ("a", "a", "m", "m", "j", "b", "tab", "j", "tab", "j", "y"):
            await pilot.press(key)
            assert not OBEYED.search(shown(app))
        await until(pilot, lambda: app.screen.compared.base == 1)
        assert not OBEYED.search(shown(app))


async def test_numbers_that_are_hardly_any_break_nothing(runs: Path) -> None:
    one, two = made(runs), Story(runs, "finished")
    for number, loss in ((0, 1e308), (1, -1e308), (2, 1e99)):
        two.trained(0, number, "ticket" if number else "dense", 0.5, test_loss=loss)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, one, two)
        await pilot.press("m", "m")
        await until(pilot, lambda: screen.compared.metric == "loss")
        await sees(pilot, "cross-entropy by sparsity")
