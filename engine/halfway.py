"""A group of networks in training, put down between two steps and taken up again by another engine.

What a step does follows from the weights, the optimizer's moments and the number of the step alone (data order and
dropout are drawn from it), so whoever takes a training up comes to the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

_BETWEEN = "|"  # stands between the parts of a tensor's name; neither an arm nor a layer holds one


@dataclass(frozen=True)
class Halfway:
    """Where a group is: tensors, and plain values that JSON has (floats come back exactly)."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def under(self, *parts: str) -> dict[str, Tensor]:
        """The tensors that `named` put under these parts."""
        start = _BETWEEN.join((*parts, ""))
        return {name.removeprefix(start): one for name, one in self.tensors.items() if name.startswith(start)}


def named(tensors: Mapping[str, Tensor] | None, *parts: str) -> dict[str, Tensor]:
    """The tensors, on the CPU, under names that begin with `parts`."""
    return {_BETWEEN.join((*parts, name)): one.detach().cpu() for name, one in (tensors or {}).items()}


class Bookmark:
    """Where a group is kept while it trains. This one keeps nothing; the journal of a run has one that does."""

    def found(self) -> Halfway | None:
        """What an engine before this one kept of the group; asked once, before the first step."""
        return None

    def due(self) -> bool:
        """Whether it is time to keep; asked before every step, so it must cost nothing."""
        return False

    def keep(self, halfway: Halfway) -> None:
        """Keep this, which replaces what was kept before. Its tensors may change once this returns."""
