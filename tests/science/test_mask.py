"""Pruning: exact counts, ties, scopes, permutation. What a run's sparsities rest on."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.pruning import mask as masks
from engine.pruning.criteria import magnitude
from tests.science.conftest import evidence

rates = st.floats(0.01, 0.99)
shapes = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=4)


def made(sizes: list[tuple[int, int]], seed: int, levels: int | None = None) -> tuple[dict, dict]:
    """Scores (few distinct ones where `levels` is given, so that ties abound) and a whole mask."""
    random = np.random.default_rng(seed)
    scores = {
        f"layer{i}": torch.from_numpy(random.integers(0, levels, size) if levels else random.random(size)).float()
        for i, size in enumerate(sizes)
    }
    return scores, {name: torch.ones(score.shape, dtype=torch.bool) for name, score in scores.items()}


@given(shapes, rates, st.integers(0, 99), st.sampled_from([None, 1, 2, 3]), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_layerwise_pruning_removes_exactly_round_of_rate_times_alive_in_each_layer(sizes, rate, seed, levels, rounds):
    scores, mask = made(sizes, seed, levels)
    for _ in range(rounds):
        alive = {name: int(kept.sum()) for name, kept in mask.items()}
        after = masks.prune(scores, mask, rate, "layerwise")
        for name, count in alive.items():
            assert int(after[name].sum()) == count - round(rate * count)
            assert not (after[name] & ~mask[name]).any(), "what is pruned stays pruned"
        mask = after


@given(shapes, rates, st.integers(0, 99), st.sampled_from([None, 1, 2, 3]), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_global_pruning_removes_exactly_round_of_rate_times_alive_over_all_layers(sizes, rate, seed, levels, rounds):
    scores, mask = made(sizes, seed, levels)
    for _ in range(rounds):
        alive = sum(int(kept.sum()) for kept in mask.values())
        after = masks.prune(scores, mask, rate, "global")
        assert sum(int(kept.sum()) for kept in after.values()) == alive - round(rate * alive)
        highest_gone = max(
            (scores[n][mask[n] & ~after[n]].max().item() for n in mask if (mask[n] & ~after[n]).any()), default=-1
        )
        lowest_kept = min((scores[n][after[n]].min().item() for n in mask if after[n].any()), default=9)
        assert highest_gone <= lowest_kept
        mask = after


@given(shapes, rates, st.integers(0, 99), st.sampled_from([None, 2]))
@settings(max_examples=100, deadline=None)
def test_pruning_agrees_with_a_stable_sort(sizes, rate, seed, levels):
    scores, mask = made(sizes, seed, levels)
    for name, after in masks.prune(scores, mask, rate, "layerwise").items():
        flat = scores[name].flatten().numpy()
        gone = np.argsort(flat, kind="stable")[: round(rate * len(flat))]
        expected = np.ones(len(flat), bool)
        expected[gone] = False
        assert (after.flatten().numpy() == expected).all()


def test_pruned_entries_are_not_ranked_again():
    scores = {"w": torch.tensor([0.0, 0.0, 3.0, 1.0, 2.0])}
    mask = {"w": torch.tensor([False, False, True, True, True])}
    assert masks.prune(scores, mask, 0.34, "layerwise")["w"].tolist() == [False, False, True, False, True]


def test_python_rounds_half_to_even_and_so_does_pruning():
    for alive, gone in ((5, 2), (7, 4), (1, 0), (3, 2)):  # half of 5, 7, 1, 3
        mask = {"w": torch.ones(alive, dtype=torch.bool)}
        after = masks.prune({"w": torch.arange(alive).float()}, mask, 0.5, "layerwise")
        assert alive - int(after["w"].sum()) == gone


def test_magnitude_counts_negative_weights_by_their_size():
    weights = {"w": torch.tensor([-3.0, 1.0, -0.5, 2.0])}
    mask = {"w": torch.ones(4, dtype=torch.bool)}
    scores = magnitude(evidence(weights, mask))
    assert masks.prune(scores, mask, 0.5, "layerwise")["w"].tolist() == [True, False, False, True]


def test_the_padding_row_is_no_parameter():
    weights = {"embedding.weight": torch.randn(5, 3), "head.weight": torch.randn(2, 4)}
    entries = masks.support(weights)
    assert not entries["embedding.weight"][0].any()
    assert int(entries["embedding.weight"].sum()) == 12
    after = masks.prune(magnitude(evidence(weights, entries)), entries, 0.5, "layerwise")
    assert int(after["embedding.weight"].sum()) == 6
    assert masks.densities(after, entries) == {"embedding.weight": 0.5, "head.weight": 0.5}


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_shuffle_keeps_each_layers_density_and_moves_the_entries(seed):
    weights = {"embedding.weight": torch.randn(30, 8), "head.weight": torch.randn(20, 20)}
    entries = masks.support(weights)
    mask = masks.prune(magnitude(evidence(weights, entries)), entries, 0.6, "global")
    moved = masks.permute(mask, entries, torch.Generator().manual_seed(seed))
    assert masks.densities(moved, entries) == masks.densities(mask, entries)
    assert not moved["embedding.weight"][0].any(), "the padding row stays no parameter"
    assert all((moved[name] != mask[name]).any() for name in mask)


def test_shuffle_moves_entries_uniformly():
    entries = {"w": torch.ones(40, dtype=torch.bool)}
    mask = {"w": torch.arange(40) < 10}
    hits = sum(masks.permute(mask, entries, torch.Generator().manual_seed(s))["w"].long() for s in range(2000))
    chi_square = ((hits - 500.0) ** 2 / (500 * 0.75)).sum().item()
    assert chi_square < 72  # 39 degrees of freedom, p = 0.001
