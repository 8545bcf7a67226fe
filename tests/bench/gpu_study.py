"""The study's CNN setting on AG News, through the real engine, for as long as there is time."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

from engine import places, stats
from engine import spec as specs
from engine.data import published
from engine.process import launch
from engine.record import events, rundir, summary
from tests.bench import made
from tests.bench.figures import ROOT


def run(device: str, knobs: dict[str, Any], seconds: float, keep: Any) -> None:
    """Launch, follow, ask to stop at the deadline, and keep what the run's record then shows."""
    deadline = time.monotonic() + seconds - knobs["reserve"]
    source = _source()
    with made.own_folders() as folder:
        data = folder / "data" / "ag_news"
        if source is None:
            made.news_csv(data, *knobs["made_texts"])
        else:  # a link, so that its cache of encoded texts is not left beside the original
            data.parent.mkdir()
            data.symlink_to(source)
        keep({"data": str(source) if source else "a made-up set: AG News is in neither LTH_DATA nor shared/data"})
        settings = knobs["study_settings"] | {"device": device}
        spec = specs.compose("cnn", "ag_news", "imp", seeds=knobs["study_seeds"], settings=settings)
        made_run = launch.new_run(places.runs_root(), spec)
        engine = launch.start(made_run)
        try:
            with _ending_with_us(engine):
                _follow(made_run, engine, deadline, keep)
        finally:
            _kill(engine)
        keep(_results(made_run, spec))


def _source() -> Path | None:
    """Where AG News lies on this machine."""
    for folder in (places.data_root(), ROOT.parent / "shared" / "data", ROOT / "shared" / "data"):
        if published.fingerprint(folder / "ag_news") is not None:
            return (folder / "ag_news").resolve()
    return None


@contextmanager
def _ending_with_us(engine: subprocess.Popen) -> Iterator[None]:
    """The engine has a session of its own and would outlive us; here it must not, whoever ends us."""

    def ended(*_: Any) -> None:
        _kill(engine)
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _kill(engine: subprocess.Popen) -> None:
    if engine.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGKILL)  # our own child, not yet waited for
        engine.wait()


def _follow(run: Path, engine: subprocess.Popen, deadline: float, keep: Any) -> None:
    told = time.monotonic()
    while engine.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            status = rundir.read_status(run)
            done = (status.get("progress") or {}).get("fraction") or 0.0
            print(f"  study: {100 * done:.0f} % of what was asked, {deadline - told:.0f} s left", flush=True)
            keep({"run": summary.show(run)})
    if engine.poll() is None:
        asked = time.monotonic()
        launch.ask_to_stop(run)
        with suppress(subprocess.TimeoutExpired):
            engine.wait(timeout=20)
        keep({"seconds_to_stop": round(time.monotonic() - asked, 2)})


def _results(run: Path, spec: specs.RunSpec) -> dict[str, Any]:
    shown = summary.show(run)
    told = events.read(run / events.FILE).events
    epochs = [event["seconds"] for event in told if event["event"] == "epoch"]
    verdict = shown["verdict"]
    if verdict is None and shown["rounds"]:
        verdict = _verdict_so_far(shown, spec)
    return {
        "state": shown["state"],
        "cause": shown["cause"],
        "trainings": sum(event["event"] == "trained" for event in told),
        "median_epoch_seconds": median(epochs) if epochs else None,
        "verdict": verdict,
        "table": _table(shown),
        "run": shown,
        "log_tail": "" if shown["state"] in ("finished", "stopped") else _tail(run / "engine.log"),
    }


def _verdict_so_far(shown: dict[str, Any], spec: specs.RunSpec) -> dict[str, Any]:
    """Of the seeds whose rounds are complete; a seed that the deadline cut short is left out."""
    return stats.verdict(shown["seeds"], shown["rounds"], spec.arms, spec.verdict.margin)


def _table(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Mean test accuracies over the seeds there are, by round and arm."""
    rows = []
    for round_ in shown["rounds"]:
        row = {"round": round_["round"], "sparsity": round_["sparsity"]}
        for arm, lists in round_["arms"].items():
            known = [value for value in lists["test_accuracy"] if value is not None]
            row[arm] = round(sum(known) / len(known), 4) if known else None
            row[f"{arm} seeds"] = len(known)
        rows.append(row)
    return rows


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-2000:] if path.exists() else ""
