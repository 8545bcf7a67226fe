"""Is it a winning ticket? A paired comparison over seeds, and a verdict with its reasons.

Test accuracies, paired by seed. Two questions, both to be answered with yes: does the ticket match the dense network
at 50 % sparsity or more, and does it beat fresh weights under its own mask? `python -m tests.bench verdict` shows by
simulation how often the answers are wrong.

Nine arms fall into four kinds. `ticket` is judged. `reinit` is the question itself, so it is tested alone, at 5 %. The
other controls (shuffle, random, same-sign, reinit-own, small-dense, and any arm this module does not know) say why a
ticket wins; Holm corrects them among themselves, so that asking for more of them takes nothing from the first question.
`finetune` and `lr-rewind` are rival ways to retrain, no controls: two-sided, whether the ticket differs from them, with
a Holm family of their own.

A run that is extended because it was undecided gets another chance to claim falsely: from 3 to 5 to 10 seeds, all at
5 %, it does so in 10.5 % of the simulated runs. So the k-th look is held to 5 % / k², tests and intervals alike
(repeated confidence intervals, Jennison and Turnbull 1989), which leaves 5.5 %; and 4.9 % where seeds are added one by
one from 3 to 10, instead of 13.4 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from engine import paired, sentence
from engine.paired import LEVEL, PRIMARY, RIVALS, Comparison, Matching

ENOUGH = 0.5  # sparsity from which a matching ticket counts as sparse
REGION = (0.5, 0.95)  # sparsities over which the ticket is compared with the other arms


@dataclass(frozen=True)
class Results:
    """Test accuracies as arrays: dense [seeds], each arm [rounds, seeds], for pruned rounds of `sparsity` [rounds].

    Arms other than the ticket and reinit may lack networks; nan stands there.
    """

    sparsity: np.ndarray
    dense: np.ndarray
    arms: dict[str, np.ndarray]


def decide(results: Results, margin: float, looks: int = 1) -> tuple[bool | None, Matching, dict[str, Comparison]]:
    """True if matching reaches 50 % sparsity and reinit is beaten; False if one of them is excluded; else None.

    Excluded is what lies beyond a bound of 97.5 %: of two ways to lose, each gets half of the 5 %.
    """
    level = paired.level_of(looks)
    match = paired.matching(results.arms["ticket"] - results.dense, margin, level)
    chosen = region(results.sparsity)
    others = {name: values[chosen] for name, values in results.arms.items() if name != "ticket"}
    beaten = paired.against(results.arms["ticket"][chosen], others, level)
    if results.sparsity.max() < ENOUGH - 1e-9 or PRIMARY not in beaten:
        return None, match, beaten
    needed = _needed(results.sparsity)
    if match.rounds >= needed and beaten[PRIMARY].p < LEVEL:
        return True, match, beaten
    if match.short(margin, needed) or beaten[PRIMARY].high < 0:
        return False, match, beaten
    return None, match, beaten


def region(sparsity: np.ndarray) -> np.ndarray:
    """Which rounds compare the ticket with other arms: those of 50 to 95 % sparsity, or all if there are none."""
    inside = (sparsity >= REGION[0] - 1e-9) & (sparsity <= REGION[1] + 1e-9)
    return inside if inside.any() else np.ones_like(inside)


def _needed(sparsity: np.ndarray) -> int:
    """How many rounds have to match: those up to the first of 50 % sparsity, or all if none is so sparse."""
    return min(int((sparsity < ENOUGH - 1e-9).sum()) + 1, len(sparsity))


def seeds_to_decide(results: Results, margin: float, looks: int = 1, most: int = 100) -> int | None:
    """About how many seeds would decide, were every further one like the mean of those seen; None if over `most`."""
    core = {name: results.arms[name] for name in ("ticket", PRIMARY)}
    seen = Results(results.sparsity, results.dense, core)
    for count in range(len(results.dense) + 1, most + 1):
        if decide(_stretched(seen, count), margin, looks)[0] is not None:
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
    """Results from the rounds of `lth show --json`, and the seeds left out.

    Left out is a seed that lacks a number of dense, the ticket or reinit. Another arm's missing number is nan: that arm
    is compared where it was trained.
    """
    known = (r for r in rounds if r["round"] > 0 and r["sparsity"] is not None)
    pruned = sorted(known, key=lambda r: r["sparsity"])
    missing = [None] * len(seeds)
    dense = next((_accuracies(r, "dense", missing) for r in rounds if r["round"] == 0), missing)
    table = {arm: [_accuracies(r, arm, missing) for r in pruned] for arm in arms}
    needed = [dense, *(row for arm in ("ticket", PRIMARY) for row in table.get(arm, []))]
    whole = [i for i in range(len(seeds)) if all(row[i] is not None for row in needed)]

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


def differences(rounds: Sequence[dict[str, Any]], arms: Sequence[str]) -> list[dict[str, Any]]:
    """For every pruned round ticket - dense and ticket - each other arm, over the seeds that have both.

    Each with its paired two-sided 95 % interval (null for one seed), as if it were the only one ever looked at: not
    adjusted for the other rounds and arms, nor for earlier looks. They show; the verdict decides.
    """
    dense = next((_accuracies(r, "dense", []) for r in rounds if r["round"] == 0), [])
    found = []
    for round_ in sorted(rounds, key=lambda r: r["round"]):
        ticket = _accuracies(round_, "ticket", [])
        if round_["round"] == 0 or not ticket:
            continue
        others = {"dense": dense} | {arm: _accuracies(round_, arm, []) for arm in arms if arm != "ticket"}
        shown = {}
        for name, values in others.items():
            pairs = zip(ticket, values, strict=False)
            if both := [mine - theirs for mine, theirs in pairs if mine is not None and theirs is not None]:
                gap, ci95 = paired.interval(both)
                shown[name] = {"gap": gap, "ci95": ci95}
        entry = {"round": round_["round"], "sparsity": round_["sparsity"]}
        found.append(entry | {"adjusted": False, "differences": shown})
    return found


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


def verdict(
    seeds: Sequence[int], rounds: Sequence[dict[str, Any]], arms: Sequence[str], margin: float, looks: int = 1
) -> dict:
    """The verdict of a run as `lth show --json` prints it, its reasons and one plain sentence included.

    `looks` counts how often the run has come to its end: 1, and one more each time it was extended. Beside DESIGN's
    keys: `rivals`, as `against` but with a two-sided p; `partial`, the arms that were not compared everywhere; and
    `rounds`, see `differences`.
    """
    results, left_out = collect(seeds, rounds, arms)
    used = len(results.dense)
    base: dict[str, Any] = {
        "winning_ticket": None,
        "matching_round": None,
        "matching_sparsity": None,
        "margin": margin,
        "seeds": used,
        "looks": looks,
        "region": list(REGION),
        "against": {},
        "rivals": {},
        "partial": {},
        "rounds": differences(rounds, arms),
    }
    without = sentence.left_out(left_out)
    if rounds and all(r["round"] == 0 for r in rounds):
        return base | {"sentence": "No verdict: only the dense network was trained."}
    if used < 3 or not len(results.sparsity):
        return base | {"sentence": sentence.too_few(used) + without}
    decision, match, beaten = decide(results, margin, looks)
    if match.rounds:
        base["matching_round"] = match.rounds
        base["matching_sparsity"] = float(results.sparsity[match.rounds - 1])
    base["winning_ticket"] = decision
    inside = results.sparsity[region(results.sparsity)]
    if inside.min() < REGION[0] - 1e-9 or inside.max() > REGION[1] + 1e-9:  # no round lay in the region: all count
        base["region"] = [float(inside.min()), float(inside.max())]
    for name, c in beaten.items():
        base["rivals" if name in RIVALS else "against"][name] = {"gap": c.gap, "ci95": [c.low, c.high], "p": c.p}
        if (c.seeds, c.rounds) != (used, len(inside)):
            whole = {"of_seeds": used, "of_rounds": len(inside)}
            base["partial"][name] = {"seeds": c.seeds, "rounds": c.rounds} | whole
    for name in results.arms:
        if name != "ticket" and name not in beaten:
            base["partial"][name] = {"seeds": 0, "rounds": 0, "of_seeds": used, "of_rounds": len(inside)}
    short = match.short(margin, _needed(results.sparsity))
    words = sentence.of_verdict(base, results.sparsity.tolist(), short)
    if decision is None:
        words += _what_would_decide(results, margin, looks)
    return base | {"sentence": words + sentence.looks(looks) + sentence.partial(base["partial"]) + without}


def _what_would_decide(results: Results, margin: float, looks: int) -> str:
    if PRIMARY not in results.arms:
        return " Without the reinit arm nobody can say whether the initial weights matter."
    if results.sparsity.max() < ENOUGH - 1e-9:
        return f" No round reaches {ENOUGH * 100:.0f} % sparsity; add rounds."
    needed = seeds_to_decide(results, margin, looks + 1)
    return f" About {needed} seeds would decide." if needed else " More seeds than 100 would be needed."
