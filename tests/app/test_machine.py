"""The queue and the machine: who works, who waits and why, what the keys do, and what a machine tells of itself."""

import re
import socket
import time
from datetime import datetime
from pathlib import Path

import pytest

from engine.process import queue
from engine.record import rundir, waiting
from lth_tui import meters
from lth_tui.app import LthApp
from lth_tui.screens.confirm import ConfirmScreen
from lth_tui.screens.machine import MachineScreen
from lth_tui.screens.run import RunScreen
from lth_tui.screens.runs import RunsScreen
from tests.app.story import Story, drawn, sees, until
from tests.faults import hostile

GIB = 1 << 30
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CARDS = tuple(
    meters.Card(index, "NVIDIA H100 80GB HBM3", f"GPU-{index}", 0.63, 20 * GIB, 80 * GIB, 61, 312.4)
    for index in range(2)
)


@pytest.fixture(autouse=True)
def tended(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No engine is started here; who asked for a dispatcher is kept."""
    asked: list[Path] = []
    monkeypatch.setattr(queue, "tend", asked.append)
    monkeypatch.setattr(queue, "dispatch", lambda _: [])
    monkeypatch.setenv("LTH_SLOTS", "1")
    return asked


def works(runs: Path, monkeypatch: pytest.MonkeyPatch, **status: object) -> Path:
    """A run whose engine is said to be on this machine and alive."""
    run = Story(runs, "running", process={"host": socket.gethostname()}, **status).run
    alive = rundir.alive
    monkeypatch.setattr(rundir, "alive", lambda one, told: one == run or alive(one, told))
    return run


def waits(runs: Path, *names: str) -> list[Path]:
    made = []
    for name in names or ("pydoc",) * 3:
        made.append(rundir.create(runs, b"{}", "cnn", name, "imp"))
        queue.submit(made[-1])
    return made


def order(runs: Path) -> list[Path]:
    return [one.run for one in waiting.look(runs).ours]


async def opened(pilot, *words: str) -> MachineScreen:
    await pilot.press("3")
    await until(pilot, lambda: isinstance(pilot.app.screen, MachineScreen))
    await sees(pilot, "CPU", "memory", "disk", *words)
    return pilot.app.screen


async def test_an_empty_machine_says_what_to_do(runs: Path) -> None:
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, "0 of 1 slot taken", "nobody waits", "launched (1) starts at once")
        for key in ("J", "K", "enter", "s", "less_than_sign"):
            await pilot.press(key)
        await pilot.press("p")
        await until(pilot, lambda: pilot.app._notifications or queue.paused(runs))


async def test_who_works_who_waits_and_why(runs: Path, monkeypatch, tended) -> None:
    worker = works(runs, monkeypatch, progress={"fraction": 0.25})
    first, second, third = waits(runs)
    lost = Story(runs, "running", process={"host": socket.gethostname()}).run
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        screen = await opened(pilot, "1 of 1 slot taken", "3 runs wait", "1 orphaned")
        await sees(pilot, f"The first waits: 1 slot, held by {worker.name}", "25%")
        rows = [(row.kind, row.run) for row in screen.table.items]
        lined = [("waiting", one.name) for one in (first, second, third)]
        assert rows == [("working", worker.name), *lined, ("orphaned", lost.name)]
        assert all(run in drawn(pilot) for _, run in rows), "whole, at 80 columns"
        screen.table.move_to(2)
        await sees(pilot, "1 run before it")
        screen.table.move_to(4)
        await sees(pilot, f"`lth resume {lost.name[-4:]}` goes on")
        assert runs in tended
        asked = len(tended)
        await pilot.pause(0.5)
        assert len(tended) == asked, "not at every tick"
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, "2 runs before it", "its engine is gone")


async def test_a_run_that_waits_is_moved_with_the_cursor_on_it(runs: Path, monkeypatch) -> None:
    works(runs, monkeypatch)
    a, b, c = waits(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        screen = await opened(pilot, "3 runs wait")
        screen.table.move_to_key(c.name)
        for key, expected in (
            ("K", [a, c, b]),
            ("ctrl+up", [c, a, b]),
            ("K", [c, a, b]),
            ("ctrl+down", [a, c, b]),
            ("J", [a, b, c]),
            ("less_than_sign", [c, a, b]),
            ("greater_than_sign", [a, b, c]),
            ("ctrl+home", [c, a, b]),
            ("ctrl+end", [a, b, c]),
        ):
            await pilot.press(key)
            shown = [one.name for one in expected]
            await until(pilot, lambda: [row.run for row in screen.table.items if row.kind == "waiting"] == shown)  # noqa: B023
            assert order(runs) == expected, key
            assert screen.table.key == c.name
        await pilot.press("K", "K")  # at once: none is lost
        await until(pilot, lambda: order(runs) == [c, a, b])


async def test_a_run_at_work_says_since_when(runs: Path, monkeypatch) -> None:
    works(runs, monkeypatch, started=time.time() - 3 * 3600)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, "● running")
        await sees(pilot, " 3h ")


async def test_what_works_cannot_be_moved(runs: Path, monkeypatch) -> None:
    works(runs, monkeypatch)
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, "● running")
        await pilot.press("J")
        await sees(pilot, "Only a run that waits")


async def test_a_run_that_is_gone_by_the_time_it_is_moved_is_told(runs: Path, monkeypatch) -> None:
    works(runs, monkeypatch)
    (run,) = waits(runs, "pydoc")
    async with LthApp().run_test(notifications=True) as pilot:
        screen = await opened(pilot, "1 run waits")
        monkeypatch.setattr("lth_tui.queue_view.facts", lambda _: screen.facts)  # what stands there is old
        screen.table.move_to_key(run.name)
        queue.withdraw(run)
        await pilot.press("J")
        await sees(pilot, "does not wait in the queue")


async def test_p_pauses_and_goes_on_and_it_is_said(runs: Path) -> None:
    waits(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, "3 runs wait")
        await pilot.press("p")
        await sees(pilot, f"Paused: in the app, by {runs.owner()}, since {datetime.now():%d %b }", "started; p")
        assert queue.paused(runs).startswith("in the app, by ")
        await pilot.press("p")
        await until(pilot, lambda: "Paused" not in drawn(pilot))
        assert queue.paused(runs) is None
        queue.pause(runs, queue.REBOOTED)
        await sees(pilot, "Paused: this machine was restarted since. Nothing more")


async def test_s_withdraws_what_waits_and_asks_what_works_to_stop(runs: Path, monkeypatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("engine.process.launch.ask_to_stop", lambda run, now=False: asked.append(run) or True)
    worker = works(runs, monkeypatch)
    (run,) = waits(runs, "pydoc")
    lost = Story(runs, "running", process={"host": socket.gethostname()}).run
    async with LthApp().run_test(notifications=True) as pilot:
        screen = await opened(pilot, "1 run waits")
        screen.table.move_to_key(run.name)
        await pilot.press("s")
        await sees(pilot, "Take it out of the queue?")
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ConfirmScreen))
        assert order(runs) == [run]
        await pilot.press("s")
        await sees(pilot, "Take it out of the queue?")
        await pilot.press("y")
        await sees(pilot, "was taken out of the queue", "nobody waits")
        assert rundir.state(run) == "stopped"
        screen.table.move_to_key(worker.name)
        await pilot.press("s")
        await sees(pilot, "Stop this run?")
        await pilot.press("y")
        await until(pilot, lambda: asked == [worker])
        await until(pilot, lambda: pilot.app.screen is screen)
        screen.table.move_to_key(lost.name)
        await pilot.press("s")
        await sees(pilot, "This run is orphaned")


async def test_enter_opens_a_run_and_escape_comes_back(runs: Path) -> None:
    run, *_ = waits(runs)
    async with LthApp().run_test(notifications=True) as pilot:
        screen = await opened(pilot, "3 runs wait")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert pilot.app.screen.run_path == run
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)


async def test_cards_are_shown_and_only_changed_lines_are_drawn_again(runs: Path, monkeypatch) -> None:
    moments = [meters.Sample(cards=CARDS, cpu=0.5, cores=16, memory=(1 * GIB, 4 * GIB), disk=(1, 2))]
    monkeypatch.setattr(meters.Sampler, "sample", lambda _: moments[-1])
    monkeypatch.setattr(meters.Trails, "drawn", lambda *_: "▁▂▃")
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        screen = await opened(pilot, "GPU 0", "GPU 1", "63 %", "20.0 of 80.0 GiB", "61 °C", "312 W", "50 %", "16 cores")
        shown = screen.query_one("#meters")
        painted: list[int] = []
        paint = shown.render_line
        shown.render_line = lambda y: painted.append(y) or paint(y)
        for cpu in (0.6, 0.7, 0.8):
            painted.clear()
            moments.append(meters.Sample(cards=CARDS, cpu=cpu, cores=16, memory=(1 * GIB, 4 * GIB), disk=(1, 2)))
            await sees(pilot, f"{100 * cpu:.0f} %")
        assert set(painted) == {2}


async def test_a_run_on_a_card_is_told_by_its_number(runs: Path, monkeypatch) -> None:
    monkeypatch.setattr(meters.Sampler, "sample", lambda _: meters.Sample(cards=CARDS))
    works(runs, monkeypatch, gpu="GPU-1")
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, "on GPU 1")


async def test_without_a_card_a_plain_word_says_so(runs: Path, monkeypatch) -> None:
    monkeypatch.setattr(meters.Sampler, "_cards", lambda _: ((), meters.NO_GPU))
    async with LthApp().run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "no GPU here: runs train on the processor")


async def test_nothing_is_sampled_while_another_screen_is_in_front(runs: Path, monkeypatch) -> None:
    looks: list[int] = []
    closed: list[int] = []
    monkeypatch.setattr(meters.Sampler, "sample", lambda _: looks.append(1) or meters.Sample())
    monkeypatch.setattr(meters.Sampler, "close", lambda _: closed.append(1))
    async with LthApp().run_test(notifications=True) as pilot:
        assert looks == []
        await opened(pilot)
        await until(pilot, lambda: len(looks) > 2)
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen) and closed)
        await pilot.pause(0.1)
        before = len(looks)
        await pilot.pause(0.5)
        assert len(looks) == before


async def test_a_runs_folder_that_is_a_file_is_told(runs: Path) -> None:
    runs.write_text("not a folder")
    async with LthApp().run_test(notifications=True) as pilot:
        await opened(pilot, "runs folder:")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)])
async def test_hostile_words_are_shown_harmlessly(runs: Path, monkeypatch, size: tuple[int, int]) -> None:
    text = "".join(hostile.ATOMS)
    told = {"slots": 3, "paused": True, "why": text, "orphaned": [text]}
    told["running"] = [{"id": text, "state": text, "device": text, "gpu": text, "progress": text}]
    told["waiting"] = [{"id": f"{text}2", "place": 1, "since": text, "host": text, "why": text}]
    monkeypatch.setattr("lth_tui.queue_view.facts", lambda _: told)
    card = meters.Card(0, meters.plain.line(text, 40), text)
    monkeypatch.setattr(meters.Sampler, "sample", lambda _: meters.Sample(cards=(card,), no_gpu=None))
    async with LthApp().run_test(size=size, notifications=True) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: isinstance(pilot.app.screen, MachineScreen) and pilot.app.screen.table.items)
        for _ in range(3):
            assert not CONTROLS.search(drawn(pilot).replace("\n", ""))
            await pilot.press("j")


async def test_it_fits_every_terminal_and_a_storm_of_resizing(runs: Path, monkeypatch) -> None:
    works(runs, monkeypatch)
    waits(runs)
    async with LthApp().run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, "3 runs wait")
        for size in [(20, 5), (200, 60), (1, 1), (80, 24), (40, 12), (300, 10), (10, 100)]:
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
            widths = {line.cell_length for line in pilot.app.screen._compositor.render_strips()}
            assert len(widths) == 1
        await pilot.resize_terminal(40, 12)
        await sees(pilot, "3 runs wait", "CPU")
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "3 runs wait", "memory", "GiB")
