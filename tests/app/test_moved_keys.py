"""With every key of the registry moved to another, no text of any screen names a key as it was."""

import os
import re
from itertools import count
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.process import queue
from lth_tui import keymap
from lth_tui.app import LthApp
from lth_tui.screens.ask import AskScreen
from lth_tui.screens.compare import CompareScreen
from lth_tui.screens.confirm import ConfirmScreen
from lth_tui.screens.help import HelpScreen
from lth_tui.screens.pick import PickScreen
from lth_tui.screens.run import PANES
from tests.app.story import Story, drawn, sees, until
from tests.app.test_launch_keys import tree
from tests.app.test_panes import epoch

ORDINARY = {"a", *"1234", "[", "]", "<", ">", "*", ":", "?"}  # keys that stand in texts as words, numbers and signs too
OLD = {keymap.shown(key) for keys in keymap.usual().values() for key in keys} - ORDINARY
OWN = {
    AskScreen: {"Esc"},
    ConfirmScreen: {"y"},
    PickScreen: {"Enter", "Esc"},
}  # keys that nobody can move; a field's Enter is another


@pytest.fixture(autouse=True)
def moved() -> dict[str, str]:
    """Each name on a letter that no text has; where one types, on a function key."""
    letters, functions = (chr(0x430 + number) for number in count()), (f"f{number}" for number in range(13, 25))
    letters = (one for one in letters if one.isalnum())
    new = {name: next(functions if key.priority else letters) for name, key in keymap.named().items()}
    Path(os.environ["LTH_KEYS"]).write_text("".join(f'"{name}" = "{key}"\n' for name, key in new.items()))
    return new


def old_keys(pilot: Pilot) -> list[str]:
    """The words on the screen that are keys as they were, but for those that are no key of the registry."""
    screen = pilot.app.screen
    text = re.sub(r"\S*[│┃╭╮╰╯─━]\S*", "", drawn(pilot))  # what lies behind a dialog is cut at its border
    text += "".join(f"\n{notice.message}" for notice in pilot.app._notifications)
    own = OWN.get(type(screen), set()) | ({"Enter"} if any(field.region for field in screen.query(Input)) else set())
    words = {word.strip(".,;()“”") for word in text.split()}
    return sorted(words & OLD - own) + (["space bar"] if "space bar" in text else [])


class Reader:
    """Presses what the names are on now, and looks at every text that comes of it."""

    def __init__(self, pilot: Pilot, moved: dict[str, str]) -> None:
        self.pilot, self.moved = pilot, moved

    async def sees(self, *words: str) -> None:
        """Wait for these; a name in braces is its key."""
        named = {f"{{{name}}}": keymap.shown(key) for name, key in self.moved.items()}
        wanted = [re.sub(r"\{[^}]+\}", lambda found: named[found[0]], word) for word in words]

        def there() -> bool:
            told = "\n".join(notice.message for notice in self.pilot.app._notifications)
            return all(word in drawn(self.pilot) or word in told for word in wanted)

        await until(self.pilot, there)
        assert old_keys(self.pilot) == []

    async def press(self, *names: str) -> None:
        for name in names:
            await self.pilot.press(self.moved[name])
            await self.pilot.pause()
            assert old_keys(self.pilot) == [], name


def test_every_key_has_moved(moved: dict[str, str]) -> None:
    read = keymap.read(Path(os.environ["LTH_KEYS"]))
    assert read.troubles == []
    assert set(read.moved) == set(moved) == set(keymap.named())


async def test_no_text_of_the_runs_names_an_old_key(runs: Path, moved: dict[str, str]) -> None:
    async with LthApp().run_test(notifications=True, size=(300, 50)) as pilot:
        reader = Reader(pilot, moved)
        await reader.sees("No runs yet", "{app.go.launch}  ", "{app.help}  ")
        Story(runs, "stopped", cause="it was asked to")
        Story(runs, "running", process={"pid": 1})  # orphaned
        Story(runs, "failed", cause="no memory")
        Story(runs, "queued")
        await reader.sees(
            "it was asked to; {runs.resume} goes on", "want of memory; {runs.resume} goes on", "no memory"
        )
        await reader.press("runs.compare")
        await reader.sees("Mark two runs or more with {runs.mark}")
        await reader.press("table.down", "table.down", "table.first", "runs.mark-all")
        await reader.sees("4 marked", "{runs.stop} stop", "{runs.unmark} unmark", "{runs.compare} compare")
        for name in ("runs.tag", "runs.note", "runs.export", "runs.sort"):
            await reader.press(name)
            await until(pilot, lambda: isinstance(pilot.app.screen, AskScreen | PickScreen))
            await pilot.press("escape")
        await reader.press("runs.remove")
        await reader.sees("Remove 4 runs?", "{runs.undo} undoes it")
        await pilot.press("y")
        await reader.sees("{runs.undo} brings them back")
        await reader.press("runs.undo")
        await reader.sees("4 back")
        await reader.press("runs.unmark", "runs.filter")
        await pilot.press(*"zzz", "enter")
        await reader.sees("No run fits.", "{runs.unfilter} shows all of them again")


@pytest.mark.parametrize("state", ["finished", "failed", "stopped", "queued", "orphaned"])
async def test_no_text_of_a_run_names_an_old_key(runs: Path, moved: dict[str, str], state: str) -> None:
    process = {"process": {"pid": 1}} if state == "orphaned" else {}
    story = Story(runs, "running" if process else state, spec=tree("cnn", "pydoc"), **process)
    epoch(story, 0, 1, "ticket", 1, 0.5)
    (story.run / "engine.log").write_text("one\ntwo\n" * 200)
    async with LthApp(run=story.run).run_test(notifications=True, size=(120, 30)) as pilot:
        reader = Reader(pilot, moved)
        goes_on = {"finished": "✓ finished", "orphaned": "and so does {run.resume}."}
        await reader.sees(goes_on.get(state, "{run.resume}, or `lth resume"), "{run.rounds} Rounds", "{run.log} Log")
        for name in PANES:
            await reader.press(f"run.{name}")
        await reader.press("run.settings")
        await reader.sees("{run.copy-line} copies it", "{page.search} searches")
        await reader.press("run.log", "page.first")
        await reader.sees("{page.follow} follows its end")
        await reader.press("page.search")
        await reader.sees("search; Enter finds")
        assert "leaves" not in drawn(pilot)  # what leaves now is a letter, and is typed
        await pilot.press(*"two", "enter")
        await reader.sees("{page.again} and {page.again-back} go on")
        if state == "finished":
            await reader.press("run.resume")
            await reader.sees("{run.extend} extends it")
        await reader.press("run.extend", "app.help")


async def test_no_text_of_a_comparison_names_an_old_key(runs: Path, moved: dict[str, str]) -> None:
    for accuracy in (0.8, 0.9):
        story = Story(runs, "finished")
        for number, arm in ((0, "dense"), (1, "ticket"), (1, "reinit")):
            story.trained(0, number, arm, accuracy)
    async with LthApp().run_test(notifications=True, size=(160, 40)) as pilot:
        reader = Reader(pilot, moved)
        await until(pilot, lambda: len(pilot.app.screen.table.items) == 2)
        pilot.app.compare([])
        await reader.sees("{app.go.runs}  ", "{runs.mark}  ", "{runs.compare}  ")
        await reader.press("compare.back", "runs.mark-all", "runs.compare")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await sees(pilot, "Differences in points")
        await reader.press("compare.curve", "table.down", "compare.curve")
        await reader.sees("Every curve is hidden; {compare.curve} shows one")


async def test_no_text_of_the_launch_form_names_an_old_key(runs: Path, moved: dict[str, str]) -> None:
    async with LthApp("launch").run_test(notifications=True, size=(160, 50)) as pilot:
        reader = Reader(pilot, moved)
        await until(pilot, lambda: getattr(pilot.app.screen, "checked", None) is not None)
        await reader.sees("Launch  {launch.launch}")
        pilot.app.screen.table("dataset").move_to_key("ag_news")
        await reader.sees("press {launch.fetch}, or")
        pilot.app.screen.fill(tree("cnn", "pydoc", "imp", None, [0, 3, 7]), "another")
        await reader.sees("{launch.launch} launches it", "{launch.save} keeps them as a preset")
        await reader.press("launch.presets")
        await reader.sees("{launch.save} keeps what is chosen", "{presets.back} back")
        await reader.press("presets.back", "launch.save")
        await reader.sees("Enter keeps it.")
        await pilot.press("enter")
        await reader.sees("{launch.presets} lists what is kept")
        await reader.press("launch.presets")
        await reader.sees("{presets.choose} fill the form", "{presets.forget} forget")
        await reader.press("presets.forget")
        await reader.sees("{presets.undo} bring back")
        await reader.press("presets.back")
        pilot.app.screen.form.fields["seeds"].input.value = "no"
        await reader.sees("not right yet: {launch.launch} goes there")


async def test_no_text_of_the_other_places_names_an_old_key(runs: Path, moved: dict[str, str]) -> None:
    runs.mkdir()
    async with LthApp("machine").run_test(notifications=True, size=(160, 50)) as pilot:
        reader = Reader(pilot, moved)
        await reader.sees("A run that is launched ({app.go.launch})")
        queue.pause(runs, "by hand")
        await reader.sees("{machine.pause} goes on")
        await reader.press("app.go.inbox")
        await reader.sees("Nothing new", "comes back with {inbox.undo}")
        await reader.press("app.theme")
        await reader.sees("{colours.keep} keeps these", "{colours.back} as they were")
        await reader.press("colours.back")
        for place in ("inbox", "machine", "launch", "runs"):
            await reader.press(f"app.go.{place}", "app.help")
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
            pilot.app.screen.query_one("#help").scroll_end(animate=False)
            await reader.sees("{help.close} closes this")
            await reader.press("help.close", "app.palette")
            await sees(pilot, "Colours: ")
            assert old_keys(pilot) == []
            await pilot.press("escape")
        queue.submit(Story(runs, "queued").run)
        await reader.sees("The queue is paused: by hand. {runs.queue.go} goes on with it")
