"""The launch screen: a form that says what is wrong beside its field, and launches what it shows."""

import asyncio
import threading
from pathlib import Path

import pytest
from textual.widgets import Button

from engine import schedules
from engine import spec as specs
from engine.errors import BadInput
from engine.record import finding, liveness, rundir
from lth_tui.app import LthApp
from lth_tui.screens import choice as choices
from lth_tui.screens import menu
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.run import RunScreen
from lth_tui.widgets.field import Field
from tests.app.story import Story, drawn, farewell, sees, shown, until


def field(app: LthApp, path: str) -> Field:
    return next(one for one in app.screen.query(Field) if one.path == path)


def checked(app: LthApp, dataset: str) -> bool:
    """Whether the form stands for a run on this dataset; the cursor is there earlier."""
    return app.screen.checked.spec is not None and app.screen.checked.spec.data.name == dataset


def notices(app: LthApp) -> list[str]:
    return [notice.message for notice in app._notifications]


async def ready(pilot) -> LaunchScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen) and pilot.app.screen.checked)
    return pilot.app.screen


async def test_the_form_begins_with_the_defaults_of_what_is_chosen(news: Path) -> None:
    async with LthApp("launch").run_test(size=(80, 24), notifications=True) as pilot:
        await ready(pilot)
        assert field(pilot.app, "training.learning_rate").input.value == "0.003"
        await sees(pilot, "93 trainings", "lth run -m cnn -d pydoc", "visits 20 36 48.8")
        await pilot.press("right", "down")
        await until(pilot, lambda: checked(pilot.app, "ag_news"))
        assert field(pilot.app, "training.learning_rate").input.value == "0.001"
        await sees(pilot, "lth run -m cnn -d ag_news")


async def test_what_somebody_typed_stays_when_another_dataset_is_chosen() -> None:
    async with LthApp("launch").run_test(notifications=True) as pilot:
        await ready(pilot)
        field(pilot.app, "training.epochs").input.value = "11"
        await pilot.press("right", "down")
        await until(pilot, lambda: checked(pilot.app, "ag_news"))
        assert field(pilot.app, "training.epochs").input.value == "11"
        await sees(pilot, "training.epochs=11")


async def test_a_dataset_that_is_not_here_says_how_to_get_it() -> None:
    async with LthApp("launch").run_test(notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("right", "down")
        await sees(pilot, "ag_news is not here yet", "lth data fetch ag_news, or lth data")
        await pilot.press("f5")
        await until(pilot, lambda: pilot.app.screen.refusal)
        assert finding.run_dirs(pilot.app.runs) == []


async def test_every_wrong_field_has_its_own_sentence_beside_it() -> None:
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot)
        field(pilot.app, "training.epochs").input.value = "0"
        field(pilot.app, "schedule.rate").input.value = "1.5"
        field(pilot.app, "seeds").input.value = "many"
        field(pilot.app, "further").input.value = "model.filers=3"
        await until(pilot, lambda: len([one for one in pilot.app.screen.query(Field) if one.error]) == 4)
        assert field(pilot.app, "training.epochs").error.startswith("training.epochs: '0' given")
        assert field(pilot.app, "schedule.rate").error.startswith("schedule.rate: '1.5' given")
        assert field(pilot.app, "seeds").error.startswith("seeds: 'many' given")
        assert "did you mean model.filters" in field(pilot.app, "further").error
        assert field(pilot.app, "schedule.rounds").error == ""
        assert pilot.app.screen.query_one("#go", Button).disabled
        await pilot.press("f5")
        assert pilot.app.focused is field(pilot.app, "seeds").input
        assert finding.run_dirs(pilot.app.runs) == []


async def test_arms_are_switched_but_the_ticket_stays() -> None:
    async with LthApp("launch").run_test(notifications=True) as pilot:
        screen = await ready(pilot)
        await pilot.press("left")
        await pilot.press("space")
        await sees(pilot, "The ticket is always trained")
        await pilot.press("down", "space")
        await until(pilot, lambda: screen.choice().arms == ("ticket", "shuffle"))
        await sees(pilot, "63 trainings", "-a ticket -a shuffle")


async def test_an_estimate_comes_from_what_this_machine_measured(runs: Path) -> None:
    spec = specs.compose("cnn", "pydoc").model_dump(mode="json")
    Story(runs, "finished", spec=spec, process=rundir.identity()).log.append(
        "epoch", seed=0, round=0, arm="dense", epoch=1, epochs=6, sparsity=0.0, seconds=10.0
    )
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot)
        await sees(pilot, "at most 1h33 on this machine")  # 93 trainings of 6 epochs of 10 s


def test_the_command_line_means_the_same_run() -> None:
    texts = {"training.epochs": "2", "seeds": "5", "further": "model.widths=2,3 data.train_size=2000"}
    checked = choices.check(choices.Choice("cnn", "pydoc", "imp-global", ("ticket", "reinit"), texts))
    assert checked.errors == {}
    words = checked.command.split()
    settings = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
    again = specs.compose(
        words[words.index("-m") + 1],
        words[words.index("-d") + 1],
        words[words.index("-s") + 1],
        [words[at + 1] for at, word in enumerate(words) if word == "-a"],
        int(words[words.index("--seeds") + 1]),
        specs.parse_settings(settings),
    )
    assert again == checked.spec


def test_a_command_line_is_quoted_for_the_shell() -> None:
    texts = {"further": "'model.vectors=a b; rm -rf /'"}
    command = choices.check(choices.Choice("cnn", "pydoc", "imp", choices.ARMS, texts)).command
    assert "'model.vectors=a b; rm -rf /'" in command


def test_an_open_quotation_is_said_at_the_further_settings() -> None:
    checked = choices.check(choices.Choice("cnn", "pydoc", "imp", choices.ARMS, {"further": "model.filters='3"}))
    assert checked.spec is None
    assert "open quotation" in checked.errors["further"]


def test_settings_copied_from_a_command_line_are_taken_with_their_option() -> None:
    told = choices.check(choices.Choice("cnn", "pydoc", "imp", choices.ARMS, {"further": "q"})).errors["further"]
    advice = told.partition("write, say, ")[2].rstrip(".")
    assert advice == "--set training.epochs=3"
    for text in (advice, "--set=training.epochs=3", "training.epochs=3"):
        spec = choices.check(choices.Choice("cnn", "pydoc", "imp", choices.ARMS, {"further": text})).spec
        assert spec is not None
        assert spec.training.epochs == 3


async def test_a_field_that_the_further_settings_overrule_says_so() -> None:
    async with LthApp("launch").run_test(size=(80, 24), notifications=True) as pilot:
        screen = await ready(pilot)
        field(pilot.app, "further").input.value = "training.epochs=3 schedule.rounds=10"
        await sees(pilot, "3 by further")
        assert screen.checked.spec.training.epochs == 3
        assert "10 by further" not in shown(pilot.app), "they say the same"
        field(pilot.app, "training.epochs").input.value = "3"
        await until(pilot, lambda: "by further" not in shown(pilot.app))


async def test_launch_quit_come_back_and_stop(news: Path) -> None:
    app = LthApp("launch")
    farewells = farewell(app)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("right", "down")
        field(app, "training.epochs").input.value = "5000"
        field(app, "further").input.value = "model.filters=4 model.embedding_dim=8 threads=1"
        await until(pilot, lambda: checked(app, "ag_news") and app.screen.checked.spec.threads == 1)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        run = app.screen.run_path
        await sees(pilot, "● running")
        await pilot.press("q")
        await pilot.pause()
    engine = app.engines[0]
    try:
        assert farewells == ["1 run goes on without the app; `lth` comes back to it."]
        assert liveness.holder(run) == engine.pid, "the engine outlives the app"
        again = LthApp()
        async with again.run_test(size=(100, 40), notifications=True) as pilot:
            await sees(pilot, "● running")
            await pilot.press("enter")
            await sees(pilot, "seed 1 of 3")
            await pilot.press("s")
            await sees(pilot, "Stop this run?")
            await pilot.press("y")
            await sees(pilot, "■ stopped", "lth resume")
        assert await asyncio.to_thread(engine.wait, 120) == 130
    finally:
        if engine.poll() is None:
            engine.kill()
            engine.wait()


async def test_an_engine_that_does_not_start_is_told(news: Path, monkeypatch) -> None:
    from engine.process import launch

    def no_engine(run: Path, begin: object) -> None:
        raise launch.LaunchFailed("no such interpreter")

    monkeypatch.setattr(launch, "start", no_engine)
    async with LthApp("launch").run_test(size=(100, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("right", "down")
        await until(pilot, lambda: checked(pilot.app, "ag_news"))
        await pilot.press("f5")
        await sees(pilot, "The engine did not start: no such interpreter")
        assert isinstance(pilot.app.screen, LaunchScreen)
        assert not pilot.app.screen.query_one("#go", Button).disabled
        assert "no such interpreter" in shown(pilot.app)


class Slow:
    """Making sure of the data, which takes until it is let go, and then has this to say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sentence: str = "") -> None:
        self.begun, self.go, self.sentence = threading.Event(), threading.Event(), sentence
        monkeypatch.setattr("engine.process.launch.check", self.check)

    def check(self, spec: specs.RunSpec, progress: object) -> None:
        self.begun.set()
        assert self.go.wait(60)
        if self.sentence:
            raise BadInput(self.sentence)

    @staticmethod
    def over() -> None:
        """Wait until the launch has ended, whatever it came to."""
        for thread in threading.enumerate():
            if thread.name == "launch":
                thread.join(60)


@pytest.mark.parametrize("away", ["another dataset", "the runs"])
async def test_a_refusal_that_nobody_would_see_on_the_form_is_said(away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, "dataset: pydoc is \x1b[2Jnot sound.")
    async with LthApp("launch").run_test(size=(100, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        await pilot.press("f5")
        await until(pilot, slow.begun.is_set)
        if away == "the runs":
            await pilot.press("2")
            await until(pilot, lambda: pilot.app.screen is not screen)
        else:
            choose(screen, dataset="ag_news")
            await until(pilot, lambda: checked(pilot.app, "ag_news"))
        slow.go.set()
        await until(pilot, lambda: notices(pilot.app))
        assert notices(pilot.app) == ["cnn × pydoc was not launched. dataset: pydoc is ␛[2Jnot sound."]


async def test_what_is_wrong_with_the_machine_stands_beside_no_field(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, "runs folder: /proc/x cannot be used (No such file); set LTH_RUNS to another.")
    slow.go.set()
    async with LthApp("launch").run_test(size=(100, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        await pilot.press("f5")
        await sees(pilot, "  runs folder: /proc/x cannot be used")
        assert [one.error for one in screen.form.fields.values() if one.error] == []
        assert pilot.app.focused is screen.table("model")
        assert not screen.query_one("#go", Button).disabled, "it may be mended, and tried again"


@pytest.mark.parametrize(
    ("sentence", "where"),
    [
        ("runs folder: x cannot be written; free space.", choices.ELSEWHERE),
        ("LTH_SLOTS: 'x' given; give how many.", choices.ELSEWHERE),
        ("--set: cnn has no such setting.", choices.FURTHER),
        ("data.train_size: 3 given; give more.", choices.FURTHER),
        ("data.no_such: x", choices.FURTHER),
        ("threads: x given; give a number.", choices.FURTHER),
        ("schedule.rate: 2 given; give less.", "schedule.rate"),
        ("model.checkpoint: none given.", "model"),
    ],
)
def test_a_sentence_stands_at_what_it_is_about(sentence: str, where: str) -> None:
    assert choices.place(sentence, choices.Choice("cnn", "pydoc", "imp")) == where


async def test_a_refusal_in_sight_is_said_on_the_form_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, "dataset: pydoc is not sound.")
    async with LthApp("launch").run_test(size=(100, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("f5")
        slow.go.set()
        await sees(pilot, "pydoc is not sound")
        assert notices(pilot.app) == []


async def test_quitting_leaves_a_launch_that_is_being_prepared_undone_at_the_second_press_only(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    app = LthApp("launch")
    farewells = farewell(app)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("f5")
        await until(pilot, slow.begun.is_set)
        await pilot.press("q")
        await until(pilot, lambda: notices(app))
        assert notices(app) == ["Still checking pydoc for a launch: ^q again leaves it undone."]
        assert farewells == []
        await pilot.press("ctrl+q")
        await until(pilot, lambda: farewells)
        slow.go.set()
        await asyncio.to_thread(slow.over)
    assert finding.run_dirs(runs) == []


async def test_quitting_while_the_engine_starts_says_that_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, go = Slow(monkeypatch), threading.Event()
    slow.go.set()
    monkeypatch.setattr("engine.process.queue.launch_in_turn", lambda run: go.wait(60) and None)
    async with LthApp("launch").run_test(size=(100, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("f5")
        await sees(pilot, "starting the engine")
        await pilot.press("q")
        await until(pilot, lambda: notices(pilot.app))
        assert notices(pilot.app) == ["Still starting the engine: ^q again leaves, and the run goes on."]
        go.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))


async def test_quitting_is_held_for_a_fetch_and_for_nothing_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr("engine.data.hub.fetch", lambda name, tell: go.wait(60))
    app = LthApp("launch")
    farewells = farewell(app)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, dataset="ag_news")
        await pilot.press("f", "2", "q")
        await until(pilot, lambda: notices(app) == ["Still fetching ag_news: ^q again leaves it undone."])
        go.set()
        await until(pilot, lambda: not screen.at_work)
        assert farewells == []
        await pilot.press("1", "f")
        await until(pilot, lambda: app.screen is screen and not screen.at_work)
        await pilot.press("q")
        await until(pilot, lambda: farewells)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for schedules of one's own."""
    folder = tmp_path / "schedules"
    folder.mkdir()
    monkeypatch.setenv("LTH_SCHEDULES", str(folder))
    return folder


def choose(screen: LaunchScreen, **names: str) -> None:
    for table, name in names.items():
        screen.table(table).move_to_key(name)


@pytest.mark.parametrize("model", ["lstm", "gru", "bert"])
async def test_a_schedule_that_cannot_score_the_model_is_said_and_the_form_lives_on(model: str) -> None:
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, model=model, schedule="synflow")
        await sees(pilot, "schedule.criterion: synflow given", f"score {model}")
        assert screen.checked.spec is None
        assert screen.query_one("#go", Button).disabled
        assert screen.table("schedule").has_class("-wrong")
        choose(screen, model="cnn")
        await until(pilot, lambda: screen.checked.spec is not None and screen.checked.spec.model.name == "cnn")
        assert screen.checked.spec.schedule.criterion == "synflow"


def test_what_does_not_go_together_hides_no_other_error_and_has_its_defaults() -> None:
    assert choices.defaults("lstm", "pydoc", "synflow") == choices.defaults("lstm", "pydoc", "imp-global")
    assert choices.defaults("bert", "pydoc", "one-shot-90")["schedule.rate"] == "0.9"
    checked = choices.check(choices.Choice("lstm", "pydoc", "synflow", choices.ARMS, {"seeds": "many"}))
    assert checked.errors.keys() == {"schedule", "seeds"}


async def test_ones_own_schedule_of_no_rounds_is_listed_and_chosen(mine: Path) -> None:
    (mine / "dense.toml").write_text("rounds = 0\n")
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, schedule="dense")
        await until(pilot, lambda: screen.checked.spec.schedule.name == "dense")
        assert screen.checked.spec.schedule.rounds == 0
        await sees(pilot, "to 0 %", "3 seeds × (1 dense + 0 rounds")


async def test_ones_own_schedule_that_is_spoilt_or_gone_is_said_and_the_form_lives_on(mine: Path) -> None:
    file = mine / "mine.toml"
    file.write_text("rounds = 4\n")
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, schedule="mine")
        await until(pilot, lambda: field(pilot.app, "schedule.rounds").input.value == "4")
        file.write_text("rounds = many\n")
        field(pilot.app, "training.epochs").input.value = "7"
        await sees(pilot, "mine.toml is no TOML")
        assert screen.query_one("#go", Button).disabled
        file.unlink()
        field(pilot.app, "training.epochs").input.value = "8"
        await sees(pilot, "schedule: 'mine' is not known")
        choose(screen, schedule="imp", model="lstm")
        await until(pilot, lambda: screen.checked.spec is not None and screen.checked.spec.model.name == "lstm")
        choose(screen, schedule="mine")
        await sees(pilot, "schedule: 'mine' is not known")
        assert screen.checked.spec is None


async def test_nothing_in_ones_own_schedule_reaches_the_terminal_as_a_command(mine: Path) -> None:
    (mine / "\x1b]0;name.toml").write_text('title = "\\u001b[2Jtitle"\ncitation = "\\u001b[2Jcited"\n')
    (mine / "zz.toml").write_text("rounds = 0.5\n")
    (mine / "imp.toml").write_text("rounds = 3\n")
    async with LthApp("launch").run_test(size=(160, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, schedule="\x1b]0;name")
        await sees(pilot, "␛]0;name", "␛[2Jtitle", "␛[2Jcited", "lth run")
        assert "\x1b" not in drawn(pilot)
        notices = "\n".join(notice.message for notice in pilot.app._notifications)
        assert "zz.toml: rounds: 0.5 given" in notices
        assert "imp.toml bears the name of a schedule of the menu" in notices
        name, _, title = menu.schedule(screen.table("schedule").item)
        assert (name, title) == ("␛]0;name", [("␛[2Jtitle", "dim")])
        assert screen.table("schedule").items[0].rounds == 10, "a name of the menu means the menu's"


async def test_the_form_reads_ones_own_schedules_off_the_loop(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine / "mine.toml").write_text("rounds = 4\n")
    readers: list[threading.Thread] = []
    read = schedules.every

    def watched():
        readers.append(threading.current_thread())
        return read()

    monkeypatch.setattr(schedules, "every", watched)
    async with LthApp("launch").run_test(notifications=True) as pilot:
        screen = await ready(pilot)
        assert "mine" in [card.name for card in screen.table("schedule").items]
    assert readers
    assert threading.main_thread() not in readers
