"""SynFlow: the flow is the network's own, it is conserved, it never breaks off, and counts are exact."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine import catalog
from engine import spec as specs
from engine.errors import BadInput, Stopped
from engine.models import bert, cnn, network, recurrent
from engine.pruning import mask as masks
from engine.pruning.criteria import Evidence, magnitude
from engine.pruning.saliency import snip
from engine.pruning.synflow import synflow
from tests.checkpoints import small
from tests.science.conftest import CLASSES, WORD_VECTORS, WORDS, evidence

CNN = {**WORD_VECTORS, "embedding_dim": 4, "filters": 3, "widths": (2, 3), "dropout": 0.5}
RNN = {**WORD_VECTORS, "embedding_dim": 4, "hidden": 3, "dropout": 0.5}
SHAPES = [(layers, two, pooling) for layers in (1, 2) for two in (False, True) for pooling in ("last", "max", "mean")]


def built(name: str, **changes) -> nn.Module:
    if name == "cnn":
        return cnn.build(WORDS, CLASSES, CNN | changes)
    given_ = RNN | {"layers": 1, "bidirectional": True, "pooling": "max"} | changes
    return getattr(recurrent, f"build_{name}")(WORDS, CLASSES, given_)


def seen(module: nn.Module, scope: str = "layerwise", seed: int = 0, bias: bool = False, **more) -> Evidence:
    weights = network.draw(module, seed)
    entries = masks.support(weights)
    kinds = {"embedding", "encoder", "head"} | ({"bias"} if bias else set())
    whole = {name: entries[name] for name, kind in network.kinds(module).items() if kind in kinds}
    return evidence(weights, whole, scope, module=module, **more)


def flow(module: nn.Module, weights: dict, mask: dict) -> float:
    """What comes out of a network of these absolute weights, pruned by the mask, biases 0."""
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(weights[name].abs() * mask[name] if name in mask else torch.zeros_like(weight))
        return module.linear_flow().item()


def agrees_with_the_networks_own_logits(module: nn.Module, words: int) -> None:
    """The flow is the sum of the logits of a text in which each word is the mean word, of absolute weights."""
    module = module.double().eval()
    network.draw(module, 1)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(weight.abs() if weight.dim() > 1 else torch.zeros_like(weight))
        expected = module.linear_flow()
        module.embedding.weight[1:] = module.embedding.weight[1:].mean(dim=0)
        logits = module(torch.arange(3, 3 + words)[None], torch.tensor([words]))
    assert expected > 0
    torch.testing.assert_close(logits.sum(), expected)


@pytest.mark.parametrize("words", [3, 9])
def test_the_flow_is_the_sum_of_the_networks_own_logits_where_all_words_are_the_mean_word(words):
    agrees_with_the_networks_own_logits(built("cnn"), words)


@pytest.mark.parametrize(("layers", "two", "pooling"), SHAPES)
def test_the_flow_of_a_recurrent_network_is_its_own_over_two_words_without_tanh(layers, two, pooling):
    module = built("rnn", layers=layers, bidirectional=two, pooling=pooling)
    for layer in module.layers:
        for cell in filter(None, (layer.ahead, layer.back)):
            cell.mode = "RNN_RELU"  # of no negative number the identity, as the flow takes tanh to be
    agrees_with_the_networks_own_logits(module, 2)


def test_the_masks_are_those_of_the_papers_algorithm_written_out_for_this_network():
    """Every path is word, filter tap, class: its flow is the product of three numbers, over the number of words."""
    for scope in ("layerwise", "global"):
        given_ = seen(built("cnn"), scope, rate=0.8)
        result = masks.prune(synflow(given_), given_.mask, given_.rate, scope)
        names = list(given_.mask)
        weights = {name: given_.rewound[name].abs().double().numpy() for name in names}
        kept = {name: given_.mask[name].numpy().copy() for name in names}
        alive = {name: int(each.sum()) for name, each in kept.items()}
        for k in range(1, 101):
            words, two, three, head = (weights[name] * kept[name] for name in names)
            mean, filters = words[1:].mean(0), (two.sum(1), three.sum(1))  # [D], [F, D] of each width
            after = head.sum(0).reshape(2, -1)  # [widths, F]
            into = sum(f.T @ a for f, a in zip(filters, after, strict=True))  # [D]
            pooled = np.concatenate([f @ mean for f in filters])
            scores = [
                words * into / (len(words) - 1),
                two * mean * after[0][:, None, None],
                three * mean * after[1][:, None, None],
                head * pooled,
            ]
            groups = [names] if scope == "global" else [[name] for name in names]
            for group in groups:
                left = sum(alive[name] for name in group)
                left -= round((0.8 if k == 100 else 1 - 0.2 ** (k / 100)) * left)
                ranked = sorted(
                    (score, name, index)
                    for name in group
                    for index, score in np.ndenumerate(scores[names.index(name)])
                    if kept[name][index]
                )
                for _, name, index in ranked[: len(ranked) - left]:
                    kept[name][index] = False
        for name in names:
            assert (result[name].numpy() == kept[name]).all(), (scope, name)


@pytest.mark.parametrize("seed", range(3))
def test_what_flows_into_the_filters_flows_out_of_the_words_and_into_the_classes(monkeypatch, seed):
    monkeypatch.setattr("engine.pruning.synflow.ITERATIONS", 1)
    given_ = seen(built("cnn"), seed=seed)
    total = flow(built("cnn"), given_.rewound, given_.mask)
    scores = synflow(given_)
    for layers in (["embedding.weight"], ["convolutions.0.weight", "convolutions.1.weight"], ["head.weight"]):
        assert sum(scores[name].sum().item() for name in layers) == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize(("layers", "two", "pooling"), SHAPES)
def test_the_flow_of_a_recurrent_network_is_conserved_and_none_of_it_counts_twice(monkeypatch, layers, two, pooling):
    monkeypatch.setattr("engine.pruning.synflow.ITERATIONS", 1)
    module = built("rnn", layers=layers, bidirectional=two, pooling=pooling)
    given_ = seen(module)
    scores = synflow(given_)
    total = flow(module, given_.rewound, given_.mask)
    sums = {name: score.sum().item() for name, score in scores.items()}
    assert sums["embedding.weight"] == pytest.approx(total, rel=1e-6)
    assert sums["head.weight"] == pytest.approx(total, rel=1e-6)
    for number in range(layers):
        inputs = [name for name in sums if name.startswith(f"layers.{number}.") and "weight_ih" in name]
        recurrence = [name for name in sums if name.startswith(f"layers.{number}.") and "weight_hh" in name]
        assert sum(sums[name] for name in inputs) == pytest.approx(total, rel=1e-6)
        assert 0 < sum(sums[name] for name in recurrence) < total


@given(st.floats(0.02, 0.98), st.floats(0.0, 0.9), st.sampled_from(["layerwise", "global"]), st.integers(0, 99))
@settings(max_examples=6, deadline=None)
def test_counts_are_exact_from_any_mask_and_each_iteration_leaves_a_part_of_the_one_before(rate, before, scope, seed):
    given_ = seen(built("cnn"), scope, seed)
    draw = torch.Generator().manual_seed(seed)
    start = {name: kept & (torch.rand(kept.shape, generator=draw) >= before) for name, kept in given_.mask.items()}
    left = [start]

    def prune(scores, mask, share):
        left.append(given_.prune(scores, mask, share))
        return left[-1]

    scores = synflow(replace(given_, mask=start, rate=rate, prune=prune))
    assert len(left) == 100
    left.append(masks.prune(scores, start, rate, scope))
    for k, (earlier, later) in enumerate(pairwise(left), start=1):
        share = rate if k == 100 else 1 - (1 - rate) ** (k / 100)
        for group in [list(start)] if scope == "global" else [[name] for name in start]:
            alive = sum(int(start[name].sum()) for name in group)
            assert sum(int(later[name].sum()) for name in group) == alive - round(share * alive)
        assert not any((later[name] & ~earlier[name]).any() for name in start)
        again = masks.prune(scores, start, share, scope)
        assert all(torch.equal(again[name], later[name]) for name in start), "the scores tell the order of removal"


@given(st.integers(0, 999), st.sampled_from(["cnn", "rnn"]))
@settings(max_examples=4, deadline=None)
def test_the_flow_never_breaks_off_down_to_a_single_path(seed, name):
    """Axiom of maximal critical compression (Tanaka et al. 2020), without which layers collapse."""
    module = built(name, **({} if name == "cnn" else {"bidirectional": False}))
    given_ = seen(module, "global", seed)
    alive = sum(int(kept.sum()) for kept in given_.mask.values())
    path = 3 if name == "cnn" else 4  # a word's entry, a filter's or a unit's, it may be a recurrence, a class's
    for left in (10, path):
        rate = 1 - left / alive
        after = masks.prune(synflow(replace(given_, rate=rate)), given_.mask, rate, "global")
        assert sum(int(kept.sum()) for kept in after.values()) == left
        assert flow(module, given_.rewound, after) > 0


@pytest.mark.parametrize("seed", range(3))
def test_where_magnitude_and_snip_empty_a_layer_synflow_empties_none(texts, seed):
    module = built("cnn", embedding_dim=8, filters=100, widths=(5,))
    given_ = seen(module, "global", seed, train=texts.train)
    rate = 1 - 10 / sum(int(kept.sum()) for kept in given_.mask.values())
    for criterion in (magnitude, snip, synflow):
        after = masks.prune(criterion(replace(given_, rate=rate)), given_.mask, rate, "global")
        assert all(kept.any() for kept in after.values()) == (criterion is synflow), criterion
        assert (flow(module, given_.rewound, after) > 0) == (criterion is synflow), criterion


def test_it_looks_at_no_text_and_no_trained_weight_and_repeats_exactly(texts):
    given_ = seen(built("cnn"))
    first = synflow(given_)
    with torch.no_grad():
        for weight in given_.module.parameters():
            weight.normal_()
    other = {name: torch.randn_like(weight) for name, weight in given_.trained.items()}
    again = synflow(replace(given_, trained=other, train=texts.train))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(score.dtype == torch.float64 and score.device.type == "cpu" for score in first.values())
    assert all(weight.dtype == torch.float32 for weight in given_.module.parameters())


def test_biases_take_no_part_in_the_flow():
    given_ = seen(built("cnn"), bias=True, rate=0.3)
    biased = {n: torch.ones_like(w) if w.dim() < 2 else w for n, w in given_.rewound.items()}
    first, again = synflow(given_), synflow(replace(given_, rewound=biased))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(not (first[name] > 0).any() for name in first if name.endswith("bias"))


def test_it_stops_within_an_iteration_when_asked():
    asked = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) == 5

    with pytest.raises(Stopped):
        synflow(replace(seen(built("cnn")), stop=stop))
    assert len(asked) == 5


@pytest.mark.parametrize("name", ["lstm", "gru", "bert"])
def test_networks_with_gates_or_attention_are_refused_in_a_sentence(name, tmp_path):
    if name == "bert":
        module = bert.build(WORDS, CLASSES, {"checkpoint": str(small(tmp_path, WORDS)), "pretrained": True})
    else:
        module = built(name)
    with pytest.raises(BadInput, match=r"schedule\.criterion: synflow given, but the model has gates or attention"):
        synflow(evidence({}, {}, module=module))


@pytest.mark.parametrize("name", catalog.MODELS)
def test_a_run_is_refused_at_its_launch_exactly_where_the_criterion_would_refuse_it(name):
    if catalog.MODELS[name].reads == "pieces":
        fits = False
    else:
        model = specs.compose(name, "ag_news", settings={"model.vectors": "none"}).model
        fits = network.build(model, WORDS, CLASSES).homogeneous
    assert fits == (name in catalog.CRITERIA["synflow"].models)
