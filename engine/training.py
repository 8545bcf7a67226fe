"""Trains a group of networks for one round under one plan, and evaluates them.

The group is the arms of a round. They are trained one after another here; nobody above this module knows or cares.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine import memory
from engine.data.batches import Part, by_length, shuffled
from engine.errors import Stopped
from engine.models import network
from engine.pruning.mask import Mask, Weights
from engine.randomness import derive

GROUPING = "one after another"
_EVALUATION_BATCH = 256


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


@dataclass(frozen=True)
class Texts:
    """The three sets of one replicate, on the device."""

    train: Part
    valid: Part
    test: Part


@dataclass(frozen=True)
class Metrics:
    """Of one network on one set, per example: accuracy and macro-F1 as fractions, mean cross-entropy in nats."""

    accuracy: float
    macro_f1: float
    loss: float


@dataclass(frozen=True)
class Trained:
    """A trained network at its best validation epoch. `test` was read once, after that epoch was chosen.

    `passed` are the weights before step `keep`, where those were asked for and the training came so far.
    """

    weights: Weights
    best_epoch: int
    valid: Metrics
    test: Metrics
    seconds: float
    passed: Weights | None = None


@dataclass(frozen=True)
class Diverged:
    """A training whose loss left the finite numbers, and the epoch it happened in."""

    epoch: int
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """What one epoch of one arm came to."""

    arm: str
    number: int
    train_loss: float
    valid: Metrics
    seconds: float


def train(
    group: Mapping[str, Start],
    plan: Plan,
    module: nn.Module,
    texts: Texts,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_trained: Callable[[str, Trained | Diverged], None] = lambda arm, trained: None,
    stop: Callable[[], bool] = lambda: False,
    keep: int | None = None,
) -> dict[str, Trained | Diverged]:
    """Train each arm of `group` in `module` (overwritten). Raises Stopped within a step of `stop()` becoming true."""
    results: dict[str, Trained | Diverged] = {}
    for arm, start in group.items():
        own = module if start.module is None else start.module.to(texts.train.tokens.device)
        results[arm] = _train_one(arm, start, plan, own, texts, on_epoch, stop, keep)
        on_trained(arm, results[arm])
    return results


def _train_one(
    arm: str,
    start: Start,
    plan: Plan,
    module: nn.Module,
    texts: Texts,
    on_epoch: Callable[[Epoch], None],
    stop: Callable[[], bool],
    keep: int | None,
) -> Trained | Diverged:
    began = perf_counter()
    run = _Running(start, plan, module, texts.train)
    passed: Weights | None = None
    best: tuple[int, Metrics, Weights] | None = None
    for epoch in range(start.begin // run.steps_an_epoch + 1, plan.epochs + 1):
        epoch_began = perf_counter()
        for _ in run.epoch(epoch):
            if stop():
                raise Stopped
            if run.step == keep:
                passed = network.weights(module)
        train_loss = run.loss()
        valid = evaluate(module, texts.valid, stop)
        if not (math.isfinite(train_loss) and math.isfinite(valid.loss)):
            return Diverged(epoch, perf_counter() - began)
        on_epoch(Epoch(arm, epoch, train_loss, valid, perf_counter() - epoch_began))
        memory.give_back()
        if best is None or valid.accuracy > best[1].accuracy:
            best = epoch, valid, network.weights(module)
        elif plan.patience and epoch - best[0] >= plan.patience:
            break
    assert best is not None, "a training begins before its last step"
    best_epoch, valid, weights = best
    if best_epoch != epoch:
        _load(run.parameters, weights)
    test = evaluate(module, texts.test, stop)
    return Trained(weights, best_epoch, valid, test, perf_counter() - began, passed)


def weights_at(
    step: int, start: Start, plan: Plan, module: nn.Module, texts: Texts, stop: Callable[[], bool] = lambda: False
) -> Weights:
    """The weights that a training passes before its step `step`: exactly those that `train` keeps there."""
    run = _Running(start, plan, module, texts.train)
    for epoch in range(start.begin // run.steps_an_epoch + 1, plan.epochs + 1):
        for _ in run.epoch(epoch):
            if stop():
                raise Stopped
            if run.step == step:
                return network.weights(module)
    raise AssertionError("a rewind point lies inside the training")


class _Running:
    """One network in training: its optimizer, its mask, and the step it is at."""

    def __init__(self, start: Start, plan: Plan, module: nn.Module, texts: Part):
        self.plan, self.module, self.texts = plan, module, texts
        self.device = texts.tokens.device
        self.parameters = dict(module.named_parameters())
        _load(self.parameters, start.weights)
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
        """Train to the end of this epoch, the first of which may have begun; yields before each step."""
        plan, module = self.plan, self.module
        skip = self.step - (epoch - 1) * self.steps_an_epoch
        self.total.zero_()
        self.seen = 0
        module.train()
        for batch in shuffled(self.texts, plan.batch_size, plan.noise("order", epoch), skip):
            yield
            self._reseed(plan.noise("dropout", epoch, self.step))
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(plan, self.step, self.steps) if self.fixed is None else self.fixed
            self.optimizer.zero_grad(set_to_none=True)
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


def _optimizer(weights: list[nn.Parameter], plan: Plan) -> torch.optim.Optimizer:
    groups = _groups(weights, plan.weight_decay)
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.learning_rate, momentum=plan.momentum, fused=True)
    return torch.optim.AdamW(groups, lr=plan.learning_rate, fused=True)


def _groups(weights: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Matrices decay; biases and what a normalisation learns do not (Devlin et al. 2019)."""
    decaying = [weight for weight in weights if weight.dim() > 1]
    others = [weight for weight in weights if weight.dim() < 2]
    groups = [{"params": decaying, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


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
def _load(parameters: Mapping[str, nn.Parameter], weights: Weights) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])


@torch.no_grad()
def _mask(tensors: list, masks: list[Tensor]) -> None:
    if masks:
        torch._foreach_mul_(tensors, masks)


def _mask_gradients(weights: list[nn.Parameter], masks: list[Tensor]) -> None:
    """Some architectures have weights that a classifier does not use, and that so have no gradient."""
    pairs = [(weight.grad, mask) for weight, mask in zip(weights, masks, strict=True) if weight.grad is not None]
    _mask([gradient for gradient, _ in pairs], [mask for _, mask in pairs])


@torch.inference_mode()
def evaluate(module: nn.Module, part: Part, stop: Callable[[], bool] = lambda: False) -> Metrics:
    """Accuracy, macro-F1 and loss on every text of `part`, dropout off. One wait for the device, at the end."""
    module.eval()
    total: Tensor | None = None
    confusion: Tensor | None = None
    for batch in by_length(part, _EVALUATION_BATCH):
        if stop():
            raise Stopped
        logits = module(batch.tokens, batch.lengths)
        classes = logits.shape[1]
        loss = F.cross_entropy(logits.double(), batch.labels, reduction="sum")
        pairs = batch.labels * classes + logits.argmax(dim=1)
        counts = torch.zeros(classes * classes, dtype=torch.long, device=pairs.device)
        counts.scatter_add_(0, pairs, torch.ones_like(pairs))
        total = loss if total is None else total + loss
        confusion = counts if confusion is None else confusion + counts
    assert total is not None and confusion is not None, "a part is never empty"
    table = confusion.view(classes, classes).double().cpu()
    hits = table.diagonal()
    f1 = 2 * hits / (table.sum(0) + table.sum(1)).clamp_min(1)
    present = table.sum(1) > 0
    return Metrics(
        accuracy=(hits.sum() / table.sum()).item(),
        macro_f1=f1[present].mean().item(),
        loss=total.item() / len(part),
    )


def evaluate_at(weights: Weights, module: nn.Module, part: Part, stop: Callable[[], bool] = lambda: False) -> Metrics:
    """The same of the network with these weights, which `module` then holds."""
    _load(dict(module.named_parameters()), weights)
    return evaluate(module, part, stop)
