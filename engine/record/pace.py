"""How long a run will take, from what this machine measured in earlier runs of the same networks on the same data."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from engine.record import events, finding, liveness, rundir

if TYPE_CHECKING:
    from engine.spec import RunSpec

_RECENT = 30  # runs looked at, newest first


def seconds_an_epoch(runs: Path, spec: dict[str, Any]) -> float | None:
    """Median seconds an epoch (validation included) in the newest run whose model, data and batches are `spec`'s."""
    wanted = _costs(spec)
    for run in finding.run_dirs(runs)[:_RECENT]:
        process = rundir.read_status(run).get("process")
        elsewhere = process is not None and not liveness.here(process)
        if elsewhere or _costs(rundir.read_json(run / "spec.json")) != wanted:
            continue
        with suppress(OSError):
            told = (e.get("seconds") for e in events.read(run / events.FILE).events if e["event"] == "epoch")
            known = [seconds for seconds in told if isinstance(seconds, int | float)]
            if known:
                return median(known)
    return None


def seconds_of_each(runs: Path, specs: Sequence["RunSpec"]) -> list[float | None]:
    """At most so many seconds will each run take, None where unknown; what costs the same is looked up once."""
    known: dict[str, float | None] = {}

    def seconds(spec: "RunSpec") -> float | None:
        tree = spec.model_dump(mode="json")
        key = repr(_costs(tree))
        if key not in known:
            known[key] = seconds_an_epoch(runs, tree)
        an_epoch = known[key]
        return None if an_epoch is None else an_epoch * spec.training.epochs * spec.trainings

    return [seconds(spec) for spec in specs]


def _costs(spec: dict[str, Any]) -> tuple[Any, ...]:
    training = spec.get("training")
    batch = training.get("batch_size") if isinstance(training, dict) else None
    return spec.get("model"), spec.get("data"), batch, spec.get("device"), spec.get("threads")
