"""Is it a winning ticket? A paired comparison over seeds, and a verdict with its reasons.

Test accuracies, paired by seed. Two questions, both to be answered with yes: does the ticket match the dense network
at 50 % sparsity or more, and does it beat fresh weights under its own mask?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.05
ENOUGH = 0.5  # sparsity from which a matching ticket counts as sparse
REGION = (0.5, 0.95)  # sparsities over which the ticket is compared with its controls


@dataclass(frozen=True)
class Results:
    """Test accuracies as arrays: dense [seeds], each arm [rounds, seeds], for pruned rounds of `sparsity` [rounds]."""

    sparsity: np.ndarray
    dense: np.ndarray
    arms: dict[str, np.ndarray]


@dataclass(frozen=True)
class Matching:
    """The fixed sequence of non-inferiority tests, in order of sparsity."""

    rounds: int  # how many rounds from the start match
    lower: np.ndarray  # one-sided 95 % lower bound of ticket - dense, each round
    upper: np.ndarray  # and the upper one
    error: np.ndarray  # standard error of the mean, each round
    freedom: float

    def short(self, margin: float, needed: int) -> bool:
        """Whether one of the first `needed` rounds lies below -margin for certain: any of so many, so Bonferroni."""
        ceiling = (self.lower + self.upper) / 2 + stdtrit(self.freedom, 1 - LEVEL / needed) * self.error
        return bool((ceiling[:needed] < -margin).any())


@dataclass(frozen=True)
class Comparison:
    """The ticket against one control: mean difference, two-sided 95 % interval, one-sided p (Holm-adjusted)."""

    gap: float
    low: float
    high: float
    p: float
    upper: float  # one-sided 95 % upper bound


def matching(difference: np.ndarray, margin: float) -> Matching:
    """One-sided 95 % tests of ticket - dense [rounds, seeds] against -margin, stopping at the first failure.

    A fixed sequence needs no correction. Few seeds give poor variances, so each round's is raised to the mean over
    rounds, which earns a fifth of the further rounds' degrees of freedom.
    """
    rounds, seeds = difference.shape
    variance = difference.var(axis=1, ddof=1)
    error = np.sqrt(np.maximum(variance, variance.mean()) / seeds)
    freedom = (seeds - 1) * (1 + (rounds - 1) / 5)
    reach = stdtrit(freedom, 1 - LEVEL) * error
    mean = difference.mean(axis=1)
    passed = mean - reach > -margin
    return Matching(int(np.logical_and.accumulate(passed).sum()), mean - reach, mean + reach, error, freedom)


def against(ticket: np.ndarray, controls: dict[str, np.ndarray]) -> dict[str, Comparison]:
    """The ticket's mean over rounds [rounds, seeds] against each control's: paired t over seeds, Holm over controls."""
    raw = {name: _paired((ticket - control).mean(axis=0)) for name, control in controls.items()}
    adjusted, floor = {}, 0.0
    for rank, name in enumerate(sorted(raw, key=lambda name: raw[name].p)):
        floor = max(floor, min(1.0, raw[name].p * (len(raw) - rank)))
        adjusted[name] = floor
    return {name: Comparison(c.gap, c.low, c.high, adjusted[name], c.upper) for name, c in raw.items()}


def _paired(difference: np.ndarray) -> Comparison:
    seeds = len(difference)
    gap, error = float(difference.mean()), float(difference.std(ddof=1)) / sqrt(seeds)
    t = gap / error if error else (inf if gap > 0 else -inf if gap < 0 else 0.0)
    two_sided, one_sided = stdtrit(seeds - 1, 1 - LEVEL / 2) * error, stdtrit(seeds - 1, 1 - LEVEL) * error
    p = 1 - stdtr(seeds - 1, t)
    return Comparison(gap, float(gap - two_sided), float(gap + two_sided), float(p), float(gap + one_sided))


def decide(results: Results, margin: float) -> tuple[bool | None, Matching, dict[str, Comparison]]:
    """True if matching reaches 50 % sparsity and reinit is beaten; False if a bound excludes one of them; else None."""
    match = matching(results.arms["ticket"] - results.dense, margin)
    chosen = region(results.sparsity)
    controls = {name: values[chosen] for name, values in results.arms.items() if name != "ticket"}
    beaten = against(results.arms["ticket"][chosen], controls)
    sparse = np.flatnonzero(results.sparsity >= ENOUGH - 1e-9)
    if not len(sparse) or "reinit" not in beaten:
        return None, match, beaten
    needed = int(sparse[0]) + 1
    if match.rounds >= needed and beaten["reinit"].p < LEVEL:
        return True, match, beaten
    if match.short(margin, needed) or beaten["reinit"].upper < 0:
        return False, match, beaten
    return None, match, beaten


def region(sparsity: np.ndarray) -> np.ndarray:
    """Which rounds compare the ticket with its controls: those of 50 to 95 % sparsity, or all if there are none."""
    inside = (sparsity >= REGION[0] - 1e-9) & (sparsity <= REGION[1] + 1e-9)
    return inside if inside.any() else np.ones_like(inside)


def seeds_to_decide(results: Results, margin: float, most: int = 100) -> int | None:
    """About how many seeds would decide, were every further one like the mean of those seen; None if over `most`."""
    seeds = len(results.dense)
    for count in range(seeds + 1, most + 1):
        if decide(_stretched(results, count), margin)[0] is not None:
            return count
    return None


def _stretched(results: Results, count: int) -> Results:
    """`count` seeds whose means, variances and covariances are those of the seeds seen."""
    seeds = len(results.dense)
    rounds = sum(len(values) for values in results.arms.values())
    table = np.vstack([results.dense[None], *results.arms.values()])
    mean = table.mean(axis=1, keepdims=True)
    # Columns of an orthonormal basis orthogonal to the constant keep means and rescale covariances exactly.
    basis = np.linalg.qr(np.column_stack([np.ones(count), np.eye(count)[:, : seeds - 1]]))[0][:, 1:]
    inner = np.linalg.qr(np.column_stack([np.ones(seeds), np.eye(seeds)[:, : seeds - 1]]))[0][:, 1:]
    wider = mean + (table - mean) @ inner @ basis.T * sqrt((count - 1) / (seeds - 1))
    assert len(wider) == rounds + 1
    parts = np.split(wider[1:], np.cumsum([len(values) for values in results.arms.values()])[:-1])
    return Results(results.sparsity, wider[0], dict(zip(results.arms, parts, strict=True)))


def collect(seeds: Sequence[int], rounds: Sequence[dict[str, Any]], arms: Sequence[str]) -> tuple[Results, list[int]]:
    """Results from the rounds of `lth show --json`, and the seeds left out because a number is missing."""
    known = (r for r in rounds if r["round"] > 0 and r["sparsity"] is not None)
    pruned = sorted(known, key=lambda r: r["sparsity"])
    missing = [None] * len(seeds)
    dense = next((_accuracies(r, "dense", missing) for r in rounds if r["round"] == 0), missing)
    table = {arm: [_accuracies(r, arm, missing) for r in pruned] for arm in arms}
    everything = [dense, *(row for rows in table.values() for row in rows)]
    whole = [i for i in range(len(seeds)) if all(row[i] is not None for row in everything)]

    def values(rows: list) -> np.ndarray:
        return np.array([[row[i] for i in whole] for row in rows], dtype=float).reshape(len(rows), len(whole))

    results = Results(
        sparsity=np.array([r["sparsity"] for r in pruned], dtype=float),
        dense=values([dense])[0],
        arms={arm: values(rows) for arm, rows in table.items()},
    )
    return results, [seed for i, seed in enumerate(seeds) if i not in whole]


def _accuracies(round_: dict[str, Any], arm: str, missing: list) -> list:
    return round_["arms"].get(arm, {}).get("test_accuracy", missing)


def best(rounds: Sequence[dict[str, Any]], margin: float) -> dict[str, float]:
    """Mean test accuracy of the dense network, and of the sparsest ticket within `margin` of it, over seeds so far.

    Without such a ticket, of the least sparse one. For lists; what it proves is the verdict's business.
    """
    dense, chosen = None, None
    for round_ in sorted((r for r in rounds if r["sparsity"] is not None), key=lambda r: r["sparsity"]):
        if (mean := _mean(round_, "dense")) is not None:
            dense = mean
        ticket = _mean(round_, "ticket")
        if ticket is not None and (chosen is None or (dense is not None and ticket >= dense - margin)):
            chosen = {"ticket": ticket, "sparsity": round_["sparsity"]}
    return ({} if dense is None else {"dense": dense}) | (chosen or {})


def _mean(round_: dict[str, Any], arm: str) -> float | None:
    known = [value for value in _accuracies(round_, arm, []) if value is not None]
    return sum(known) / len(known) if known else None


def verdict(seeds: Sequence[int], rounds: Sequence[dict[str, Any]], arms: Sequence[str], margin: float) -> dict:
    """The verdict of a run as `lth show --json` prints it, its reasons and one plain sentence included."""
    results, left_out = collect(seeds, rounds, arms)
    used = len(results.dense)
    base: dict[str, Any] = {
        "winning_ticket": None,
        "matching_round": None,
        "matching_sparsity": None,
        "margin": margin,
        "seeds": used,
        "looks": 1,
        "region": list(REGION),
        "against": {},
    }
    names = ", ".join(map(str, left_out))
    without = f" Left out, since a training is missing or diverged: seed {names}." if left_out else ""
    if rounds and all(r["round"] == 0 for r in rounds):
        return base | {"sentence": "No verdict: only the dense network was trained."}
    if used < 3 or not len(results.sparsity):
        few = f"{used} seed{'' if used == 1 else 's'}"
        return base | {"sentence": f"No verdict: {few} cannot tell a ticket from luck; 3 or more can.{without}"}
    decision, match, beaten = decide(results, margin)
    if match.rounds:
        base["matching_round"] = match.rounds
        base["matching_sparsity"] = float(results.sparsity[match.rounds - 1])
    base["winning_ticket"] = decision
    inside = results.sparsity[region(results.sparsity)]
    if inside.min() < REGION[0] - 1e-9 or inside.max() > REGION[1] + 1e-9:  # no round lay in the region: all count
        base["region"] = [float(inside.min()), float(inside.max())]
    base["against"] = {name: {"gap": c.gap, "ci95": [c.low, c.high], "p": c.p} for name, c in beaten.items()}
    return base | {"sentence": _sentence(results, decision, match, beaten, margin, used) + without}


def _sentence(
    results: Results,
    decision: bool | None,
    match: Matching,
    beaten: dict[str, Comparison],
    margin: float,
    seeds: int,
) -> str:
    points = f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"
    if match.rounds:
        first = (
            f"up to {results.sparsity[match.rounds - 1] * 100:.1f} % sparsity the ticket matches the dense network"
            f" (margin {points})"
        )
    else:
        worst = match.short(margin, 1)
        first = (
            f"the ticket falls short of the dense network already at {results.sparsity[0] * 100:.1f} % sparsity"
            if worst
            else f"whether the ticket matches the dense network is open at {results.sparsity[0] * 100:.1f} % sparsity"
        ) + f" (margin {points})"
    parts = [first]
    for name, c in beaten.items():
        numbers = f"{abs(100 * c.gap):.1f} points, 95 % CI [{100 * c.low:.1f}, {100 * c.high:.1f}]"
        if c.p < LEVEL:
            parts.append(f"it beats {name} by {numbers}")
        elif c.upper < 0:
            parts.append(f"{name} beats it by {numbers}")
        else:
            interval = f"95 % CI [{100 * c.low:.1f}, {100 * c.high:.1f}]"
            parts.append(f"its lead over {name}, {100 * c.gap:+.1f} points, {interval}, may be chance")
    opening = {True: "A winning ticket", False: "No winning ticket", None: "Undecided"}[decision]
    text = f"{opening}: {'; '.join(parts)}; {seeds} seeds."
    if decision is None:
        if "reinit" not in beaten:
            return text + " Without the reinit arm nobody can say whether the initial weights matter."
        if results.sparsity.max() < ENOUGH:
            return text + f" No round reaches {ENOUGH * 100:.0f} % sparsity; add rounds."
        needed = seeds_to_decide(results, margin)
        return text + (f" About {needed} seeds would decide." if needed else " More seeds than 100 would be needed.")
    return text
