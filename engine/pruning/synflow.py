"""SynFlow: which weights carry the flow from the words to the outputs (Tanaka et al. 2020). It looks at no text."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.errors import BadInput, Stopped
from engine.models import network
from engine.pruning.criteria import Evidence
from engine.pruning.mask import Mask, Weights

ITERATIONS = 100


def synflow(evidence: Evidence) -> Weights:
    """|∂R/∂θ · θ| (Tanaka et al. 2020, algorithm 1), R what flows through the absolute weights; in 64 bits.

    From the present mask to this round's target in 100 iterations: the k-th leaves (1 - rate)^(k/100) of the entries,
    and the next one scores what it left. What the k-th removes has the score k - 101, below every flow, so that
    pruning the round's share removes just that, and for the last iteration the weakest of what then flows.
    Biases take no part in the flow and score 0. Raises BadInput for a network that is not homogeneous.
    """
    if not getattr(evidence.module, "homogeneous", False):
        # A gate or a softmax of doubled weights is not doubled, so no share of the output is a weight's own.
        raise BadInput(
            "schedule.criterion: synflow given, but the model has gates or attention, which no flow passes in "
            "proportion; give snip, grasp or magnitude."
        )
    module = network.twin(evidence.module).double()
    weights = dict(module.named_parameters())
    layers = {name: weights[name] for name in evidence.mask}
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(evidence.rewound[name].abs() if weight.dim() > 1 else torch.zeros_like(weight))
    mask = start = {name: kept.to(layers[name].device) for name, kept in evidence.mask.items()}
    removed = {name: torch.zeros_like(weight) for name, weight in layers.items()}
    for iteration in range(1, ITERATIONS):
        if evidence.stop():
            raise Stopped
        # From the first mask each time, so that the counts are those of one pruning, rounded once.
        share = 1 - (1 - evidence.rate) ** (iteration / ITERATIONS)
        left = evidence.prune(_scores(module, layers, mask, removed), start, share)
        for name, kept in left.items():
            removed[name][mask[name] & ~kept] = iteration - ITERATIONS - 1
        mask = left
    return {name: score.cpu() for name, score in _scores(module, layers, mask, removed).items()}


def _scores(module: nn.Module, layers: Mapping[str, nn.Parameter], mask: Mask, removed: Weights) -> dict[str, Tensor]:
    """How much of the flow goes through each entry of the mask; `removed` elsewhere."""
    with torch.no_grad():
        for name, weight in layers.items():
            weight.mul_(mask[name])
    flow = module.linear_flow()  # type: ignore[operator]
    gradients = torch.autograd.grad(flow, list(layers.values()), materialize_grads=True)
    return {
        name: torch.where(mask[name], weight.detach() * gradient, removed[name])
        for (name, weight), gradient in zip(layers.items(), gradients, strict=True)
    }
