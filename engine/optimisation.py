"""One network in training, step by step: its optimizer, its learning rate, its mask."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.batches import Part, shuffled
from engine.halfway import Halfway, named
from engine.models import network
from engine.optimizers import AdamW, Optimizer, Sgd
from engine.pruning.mask import Mask, Weights
from engine.randomness import derive


@dataclass(frozen=True)
class Start:
    """Where an arm starts: weights, and the entries that live (layers without a mask live whole).

    It trains from step `begin` of the plan to its last, or from step 0 at the plan's `final` learning rate; in
    `module` where its network has another shape than the group's.
    """

    weights: Weights
    mask: Mask
    begin: int = 0
    final: bool = False
    module: nn.Module | None = None


@dataclass(frozen=True)
class Plan:
    """How every network of a group is trained. Data order and dropout follow from `seed`, epoch and step alone.

    A `copy` above 0 has another order and dropout: stability asks what they matter.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    lr_schedule: str
    warmup: float
    weight_decay: float
    max_norm: float
    patience: int
    seed: int
    optimizer: str = "adam"
    momentum: float = 0.0
    copy: int = 0

    def steps_an_epoch(self, texts: Part) -> int:
        """Optimizer steps in one pass over these texts."""
        return math.ceil(len(texts) / self.batch_size)

    def noise(self, purpose: str, *parts: int) -> int:
        """A seed for one purpose of this training."""
        return derive(self.seed, purpose, *parts, *((f"copy {self.copy}",) if self.copy else ()))


class Running:
    """One network in training: its optimizer, its mask, and the step it is at."""

    def __init__(self, start: Start, plan: Plan, module: nn.Module, texts: Part):
        self.plan, self.module, self.texts = plan, module, texts
        self.device = texts.tokens.device
        self.parameters = dict(module.named_parameters())
        network.load(module, start.weights)
        self.masked = [self.parameters[name] for name in start.mask]
        self.masks = [kept.to(self.device, self.parameters[name].dtype) for name, kept in start.mask.items()]
        _mask(self.masked, self.masks)
        self.trained = [weight for weight in self.parameters.values() if weight.requires_grad]
        self.optimizer = _optimizer(self.trained, plan)
        self.steps_an_epoch = plan.steps_an_epoch(texts)
        self.steps = plan.epochs * self.steps_an_epoch
        self.step = start.begin
        self.fixed = final_rate(plan, self.steps_an_epoch) if start.final else None
        self.dropout = torch.Generator(self.device)
        self.total, self.seen = torch.zeros((), device=self.device), 0

    def epoch(self, epoch: int) -> Iterator[None]:
        """Train to the end of this epoch, which may have begun already; yields before each step."""
        plan, module = self.plan, self.module
        skip = self.step - (epoch - 1) * self.steps_an_epoch
        if not skip:
            self.total.zero_()
            self.seen = 0
        module.train()
        for batch in shuffled(self.texts, plan.batch_size, plan.noise("order", epoch), skip):
            yield
            self._reseed(plan.noise("dropout", epoch, self.step))
            rate = learning_rate(plan, self.step, self.steps) if self.fixed is None else self.fixed
            self.optimizer.learning_rate = rate
            self.optimizer.zero_grad()
            loss = F.cross_entropy(module(batch.tokens, batch.lengths, self.dropout), batch.labels)
            loss.backward()
            # Both, always: the first keeps pruned weights out of the moments, the second keeps them at 0.0.
            _mask_gradients(self.masked, self.masks)
            if plan.max_norm:
                nn.utils.clip_grad_norm_(self.trained, plan.max_norm, foreach=True)
            self.optimizer.step()
            _mask(self.masked, self.masks)
            self.total += loss.detach() * len(batch.labels)
            self.seen += len(batch.labels)
            self.step += 1

    def tensors(self) -> dict[str, Tensor]:
        """Between two steps: the weights, what the optimizer remembers of each, and the epoch's loss so far."""
        moments = named(self.optimizer.moments(), "moments")
        return named(self.parameters, "weights") | moments | {"total": self.total.cpu()}

    def restore(self, halfway: Halfway, step: int, seen: int) -> None:
        """Be where the `tensors` of another were taken, at its step."""
        network.load(self.module, halfway.under("weights"))
        self.optimizer.restore(halfway.under("moments"))
        self.total.copy_(halfway.tensors["total"])
        self.step, self.seen = step, seen

    def loss(self) -> float:
        """Mean cross-entropy of the texts that the last epoch trained on, in nats."""
        return self.total.item() / self.seen

    def _reseed(self, seed: int) -> None:
        """A step's dropout follows from that step alone, so that a training may begin in the middle of an epoch."""
        self.dropout.manual_seed(seed)
        # transformers' networks draw from the generators that torch keeps itself
        if self.device.type == "cuda":
            torch.cuda.default_generators[self.device.index or 0].manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)


def _optimizer(weights: list[nn.Parameter], plan: Plan) -> Optimizer:
    if plan.optimizer == "sgd":
        return Sgd(weights, plan.learning_rate, plan.weight_decay, plan.momentum)
    return AdamW(weights, plan.learning_rate, plan.weight_decay)


def learning_rate(plan: Plan, step: int, steps: int) -> float:
    """Of step 0, 1, ... of `steps`: rises over the warm-up, then stays, or falls to 0 in a straight line."""
    rising = round(plan.warmup * steps)
    if step < rising:
        return plan.learning_rate * (step + 1) / rising
    return plan.learning_rate * ((steps - step) / (steps - rising) if plan.lr_schedule == "linear" else 1)


def final_rate(plan: Plan, steps_an_epoch: int) -> float:
    """The final learning rate, at which fine-tuning goes on: the mean over the last epoch.

    Of a rate that stays constant to the end it is that rate. One that falls to 0 in its last step would leave nothing
    to train at, so what Renda et al. (2020) call final is read off its last epoch.
    """
    steps = plan.epochs * steps_an_epoch
    return math.fsum(learning_rate(plan, step, steps) for step in range(steps - steps_an_epoch, steps)) / steps_an_epoch


@torch.no_grad()
def _mask(tensors: list, masks: list[Tensor]) -> None:
    if masks:
        torch._foreach_mul_(tensors, masks)


def _mask_gradients(weights: list[nn.Parameter], masks: list[Tensor]) -> None:
    """Some architectures have weights that a classifier does not use, and that so have no gradient."""
    pairs = [(weight.grad, mask) for weight, mask in zip(weights, masks, strict=True) if weight.grad is not None]
    _mask([gradient for gradient, _ in pairs], [mask for _, mask in pairs])
