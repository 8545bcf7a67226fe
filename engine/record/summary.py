"""What a run has found so far, folded from its events: the JSON of `lth show RUN --json`, and what the app draws.

Events are foreign text: one that makes no sense (see kinds.py) is counted and passed over. Kinds of a newer version are
passed over uncounted.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.record import barriers, events, extensions, rundir
from engine.record.kinds import COUNTS, KINDS, MEANS, Event, is_arm, is_round, is_seed, sound

Key = tuple[int, int, str]  # seed, round, arm: one trained network; "ticket 2" is the second copy of the ticket

METRICS = ("valid_accuracy", "valid_loss", "test_accuracy", "test_macro_f1", "test_loss", "best_epoch", "seconds")
REFERENCE = {  # what the reference shows of each seed, and what its event calls that
    "per_seed": "linear_test_accuracy",
    "test_macro_f1": "linear_test_macro_f1",
    "texts": "texts",
    "of": "of",
    "seconds": "seconds",
}
DATA = ("name", "classes", "class_names", "train", "valid", "test", "vocabulary", "note")


@dataclass
class Snapshot:
    """The events so far, sorted by what they are about; of two events about the same thing the later one counts."""

    started: Event = field(default_factory=dict)
    data: Event = field(default_factory=dict)
    references: dict[int, Event] = field(default_factory=dict)  # seed -> its linear reference
    rounds: dict[tuple[int, int], Event] = field(default_factory=dict)  # (seed, round) -> round_started
    trained: dict[Key, Event] = field(default_factory=dict)
    epochs: dict[Key, dict[int, Event]] = field(default_factory=dict)  # epoch -> its event
    stability: barriers.Found = field(default_factory=dict)  # (seed, arm) -> what was found between its copies
    warnings: dict[str, None] = field(default_factory=dict)  # in order, each once
    last: Event = field(default_factory=dict)  # the latest epoch or trained event: where the run is
    finished: Event = field(default_factory=dict)
    cause: str | None = None
    per_seed: Counter[int] = field(default_factory=Counter)  # events, to count those of foreign seeds
    skipped: int = 0


def fold(snapshot: Snapshot | None, fresh: Iterable[Event]) -> Snapshot:
    """Fold further events of `events.read` into a snapshot, which is changed and returned; None begins one."""
    snapshot = snapshot or Snapshot()
    for event in fresh:
        if event.get("event") not in KINDS:
            continue
        if sound(event):
            _take(snapshot, event)
        else:
            snapshot.skipped += 1
    return snapshot


def _take(snapshot: Snapshot, event: Event) -> None:
    kind = event["event"]
    if kind in ("epoch", "trained"):
        copy = f" {event['copy']}" if event.get("copy") else ""
        key = (event["seed"], event["round"], event["arm"] + copy)
        if kind == "trained":
            snapshot.trained[key] = event
        else:
            snapshot.epochs.setdefault(key, {})[event["epoch"]] = event
        snapshot.last = event
        snapshot.per_seed[event["seed"]] += 1
    elif kind == "round_started":
        snapshot.finished = {}  # an extended run has more to say than its verdict so far
        snapshot.rounds[event["seed"], event["round"]] = event
        snapshot.per_seed[event["seed"]] += 1
    elif kind == "reference":
        snapshot.references[event["seed"]] = event
        snapshot.per_seed[event["seed"]] += 1
    elif kind == "stability":
        snapshot.stability[event["seed"], event["arm"]] = event
        snapshot.per_seed[event["seed"]] += 1
    elif kind == "warning":
        snapshot.warnings[event["message"]] = None
    elif kind == "run_started":
        snapshot.started = event
    elif kind == "data_ready":
        snapshot.data = event
    elif kind == "run_finished":
        snapshot.finished, snapshot.cause = event, None
    else:
        snapshot.cause = event.get("cause")  # failed, or none any more once resumed


def curve(snapshot: Snapshot, seed: int, round_number: int, arm: str) -> list[Event]:
    """The epoch events of one network, in order of epoch: its learning curve."""
    return [event for _, event in sorted(snapshot.epochs.get((seed, round_number, arm), {}).items())]


def show(run: Path) -> dict[str, Any]:
    """`lth show RUN --json`: all about a run, from the moment it exists. Never raises on what stands in its files."""
    try:
        tail = events.read(run / events.FILE)
    except OSError as error:
        tail = events.Tail([], 0, 0)
        unreadable = {"event": "warning", "message": f"events.jsonl cannot be read ({error.strerror})"}
        return _shown(run, fold(None, [unreadable]), 0)
    return _shown(run, fold(None, tail.events), tail.bad)


def _shown(run: Path, snapshot: Snapshot, bad: int) -> dict[str, Any]:
    status = rundir.read_status(run)
    spec = extensions.spec(run)
    state = rundir.state(run, status)
    shown = view(run, state, spec, snapshot, bad=bad, cause=rundir.cause(status, state))
    return shown | {"unverified": rundir.unverified(run, status)}


def view(
    run: Path, state: str, spec: dict[str, Any], snapshot: Snapshot, *, bad: int = 0, cause: str | None = None
) -> dict[str, Any]:
    """What `show` gives, from parts a live viewer already has: `bad` of `events.read`, `rundir.cause`."""
    seeds = seeds_of(spec)
    known = set(seeds)
    finished = snapshot.finished
    if state == "failed":
        cause = cause or snapshot.cause
    data = {name: snapshot.data.get(name) for name in DATA}
    return {
        "id": run.name,
        "state": state,
        "created": rundir.created(run),
        "cause": cause if state in ("failed", "orphaned", "stopped") else None,
        "progress": progress(spec, snapshot, state),
        "spec": spec,
        "seeds": seeds,
        "machine": {name: snapshot.started.get(name) for name in ("versions", "device", "threads", "grouping")},
        "data": data | {"name": data["name"] or named(spec, "data")},
        "reference": _reference(snapshot, seeds) or finished.get("reference"),
        "rounds": _rounds(snapshot, seeds, arms_of(spec)),
        "stability": barriers.view(snapshot.stability, seeds) if question_of(spec) == "stability" else None,
        "diverged": [
            {"seed": seed, "round": number, "arm": arm.partition(" ")[0]}
            for (seed, number, arm), event in snapshot.trained.items()
            if event.get("diverged") and seed in known
        ],
        "verdict": finished.get("verdict"),
        "warnings": list(snapshot.warnings),
        "events_skipped": bad
        + snapshot.skipped
        + sum(count for seed, count in snapshot.per_seed.items() if seed not in known),
    }


def _reference(snapshot: Snapshot, seeds: list[int]) -> dict[str, Any] | None:
    """The linear reference: its mean test accuracy and, one entry a seed, what it hangs on; None of no seed."""
    told = [snapshot.references.get(seed) for seed in seeds]
    if not any(told):
        return None
    lists = {name: [event and event.get(key) for event in told] for name, key in REFERENCE.items()}
    return {"linear_test_accuracy": _mean([one for one in lists["per_seed"] if one is not None]), **lists}


def _rounds(snapshot: Snapshot, seeds: list[int], arms: list[str]) -> list[dict[str, Any]]:
    """The rounds with at least one trained network; densities and counts are means over the seeds that told them."""
    present: dict[int, set[str]] = {}
    known = set(seeds)
    for seed, number, arm in snapshot.trained:
        if seed in known:
            present.setdefault(number, set()).add(arm.partition(" ")[0])
    order = ["dense", *arms]
    return [
        {
            "round": number,
            **_shape(snapshot, seeds, number),
            "arms": {
                arm: _lists([_network(snapshot, seed, number, arm) for seed in seeds])
                for arm in sorted(found, key=lambda arm: (order.index(arm) if arm in order else len(order), arm))
            },
        }
        for number, found in sorted(present.items())
    ]


def _network(snapshot: Snapshot, seed: int, number: int, arm: str) -> Event | None:
    """A trained network; where it was trained twice the mean of both, their seconds added."""
    one, other = (snapshot.trained.get((seed, number, f"{arm} {copy}")) for copy in (1, 2))
    if one is None or other is None or one.get("diverged") or other.get("diverged"):
        return snapshot.trained.get((seed, number, arm), one and other and {"diverged": True})
    both = {name: [told[name] for told in (one, other) if told.get(name) is not None] for name in METRICS}
    return {name: sum(values) if name == "seconds" else _mean(values) for name, values in both.items()}


def _lists(networks: list[Event | None]) -> dict[str, list[Any]]:
    """One list a metric, one entry a seed; null where the network is missing or diverged."""
    own = ("parameters",) if any(network and "parameters" in network for network in networks) else ()
    return {
        metric: [None if network is None or network.get("diverged") else network.get(metric) for network in networks]
        for metric in (*METRICS, *own)
    }


def _shape(snapshot: Snapshot, seeds: list[int], number: int) -> dict[str, Any]:
    told = [snapshot.rounds[seed, number] for seed in seeds if (seed, number) in snapshot.rounds]
    shape: dict[str, Any] = {name: _mean([event[name] for event in told]) for name in MEANS}
    if not told:  # the event was lost; every network says its sparsity too
        found = [e["sparsity"] for (_, n, _), e in snapshot.trained.items() if n == number and "sparsity" in e]
        shape["sparsity"] = _mean([sparsity for sparsity in found if sparsity is not None])
    for name in COUNTS:
        mean = _mean([event[name] for event in told])
        shape[name] = None if mean is None else round(mean)
    for name in ("layers", "kinds"):
        of_each = [event.get(name) or {} for event in told]
        shape[name] = {
            part: _mean([one[part] for one in of_each if part in one])
            for part in dict.fromkeys(p for o in of_each for p in o)
        }
    return shape


def _mean(values: list[Any]) -> Any:
    """The mean; of equal values exactly that value, as adding and dividing would not give; None of nothing."""
    if not values or min(values) == max(values):
        return values[0] if values else None
    return math.fsum(values) / len(values)


def progress(spec: dict[str, Any], snapshot: Snapshot, state: str) -> dict[str, Any]:
    """Networks trained, of how many, as a fraction that also counts epochs; and the network last heard of."""
    seeds = set(seeds_of(spec))
    rounds = rounds_of(spec)
    of_a_seed = None if rounds is None else 1 + rounds * len(arms_of(spec))
    if question_of(spec) == "stability":
        of_a_seed = 2 * len(planned(spec))  # two copies of each network
    trainings = len(seeds) * of_a_seed if of_a_seed is not None and seeds else None
    trained = sum(seed in seeds for seed, _, _ in snapshot.trained)
    under_way = 0.0
    for key, curve_ in snapshot.epochs.items():
        if key[0] in seeds and key not in snapshot.trained:
            latest = curve_[max(curve_)]
            under_way += min(1.0, latest["epoch"] / (latest.get("epochs") or math.inf))
    fraction = min(1.0, (trained + under_way) / trainings) if trainings else None
    return {
        "trained": trained,
        "trainings": trainings,
        "fraction": 1.0 if snapshot.finished and state == "finished" else fraction,  # an arm may have been left out
        **{name: snapshot.last.get(name) for name in ("seed", "round", "arm", "epoch", "epochs")},
    }


def seeds_of(spec: dict[str, Any]) -> list[int]:
    """The spec's seeds, in order; those that are none are left out."""
    seeds = spec.get("seeds")
    return list(dict.fromkeys(filter(is_seed, seeds))) if isinstance(seeds, list) else []


def arms_of(spec: dict[str, Any]) -> list[str]:
    arms = spec.get("arms")
    return list(dict.fromkeys(filter(is_arm, arms))) if isinstance(arms, list) else []


def rounds_of(spec: dict[str, Any]) -> int | None:
    schedule = spec.get("schedule")
    rounds = schedule.get("rounds") if isinstance(schedule, dict) else None
    return rounds if is_round(rounds) else None


def planned(spec: dict[str, Any]) -> dict[int, int]:
    """The rounds that a run will have, and how often each was pruned: a moved ticket's round is that of its origin."""
    question, number = question_of(spec), origin_of(spec).get("round")
    if question is None or not isinstance(number, int) or not is_round(number):
        return {round_: round_ for round_ in range((rounds_of(spec) or 0) + 1)}
    return {0: 0, (1 if question == "transfer" else number): number}


def origin_of(spec: dict[str, Any]) -> dict[str, Any]:
    """What a run asks of the tickets of another; empty for an ordinary run."""
    origin = spec.get("origin")
    return origin if isinstance(origin, dict) else {}


def question_of(spec: dict[str, Any]) -> str | None:
    """`transfer` or `stability`; None for an ordinary run."""
    question = origin_of(spec).get("question")
    return question if question in ("transfer", "stability") else None


def named(spec: dict[str, Any], part: str) -> str | None:
    group = spec.get(part)
    name = group.get("name") if isinstance(group, dict) else None
    return name if isinstance(name, str) else None
