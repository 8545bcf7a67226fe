"""Tests paired by seed: does one network match another, does it beat it, and by how much.

Rows are rounds, columns are seeds, values are differences between two networks of the same seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.05
PRIMARY = "reinit"
RIVALS = ("finetune", "lr-rewind")


@dataclass(frozen=True)
class Matching:
    """The fixed sequence of non-inferiority tests, in order of sparsity."""

    rounds: int  # how many rounds from the start match
    lower: np.ndarray  # one-sided lower bound of ticket - dense, each round; 95 % at the first look
    upper: np.ndarray  # and the upper one
    error: np.ndarray  # standard error of the mean, each round
    freedom: float
    level: float

    def short(self, margin: float, needed: int) -> int:
        """The first of `needed` rounds, counted from 1, that lies below -margin for certain; 0: none does.

        Any of so many, so Bonferroni; at half the level, since being beaten by reinit is the other way to lose.
        """
        ceiling = (self.lower + self.upper) / 2 + stdtrit(self.freedom, 1 - self.level / 2 / needed) * self.error
        below = np.flatnonzero(ceiling[:needed] < -margin)
        return int(below[0]) + 1 if len(below) else 0


@dataclass(frozen=True)
class Comparison:
    """The ticket against one arm: mean difference, two-sided interval (95 % at the first look), p as it counts.

    p is one-sided against a control and two-sided against a rival, adjusted by Holm in its family and for the looks.
    """

    gap: float
    low: float
    high: float
    p: float
    seeds: int
    rounds: int


def level_of(looks: int) -> float:
    """The level of a test at the `looks`-th look at the data: 5 % / looks². See engine/stats.py."""
    return LEVEL / looks**2


def matching(difference: np.ndarray, margin: float, level: float = LEVEL) -> Matching:
    """One-sided tests of ticket - dense [rounds, seeds] against -margin, stopping at the first failure.

    A fixed sequence needs no correction. Few seeds give poor variances, so each round's is raised to the mean over
    rounds, which has more degrees of freedom than a round of its own.
    """
    seeds = difference.shape[1]
    variance = difference.var(axis=1, ddof=1)
    error = np.sqrt(np.maximum(variance, variance.mean()) / seeds)
    freedom = _freedom(difference, float(variance.mean()))
    reach = stdtrit(freedom, 1 - level) * error
    mean = difference.mean(axis=1)
    passed = mean - reach > -margin
    return Matching(int(np.logical_and.accumulate(passed).sum()), mean - reach, mean + reach, error, freedom, level)


def _freedom(difference: np.ndarray, variance: float) -> float:
    """Degrees of freedom of the mean variance over R rounds: (n - 1) R / (1 + (R - 1) ρ²).

    That is Satterthwaite's approximation where the differences of two rounds correlate by ρ. ρ shows in the variance
    that is left in the mean over rounds, (1 + (R - 1) ρ) / R of one round's. It is 1/2 at least, because all rounds
    share one dense network, and at most 1, where further rounds tell nothing new.
    """
    rounds, seeds = difference.shape
    if rounds == 1 or not variance:
        return float(seeds - 1)
    left = float(difference.mean(axis=0).var(ddof=1)) / variance
    correlation = min(max((rounds * left - 1) / (rounds - 1), 0.5), 1.0)
    return (seeds - 1) * rounds / (1 + (rounds - 1) * correlation**2)


def against(ticket: np.ndarray, arms: dict[str, np.ndarray], level: float = LEVEL) -> dict[str, Comparison]:
    """The ticket [rounds, seeds] against each other arm: a paired t over seeds, of means over the rounds both have.

    nan stands for a network an arm lacks; an arm that fewer than two seeds have is left out. `PRIMARY` is tested alone,
    `RIVALS` two-sided and corrected by Holm among themselves, and so are all others, the further controls.
    """
    tested = {name: _tested(ticket - values, level, two_sided=name in RIVALS) for name, values in arms.items()}
    found = {name: comparison for name, comparison in tested.items() if comparison is not None}
    controls = [name for name in found if name != PRIMARY and name not in RIVALS]
    for family in ((PRIMARY,), controls, RIVALS):
        for name, p in _holm({name: found[name].p for name in family if name in found}).items():
            found[name] = replace(found[name], p=min(1.0, p * LEVEL / level))
    return found


def _holm(raw: dict[str, float]) -> dict[str, float]:
    adjusted, floor = {}, 0.0
    for rank, name in enumerate(sorted(raw, key=lambda name: raw[name])):
        floor = max(floor, min(1.0, raw[name] * (len(raw) - rank)))
        adjusted[name] = floor
    return adjusted


def _tested(difference: np.ndarray, level: float, two_sided: bool) -> Comparison | None:
    """The paired t of a difference [rounds, seeds] that is nan where one of the two networks is missing."""
    both = np.isfinite(difference)
    counts = both.sum(axis=0)
    used = counts > 0
    seeds = int(used.sum())
    if seeds < 2:
        return None
    means = np.where(both, difference, 0.0).sum(axis=0)[used] / counts[used]
    gap, error = float(means.mean()), float(means.std(ddof=1)) / sqrt(seeds)
    t = gap / error if error else (inf if gap > 0 else -inf if gap < 0 else 0.0)
    reach = float(stdtrit(seeds - 1, 1 - level / 2)) * error
    p = float(2 * stdtr(seeds - 1, -abs(t)) if two_sided else stdtr(seeds - 1, -t))
    return Comparison(gap, gap - reach, gap + reach, p, seeds, int(both.any(axis=1).sum()))


def interval(differences: Sequence[float]) -> tuple[float, list[float] | None]:
    """The mean of one number a seed and its two-sided 95 % interval by t; no interval for fewer than two seeds."""
    values = np.array(differences, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, None
    reach = float(stdtrit(len(values) - 1, 1 - LEVEL / 2) * values.std(ddof=1) / sqrt(len(values)))
    return mean, [mean - reach, mean + reach]


def welch(first: Sequence[float], second: Sequence[float]) -> tuple[float, list[float] | None]:
    """The difference of means, second - first, of unpaired numbers, and its two-sided 95 % interval.

    Welch 1947: unequal variances. No interval where one of the two has fewer than two numbers.
    """
    one, two = np.array(first, dtype=float), np.array(second, dtype=float)
    gap = float(two.mean() - one.mean())
    if min(len(one), len(two)) < 2:
        return gap, None
    parts = np.array([one.var(ddof=1) / len(one), two.var(ddof=1) / len(two)])
    if not parts.sum():
        return gap, [gap, gap]
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / (len(one) - 1) + parts[1] ** 2 / (len(two) - 1))
    reach = float(stdtrit(freedom, 1 - LEVEL / 2) * sqrt(parts.sum()))
    return gap, [gap - reach, gap + reach]
