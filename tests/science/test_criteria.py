"""Criteria: each is what its paper says, computed another way; what is random is uniform."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from engine.data.batches import by_length
from engine.errors import Stopped
from engine.models import bert, cnn, network, recurrent
from engine.pruning import mask as masks
from engine.pruning.criteria import magnitude, random
from engine.pruning.saliency import grasp, snip
from tests.checkpoints import small
from tests.science.conftest import CLASSES, WORD_VECTORS, WORDS, evidence
from tests.science.test_cnn import directly

CNN = {**WORD_VECTORS, "embedding_dim": 3, "filters": 2, "widths": (2, 3), "dropout": 0.5}
RECURRENT = {
    **WORD_VECTORS,
    "embedding_dim": 3,
    "hidden": 3,
    "layers": 2,
    "bidirectional": True,
    "pooling": "max",
    "dropout": 0.5,
}
MODELS = ("cnn", "rnn", "lstm", "gru", "bert", "distilbert")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small network by name, its weights drawn, biases too, so that every layer has a score."""

    def build(name: str) -> nn.Module:
        if name == "cnn":
            module = cnn.build(WORDS, CLASSES, CNN)
        elif "bert" in name:
            folder = small(tmp_path_factory.mktemp(name), WORDS, name)
            module = bert.build(WORDS, CLASSES, {"checkpoint": str(folder), "pretrained": True})
        else:
            module = getattr(recurrent, f"build_{name}")(WORDS, CLASSES, RECURRENT)
        network.draw(module, 3)
        noise = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(0.3 * torch.randn(weight.shape, generator=noise))
            if padding := network.padding(module):
                dict(module.named_parameters())[padding[0]][padding[1]] = 0
        return module

    return build


def seen(module: nn.Module, texts, kinds=("embedding", "encoder", "head"), bits=torch.float64, **more):
    """The evidence of a whole network of these prunable kinds, in 64 bits so that sums can be compared closely."""
    module = module.to(bits)
    weights = network.weights(module)
    entries = masks.support(weights, network.padding(module))
    whole = {name: entries[name] for name, kind in network.kinds(module).items() if kind in kinds}
    return evidence(weights, whole, module=module, train=texts.train, **more)


def few(texts, count: int):
    """The first texts alone."""
    return replace(texts, train=texts.train.take(np.arange(count)))


class Directly(nn.Module):
    """The CNN text by text, from torch's convolution."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return directly(self.module, tokens, lengths)


def mean_loss(module: nn.Module, part) -> torch.Tensor:
    """The mean cross-entropy over all texts as one batch."""
    (batch,) = by_length(part, len(part))
    return F.cross_entropy(module(batch.tokens, batch.lengths), batch.labels)


def gradients(module: nn.Module, part) -> dict[str, torch.Tensor]:
    module.zero_grad()
    mean_loss(module.eval(), part).backward()
    return {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}


def test_snip_is_weight_times_gradient_of_the_mean_loss_over_all_texts(built, texts):
    module = built("cnn")
    scores = snip(seen(module, texts))
    expected = gradients(Directly(module), texts.train)
    assert scores.keys() == {"embedding.weight", "convolutions.0.weight", "convolutions.1.weight", "head.weight"}
    for name, score in scores.items():
        weight = dict(module.named_parameters())[name].detach()
        torch.testing.assert_close(score, (weight * expected[f"module.{name}"]).abs())
        assert score.any()


def test_grasp_is_weight_times_hessian_times_gradient_of_the_whole_hessian(built, texts):
    module = built("cnn")
    sample = few(texts, 6)
    part = sample.train
    scores = grasp(seen(module, sample, batch_size=4))
    direct, given = Directly(module), dict(module.named_parameters())
    (batch,) = by_length(part, len(part))

    def loss(flat: torch.Tensor) -> torch.Tensor:
        pieces = flat.split([weight.numel() for weight in given.values()])
        layers = {f"module.{n}": p.view_as(w) for (n, w), p in zip(given.items(), pieces, strict=True)}
        return F.cross_entropy(functional_call(direct, layers, (batch.tokens, batch.lengths)), batch.labels)

    flat = torch.cat([weight.detach().flatten() for weight in given.values()])
    hessian = torch.autograd.functional.hessian(loss, flat)
    gradient = torch.autograd.functional.jacobian(loss, flat)
    products = (flat * (hessian @ gradient)).split([weight.numel() for weight in given.values()])
    for (name, weight), product in zip(given.items(), products, strict=True):
        if name in scores:
            torch.testing.assert_close(scores[name], product.view_as(weight), rtol=1e-6, atol=1e-12)
            assert product.any()


@pytest.mark.parametrize("name", MODELS)
def test_grasp_agrees_with_finite_differences_of_the_gradient(built, texts, name):
    given = seen(built(name), texts, kinds=("embedding", "encoder", "head", "bias"), batch_size=50)
    scores = grasp(given)
    flow = gradients(given.module, texts.train)
    step = 1e-5 / torch.cat([each.flatten() for each in flow.values()]).norm()
    ahead, back = (gradients(moved(given, flow, sign * step), texts.train) for sign in (1, -1))
    expected = {n: given.rewound[n] * (ahead[n] - back[n]) / (2 * step) for n in scores.keys() & flow.keys()}
    assert len(expected) > 6
    scale = max(each.abs().max() for each in expected.values())  # a transformer's key biases have no gradient at all
    for layer, each in expected.items():
        torch.testing.assert_close(scores[layer] / scale, each / scale, rtol=1e-4, atol=1e-7, msg=layer)


def moved(given, direction: dict, step: float) -> nn.Module:
    with torch.no_grad():
        for name, weight in given.module.named_parameters():
            weight.copy_(given.rewound[name] + (step * direction[name] if name in direction else 0))
    return given.module


@pytest.mark.parametrize("name", MODELS)
def test_the_way_that_can_be_differentiated_twice_has_the_same_logits_and_gradients(built, texts, name):
    module = built(name).double().eval()
    (batch,) = by_length(texts.train, len(texts.train))
    fast, flow = module(batch.tokens, batch.lengths), gradients(module, texts.train)
    with network.twice_differentiable(module):
        torch.testing.assert_close(module(batch.tokens, batch.lengths), fast)
        for layer, gradient in gradients(module, texts.train).items():
            torch.testing.assert_close(gradient, flow[layer], msg=layer)
    assert not module.twice_differentiable


@pytest.mark.parametrize("criterion", [snip, grasp])
@pytest.mark.parametrize("size", [1, 7, 20])
def test_batches_of_any_size_add_up_to_all_texts_at_once(built, texts, criterion, size):
    sample = few(texts, 30)
    whole = criterion(seen(built("cnn"), sample, batch_size=30))
    parts = criterion(seen(built("cnn"), sample, batch_size=size))
    for name, score in whole.items():
        torch.testing.assert_close(parts[name], score)


@pytest.mark.parametrize("criterion", [snip, grasp])
def test_a_single_shot_looks_at_the_whole_network_however_much_is_pruned_and_however_it_was_trained(
    built, texts, criterion
):
    given = seen(built("cnn"), texts)
    first = criterion(given)
    pruned = {name: torch.zeros_like(kept) for name, kept in given.mask.items()}
    trained = {name: torch.randn_like(weight) for name, weight in given.trained.items()}
    again = criterion(replace(given, mask=pruned, trained=trained))
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("criterion", [snip, grasp])
@pytest.mark.parametrize("name", MODELS)
def test_scores_of_32_bits_repeat_exactly_whatever_was_in_the_module_and_are_those_of_64(built, texts, criterion, name):
    sample = few(texts, 40)
    given = seen(built(name), sample, bits=torch.float32)
    first = criterion(given)
    torch.manual_seed(9)
    with torch.no_grad():
        for weight in given.module.train().parameters():
            weight.normal_()
            weight.grad = torch.ones_like(weight)
    again = criterion(given)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(weight.grad is None for weight in given.module.parameters())
    exact = criterion(seen(built(name), sample))
    largest = max(score.abs().max() for score in exact.values())
    for name_, score in first.items():
        torch.testing.assert_close(score.double() / largest, exact[name_] / largest, rtol=0, atol=1e-4, msg=name_)


@pytest.mark.parametrize("criterion", [snip, grasp])
def test_words_that_no_text_has_score_0_and_all_others_do_not(built, texts, criterion):
    scores = criterion(seen(built("cnn"), texts))["embedding.weight"]
    present = torch.zeros(len(scores), dtype=torch.bool)
    (batch,) = by_length(texts.train, len(texts.train))
    present[batch.tokens.unique().long()] = True
    present[0] = False
    assert present.any() and not present.all()
    assert scores[present].any(dim=1).all()
    assert not scores[~present].any()


@pytest.mark.parametrize("criterion", [snip, grasp])
def test_layers_that_a_classifier_does_not_use_score_0(texts, tmp_path, criterion):
    from transformers import AutoModel, XLNetConfig

    settings = {"vocab_size": 45, "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 24, "pad_token_id": 0}
    AutoModel.from_config(XLNetConfig(**settings)).save_pretrained(tmp_path)
    module = bert.build(WORDS, CLASSES, {"checkpoint": str(tmp_path), "pretrained": True})
    network.draw(module, 0)
    scores = criterion(seen(module, texts, batch_size=60))
    assert not scores["network.transformer.mask_emb"].any()
    assert scores["network.transformer.layer.0.ff.layer_1.weight"].any()


@pytest.mark.parametrize("criterion", [snip, grasp])
def test_a_criterion_stops_within_a_batch_when_asked(built, texts, criterion):
    asked = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(Stopped):
        criterion(seen(built("cnn"), texts, stop=stop))
    assert len(asked) == 3


def test_magnitude_is_the_size_of_the_trained_weight():
    weights = {"a": torch.tensor([-3.0, 1.0]), "b": torch.tensor([2.0])}
    scores = magnitude(evidence(weights, {"a": torch.tensor([True, True])}, rewound={}))
    assert scores.keys() == {"a"}
    assert scores["a"].tolist() == [3.0, 1.0]


@pytest.mark.parametrize("scope", ["layerwise", "global"])
def test_random_pruning_is_uniform(scope):
    mask = {"a": torch.ones(5, 8, dtype=torch.bool), "b": torch.ones(30, dtype=torch.bool)}
    kept = torch.zeros(70)
    for seed in range(2000):
        given = evidence({}, mask, scope, rate=0.4, seed=seed)
        after = masks.prune(random(given), mask, given.rate, scope)
        kept += torch.cat([each.flatten() for each in after.values()])
    chi_square = ((kept - 1200) ** 2 / (2000 * 0.6 * 0.4)).sum().item()
    assert chi_square < 112  # at most 69 degrees of freedom, p = 0.001


def test_random_pruning_follows_from_its_seed_alone_and_differs_between_seeds():
    mask = {"a": torch.ones(50, dtype=torch.bool), "b": torch.ones(50, dtype=torch.bool)}
    first = random(evidence({}, mask, seed=5))
    torch.manual_seed(1)
    again, other = random(evidence({}, mask, seed=5)), random(evidence({}, mask, seed=6))
    assert all(torch.equal(first[name], again[name]) for name in mask)
    assert not torch.equal(first["a"], other["a"])
    assert not torch.equal(first["a"], first["b"])
