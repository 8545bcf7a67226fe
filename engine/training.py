"""Trains a group of networks for one round under one plan, and evaluates them.

The group is the arms of a round. They are trained one after another here; nobody above this module knows or cares.
"""

import math
from collections.abc import Callable, Mapping
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
    """Where an arm starts: weights, and the entries that live (layers without a mask live whole)."""

    weights: Weights
    mask: Mask


@dataclass(frozen=True)
class Plan:
    """How every network of a group is trained. Data order and dropout follow from `seed` and the epoch alone."""

    epochs: int
    batch_size: int
    learning_rate: float
    lr_schedule: str
    warmup: float
    weight_decay: float
    max_norm: float
    patience: int
    seed: int


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
    """A trained network at its best validation epoch. `test` was read once, after that epoch was chosen."""

    weights: Weights
    best_epoch: int
    valid: Metrics
    test: Metrics
    seconds: float


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
) -> dict[str, Trained | Diverged]:
    """Train each arm of `group` in `module` (overwritten). Raises Stopped within a step of `stop()` becoming true."""
    results: dict[str, Trained | Diverged] = {}
    for arm, start in group.items():
        results[arm] = _train_one(arm, start, plan, module, texts, on_epoch, stop)
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
) -> Trained | Diverged:
    began = perf_counter()
    device = texts.train.tokens.device
    parameters = dict(module.named_parameters())
    _load(parameters, start.weights)
    masked = [parameters[name] for name in start.mask]
    masks = [kept.to(device, parameters[name].dtype) for name, kept in start.mask.items()]
    _mask(masked, masks)
    trained = [weight for weight in parameters.values() if weight.requires_grad]
    optimizer = torch.optim.AdamW(_groups(trained, plan.weight_decay), lr=plan.learning_rate, fused=True)
    steps = plan.epochs * math.ceil(len(texts.train) / plan.batch_size)
    step = 0
    best: tuple[int, Metrics, Weights] | None = None
    for epoch in range(1, plan.epochs + 1):
        epoch_began = perf_counter()
        dropout = torch.Generator(device).manual_seed(derive(plan.seed, "dropout", epoch))
        torch.manual_seed(derive(plan.seed, "dropout", epoch))  # transformers' networks draw from torch's own generator
        total = torch.zeros((), device=device)
        module.train()
        for batch in shuffled(texts.train, plan.batch_size, derive(plan.seed, "order", epoch)):
            if stop():
                raise Stopped
            for parameters_ in optimizer.param_groups:
                parameters_["lr"] = learning_rate(plan, step, steps)
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(module(batch.tokens, batch.lengths, dropout), batch.labels)
            loss.backward()
            # Both, always: the first keeps pruned weights out of the moments, the second keeps them at 0.0.
            _mask_gradients(masked, masks)
            if plan.max_norm:
                nn.utils.clip_grad_norm_(trained, plan.max_norm, foreach=True)
            optimizer.step()
            _mask(masked, masks)
            total += loss.detach() * len(batch.labels)
            step += 1
        train_loss = total.item() / len(texts.train)
        valid = evaluate(module, texts.valid, stop)
        if not (math.isfinite(train_loss) and math.isfinite(valid.loss)):
            return Diverged(epoch, perf_counter() - began)
        on_epoch(Epoch(arm, epoch, train_loss, valid, perf_counter() - epoch_began))
        memory.give_back()
        if best is None or valid.accuracy > best[1].accuracy:
            best = epoch, valid, network.weights(module)
        elif plan.patience and epoch - best[0] >= plan.patience:
            break
    assert best is not None  # epochs >= 1
    best_epoch, valid, weights = best
    if best_epoch != epoch:
        _load(parameters, weights)
    test = evaluate(module, texts.test, stop)
    return Trained(weights, best_epoch, valid, test, perf_counter() - began)


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
