"""A step and a short run on the device against the CPU's, dropout off; and the same run twice, dropout on."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from engine import catalog, training
from engine import spec as specs
from engine.data.batches import Part, part, shuffled
from engine.halfway import Bookmark
from engine.lottery import Dense, Laboratory, Standing, experiment
from engine.models import network
from engine.pruning.mask import Weights
from tests.bench import made
from tests.bench.pace import built, composed, plan

_NOISE = 1e-6  # Adam's first step is about the gradient's sign: below this a gradient's own rounding decides it


def run(device: str, knobs: dict[str, Any], keep: Any) -> None:
    from tests.bench.gpu import guarded

    alone = not device.startswith("cuda")  # the CPU with one thread stands for the GPU: it rounds differently
    found: dict[str, Any] = {"models": {}}
    for model in knobs["models"] or catalog.MODELS:
        of_model = found["models"][model] = {}
        of_model["step"] = guarded(lambda model=model: step(model, device, knobs, alone))
        keep(found)
        of_model["short_run"] = guarded(lambda model=model: short_run(model, device, knobs, alone))
        keep(found)
        of_model["repeats"] = guarded(lambda model=model: repeats(model, device, knobs))
        keep(found)


def step(model: str, device: str, knobs: dict[str, Any], one_thread: bool = False) -> dict[str, Any]:
    """Loss, gradients and updated weights of one training step, as the engine makes it, on both devices."""
    spec = composed(model, model__dropout=0.0)
    vocabulary = knobs["vocabulary"].get(model, knobs["vocabulary"][""])
    module, start = built(spec, vocabulary, made.CLASSES)
    texts = made.texts(spec.training.batch_size, knobs["tokens"], vocabulary)
    here = _one_step(module, start, spec, part(texts))
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if one_thread else threads)
    there = _one_step(module.to(device), start, spec, part(texts, device))
    torch.set_num_threads(threads)
    layers = {}
    # Some gradients are 0 in exact arithmetic (attention does not depend on its keys' biases): noise, not errors.
    faint = 1e-6 * float(torch.stack([gradient.norm() for gradient in here.gradients.values()]).norm())
    for name, gradient in here.gradients.items():
        other = there.gradients[name]
        apart = (here.weights[name] - there.weights[name]).abs()
        loud = gradient.abs() > _NOISE
        kept = start.mask.get(name)
        layers[name] = {
            "gradient_relative": float((gradient - other).norm() / gradient.norm().clamp_min(faint)),
            "gradient_max": float((gradient - other).abs().max()),
            "weight_max": float(apart[loud].max()) if loud.any() else 0.0,
            "weight_max_where_gradient_is_noise": float(apart[~loud].max()) if (~loud).any() else 0.0,
            "pruned_stay_zero": True if kept is None else bool((there.weights[name][~kept] == 0).all()),
        }
    loss = abs(here.loss - there.loss)
    worst = {
        key: max(layer[key] for layer in layers.values()) for key in ("gradient_relative", "gradient_max", "weight_max")
    }
    return {
        "loss": [here.loss, there.loss],
        "loss_difference": loss,
        "valid_accuracy": [here.accuracy, there.accuracy],
        **worst,
        "pruned_stay_zero": all(layer["pruned_stay_zero"] for layer in layers.values()),
        "within": loss <= knobs["loss_tolerance"]
        and worst["gradient_relative"] <= knobs["gradient_tolerance"]
        and worst["weight_max"] <= knobs["weight_tolerance"]
        and all(layer["pruned_stay_zero"] for layer in layers.values()),
        "layers": layers,
    }


@dataclass
class _Step:
    loss: float
    gradients: Weights
    weights: Weights
    accuracy: float


def _one_step(module: nn.Module, start: training.Start, spec: specs.RunSpec, texts: Part) -> _Step:
    """Gradients by hand, of the same batch that `training.train` then makes its one step of."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            weight = start.weights[name]
            parameter.copy_(weight * start.mask[name] if name in start.mask else weight)
    module.train()
    module.zero_grad()
    (batch,) = shuffled(texts, len(texts), 0)
    F.cross_entropy(module(batch.tokens, batch.lengths, None), batch.labels).backward()
    gradients = {}
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        gradients[name] = parameter.grad.detach().cpu().clone()
        if name in start.mask:
            gradients[name] *= start.mask[name]
    losses: list[float] = []
    everything = training.Texts(texts, texts, texts)
    (trained,) = training.train(
        {"ticket": start}, plan(spec), module, everything, lambda epoch: losses.append(epoch.train_loss)
    ).values()
    assert isinstance(trained, training.Trained), "one step cannot diverge"
    return _Step(losses[0], gradients, trained.weights, trained.valid.accuracy)


@dataclass
class Memory:
    """A journal in memory: what was told of trained networks, and the masks."""

    trained: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    rounds: dict[int, Standing] = field(default_factory=dict)

    def tell(self, event: str, **fields: Any) -> None:
        if event == "trained":
            self.trained[fields["round"], fields["arm"]] = fields

    def standing(self, seed: int) -> None:
        return None

    def ended(self, seed: int) -> bool:
        return False

    def rewound(self, seed: int) -> None:
        return None

    def recall(self, seed: int, step: int | None) -> None:
        return None

    def share(self, seed: int, step: int | None, dense: Dense) -> None:
        pass

    def keep_rewind(self, seed: int, weights: Weights) -> None:
        pass

    def keep_round(self, seed: int, standing: Standing) -> None:
        self.rounds[standing.number] = standing

    def bookmark(self, seed: int, number: int, copy: int = 0) -> Bookmark:
        return Bookmark()

    def stop_asked(self) -> bool:
        return False


def _experiment(model: str, device: str, knobs: dict[str, Any], dropout: float) -> Memory:
    """Two rounds of all arms on a made-up corpus."""
    settings = {
        "schedule.rounds": 2,
        "schedule.rate": 0.5,
        "training.epochs": 2,
        "training.batch_size": 32,
        "training.learning_rate": 3e-3,
        "model.dropout": dropout,
        **made.own_models(model),
        **knobs["short_settings"].get(model, {}),
    }
    known = specs.settable(model)
    chosen = {key: value for key, value in settings.items() if key in known}
    spec = specs.compose(model, "ag_news", arms=list(catalog.ARMS), seeds=1, settings=chosen)
    train, valid, test = knobs["short_texts"]
    everything = part(made.texts(train + valid, 20, 500), device)
    texts = training.Texts(
        everything.take(np.arange(train)),
        everything.take(np.arange(train, train + valid)),
        part(made.texts(test, 20, 500, seed=1), device),
    )
    template = network.build(spec.model, [str(number) for number in range(500)], made.CLASSES)
    module = network.build(spec.model, [str(number) for number in range(500)], made.CLASSES).to(device)
    memory = Memory()
    experiment(Laboratory(spec, module, template, lambda _: texts), memory)
    return memory


def short_run(model: str, device: str, knobs: dict[str, Any], one_thread: bool = False) -> dict[str, Any]:
    """Accuracies and masks of a short run on both devices."""
    here = _experiment(model, "cpu", knobs, dropout=0.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if one_thread else threads)
    there = _experiment(model, device, knobs, dropout=0.0)
    torch.set_num_threads(threads)
    accuracies = {
        f"round {number} {arm}": [e.get("test_accuracy"), there.trained[number, arm].get("test_accuracy")]
        for (number, arm), e in here.trained.items()
    }
    apart = max(abs((a or 0) - (b or 0)) for a, b in accuracies.values())
    masks, counts = {}, True
    for number, standing in here.rounds.items():
        pairs = [(kept, there.rounds[number].mask[name]) for name, kept in standing.mask.items()]
        masks[f"round {number}"] = sum(int((a != b).sum()) for a, b in pairs) / sum(a.numel() for a, _ in pairs)
        counts = counts and all(int(a.sum()) == int(b.sum()) for a, b in pairs)
    return {
        "accuracies": accuracies,
        "accuracy_difference": apart,
        "mask_entries_that_differ": masks,
        "masks_keep_as_many": counts,
        "within": apart <= knobs["accuracy_tolerance"] and max(masks.values()) <= knobs["mask_tolerance"] and counts,
    }


def repeats(model: str, device: str, knobs: dict[str, Any]) -> dict[str, Any]:
    """Whether the same run twice on the same device gives the same bits, as a run promises."""
    first, second = (_experiment(model, device, knobs, dropout=0.5) for _ in range(2))
    apart = max(
        float((weight - second.rounds[number].trained[name]).abs().max())
        for number, standing in first.rounds.items()
        for name, weight in standing.trained.items()
    )
    return {"weight_max": apart, "within": apart == 0.0}
