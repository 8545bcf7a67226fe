"""A made-up laboratory, the same to the last digit whenever and wherever it is made: runs of every state, a queue, a
machine. What would differ between two machines or two moments is set where the app asks for it.
"""

import itertools
import secrets
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from safetensors.numpy import save_file
from textual.widgets import Input

from engine import spec as specs
from engine.process import queue
from engine.randomness import NUMBERS
from engine.record import events, history, notes, pace, rundir, tickets
from lth_tui import meters, news, preferences
from lth_tui.app import LthApp
from lth_tui.screens import inbox, preview, runs

NOW = datetime.fromisoformat("2026-11-22T12:00")
GIB = 1 << 30
HOST = "lab"
LAYERS = {
    "embedding.weight": [24_002, 100],
    **{f"convolutions.{place}.weight": [100, 100, width] for place, width in enumerate((3, 4, 5))},
    **{f"convolutions.{place}.bias": [100] for place in range(3)},
    "head.weight": [4, 300],
    "head.bias": [4],
}
_BETWEEN = "(margin 1 point), and between 50.0 and 95.0 %"
WON = f"A winning ticket: up to 67.2 % sparsity the ticket matches the dense network {_BETWEEN} it beats random "
WON += "reinitialisation by 1.5 points, 95 % CI [1.3, 1.7], 3 seeds; it also beats the shuffled mask by 3.1 points."
GLOBAL = f"A winning ticket: up to 73.8 % sparsity the ticket matches the dense network {_BETWEEN} it beats random "
GLOBAL += "reinitialisation by 1.8 points, 95 % CI [1.5, 2.1], 3 seeds."
OPEN = f"Undecided: whether the ticket matches the dense network is open at 20.0 % sparsity {_BETWEEN} its lead over "
OPEN += "random reinitialisation, +0.2 points, 95 % CI [-0.4, 0.8], 3 seeds, may be chance."
LOST = f"No winning ticket: the ticket falls short of the dense network already at 20.0 % sparsity {_BETWEEN} random "
LOST += "reinitialisation beats it by 0.9 points, 95 % CI [0.4, 1.4], 3 seeds."
VERDICTS: dict[str, tuple[bool | None, str, float]] = {  # schedule -> winning, in words, the ticket's lead
    "imp": (True, WON, 0.0),
    "imp-global": (True, GLOBAL, 0.004),
    "late-500it": (None, OPEN, -0.006),
    "random": (False, LOST, -0.02),
}
CARDS = tuple(
    meters.Card(number, "NVIDIA H100 80GB HBM3", f"GPU-{number}", busy, used * GIB, 80 * GIB, celsius, watts)
    for number, (busy, used, celsius, watts) in enumerate([(0.97, 31, 66, 512.0), (0.63, 12, 58, 388.0)])
)
SAMPLE = meters.Sample(CARDS, None, 0.24, 64, (93 * GIB, 512 * GIB), (1400 * GIB, 3500 * GIB))


class Clock:
    """The time as everybody is told it."""

    def __init__(self) -> None:
        self.at = NOW

    def ago(self, **span: float) -> float:
        """Turn it to so long before NOW; seconds since 1970."""
        self.at = NOW - timedelta(**span)
        return self.time()

    def time(self) -> float:
        return self.at.replace(tzinfo=UTC).timestamp()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Stands still, in a zone that every machine knows."""
    clock = Clock()

    class Then(datetime):
        @classmethod
        def now(cls) -> datetime:
            return clock.at

    for module in (runs, inbox):
        monkeypatch.setattr(module, "datetime", Then)
    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield clock
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of that name with two GPUs, on which no engine starts and nothing moves."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LTH_SLOTS", "2")
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setattr(queue, "tend", lambda *_: None)
    monkeypatch.setattr(queue, "dispatch", lambda *_: [])
    monkeypatch.setattr(meters.Sampler, "sample", lambda _: SAMPLE)
    monkeypatch.setattr(meters.Trails, "drawn", lambda _, name, width: ("▁▂▂▃▅▆▇▆▅▃" * 9)[len(name) :][:width])
    monkeypatch.setattr(preview, "_free", lambda _: 2100 * 10**9)
    monkeypatch.setattr(pace, "seconds_an_epoch", lambda *_: 4.5)
    monkeypatch.setattr(Input.cursor_blink, "_default", False)
    monkeypatch.setattr(LthApp, "TICK", 3600.0)  # everything is looked at once


def run(
    runs: Path,
    clock: Clock,
    state: str,
    names: tuple[str, str, str],
    ago: dict[str, float],
    seeds: int = 3,
    **status: Any,
) -> tuple[Path, events.EventLog]:
    """A run that was made so long before NOW."""
    clock.ago(**ago)
    model, dataset, schedule = names
    settings = {"schedule.rounds": "6"} if schedule in VERDICTS else {}
    spec = specs.compose(model, dataset, schedule, seeds=seeds, settings=settings)
    made = rundir.create(runs, specs.dump(spec), *names)
    rundir.write_status(made, {"state": state, "process": {"host": HOST}, "device": "cuda", **status})
    return made, events.EventLog(made)


def begin(log: events.EventLog) -> None:
    versions = {"torch": "2.13.0", "python": "3.13.1"}
    log.append("run_started", versions=versions, device="cuda", threads=8, numbers=NUMBERS, grouping="together")
    counts = {"classes": 4, "train": 108_000, "valid": 12_000, "test": 7_600, "vocabulary": 24_002}
    names = ["World", "Sports", "Business", "Sci/Tech"]
    log.append("data_ready", name="ag_news", class_names=names, fingerprint="f", note="", **counts)


def train(log: events.EventLog, seed: int, number: int, lead: float, arms: tuple[str, ...]) -> None:
    """A round of one seed: its shape, and the arms that were trained."""
    left = 0.8**number
    sizes = {name: prod(shape) for name, shape in LAYERS.items()}
    layers = {name: 1.0 if name.endswith("bias") else left for name in LAYERS}
    count, alive = sum(sizes.values()), sum(round(sizes[name] * layers[name]) for name in LAYERS)
    kinds = {"embedding": 1 - left, "encoder": 1 - left, "head": 1 - left, "bias": 0.0}
    shape = {"sparsity": 1 - left, "total_sparsity": 1 - alive / count, "parameters": count, "nonzero": alive}
    log.append("round_started", seed=seed, round=number, layers=layers, kinds=kinds, arms=list(arms), **shape)
    falls = {"dense": 0.0, "ticket": 0.0011, "reinit": 0.0042, "shuffle": 0.0067}
    for place, arm in enumerate(arms):
        best = (
            0.912 + (lead if number else 0) - falls[arm] * number**1.4 + 0.0009 * ((7 * seed + 3 * number + place) % 5)
        )
        where = {"seed": seed, "round": number, "arm": arm, "sparsity": 1 - left}
        for epoch in range(1, 7):
            accuracy = best - 0.09 / epoch**1.5
            log.append("epoch", epoch=epoch, epochs=6, valid_accuracy=accuracy, valid_loss=1.1 - accuracy, **where)
        told = {
            "valid_accuracy": best,
            "valid_loss": 0.31,
            "test_accuracy": best - 0.004,
            "test_macro_f1": best - 0.006,
        }
        log.append("trained", best_epoch=6, test_loss=1.2 - best, seconds=21.0 + place, diverged=False, **told, **where)


def finished(
    runs: Path, clock: Clock, schedule: str, ago: dict[str, float], name: str | None = None, *tags: str
) -> Path:
    """A run of the CNN on AG News to its verdict."""
    won, sentence, lead = VERDICTS[schedule]
    end = clock.ago(**ago) + 2400
    reached = {True: 5, None: 1, False: 0}[won]
    best = {"dense": 0.9094, "ticket": 0.9094 + lead, "sparsity": 1 - 0.8 ** max(reached, 1)}
    ended = {
        "winning_ticket": won,
        "started": end - 2400,
        "updated": end,
        "finished": end,
        "best": best,
        "progress": {"fraction": 1.0},
    }
    made, log = run(runs, clock, "finished", ("cnn", "ag_news", schedule), ago, sentence=sentence, **ended)
    begin(log)
    for seed in range(3):
        log.append("reference", seed=seed, linear_test_accuracy=0.8984 + seed / 2000)
        for number in range(7):
            train(log, seed, number, lead, ("ticket", "reinit", "shuffle") if number else ("dense",))
    verdict = {"winning_ticket": won, "sentence": sentence, "matching_round": reached or None, "seeds": 3}
    log.append("run_finished", verdict=verdict, reference=None)
    log.close()
    keep(made, 7)
    notes.write(made, name=name, tags=list(tags))
    return made


def keep(run: Path, rounds: int) -> None:
    """The tickets of a run as far as they are looked at: weights that are all 0 and take no room on the disk."""
    head, end = {}, 0
    for name, shape in LAYERS.items():
        begin_, end = end, end + 4 * prod(shape)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin_, end]}
    told, shapes = orjson.dumps(head), orjson.dumps({"w": [8]}).decode()
    for seed in range(3):
        with (run / tickets.TICKETS / tickets.rewind(seed)).open("wb") as file:
            file.write(len(told).to_bytes(8, "little") + told)
            file.truncate(8 + len(told) + end)
        for number in range(rounds):
            mask = run / tickets.TICKETS / tickets.mask(seed, number)
            save_file({"w": np.zeros(1, np.uint8)}, mask, {"shapes": shapes})
    tickets.write_words(run, ["<pad>", "<unk>", "goal", "season", "the"])


def working(
    runs: Path, clock: Clock, names: tuple[str, str, str], card: int, fraction: float, ago: dict[str, float]
) -> Path:
    """A run with an engine, in the middle of it."""
    began = clock.ago(**ago)
    at = {"seed": 1, "round": 3, "arm": "reinit", "epoch": 4, "epochs": 6, "doing": "training", "gpu": f"GPU-{card}"}
    progress = {"fraction": fraction, "seconds_left": 3600 * (1 - fraction)}
    best = {"dense": 0.8712, "ticket": 0.8741, "sparsity": 0.36}
    made, log = run(runs, clock, "running", names, ago, started=began, best=best, progress=progress, **at)
    begin(log)
    for seed, last in ((0, 10), (1, 2)):
        for number in range(last + 1):
            train(log, seed, number, -0.03, ("ticket", "reinit", "shuffle") if number else ("dense",))
    for epoch in range(1, 5):
        accuracy = 0.86 - 0.1 / epoch
        where = {"seed": 1, "round": 3, "arm": "ticket", "epoch": epoch, "epochs": 6, "sparsity": 0.488}
        log.append("epoch", valid_accuracy=accuracy, valid_loss=1 - accuracy, **where)
    log.append(
        "warning", message="the dense network is 2.4 points below the linear reference: weak baselines make tickets"
    )
    log.close()
    (made / "engine.log").write_text("".join(f"seed 1 round 3 reinit: epoch {one} of 6\n" for one in range(1, 5)))
    return made


def made(runs: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """All runs of the laboratory, by what they are."""
    ids = itertools.count(0x3A51, 0x0B0D)
    monkeypatch.setattr(secrets, "token_hex", lambda _: f"{next(ids) % 0x10000:04x}")
    lab = {
        "won": finished(runs, clock, "imp", {"days": 8}, "baseline", "study", "figure-2"),
        "global": finished(runs, clock, "imp-global", {"days": 6}, None, "study"),
        "open": finished(runs, clock, "late-500it", {"days": 5}),
        "lost": finished(runs, clock, "random", {"days": 3}),
    }

    def over(name: str, state: str, names: tuple[str, str, str], ago: dict[str, float], **status: Any) -> None:
        end = clock.ago(**ago) + 600
        told = {"updated": end, **({} if state == "running" else {"finished": end})}
        lab[name], log = run(runs, clock, state, names, ago, **told, **status)
        log.close()

    why = "the GPU has no memory left; a smaller training.batch_size (now 64) or model would fit"
    best = {"dense": 0.8655, "ticket": 0.8671, "sparsity": 0.488}
    over("failed", "failed", ("lstm", "imdb", "imp"), {"days": 2}, cause=why, progress={"fraction": 0.12})
    over("stopped", "stopped", ("gru", "dbpedia", "imp"), {"days": 1}, best=best, progress={"fraction": 0.55})
    over("orphaned", "running", ("cnn", "sst2", "imp"), {"hours": 22}, best=best, progress={"fraction": 0.71})
    lab["one"] = working(runs, clock, ("bert-tiny", "sst2", "bert-2020"), 0, 0.42, {"hours": 3})
    lab["two"] = working(runs, clock, ("cnn", "imdb", "snip"), 1, 0.31, {"minutes": 50})
    for name, names, ago in (
        ("first", ("lstm-2020", "yelp_polarity", "study-2020"), {"minutes": 12}),
        ("second", ("cnn", "pydoc", "one-shot-80"), {"minutes": 2}),
    ):
        lab[name], log = run(runs, clock, "queued", names, ago)
        log.close()
        queue.submit(lab[name])
    clock.at = NOW
    preferences.set(runs, news.SINCE, clock.time() - 7 * 86_400)
    spec = orjson.loads((lab["won"] / "spec.json").read_bytes())
    for preset in ("the study's CNN", "quick look"):
        preferences.keep_preset(runs, preset, spec)
    alive = rundir.alive
    at_work = {lab["one"].name, lab["two"].name}
    monkeypatch.setattr(rundir, "alive", lambda one, told: one.name in at_work or alive(one, told))
    history.refresh(runs)
    return lab
