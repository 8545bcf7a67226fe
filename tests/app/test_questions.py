"""Dialogs about a run: what is wrong is said as one types, what it costs before it starts, and only then it does."""

import threading
from pathlib import Path

import numpy as np
import orjson
import pytest
from safetensors.numpy import save_file

from engine import spec as specs
from engine.process import launch
from engine.randomness import NUMBERS
from engine.record import events, extensions, finding, rundir, tickets
from lth_tui.app import LthApp
from lth_tui.screens.questions import QuestionScreen, ask_extend, ask_stability, ask_transfer
from lth_tui.screens.run import RunScreen
from lth_tui.widgets.field import Field
from lth_tui.widgets.table import Table
from tests.app.story import Story, sees, shown, until
from tests.app.test_hostile import OBEYED, texts
from tests.faults import hostile

SMALL = {
    "model.embedding_dim": "8",
    "model.filters": "8",
    "data.min_count": "1",
    "training.epochs": "2",
    "schedule.rounds": "2",
}


def finished(runs: Path, seeds: int = 3, rounds: int = 2) -> Path:
    """A finished run with the tickets of its rounds, as far as a question looks at them before it starts."""
    spec = specs.compose("cnn", "ag_news", arms=["ticket", "reinit"], seeds=seeds, settings=dict(SMALL))
    run = rundir.create(runs, specs.dump(spec), "cnn", "ag_news", "imp")
    rundir.write_status(run, {"state": "finished"})
    log = events.EventLog(run)
    log.append("run_started", versions={}, device="cpu", threads=1, numbers=NUMBERS)
    counts = {"classes": 2, "train": 9, "valid": 9, "test": 9, "vocabulary": 5}
    log.append("data_ready", name="ag_news", class_names=["World", "Sports"], fingerprint="f", note="", **counts)
    log.close()
    folder = run / tickets.TICKETS
    folder.mkdir(exist_ok=True)
    for seed in range(seeds):
        save_file({"w": np.zeros(8, np.float32)}, folder / tickets.rewind(seed))
        for number in range(rounds + 1):
            shapes = orjson.dumps({"w": [8]}).decode()
            save_file({"w": np.zeros(1, np.uint8)}, folder / tickets.mask(seed, number), {"shapes": shapes})
    tickets.write_words(run, ["<pad>", "<unk>", "goal", "season", "the"])
    return run


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The runs that were to be worked on; no engine is started."""
    found: list[Path] = []
    monkeypatch.setattr("engine.process.queue.launch_in_turn", found.append)
    return found


def field(app: LthApp, name: str) -> Field:
    return next(one for one in app.screen.query(Field) if one.path == name)


async def looked(pilot) -> QuestionScreen:
    """The dialog, once it has looked at what stands in it."""
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionScreen) and pilot.app.screen.checked)
    return pilot.app.screen


async def answered(pilot, **values: str) -> QuestionScreen:
    """The dialog with these values typed, looked at."""
    await looked(pilot)
    for name, value in values.items():
        field(pilot.app, name).input.value = value
    await pilot.pause()
    return await looked(pilot)


async def test_extend_offers_more_seeds_says_what_they_cost_and_goes_on(runs: Path, news: Path, begun: list) -> None:
    run = finished(runs)
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        ask_extend(pilot.app, run)
        await looked(pilot)
        assert field(pilot.app, "seeds").input.value == "5"
        assert field(pilot.app, "rounds").input.value == "2"
        await sees(pilot, "10 further trainings of at most 2 epochs: no estimate yet.", "look 2 at the data")
        await sees(pilot, f"$ lth extend {run.name} --seeds 5")
        assert extensions.read(run) == [], "looking changes nothing"
        assert rundir.state(run) == "finished"
        await pilot.press("enter")
        await until(pilot, lambda: begun == [run] and not isinstance(pilot.app.screen, QuestionScreen))
        assert [(one["seeds"], one["rounds"]) for one in extensions.read(run)] == [([0, 1, 2, 3, 4], 2)]
        assert f"{run.name} goes on." in [notice.message for notice in pilot.app._notifications]


async def test_what_is_wrong_with_an_extension_stands_beside_its_field(runs: Path, news: Path, begun: list) -> None:
    run = finished(runs)
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        ask_extend(pilot.app, run)
        screen = await answered(pilot, seeds="many")
        assert field(pilot.app, "seeds").error == "seeds: 'many' given; give a whole number."
        await answered(pilot, seeds="2")
        assert field(pilot.app, "seeds").error.startswith("seeds: 2 given as the total, and the run has 3")
        await answered(pilot, seeds="3", rounds="2000")
        assert field(pilot.app, "rounds").error.startswith("rounds: 2000 given")
        assert field(pilot.app, "seeds").error == ""
        await answered(pilot, rounds="2")
        assert "nothing to add" in field(pilot.app, "seeds").error
        await pilot.press("tab", "enter")
        assert field(pilot.app, "seeds").input.has_focus, "enter goes to what is wrong"
        assert begun == [] and extensions.read(run) == []
        await answered(pilot, rounds="4")
        await sees(pilot, "12 further trainings", "--rounds 4")
        assert screen.question.command(screen.values()) == f"lth extend {run.name} --rounds 4"


@pytest.mark.parametrize(
    ("state", "words"),
    [("running", "only finished runs are extended"), ("queued", "is queued"), ("failed", "is failed")],
)
async def test_a_run_that_is_not_finished_is_not_extended(runs: Path, begun: list, state: str, words: str) -> None:
    run = finished(runs)
    rundir.write_status(run, {"state": state, "process": {"host": "elsewhere"}})
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        ask_extend(pilot.app, run)
        assert words in (await looked(pilot)).checked.errors[""]
        await sees(pilot, run.name)
        await pilot.press("enter")
        await pilot.pause()
        assert begun == [] and extensions.read(run) == []
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, QuestionScreen))


async def test_what_goes_wrong_at_the_start_is_a_sentence_in_the_dialog(runs: Path, begun: list, monkeypatch) -> None:
    run = finished(runs)  # and its dataset is not here
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        ask_extend(pilot.app, run)
        await looked(pilot)
        await pilot.press("enter")
        await sees(pilot, "ag_news")
        await until(pilot, lambda: pilot.app.screen.refusal)
        assert begun == [] and extensions.read(run) == [] and rundir.state(run) == "finished"

        def fails(run: Path) -> None:
            raise launch.LaunchFailed("no such interpreter")

        monkeypatch.setattr("engine.process.launch.check", lambda *_: None)
        monkeypatch.setattr("engine.process.queue.launch_in_turn", fails)
        await pilot.press("enter")
        await sees(pilot, "The engine did not start: no such interpreter")


async def test_stability_says_what_it_costs_and_opens_its_run(runs: Path, news: Path, begun: list) -> None:
    run = finished(runs)
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        ask_stability(pilot.app, run, 2)
        await looked(pilot)
        await sees(pilot, "12 trainings of at most 2 epochs", f"$ lth stability {run.name} --round 2")
        await answered(pilot, round="9")
        assert field(pilot.app, "round").error == f"round: 9 given, and {run.name} has 0 to 2; give one of these."
        await answered(pilot, round="0", points="5")
        assert field(pilot.app, "points").error.startswith("points: 5 given; give from 11")
        await answered(pilot, points="21")
        await sees(pilot, "6 trainings", "--points 21")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        (made,) = begun
        assert pilot.app.screen.run_path == made
        origin = specs.of_run(made).origin
        assert (origin.question, origin.run, origin.round, origin.points) == ("stability", run.name, 0, 21)
        assert sorted(path.name for path in (made / tickets.ORIGIN).glob("*.mask")) == [
            tickets.mask(seed, 0) for seed in range(3)
        ]


async def test_transfer_lists_the_datasets_here_and_takes_a_file(
    runs: Path, news: Path, tmp_path: Path, begun: list
) -> None:
    run = finished(runs)
    own = tmp_path / "own.csv"
    rows = "\n".join(f"goal season new{i % 7} the of and,{'no' if i % 2 else 'yes'}" for i in range(70))
    own.write_text(f"text,label\n{rows}\n")
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        ask_transfer(pilot.app, run, 1)
        screen = await looked(pilot)
        table = screen.query_one("#dataset", Table)
        await until(pilot, lambda: [card.name for card in table.items] == ["pydoc", "ag_news"])
        await until(pilot, lambda: screen.checked and not screen.checked.errors)
        assert field(pilot.app, "dataset").input.value == "pydoc", "the first that is not the run's own"
        table.focus()
        await pilot.press("down")
        await until(pilot, lambda: field(pilot.app, "dataset").input.value == "ag_news")
        await sees(pilot, "12 trainings")
        await answered(pilot, dataset="nowhere")
        assert "nowhere" in field(pilot.app, "dataset").error
        await answered(pilot, dataset="")
        assert field(pilot.app, "dataset").error.startswith("dataset: none given")
        await answered(pilot, dataset=str(own), round="0")
        assert field(pilot.app, "round").error.startswith("round: 0 given, which is the dense network")
        await answered(pilot, round="2", further="model.filters=3")
        assert "as in the run that is asked about" in field(pilot.app, "further").error
        await answered(pilot, further="'open")
        assert "quotation" in field(pilot.app, "further").error
        await answered(pilot, further="training.epochs=1 data.min_count=1")
        await sees(pilot, "12 trainings of at most 1 epoch")
        words = screen.question.command(screen.values())
        more = f"--round 2 -d {own} --set training.epochs=1 --set data.min_count=1"
        assert words == f"lth transfer {run.name} {more}"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        (made,) = begun
        spec = specs.of_run(made)
        assert (spec.origin.question, spec.origin.run, spec.origin.round) == ("transfer", run.name, 2)
        assert (spec.data.file, spec.training.epochs) == (str(own), 1)


async def test_a_run_without_tickets_says_so(runs: Path, begun: list) -> None:
    story = Story(runs, "running")
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        for ask in (ask_stability, ask_transfer):
            ask(pilot.app, story.run, 1)
            screen = await looked(pilot)
            assert screen.checked.errors
            await pilot.press("enter", "escape")
            await until(pilot, lambda: not isinstance(pilot.app.screen, QuestionScreen))
    assert begun == []


async def test_a_start_goes_on_when_its_dialog_is_left_and_is_told(runs: Path, news: Path, monkeypatch) -> None:
    run, may = finished(runs), threading.Event()
    monkeypatch.setattr("engine.process.queue.launch_in_turn", lambda _: may.wait(60) and None)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        ask_stability(pilot.app, run, 1)
        await looked(pilot)
        await pilot.press("enter")
        await sees(pilot, "starting the engine")
        await pilot.press("enter", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, QuestionScreen))
        may.set()
        made = lambda: [one for one in finding.run_dirs(runs) if one != run]  # noqa: E731
        told = lambda: [notice.message for notice in pilot.app._notifications]  # noqa: E731
        await until(pilot, lambda: any(one.startswith(made()[0].name) for one in told()))
        assert len(made()) == 1, "the second enter began nothing"
        assert not isinstance(pilot.app.screen, RunScreen)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_every_hostile_text_is_harmless_at_every_size(runs: Path, begun: list, size: tuple[int, int]) -> None:
    found = ["".join(filter(str.isprintable, text[:400])) for text in texts()[:2]]  # as a field lets in
    run = hostile.run(runs, texts()[0], "finished")
    async with LthApp().run_test(size=size, notifications=True) as pilot:
        for ask in (ask_extend, ask_stability, ask_transfer):
            ask(pilot.app, run) if ask is ask_extend else ask(pilot.app, run, 1)
            screen = await looked(pilot)
            for text in found:
                for one in screen.query(Field):
                    one.input.value = text
                await pilot.pause()
                await until(pilot, lambda screen=screen: screen.checked)
                assert not OBEYED.search(shown(pilot.app))
            await pilot.press("tab", "tab", "shift+tab", "enter", "escape")
            await until(pilot, lambda: not isinstance(pilot.app.screen, QuestionScreen))
    assert begun == []
