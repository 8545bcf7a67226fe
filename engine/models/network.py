"""One way in front of all models: build by name, what kind each layer is, draw and load weights."""

import torch
from torch import nn

from engine import catalog
from engine.pruning.mask import Weights
from engine.spec import ModelSpec


def build(model: ModelSpec, vocabulary: int, classes: int) -> nn.Module:
    """The network a spec names, its weights not yet drawn. vocabulary counts padding and the unknown word."""
    settings = model.model_dump(exclude={"name"})
    return catalog.load(catalog.card("model", catalog.MODELS, model.name).build)(vocabulary, classes, settings)


def kind(layer: str, dimensions: int) -> str:
    """`embedding`, `encoder`, `head` or `bias` (every vector: biases and norms), for `schedule.prunable`."""
    if dimensions < 2:
        return "bias"
    part = layer.partition(".")[0]
    return part if part in ("embedding", "head") else "encoder"


def kinds(module: nn.Module) -> dict[str, str]:
    """Each layer's kind, in the order of the network."""
    return {name: kind(name, weight.dim()) for name, weight in module.named_parameters()}


def draw(module: nn.Module, seed: int) -> Weights:
    """Fresh weights from `seed` alone, by the model's own initialisers. Leaves a CPU `module` holding them."""
    module.initialise(torch.Generator().manual_seed(seed))  # type: ignore[operator]
    return weights(module)


def weights(module: nn.Module) -> Weights:
    """A copy of the network's weights, on the CPU."""
    return {name: weight.detach().to("cpu", copy=True) for name, weight in module.named_parameters()}
