"""Moves a ticket to a network that reads other words or tells other classes apart, and is otherwise the same.

Morcos et al. 2019 move tickets between datasets: what both networks have is carried, and the layer that tells the
classes apart is drawn anew and left whole where those differ. Over words there are rows to carry too, one a word.
"""

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from engine.data.alignment import Alignment
from engine.pruning.mask import Mask, Weights


def carry(
    weights: Weights,
    mask: Mask,
    found: Alignment,
    fresh: Weights,
    entries: Mask,
    table: str | None,
    output: Sequence[str],
    generator: torch.Generator,
) -> tuple[Weights, Mask]:
    """A ticket's weights and mask, for a network that begins from `fresh` weights and whose parameters are `entries`.

    `table` is the layer with a row a word, None where there is no such one; `output` are those with a row a class.
    Rows of words that both have carry weights and mask. Rows of new words keep their fresh weights, under a random mask
    of the carried rows' density, so that the sparsity stays what it was. Where the classes are the same, in any order,
    the output is carried by class; else it is fresh, and whole. All other layers are carried as they are, and nothing
    is shared with what was given. Raises ValueError where a layer cannot be carried.
    """
    for name, weight in fresh.items():
        rows_apart = name == table or name in output  # of these the rows may be others
        had = weights[name].shape if name in weights else ()
        if had[rows_apart:] != weight.shape[rows_apart:] or (name in mask and mask[name].shape != had):
            raise ValueError(f"its layer {name} is of {list(had)}, the network's of {list(weight.shape)}")
    if table is not None and max(row or 0 for row in found.words) >= len(weights[table]):
        raise ValueError(f"its layer {table} has no rows for all of its words")
    moved = {name: weights[name].clone() for name in fresh}
    kept = {name: layer.clone() for name, layer in mask.items()}
    if table is not None and (
        weights[table].shape[0] != fresh[table].shape[0] or any(row != place for place, row in enumerate(found.words))
    ):
        places = torch.tensor([place for place, row in enumerate(found.words) if row is not None])
        rows = torch.tensor([row for row in found.words if row is not None])
        moved[table] = _into(fresh[table], places, weights[table][rows])
        if table in mask:
            new = entries[table].clone()
            new[places] = False
            there = entries[table][places]
            density = Fraction(int(mask[table][rows].sum()), max(1, int(there.sum())))
            kept[table] = _into(_random(new, density, generator), places, mask[table][rows])
    for name in output:
        old = None if found.classes is None else torch.tensor(found.classes)
        moved[name] = fresh[name].clone() if old is None else weights[name][old]
        if name in mask:
            kept[name] = entries[name].clone() if old is None else mask[name][old]
    return moved, kept


def _into(layer: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    """A copy of the layer with these rows at those places."""
    filled = layer.clone()
    filled[places] = rows
    return filled


def _random(free: Tensor, density: Fraction, generator: torch.Generator) -> Tensor:
    """A mask of exactly round(density * n) of the n free entries, drawn uniformly."""
    count = int(free.sum())
    chosen = torch.zeros(count, dtype=torch.bool)
    chosen[torch.randperm(count, generator=generator)[: round(density * count)]] = True
    drawn = torch.zeros_like(free)
    drawn[free] = chosen
    return drawn
