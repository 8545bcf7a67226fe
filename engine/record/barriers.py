"""What `lth stability` found, from its events: error barriers along the line between two copies of a network.

Frankle et al. (2020) call a network stable where the error rises by less than 2 points between its copies.
"""

from statistics import fmean, stdev
from typing import Any

STABLE = 0.02  # a share of the validation texts

Found = dict[tuple[int, str], dict[str, Any]]  # (seed, arm) -> its event


def view(found: Found, seeds: list[int]) -> list[dict[str, Any]]:
    """An entry a network, the dense one first: lists have an entry a seed, null where it is missing or diverged."""
    networks: dict[tuple[int, str], list[dict[str, Any] | None]] = {}
    for (seed, arm), event in found.items():
        if seed in seeds:
            of = networks.setdefault((event["round"], arm), [None] * len(seeds))
            of[seeds.index(seed)] = event
    return [_network(number, arm, told) for (number, arm), told in sorted(networks.items())]


def _network(number: int, arm: str, told: list[dict[str, Any] | None]) -> dict[str, Any]:
    lists = {
        name: [None if event is None else event.get(name) for event in told]
        for name in ("barrier", "errors", "valid_accuracy", "test_accuracy", "sparsity")
    }
    barriers, sparsities = ([one for one in lists[name] if one is not None] for name in ("barrier", "sparsity"))
    return {
        "round": number,
        "arm": arm,
        **lists,
        "sparsity": fmean(sparsities) if sparsities else None,
        "stable": fmean(barriers) < STABLE if barriers else None,
        "alphas": next(event["alphas"] for event in told if event is not None),
    }


def sentence(found: list[dict[str, Any]]) -> str:
    """What was found, in one sentence; no claim about tickets being winning ones."""
    parts = []
    for one in found:
        known = [100 * barrier for barrier in one["barrier"] if barrier is not None]
        name = "the dense network" if one["round"] == 0 else f"the ticket of round {one['round']}"
        if one["round"] and one["sparsity"] is not None:
            name += f" ({100 * one['sparsity']:.1f} % sparsity)"
        if not known:
            parts.append(f"{name} diverged")
            continue
        spread = f" ± {stdev(known):.1f}" if len(known) > 1 else ""
        said = "is stable" if one["stable"] else "is not stable"
        parts.append(f"{name} {said}, with an error barrier of {fmean(known):.1f}{spread} points")
    if not parts:
        return "No two copies were compared."
    seeds = len(found[0]["barrier"])
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]} (below {100 * STABLE:g} is stable); {seeds} seed{'' if seeds == 1 else 's'}."
