"""One way in front of all models: build by name, what kind each layer is, draw and load weights."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine import catalog
from engine.pruning.mask import Weights
from engine.spec import ModelSpec


def build(model: ModelSpec, words: Sequence[str], classes: int) -> nn.Module:
    """The network a spec names, its weights not yet drawn. `words[id]` is what an id of a text stands for.

    Raises BadInput where word vectors or a checkpoint that the spec names do not fit.
    """
    settings = model.model_dump(exclude={"name"})
    return catalog.load(catalog.card("model", catalog.MODELS, model.name).build)(words, classes, settings)


def narrower(model: ModelSpec, words: Sequence[str], classes: int, parameters: int) -> nn.Module | None:
    """The widest dense network like the spec's, but narrower, of at most so many parameters, its weights not yet drawn.

    Of the same layers, depth, filter widths, vocabulary and pooling, and as near to `parameters` as its widths allow;
    None where even the narrowest has more, and the spec's own widths where those have no more.

    Pretrained weights and word vectors cannot fit narrower layers, so all of its weights are fresh. Its word vectors
    are tuned though the spec's be static: random ones that never learn would be a baseline that is beaten too easily.
    Raises BadInput where a checkpoint's architecture does not narrow.
    """
    card = catalog.card("model", catalog.MODELS, model.name)
    settings = catalog.load(card.narrow)(model.model_dump(exclude={"name"}), len(words), classes, parameters)
    return None if settings is None else catalog.load(card.build)(words, classes, settings)


def kinds(module: nn.Module) -> dict[str, str]:
    """Each layer's kind for `schedule.prunable`, in the order of the network: `embedding`, `encoder`, `head`, `bias`.

    Every vector is a `bias`: biases, and what a normalisation learns. Of the others, those of an embedding or of what
    the model calls its head are that, and all else is the encoder. Layers that are not trained are `frozen`.
    """
    tables = {f"{name}.weight" for name, part in module.named_modules() if isinstance(part, nn.Embedding)}
    encoder = getattr(module, "encoder_prefix", None)

    def kind(name: str, weight: nn.Parameter) -> str:
        if not weight.requires_grad:
            return "frozen"
        if weight.dim() < 2:
            return "bias"
        if name in tables or name.startswith("embedding."):
            return "embedding"
        head = name.startswith("head.") if encoder is None else not name.startswith(encoder)
        return "head" if head else "encoder"

    return {name: kind(name, weight) for name, weight in module.named_parameters()}


def padding(module: nn.Module) -> tuple[str, int] | None:
    """The layer and the row of it that stand for padding, and so are no parameter of anything."""
    found: tuple[str, int] | None = getattr(module, "padding", ("embedding.weight", 0))
    return found


def output(module: nn.Module) -> list[str]:
    """The layers with a row a class: those of the last linear map, which tells the classes apart."""
    name = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)][-1]
    return [f"{name}.{layer}" for layer, _ in module.get_submodule(name).named_parameters()]


def pretrained(module: nn.Module) -> Weights:
    """What the network begins from besides its seed: a checkpoint's weights, or word vectors; empty for most."""
    found = getattr(module, "pretrained", None) or {}
    words = getattr(getattr(module, "embedding", None), "pretrained", None)
    return found if words is None else {"rows": words.rows, "embedding.weight": words.values}


def twin(module: nn.Module) -> nn.Module:
    """A copy to train in; what the network begins from is shared, since nothing changes it."""
    parts = (getattr(module, "pretrained", None), getattr(getattr(module, "embedding", None), "pretrained", None))
    return copy.deepcopy(module, {id(part): part for part in parts if part is not None})


def covered(module: nn.Module) -> int | None:
    """How many words have a pretrained vector; None for a network without such vectors."""
    words = getattr(getattr(module, "embedding", None), "pretrained", None)
    return None if words is None else len(words.rows)


def draw(module: nn.Module, seed: int, control: bool = False) -> Weights:
    """Weights to begin with: pretrained ones where the model has any, the others from `seed` by its own initialisers.

    `control` asks for those of the reinit arm, which keeps nothing pretrained but embeddings. Leaves a CPU `module`
    holding them.
    """
    module.initialise(torch.Generator().manual_seed(seed), control)  # type: ignore[operator]
    return weights(module)


def weights(module: nn.Module) -> Weights:
    """A copy of the network's weights, on the CPU."""
    return {name: weight.detach().to("cpu", copy=True) for name, weight in module.named_parameters()}


@torch.no_grad()
def load(module: nn.Module, found: Weights) -> None:
    """Give the network these weights."""
    for name, parameter in module.named_parameters():
        parameter.copy_(found[name])


@contextmanager
def twice_differentiable(module: nn.Module) -> Iterator[None]:
    """Inside, the network computes by operations that have second derivatives, in 32 bits, in evaluation mode too.

    cudnn differentiates recurrent networks only once, and only in training mode; fast attention only once.
    """
    with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
        module.twice_differentiable = True  # type: ignore[assignment]
        try:
            yield
        finally:
            module.twice_differentiable = False  # type: ignore[assignment]
