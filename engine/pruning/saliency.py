"""SNIP and GraSP: what a weight is worth to the loss, or to the gradient, of the whole network before it is trained.

Both are single shot: they look at the weights of the rewind point, nothing pruned, however many rounds came before.
The papers take one batch of images; here the loss is over all training texts, since a batch of texts has few of the
vocabulary's words, and the vectors of all others would score 0.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.batches import by_length
from engine.errors import Stopped
from engine.models import network
from engine.pruning.criteria import Evidence
from engine.pruning.mask import Weights


def snip(evidence: Evidence) -> Weights:
    """|θ · g|, g the loss's gradient (Lee et al. 2019; dividing by the sum, as they do, changes no order)."""
    layers = _whole(evidence)
    with network.twice_differentiable(evidence.module):
        gradients = _gradients(evidence)
    return {name: _scores(weight, gradients.get(name)).abs() for name, weight in layers.items()}


def grasp(evidence: Evidence) -> Weights:
    """θ · (H g), g the loss's gradient and H its Hessian (Wang et al. 2020, algorithm 1; no temperature).

    The paper removes the highest of −θ · (H g), which are the lowest here: weights that hold the gradient's norm back.
    That norm is over all that is trained, prunable or not. H g is exact: the gradient of <g(θ), g> for a g held still.
    """
    layers = _whole(evidence)
    with network.twice_differentiable(evidence.module):
        still = _gradients(evidence)
        weights = dict(evidence.module.named_parameters())
        flowing = [weights[name] for name in still]
        for loss in _losses(evidence):
            gradients = torch.autograd.grad(loss, flowing, create_graph=True, allow_unused=True)
            pairs = [(now, held) for now, held in zip(gradients, still.values(), strict=True) if now is not None]
            torch.stack([(now * held).sum() for now, held in pairs]).sum().backward(inputs=list(layers.values()))
        products = _taken(evidence.module)
    return {name: _scores(weight, products.get(name)) for name, weight in layers.items()}


@torch.no_grad()
def _whole(evidence: Evidence) -> dict[str, nn.Parameter]:
    """The prunable layers of the module, which now holds the weights of the rewind point, and drops nothing."""
    evidence.module.eval()
    evidence.module.zero_grad(set_to_none=True)
    weights = dict(evidence.module.named_parameters())
    for name, weight in weights.items():
        weight.copy_(evidence.rewound[name])
    for name, present in evidence.whole.items():
        weights[name].mul_(present.to(weights[name].device))
    return {name: weights[name] for name in evidence.mask}


def _losses(evidence: Evidence) -> Iterator[Tensor]:
    """Of each batch its part of the mean cross-entropy over all texts, so that they add up to it."""
    for batch in by_length(evidence.train, evidence.batch_size):
        if evidence.stop():
            raise Stopped
        logits = evidence.module(batch.tokens, batch.lengths)
        yield F.cross_entropy(logits, batch.labels, reduction="sum") / len(evidence.train)


def _gradients(evidence: Evidence) -> Weights:
    for loss in _losses(evidence):
        loss.backward()
    return _taken(evidence.module)


def _taken(module: nn.Module) -> Weights:
    """The gradients that have gathered, out of the module; layers that a classifier does not use have none."""
    gathered = {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}
    module.zero_grad(set_to_none=True)
    return gathered


def _scores(weight: Tensor, factor: Tensor | None) -> Tensor:
    return torch.zeros(weight.shape) if factor is None else (weight.detach() * factor).cpu()
