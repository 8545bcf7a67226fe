"""`record`: the index of runs and the event log."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from engine.record import history
from engine.record.events import EventLog
from tests.bench import made
from tests.bench.figures import ROOT, Figure, at_most, timed


def run(
    processes: int = 4, updates: int = 500, listed: int = 1000, rebuilt: int = 10_000, appends: int = 20_000
) -> list[Figure]:
    return [*_updates(processes, updates), *_listing(listed), *_rebuild(rebuilt), *_appending(appends)]


def _updates(processes: int, updates: int, runs_each: int = 10) -> list[Figure]:
    with made.own_folders() as folder:
        runs = made.finished_runs(folder / "runs", processes * runs_each)
        history.refresh(folder / "runs")
        alone, _ = _write([runs[:runs_each]], updates)
        together, notices = _write([runs[n::processes] for n in range(processes)], updates)
        stored = json.loads((folder / "runs" / "history.json").read_bytes())["runs"]
    last = {updates - 1 - n for n in range(min(runs_each, updates))}
    lost = sum((entry["best"] or {}).get("update") not in last for entry in stored.values())
    lost += processes * runs_each - len(stored)
    return [
        Figure(
            "record",
            f"{processes} processes x {updates} history updates",
            together,
            "s",
            f"one process x {updates}: {alone:.2f} s",
            processes * alone / together,
            target="none lost",
            met=not lost and not notices,
            note=f"{lost} lost, {notices} notices; {1000 * together / processes / updates:.2f} ms an update; "
            "ratio: against the same number one after another",
        )
    ]


def _write(groups: list[list[Path]], updates: int) -> tuple[float, int]:
    """Seconds, and notices, of as many processes as groups, each updating its own runs in turn. Raises if one fails."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.records", str(updates), *map(str, group)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for group in groups
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n", "a writer did not start"
    began = time.perf_counter()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [writer.communicate(timeout=300)[0] for writer in writers]
    seconds = time.perf_counter() - began
    if any(writer.returncode for writer in writers):
        raise RuntimeError("a writer of the history failed")
    return seconds, sum(int(text) for text in told)


def _writer(updates: int, group: list[Path]) -> None:
    from engine.record import rundir

    print("ready", flush=True)
    sys.stdin.readline()
    notices = 0
    for number in range(updates):
        run = group[number % len(group)]
        rundir.write_status(run, {"state": "finished", "best": {"update": number}})
        notices += history.fold(run.parent, run) is not None
    print(notices)


def _listing(count: int) -> list[Figure]:
    with made.own_folders() as folder:
        runs = folder / "runs"
        made.finished_runs(runs, count)
        history.refresh(runs)
        fresh, warm, rebuild = [], [], []
        for _ in range(5):
            rebuild += timed(lambda: history.reindex(runs))()
            history._storage.cache_clear()  # as a new process, that has parsed nothing
            fresh += timed(lambda: history.refresh(runs))()
            warm += timed(lambda: history.refresh(runs))()
    new, same, all_ = (1000 * median(times) for times in (fresh, warm, rebuild))
    note = f"{same:.1f} ms in a process that has listed before"
    against = f"reading all again: {all_:.0f} ms"
    return [Figure("record", f"listing {count:,} unchanged runs", new, "ms", against, all_ / new, note=note)]


def _rebuild(count: int) -> list[Figure]:
    with made.own_folders() as folder:
        runs = folder / "runs"
        made.finished_runs(runs, count)
        history.reindex(runs)
        seconds = [second for _ in range(3) for second in timed(lambda: history.reindex(runs))()]
    value = median(seconds)
    limit: dict[str, Any] = at_most(value, 1, "s") if count >= 10_000 else {}
    return [Figure("record", f"rebuilding the index of {count:,} runs", value, "s", **limit)]


def _appending(count: int) -> list[Figure]:
    fields = {"seed": 0, "round": 1, "arm": "ticket", "sparsity": 0.2, "epoch": 3, "epochs": 5, "valid_accuracy": 0.9}
    with made.own_folders() as folder:
        log = EventLog(folder)
        (quick,) = timed(lambda: [log.append("epoch", **fields) for _ in range(count)])()
        (durable,) = timed(lambda: [log.append("epoch", durable=True, **fields) for _ in range(count // 100)])()
        log.close()
    each, slow = 1e6 * quick / count, 1e6 * durable / (count // 100)
    against = f"waiting for the disk: {slow:,.0f} us"
    return [Figure("record", "appending an event", each, "us", against, slow / each)]


if __name__ == "__main__":
    _writer(int(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
