"""`app`: the app on a terminal of 120 x 40: how soon it paints and answers, what it writes, what it costs to watch.

A measure of bytes counts all that reaches the terminal.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from engine.record import history, rundir
from tests.bench import live, made
from tests.bench.command_line import _lth
from tests.bench.figures import ROOT, Figure, at_most, spread
from tests.bench.terminal import Terminal, on_terminal

MANY, LIVE = 10_000, 8
MB = 1 << 20


def run() -> list[Figure]:
    return [*first_paint(), *answers(), *watching(60), *one_cell(), *one_epoch(), *lag()]


def first_paint(repeats: int = 5) -> Iterator[Figure]:
    """From the start of the process until the newest run's row is painted."""
    with made.own_folders() as folder:
        runs = made.finished_runs(folder / "runs", MANY)
        history.refresh(folder / "runs")
        newest, last = runs[0].name, []
        for _ in range(repeats + 1):
            with on_terminal(_lth()) as app:
                last.append(app.until(newest, app.began))
    value = median(last[1:])  # the first wrote the byte code
    words = f"process start to first painted table, {MANY:,} runs"
    yield Figure("app", words, value, "s", **at_most(value, 1.0, "s"), note=spread(last[1:], unit="s"))


def answers(repeats: int = 7) -> Iterator[Figure]:
    """Filter, sort and page among many runs: from the last key until what it brings stands there."""
    with made.own_folders() as folder:
        runs = made.finished_runs(folder / "runs", MANY)
        history.refresh(folder / "runs")
        hidden = runs[MANY // 2].name
        with on_terminal(_lth()) as app:
            app.until(runs[0].name, app.began)
            app.quiet()
            found: dict[str, list[float]] = {"filter": [], "sort": [], "page": []}
            for _ in range(repeats):
                app.send("/")
                app.quiet(0.5)
                app.send(hidden[-4:-1])
                app.quiet(0.5)
                found["filter"].append(app.until(hidden, app.send(hidden[-1])))
                app.quiet(0.5)
                app.send("\x1b")  # the cursor stays on its run
                app.quiet(0.5)
                app.until(runs[0].name, app.send("g"))
                app.quiet(0.5)
                found["sort"].append(app.until("age↓", app.send("O")))
                app.quiet(0.5)
                app.until("age↑", app.send("O"))
                app.quiet(0.5)
                found["page"].append(app.until(lambda text: runs[0].name not in text, app.send("\x1b[6~")))
                app.quiet(0.5)
                app.send("g")
                app.quiet(0.5)
    for name, values in found.items():
        value = 1000 * median(values)
        words = f"{name} at {MANY:,} runs"
        yield Figure("app", words, value, "ms", **at_most(value, 100, "ms"), note=spread(values, 1000, "ms"))


@contextmanager
def engines(runs: Path, count: int, *options: str) -> Iterator[list[str]]:
    """So many runs at work; their ids."""
    command = [sys.executable, "-m", "tests.bench.live", str(runs), str(count), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process.stdout.readline().split()
    finally:
        process.kill()
        process.wait()


def watching(seconds: float) -> Iterator[Figure]:
    """The list of runs, eight of which tell an event every 100 ms; then keys, while they go on."""
    with made.own_folders() as folder, engines(folder / "runs", LIVE) as names, on_terminal(_lth()) as app:
        app.until(names[-1], app.began)
        _helped(app, 2)
        time.sleep(10)  # what is made once is made
        began, used, memory = time.perf_counter(), app.cpu(), app.memory()
        time.sleep(seconds)
        spent = time.perf_counter() - began
        share, grown = 100 * (app.cpu() - used) / spent, app.memory() - memory
        written = len(app.since(began)) / spent / 1000
        keys = _helped(app, 12)
    of = f"watching {LIVE} live runs for {seconds:.0f} s"
    yield Figure("app", f"{of}: CPU", share, "% of a core", **at_most(share, 8, "%"))
    yield Figure("app", f"{of}: to the terminal", written, "KB/s", **at_most(written, 3, "KB/s"))
    yield Figure("app", f"{of}: memory grown by", grown / MB, "MB", **at_most(grown / MB, 2, "MB"))
    value = 1000 * median(keys)
    words = f"a key to its effect while {LIVE} runs stream (help opens)"
    yield Figure("app", words, value, "ms", **at_most(value, 50, "ms"), note=spread(keys, 1000, "ms"))


def _helped(app: Terminal, times: int) -> list[float]:
    """Seconds from the key to the help, each time."""
    found = []
    for _ in range(times):
        found.append(app.until("Everywhere", app.send("?")))
        app.send("\x1b")
        time.sleep(1.37)  # at another moment of the tick each time
    return found


def one_cell(repeats: int = 7) -> Iterator[Figure]:
    """A run's progress comes one percent further: all that is written for it."""
    with made.own_folders() as folder, engines(folder / "runs", LIVE, "--still") as names, on_terminal(_lth()) as app:
        app.until(names[-1], app.began)
        app.quiet(3)
        run, sizes = folder / "runs" / names[3], []
        for percent in range(50, 50 + repeats):
            status = rundir.read_status(run)
            status["progress"] |= {"fraction": percent / 100}
            changed = time.perf_counter()
            rundir.write_status(run, status)
            app.until(f"{percent}%", changed)
            app.quiet(1.5)
            sizes.append(len(app.since(changed)))
    value = median(sizes)
    yield Figure("app", "one cell changes", value, "bytes", **at_most(value, 600, "bytes"), note=spread(sizes))


def one_epoch(repeats: int = 7) -> Iterator[Figure]:
    """An epoch of the round that is trained, told by an engine: all that the run's own screen writes for it."""
    panes = {"the chart of all rounds": "c", "its learning curve": "u"}
    with made.own_folders() as folder, engines(folder / "runs", 1, "--still") as (name,):
        engine = live.Hand(folder / "runs" / name)
        engine.trained(0, "dense", 0.61)
        for arm in live.ARMS:
            engine.trained(1, arm, 0.6)
        engine.epoch(2, "ticket", 1)
        with on_terminal([*_lth(), "--run", name]) as app:
            app.until("epoch 1 of", app.began)
            for pane, key in panes.items():
                app.send(key)
                app.quiet(3)
                sizes = []
                for _ in range(repeats):
                    told = time.perf_counter()
                    epoch = engine.epoch(2, "ticket")
                    app.until(f"epoch {epoch} of", told)
                    app.quiet(1.5)
                    sizes.append(len(app.since(told)))
                value = median(sizes)
                words = f"one epoch event on the run screen, beside {pane}"
                yield Figure("app", words, value, "bytes", **at_most(value, 600, "bytes"), note=spread(sizes))


def lag(repeats: int = 7) -> Iterator[Figure]:
    """A training's end is written by an engine: until its accuracy stands in the run's table."""
    with made.own_folders() as folder, engines(folder / "runs", 1, "--still") as (name,):
        engine, found = live.Hand(folder / "runs" / name), []
        with on_terminal([*_lth(), "--run", name]) as app:
            app.until("sparsity", app.began)
            app.quiet(3)
            for number in range(repeats):
                accuracy = 0.6123 + number / 100
                engine.trained(number + 1, "ticket", accuracy)
                found.append(app.until(f"{100 * accuracy:.2f}", time.perf_counter()))
                app.quiet(1 + 0.17 * number)  # at another moment of the tick each time
    value = median(found)
    yield Figure("app", "event written to number on screen", value, "s", **at_most(value, 1.2, "s"), note=spread(found))
