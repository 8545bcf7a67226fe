"""Times the steps of the engine's own training loop from inside: by `stop`, which `training.train` asks once a step.

So nothing of the loop is written again here: batches, forward, backward, masks and optimizer are what a run executes.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from engine import spec as specs
from engine import training
from engine.data.batches import Part
from engine.errors import Stopped
from engine.models import network
from engine.pruning import mask as masks
from engine.pruning.mask import Mask
from tests.bench import made


class Watch:
    """A `stop` that reads the clock: seconds a step, in blocks of `block` steps after `warm_up`, then asks to stop.

    On a GPU `synchronise` waits for the device where a block begins and ends, and nowhere between.
    """

    def __init__(
        self,
        blocks: int,
        warm_up: int,
        block: int = 1,
        synchronise: Callable[[], Any] = lambda: None,
        limit: float = 60,
    ):
        self.seconds: list[float] = []
        self.blocks, self.warm_up, self.block = blocks, warm_up, block
        self.synchronise, self.limit = synchronise, limit
        self.asked = 0
        self.created = self.began = time.perf_counter()

    @property
    def steps(self) -> int:
        """Steps that the texts must suffice for."""
        return self.warm_up + self.blocks * self.block + 1

    def __call__(self) -> bool:
        step, self.asked = self.asked, self.asked + 1
        if step < self.warm_up or (step - self.warm_up) % self.block:
            return False
        self.synchronise()
        now = time.perf_counter()
        if step > self.warm_up:
            self.seconds.append((now - self.began) / self.block)
        late = bool(self.seconds) and now - self.created > self.limit
        self.began = time.perf_counter()
        return late or len(self.seconds) >= self.blocks


def composed(model: str = "cnn", **settings: Any) -> specs.RunSpec:
    """The study's setting of a model: its card's defaults, batch 64, Adam 1e-3."""
    known = specs.settable(model)
    base = {"training.epochs": 1, "training.batch_size": 64, "training.learning_rate": 1e-3}
    chosen = base | made.own_models(model) | {key.replace("__", "."): value for key, value in settings.items()}
    return specs.compose(model, "ag_news", seeds=1, settings={key: v for key, v in chosen.items() if key in known})


def built(spec: specs.RunSpec, vocabulary: int, classes: int, seed: int = 0) -> tuple[nn.Module, training.Start]:
    """A network on the CPU with a start of fresh weights, half of those that `imp` prunes pruned."""
    module = network.build(spec.model, [str(number) for number in range(vocabulary)], classes)
    return module, training.Start(network.draw(module, seed), half(module))


def half(module: nn.Module) -> Mask:
    """A random half of every prunable layer, padding left out."""
    generator = torch.Generator().manual_seed(1)
    entries = masks.support(network.weights(module), network.padding(module))
    return {
        name: entries[name] & (torch.rand(entries[name].shape, generator=generator) < 0.5)
        for name, kind in network.kinds(module).items()
        if kind != "bias"
    }


def plan(spec: specs.RunSpec) -> training.Plan:
    return training.Plan(**spec.training.model_dump(), seed=0)


def step_seconds(
    module: nn.Module, start: training.Start, spec: specs.RunSpec, part: Part, watch: Watch
) -> list[float]:
    """Seconds a step of training `module`, as `watch` reads them."""
    if len(part) < watch.steps * spec.training.batch_size:
        raise ValueError(f"{len(part)} texts do not last for {watch.steps} steps")
    try:
        training.train({"ticket": start}, plan(spec), module, training.Texts(part, part, part), stop=watch)
    except Stopped:
        return watch.seconds
    raise AssertionError("the watch stops the training before its first epoch ends")
