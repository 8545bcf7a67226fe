"""Runs held against one another: aligned by sparsity, differences with intervals, and the settings that differ.

The first run is the baseline. A round of another run is held against the baseline's round of the nearest density, if
the densities agree within 10 %; round 0 against round 0. Where both runs trained on the same texts of the same dataset,
split in the same way, networks of one seed share split and data, so their differences are taken seed by seed;
otherwise, or with fewer than two seeds in common, Welch's interval of two independent means is given.

The intervals are 95 % each, unadjusted for how many there are: they show, they prove nothing.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from engine.record import summary

NEAR = 0.1  # densities agree if they differ by at most this share of the larger one
_SPLIT = ("name", "file", "test_file", "text_column", "label_column", "valid_fraction", "train_size")
_COUNTS = ("train", "valid", "test")

Shown = dict[str, Any]  # `lth show --json` of a run
Networks = dict[int, float]  # seed -> the metric of its network


def compare(runs: Sequence[Shown], metric: str = "test_accuracy", arm: str | None = None) -> dict[str, Any]:
    """`lth compare --json` of two or more runs, each with its own id; `arm` leaves the other arms out.

    `settings`: dotted path -> run id -> value, those that are not the same everywhere; a run without such a setting is
    left out of it. `comparisons`: one a further run; its `alone` are the rounds that meet none of the baseline's.
    """
    baseline, *others = runs
    return {
        "metric": metric,
        "adjusted": False,
        "baseline": baseline["id"],
        "runs": [
            {key: run[key] for key in ("id", "state", "seeds")} | {"trained": bool(run["rounds"])} for run in runs
        ],
        "settings": settings(runs),
        "comparisons": [_against(baseline, other, metric, arm) for other in others],
    }


def arms_of(runs: Sequence[Shown]) -> list[str]:
    """Every arm that one of the runs has or will have, dense first."""
    spec = [arm for run in runs for arm in summary.arms_of(run["spec"])]
    trained = [arm for run in runs for round_ in run["rounds"] for arm in round_["arms"]]
    return list(dict.fromkeys(["dense", *spec, *trained]))


def _against(baseline: Shown, other: Shown, metric: str, arm: str | None) -> dict[str, Any]:
    same = _same_data(baseline, other)
    rounds, alone = [], []
    for round_ in other["rounds"]:
        mate = _nearest(round_, baseline["rounds"])
        if mate is None:
            alone.append(round_["round"])
            continue
        shared = [
            name for name in ("dense", "ticket", *mate["arms"]) if name in mate["arms"] and name in round_["arms"]
        ]
        arms = {}
        for name in dict.fromkeys(shared):
            one, two = _networks(baseline, mate, name, metric), _networks(other, round_, name, metric)
            if arm in (None, name) and one and two:
                arms[name] = _difference(one, two, same)
        of_baseline = {"baseline_round": mate["round"], "baseline_sparsity": mate["sparsity"]}
        rounds.append({"round": round_["round"], "sparsity": round_["sparsity"], **of_baseline, "arms": arms})
    return {"run": other["id"], "same_data": same, "rounds": rounds, "alone": alone}


def _nearest(round_: Shown, rounds: Sequence[Shown]) -> Shown | None:
    """The round of nearest density, if it is near enough; the dense round meets the dense one and no other."""
    if round_["round"] == 0:
        return next((one for one in rounds if one["round"] == 0), None)
    pruned = [one for one in rounds if one["round"] > 0 and one["sparsity"] is not None]
    if round_["sparsity"] is None or not pruned:
        return None
    density = 1 - round_["sparsity"]
    mate = min(pruned, key=lambda one: abs(1 - one["sparsity"] - density))
    larger = max(density, 1 - mate["sparsity"])
    return mate if abs(round_["sparsity"] - mate["sparsity"]) <= NEAR * larger + 1e-9 else None


def _networks(run: Shown, round_: Shown, arm: str, metric: str) -> Networks:
    """The networks of an arm that are known; none where the round lacks the arm."""
    values = round_["arms"].get(arm, {}).get(metric, [])
    return {seed: value for seed, value in zip(run["seeds"], values, strict=False) if value is not None}


def _same_data(one: Shown, two: Shown) -> bool:
    """Whether networks of one seed met the same texts: dataset and split settings agree, and so do the counts known."""
    data = [run["spec"].get("data") for run in (one, two)]
    if not all(isinstance(part, dict) and part.get("name") for part in data):
        return False
    counts = [(one["data"].get(name), two["data"].get(name)) for name in _COUNTS]
    return all(data[0].get(name) == data[1].get(name) for name in _SPLIT) and all(
        mine == theirs for mine, theirs in counts if None not in (mine, theirs)
    )


def _difference(one: Networks, two: Networks, same_data: bool) -> dict[str, Any]:
    """Means of both, their difference and its interval, over the seeds that are compared."""
    import numpy as np

    from engine import paired

    common = [seed for seed in one if seed in two] if same_data else []
    by_seed = len(common) >= 2
    first = [one[seed] for seed in common] if by_seed else list(one.values())
    second = [two[seed] for seed in common] if by_seed else list(two.values())
    with np.errstate(over="ignore", invalid="ignore"):  # a loss in a file can be any number
        if by_seed:
            gap, ci95 = paired.interval(np.subtract(second, first).tolist())
        else:
            gap, ci95 = paired.welch(first, second)
        means = [float(np.mean(values)) for values in (first, second)]
    return {
        "baseline": _finite(means[0]),
        "run": _finite(means[1]),
        "difference": _finite(gap),
        "ci95": ci95 if ci95 and all(map(isfinite, ci95)) else None,
        "paired": by_seed,
        "seeds": [len(first), len(second)],
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def settings(runs: Sequence[Shown]) -> dict[str, dict[str, Any]]:
    """The settings of the specs, and of the machines as far as they are known, that are not the same in all runs."""
    specs = [_flat(run["spec"]) for run in runs]
    machines = [
        {path: value for path, value in _flat({"machine": run["machine"]}).items() if value is not None} for run in runs
    ]
    found: dict[str, dict[str, Any]] = {}
    for trees, missing_counts in ((specs, True), (machines, False)):
        for path in dict.fromkeys(path for tree in trees for path in tree):
            told = {run["id"]: tree[path] for run, tree in zip(runs, trees, strict=True) if path in tree}
            first = next(iter(told.values()))
            if any(value != first for value in told.values()) or (missing_counts and len(told) < len(runs)):
                found[path] = told
    return found


def _flat(tree: dict[str, Any], before: str = "") -> dict[str, Any]:
    """The leaves of a tree by dotted path; a list is a leaf."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found
