"""The verdict in plain English, made from its JSON: one sentence that decides, and a few words on what it rests on."""

from collections.abc import Sequence
from typing import Any

from engine.paired import LEVEL, PRIMARY, level_of

ARMS = {
    "reinit": "random reinitialisation",
    "shuffle": "the shuffled mask",
    "random": "a random mask",
    "same-sign": "fresh weights of the same signs",
    "reinit-own": "pruning with fresh weights every round",
    "small-dense": "a dense network of its size",
    "finetune": "fine-tuning",
    "lr-rewind": "learning-rate rewinding",
}
_OPENING = {True: "A winning ticket", False: "No winning ticket", None: "Undecided"}


def of_verdict(found: dict[str, Any], ladder: Sequence[float], short: int) -> str:
    """The deciding sentence from the verdict's JSON. `ladder`: sparsities of the pruned rounds, in order.

    `short` is after how many rounds the ticket is known to fall short of the dense network; 0: it is not.
    """
    low, high = found["region"]
    seeds = _seeds(found["seeds"])
    if PRIMARY in found["against"]:
        where = f"between {_percent(low)} and {_percent(high)} %" if low < high else f"at {_percent(low)} %"
        parts = [f"{_matching(found, ladder, short)}, and {where} {_judged(PRIMARY, found['against'][PRIMARY], seeds)}"]
    else:
        parts = [f"{_matching(found, ladder, short)}, {seeds}"]
    others = {name: one for name, one in found["against"].items() if name != PRIMARY}
    also = "also " if found["against"].get(PRIMARY, {"p": 1})["p"] < LEVEL else ""
    beaten = {name: one for name, one in others.items() if one["p"] < LEVEL}
    better = {name: one for name, one in others.items() if one["ci95"][1] < 0}
    open_ = {name: one for name, one in others.items() if name not in beaten and name not in better}
    differing = {name: one for name, one in found["rivals"].items() if one["p"] < LEVEL}
    alike = [name for name in found["rivals"] if name not in differing]
    if beaten:
        parts.append(f"it {also}beats {_by(beaten)}")
    if better:
        parts.append(f"{_and([_arm(name) for name in better])} beat{'s' * (len(better) == 1)} it")
    if open_:
        parts.append(f"its lead over {_and([_arm(name) for name in open_], 'or')} may be chance")
    if differing:
        parts.append(f"it differs from {_by(differing, '+')}")
    if alike:
        parts.append(f"no difference from {_and([_arm(name) for name in alike], 'or')} is shown")
    return f"{_OPENING[found['winning_ticket']]}: {'; '.join(parts)}."


def _matching(found: dict[str, Any], ladder: Sequence[float], short: int) -> str:
    margin = found["margin"]
    points = f"(margin {100 * margin:g} point{'' if margin == 0.01 else 's'})"
    reached = found["matching_round"]
    if reached:
        words = f"up to {100 * found['matching_sparsity']:.1f} % sparsity the ticket matches the dense network {points}"
        return f"{words} but falls short of it at {100 * ladder[short - 1]:.1f} %" if short > reached else words
    first = f"at {100 * ladder[0]:.1f} % sparsity {points}"
    if short == 1:
        return f"the ticket falls short of the dense network already {first}"
    words = f"whether the ticket matches the dense network is open {first}"
    return f"{words}, but it falls short of it at {100 * ladder[short - 1]:.1f} %" if short else words


def _judged(name: str, one: dict[str, Any], seeds: str) -> str:
    """One comparison with its interval."""
    low, high = one["ci95"]
    if one["p"] < LEVEL:
        return f"it beats {_arm(name)} by {_points(one['gap'])}, {_interval(low, high)}, {seeds}"
    if high < 0:
        return f"{_arm(name)} beats it by {_points(-one['gap'])}, {_interval(-high, -low)}, {seeds}"
    lead = f"its lead over {_arm(name)}, {_points(one['gap'], '+')}"
    return f"{lead}, {_interval(low, high)}, {seeds}, may be chance"


def _by(compared: dict[str, dict[str, Any]], sign: str = "") -> str:
    """`the shuffled mask by 2.0 points, a random mask by 3.1 and ...`"""
    first, *rest = compared
    words = [f"{_arm(first)} by {_points(compared[first]['gap'], sign)}"]
    words += [f"{_arm(name)} by {_points(compared[name]['gap'], sign).removesuffix(' points')}" for name in rest]
    return _and(words)


def left_out(seeds: Sequence[int]) -> str:
    """Which seeds do not count."""
    names = ", ".join(map(str, seeds))
    return f" Left out, since a training is missing or diverged: seed {names}." if seeds else ""


def partial(arms: dict[str, dict[str, int]]) -> str:
    """Which arms were compared on fewer seeds or rounds, each with what it has and what there is; or not at all."""
    told = [
        f"{_arm(name)} ({one['seeds']} of {one['of_seeds']} seeds, {one['rounds']} of {one['of_rounds']} rounds)"
        for name, one in arms.items()
        if one["seeds"]
    ]
    words = f" Compared where both were trained: {_and(told)}." if told else ""
    never = [_arm(name) for name, one in arms.items() if not one["seeds"]]
    return f"{words} Not compared, trained for fewer than two seeds: {_and(never)}." if never else words


def looks(count: int) -> str:
    """What a further look at the data costs."""
    if count < 2:
        return ""
    return (
        f" {count} looks at the data: tests and intervals are held to {100 * level_of(count):.3g} % instead of "
        f"{100 * LEVEL:g} %, so that looking again claims falsely no more often."
    )


def too_few(seeds: int) -> str:
    return f"No verdict: {_seeds(seeds)} cannot tell a ticket from luck; 3 or more can."


def _arm(name: str) -> str:
    return ARMS.get(name, name)


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}".removesuffix(".0")


def _points(fraction: float, sign: str = "") -> str:
    return f"{100 * fraction:{sign}z.1f} points"


def _interval(low: float, high: float) -> str:
    return f"95 % CI [{100 * low:z.1f}, {100 * high:z.1f}]"


def _and(parts: Sequence[str], word: str = "and") -> str:
    return f" {word} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
