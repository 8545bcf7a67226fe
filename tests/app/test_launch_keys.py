"""The keys of the launch form: queue, keep, presets, copy, fetch; and a form filled from a run."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine import spec as specs
from engine.data import hub
from engine.errors import BadInput
from engine.process import queue
from engine.record import finding, rundir
from lth_tui import preferences
from lth_tui.app import LthApp
from lth_tui.screens.launch import LaunchScreen
from lth_tui.screens.presets import NameScreen, PresetsScreen
from tests.app.story import sees, shown, until
from tests.app.test_hostile import OBEYED
from tests.app.test_launch import choose, field, ready
from tests.faults import hostile


def tree(*arguments: Any) -> dict[str, Any]:
    return orjson.loads(specs.dump(specs.compose(*arguments)))


def notices(app: LthApp) -> str:
    return "\n".join(notice.message for notice in app._notifications)


async def told(pilot, *words: str) -> None:
    """Wait until a notice says all of it."""
    await until(pilot, lambda: all(word in notices(pilot.app) for word in words))


# Filled from a run


async def test_a_form_filled_before_it_is_ready_says_that_very_spec() -> None:
    given = tree(
        "lstm", "ag_news", "late-1ep", ["ticket", "shuffle"], [0, 3, 7], {"model.hidden": "64", "threads": "1"}
    )
    app = LthApp("launch")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        app.screen.fill(given, "20261122-071205-[/foo]\x1b]0;x")
        await until(pilot, lambda: app.screen.checked and app.screen.checked.spec == specs.of_tree(given))
        await sees(pilot, "from 20261122-071205-[/foo]␛]0;x", "[x] shuffle", "[ ] reinit")
        assert field(app, "seeds").input.value == "0,3,7"
        assert field(app, "further").input.value == "model.hidden=64 threads=1"
        await sees(pilot, "no line of `lth run` says these seeds")
        await pilot.press("y")
        await told(pilot, "`lth run --seeds` counts from 0")
        app.screen.fill(tree("cnn", "pydoc"), "another")
        await until(pilot, lambda: app.screen.checked.spec == specs.compose("cnn", "pydoc"))
        assert field(app, "further").input.value == ""
        await sees(pilot, "lth run -m cnn -d pydoc", "› from another")
        await pilot.press("r")
        await until(pilot, lambda: "from another" not in shown(app))
        assert not OBEYED.search(shown(app))


async def test_a_run_that_asks_about_another_does_not_fill_the_form() -> None:
    origin = {"question": "transfer", "run": "a-run", "round": 2}
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        screen.fill(tree("cnn", "ag_news") | {"origin": origin}, "this-run")
        await told(pilot, "this-run does not fill this form", "lth transfer a-run --round 2 -d ag_news")
        assert screen.checked.spec == specs.compose("cnn", "pydoc")


# Wrong things


async def test_launching_what_is_wrong_goes_to_the_first_wrong_field(runs: Path) -> None:
    app = LthApp("launch")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        field(app, "file").input.value = "/no/such [/b].csv"
        field(app, "schedule.rate").input.value = "2"
        await until(pilot, lambda: len([one for one in screen.form.fields.values() if one.error]) == 2)
        assert (
            field(app, "file").error
            == "dataset: /no/such [/b].csv does not exist; give a csv, tsv, jsonl or parquet file."
        )
        for key in ("f5", "f6", "f7"):
            screen.table("model").focus()
            await pilot.press(key)
            assert app.focused is field(app, "schedule.rate").input
            assert app.screen is screen
        choose(screen, model="lstm", schedule="synflow")
        await until(pilot, lambda: "schedule" in screen.errors)
        await pilot.press("f5")
        assert app.focused is screen.table("schedule")
        assert finding.run_dirs(runs) == []


@pytest.mark.parametrize(
    "path", ["seeds", "training.epochs", "schedule.rounds", "schedule.rate", "training.learning_rate"]
)
async def test_every_hostile_text_in_a_field_is_a_sentence_beside_it(path: str) -> None:
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        for text in ("[/foo]", "[@click=app.quit]x[/]", "9" * 400, "nan", "1e999", "None", "🙂", "-1"):
            field(pilot.app, path).input.value = text
            await until(pilot, lambda: path in screen.checked.errors)
            assert screen.checked.spec is None
        assert not OBEYED.search(shown(pilot.app))


async def test_hostile_texts_in_the_free_fields_are_sentences_too() -> None:
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        for path in ("file", "further"):
            for text in ("[/foo].csv", "[@click=app.quit]=x", "'", "=", "\\", "a=b " * 100, "~nobody/x.csv", "/" * 300):
                field(pilot.app, path).input.value = text
                await until(pilot, lambda path=path: path in screen.checked.errors)
            field(pilot.app, path).input.value = ""
        await until(pilot, lambda: screen.checked.spec is not None)


# The queue


async def test_a_queued_run_waits_its_turn_while_the_form_stays(news: Path, runs: Path) -> None:
    queue.pause(runs, "until tomorrow")
    app = LthApp("launch")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, dataset="ag_news")
        await until(pilot, lambda: screen.checked.spec.data.name == "ag_news")
        for number in (1, 2):
            await pilot.press("f6")
            await told(pilot, f"is number {number} in the queue, which is paused (until tomorrow)")
        assert app.screen is screen
        assert not screen.query_one("#go").disabled
    made = finding.run_dirs(runs)
    assert [rundir.state(run) for run in made] == ["queued", "queued"]
    assert specs.of_run(made[0]).data.name == "ag_news"


async def test_a_run_that_cannot_be_queued_is_said_at_its_place(runs: Path) -> None:
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, dataset="imdb")
        await until(pilot, lambda: screen.checked.spec.data.name == "imdb")
        await pilot.press("f6")
        await until(pilot, lambda: "dataset" in screen.errors)
        await until(pilot, lambda: screen.table("dataset").has_focus)
        assert finding.run_dirs(runs) == []


# Presets


async def test_a_preset_is_kept_listed_chosen_forgotten_and_brought_back(runs: Path) -> None:
    app = LthApp("launch")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        screen = await ready(pilot)
        field(app, "seeds").input.value = "0,3,7"
        choose(screen, model="gru")
        await until(pilot, lambda: screen.checked.spec.model.name == "gru" and screen.checked.spec.seeds == (0, 3, 7))
        kept = screen.checked.spec
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, NameScreen))
        name = app.screen.query_one("Input")
        assert name.value == "gru pydoc imp"
        name.value = "a/b"
        await pilot.press("enter")
        await until(pilot, lambda: "is no name" in app.screen.error)
        name.value = "[b] mine"
        await pilot.press("enter")
        await told(pilot, "Kept as [b] mine")
        assert specs.of_tree(preferences.presets(runs)["[b] mine"]) == kept
        choose(screen, model="cnn")
        field(app, "seeds").input.value = "3"
        await until(pilot, lambda: screen.checked.spec == specs.compose("cnn", "pydoc"))
        await pilot.press("f8")
        await sees(pilot, "[b] mine", "gru", "3 seeds")
        await pilot.press("x")
        await sees(pilot, "Nothing is kept yet", "bring back [b] mine")
        assert preferences.presets(runs) == {}
        await pilot.press("u")
        await sees(pilot, "[b] mine", "fill the form")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and screen.checked.spec == kept)
        await pilot.press("f8", "escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("f7", "escape")
        await until(pilot, lambda: app.screen is screen)
        assert list(preferences.presets(runs)) == ["[b] mine"]


async def test_whatever_stands_in_the_file_of_presets_is_harmless(runs: Path) -> None:
    runs.mkdir()
    texts = ["".join(hostile.ATOMS[start::9]).encode(errors="replace").decode() for start in range(9)]
    values: dict[str, Any] = {text: {"model": {"name": text}, "seeds": text} for text in texts}
    values |= {"a list": [1], "nothing": None, "no model": {"model": 3}, "deep": {"model": {"name": {"x": []}}}}
    (runs / "app.json").write_bytes(
        orjson.dumps(
            {"presets": values},
        )
    )
    app = LthApp("launch")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        screen = await ready(pilot)
        for place in range(len(values)):
            await pilot.press("f8")
            await until(pilot, lambda: isinstance(app.screen, PresetsScreen))
            assert len(app.screen.table.items) == len(values)
            app.screen.table.move_to(place)
            await pilot.pause()
            assert not OBEYED.search(shown(app))
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is screen)
        await told(pilot, "does not fill this form")
        assert screen.checked.spec == specs.compose("cnn", "pydoc")


# Copying and fetching


async def test_the_line_is_copied_also_while_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(LthApp, "copy", lambda app, text: copied.append(text))
    app = LthApp("launch")
    async with app.run_test(notifications=True) as pilot:
        screen = await ready(pilot)
        await pilot.press("y")
        field(app, "further").input.value = "'model.vectors=a b'"
        field(app, "further").input.focus()
        await until(pilot, lambda: "a b" in screen.checked.command)
        await pilot.press("ctrl+y")
        assert copied == ["lth run -m cnn -d pydoc", "lth run -m cnn -d pydoc --set 'model.vectors=a b'"]
        field(app, "seeds").input.value = "x"
        await until(pilot, lambda: screen.checked.spec is None)
        await pilot.press("ctrl+y")
        await told(pilot, "there is no line to copy")
        assert len(copied) == 2


async def test_a_dataset_is_fetched_with_its_progress_and_then_is_here(
    news: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = news.rename(news.with_name("away"))
    gates = [asyncio.Event(), asyncio.Event()]
    loop = asyncio.get_running_loop()

    def fetch(name: str, progress: Any) -> None:
        progress(f"{name}: 12 of 30 MB [/foo]\x1b]0;x")
        asyncio.run_coroutine_threadsafe(gates[0].wait(), loop).result(60)
        away.rename(news)

    monkeypatch.setattr(hub, "fetch", fetch)
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        await pilot.press("f")
        await told(pilot, "pydoc is here.")
        choose(screen, dataset="ag_news")
        await sees(pilot, "ag_news is not here yet; press f, or: lth data fetch ag_news")
        await pilot.press("f")
        await sees(pilot, "ag_news: 12 of 30 MB [/foo]␛]0;x")
        await pilot.press("f5")
        gates[0].set()
        await told(pilot, "ag_news is here.")
        await until(pilot, lambda: screen.form.entries["ag_news"]["here"])
        await sees(pilot, "here", "$ lth run -m cnn -d ag_news")
        assert "not here yet" not in shown(pilot.app)


async def test_a_fetch_that_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(name: str, progress: Any) -> None:
        raise BadInput(f"dataset: {name} could not be fetched from the hub (no network).")

    monkeypatch.setattr(hub, "fetch", fetch)
    async with LthApp("launch").run_test(size=(120, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        choose(screen, dataset="imdb")
        await pilot.press("f")
        await told(pilot, "imdb could not be fetched from the hub (no network)")
        assert screen.at_work == ""


# Sizes


@pytest.mark.parametrize("size", [(40, 12), (200, 60), (20, 5)])
async def test_the_form_lives_at_any_size(size: tuple[int, int]) -> None:
    app = LthApp("launch")
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = await ready(pilot)
        await until(pilot, lambda: screen.preview)
        await pilot.press(*["tab"] * 11, "escape", "right", "down", "f7", "escape", "f8", "escape")
        for other in ((10, 3), (120, 40), (40, 12), size):
            await pilot.resize_terminal(*other)
            await pilot.pause()
        await until(pilot, lambda: app.screen is screen and shown(app))


async def test_everything_is_in_sight_on_a_small_terminal() -> None:
    async with LthApp("launch").run_test(size=(80, 24), notifications=True) as pilot:
        await ready(pilot)
        await sees(pilot, "Model", "Dataset", "Schedule", "Arms", "to fetch", "visits", "parameters", "disk", "further")
        await sees(
            pilot, "93 trainings, no estimate yet", "$ lth run -m cnn -d pydoc", "F5 Launch", "F6 Queue", "q Quit"
        )
