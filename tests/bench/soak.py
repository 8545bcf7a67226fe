"""`soak`: ten minutes of watching and of going about, while eight runs stream; the app's memory is weighed.

Every round opens each place, a run with each of its panes, the help, the order, a filter, a comparison; then it only
watches. The first rounds make what is made once, and are not counted.
"""

import time
from collections.abc import Iterator
from statistics import median

from tests.bench import made
from tests.bench.app import LIVE, MB, engines
from tests.bench.command_line import _lth
from tests.bench.figures import Figure, at_most
from tests.bench.terminal import Terminal, on_terminal

ROUND = 60.0  # seconds
ESCAPE, ENTER = "\x1b", "\r"
# What is typed, and what stands there then.
TOUR = (
    ("?", "Everywhere"), (ESCAPE, "progress"), ("o", "Sort by"), (ESCAPE, "progress"), ("j", "progress"),
    ("/", "progress"), ("nothing", "No run fits"), (ESCAPE, "progress"), (" ", "1 marked"), (" ", "2 marked"),
    ("v", "against"), (ESCAPE, "progress"), ("U", "progress"),
    (ENTER, "sparsity"), ("u", "by epoch"), ("c", "by sparsity"), ("w", "layers"), ("d", "embedding_dim"),
    ("v", "events.jsonl: "), ("l", "engine.log: "), (ESCAPE, "progress"),
    ("1", "finetune"), ("3", "nobody waits"), ("4", "Inbox"), ("2", "progress"),
)  # fmt: skip


def run() -> list[Figure]:
    return list(soaking(600))


def soaking(seconds: float, warm: int = 2) -> Iterator[Figure]:
    with made.own_folders() as folder, engines(folder / "runs", LIVE) as names, on_terminal(_lth()) as app:
        app.until(names[-1], app.began)
        began, used, weights, keys = time.perf_counter(), app.cpu(), [], 0
        while time.perf_counter() - began < seconds or len(weights) < warm + 2:
            start = time.perf_counter()
            keys += _go_about(app)
            time.sleep(max(0.0, ROUND - (time.perf_counter() - start)))
            weights.append(app.memory())
        spent = time.perf_counter() - began
        share, written = 100 * (app.cpu() - used) / spent, len(app.since(began)) / spent / 1000
    counted = weights[warm:]
    half = len(counted) // 2
    grown = median(counted[half:]) - median(counted[:half])
    note = "MB after each round: " + ", ".join(f"{weight / MB:.1f}" for weight in weights)
    of = f"{spent:.0f} s beside {LIVE} live runs, {keys} keys to all screens"
    yield Figure("soak", f"{of}: memory grown by", grown / MB, "MB", **at_most(grown / MB, 2, "MB"), note=note)
    yield Figure("soak", f"{of}: CPU", share, "% of a core")
    yield Figure("soak", f"{of}: to the terminal", written, "KB/s")


def _go_about(app: Terminal) -> int:
    """Once through all screens; how many keys that took."""
    for keys, words in TOUR:
        app.until(words, app.send(keys))
        app.quiet(0.3, most=1.0)
    return len(TOUR)
