"""Masks: which entries of which layers are kept. They are the truth about what is pruned; a weight being 0 is not.

A mask is a dict of boolean tensors, one a prunable layer. `support` has the same form and says which entries are
parameters at all: the embedding's padding row is none.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Mask = dict[str, Tensor]
Weights = dict[str, Tensor]


def support(weights: Weights, padding: tuple[str, int] | None = ("embedding.weight", 0)) -> Mask:
    """True for every entry that is a parameter: all but the row of the layer that `padding` names."""
    entries = {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in weights.items()}
    if padding is not None and padding[0] in entries:
        entries[padding[0]][padding[1]] = False
    return entries


def prune(scores: Weights, mask: Mask, rate: float | Mapping[str, float], scope: str) -> Mask:
    """Remove exactly `round(rate * alive)` of the kept entries, those of lowest score.

    `scope` "layerwise" counts and ranks inside each layer, each at its own rate where `rate` maps them; "global" over
    all of them together, at one rate. Of equal scores the earlier entry goes first (layers in their order, entries row
    by row), so ties never prune more. Returns a new mask; entries once pruned stay pruned.
    """
    rates = rate if isinstance(rate, Mapping) else dict.fromkeys(mask, rate)
    if scope == "layerwise":
        return {name: _without_lowest(scores[name][kept], kept, rates[name]) for name, kept in mask.items()}
    shared = {rates[name] for name in mask}
    if len(shared) > 1:
        raise ValueError("a global scope ranks all layers together at one rate")
    alive = torch.cat([scores[name][kept] for name, kept in mask.items()])
    every = torch.cat([kept.reshape(-1) for kept in mask.values()])
    kept = _without_lowest(alive, every, shared.pop())
    parts = kept.split([layer.numel() for layer in mask.values()])
    return {name: part.view_as(layer) for (name, layer), part in zip(mask.items(), parts, strict=True)}


def _without_lowest(alive: Tensor, kept: Tensor, rate: float) -> Tensor:
    """`kept` without the round(rate * n) lowest of its n scores `alive`, which stand in its row-major order."""
    count = round(rate * len(alive))
    if count == 0:
        return kept.clone()
    threshold = torch.kthvalue(alive, count).values
    lower, equal = alive < threshold, alive == threshold
    spare = count - lower.sum()
    gone = lower | (equal & (equal.cumsum(0) <= spare))
    result = kept.clone()
    result[kept] = ~gone
    return result


def permute(mask: Mask, entries: Mask, generator: torch.Generator) -> Mask:
    """The mask with its kept entries moved to random places of the same layer: densities stay, places do not."""
    permuted = {}
    for name, kept in mask.items():
        values = kept[entries[name]]
        moved = torch.zeros_like(kept)
        moved[entries[name]] = values[torch.randperm(len(values), generator=generator)]
        permuted[name] = moved
    return permuted


def densities(mask: Mask, entries: Mask) -> dict[str, float]:
    """Kept share of each layer; layers that may not be pruned have 1.0."""
    return {
        name: int(mask[name].sum()) / max(1, int(present.sum())) if name in mask else 1.0
        for name, present in entries.items()
    }


def count(mask: Mask, entries: Mask, kinds: dict[str, str]) -> dict[str, Any]:
    """Parameters, non-zeros, sparsity of the prunable ones, of all and of each kind, and each layer's density."""
    sizes = {name: int(present.sum()) for name, present in entries.items()}
    kept = {name: int(mask[name].sum()) if name in mask else size for name, size in sizes.items()}
    prunable = sum(sizes[name] for name in mask)
    parameters = sum(sizes.values())
    nonzero = sum(kept.values())

    def sparsity_of(kind: str) -> float:
        names = [name for name in sizes if kinds[name] == kind]
        return 1 - sum(kept[name] for name in names) / sum(sizes[name] for name in names)

    return {
        "sparsity": (parameters - nonzero) / prunable,
        "total_sparsity": (parameters - nonzero) / parameters,
        "parameters": parameters,
        "nonzero": nonzero,
        "kinds": {kind: sparsity_of(kind) for kind in dict.fromkeys(kinds.values())},
        "layers": densities(mask, entries),
    }
