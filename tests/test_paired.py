"""Paired tests, against examples worked out by hand and by scipy.stats."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as known

from engine import paired

MARGIN = 0.01


def test_a_round_matches_by_a_one_sided_95_percent_bound_of_scipys_t():
    difference = np.array([[0.001, -0.004, 0.002, -0.003]])
    found = paired.matching(difference, MARGIN)
    interval = known.ttest_1samp(difference[0], 0.0).confidence_interval(0.90)
    assert found.lower[0] == pytest.approx(interval.low)
    assert found.upper[0] == pytest.approx(interval.high)
    p = known.ttest_1samp(difference[0], -MARGIN, alternative="greater").pvalue
    assert (found.rounds == 1) == (p < 0.05)


def test_the_variance_is_raised_to_the_mean_over_rounds_and_never_lowered():
    difference = np.array([[0.0, 0.001, -0.001], [0.0, 0.004, -0.004], [0.0, 0.010, -0.010]])
    found = paired.matching(difference, MARGIN)
    variances = np.array([1e-6, 16e-6, 100e-6])  # by hand: (a² + a²) / 2
    raised = np.maximum(variances, 39e-6)
    reach = known.t.ppf(0.95, found.freedom) * np.sqrt(raised / 3)
    np.testing.assert_allclose(found.lower, -reach)
    np.testing.assert_allclose(found.upper, reach)


def freedom(difference: np.ndarray) -> float:
    return paired.matching(difference, MARGIN).freedom


@pytest.mark.parametrize(("seeds", "rounds"), [(3, 1), (3, 6), (5, 12)])
def test_rounds_that_tell_the_same_earn_no_freedom(seeds, rounds):
    row = np.linspace(-0.002, 0.002, seeds)
    assert freedom(np.tile(row, (rounds, 1))) == pytest.approx(seeds - 1)


def test_the_freedom_of_a_pooled_variance_is_satterthwaites():
    """Rows that correlate by 0.8, made exactly so: variance of their mean (1 + 3 x 0.8) / 4 of one's."""
    seeds, rounds, correlation = 9, 4, 0.8
    basis = np.linalg.qr(np.column_stack([np.ones(seeds), np.eye(seeds)[:, : rounds + 1]]))[0][:, 1:].T
    rows = sqrt(correlation) * basis[0] + sqrt(1 - correlation) * basis[1:]
    assert np.corrcoef(rows)[0, 1] == pytest.approx(correlation)
    assert freedom(0.001 * rows) == pytest.approx(8 * 4 / (1 + 3 * correlation**2))


def test_rounds_that_seem_not_to_correlate_still_share_the_dense_network():
    seeds, rounds = 9, 4
    basis = np.linalg.qr(np.column_stack([np.ones(seeds), np.eye(seeds)[:, :rounds]]))[0][:, 1:].T
    assert freedom(0.001 * basis) == pytest.approx(8 * 4 / (1 + 3 * 0.5**2))


@given(st.integers(0, 2**32 - 1), st.integers(2, 10), st.integers(1, 20))
@settings(max_examples=50)
def test_freedom_is_never_below_one_rounds_nor_above_that_of_half_correlated_rounds(seed, seeds, rounds):
    found = freedom(np.random.default_rng(seed).standard_normal((rounds, seeds)))
    assert seeds - 1 <= found * (1 + 1e-9)
    assert found <= (seeds - 1) * rounds / (1 + (rounds - 1) / 4) * (1 + 1e-9)


def test_matching_is_held_to_a_stricter_level_too():
    difference = np.random.default_rng(1).normal(-0.004, 0.003, (6, 4))
    once, twice = paired.matching(difference, MARGIN), paired.matching(difference, MARGIN, paired.level_of(2))
    reach = known.t.ppf(1 - 0.05 / 4, twice.freedom) / known.t.ppf(0.95, once.freedom)
    middle = difference.mean(axis=1)
    np.testing.assert_allclose(middle - twice.lower, reach * (middle - once.lower))
    assert twice.rounds <= once.rounds


@pytest.mark.parametrize("needed", [1, 2, 4])
def test_falling_short_is_any_of_so_many_rounds_at_half_the_level(needed):
    """The bound is that of 97.5 %, Bonferroni over the rounds that have to match: just beyond it, and just not."""
    row = np.array([-0.004, 0.001, 0.003, 0.002, -0.002])
    reach = known.t.ppf(1 - 0.05 / 2 / needed, 4) * row.std(ddof=1) / sqrt(5)
    for beyond, said in ((1e-9, needed), (-1e-9, 0)):
        difference = np.tile(row, (6, 1))
        difference[needed - 1] -= MARGIN + reach + beyond
        assert paired.matching(difference, MARGIN).short(MARGIN, needed) == said


def test_holm_by_hand():
    """Raw p of 0.01, 0.02, 0.04 become 0.03, 0.04, 0.04; the last is not below the one before it."""
    gap = {}
    for name, p in (("a", 0.01), ("b", 0.02), ("c", 0.04)):
        unit = np.array([-1.0, 0.0, 1.0, 0.5, -0.5])
        error = unit.std(ddof=1) / sqrt(5)
        gap[name] = unit + known.t.isf(p, 4) * error
    ticket = np.zeros((1, 5))
    found = paired.against(ticket, {name: (-difference)[None] for name, difference in gap.items()})
    assert [found[name].p for name in "abc"] == pytest.approx([0.03, 0.04, 0.04])


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=30)
def test_holm_never_lowers_a_p_keeps_their_order_and_stays_below_1(seed, count):
    draw = np.random.default_rng(seed)
    ticket = draw.standard_normal((2, 4))
    controls = {str(i): draw.standard_normal((2, 4)) for i in range(count)}
    adjusted = paired.against(ticket, controls)
    raw = {
        name: known.ttest_rel(ticket.mean(axis=0), one.mean(axis=0), alternative="greater").pvalue
        for name, one in controls.items()
    }
    order = sorted(raw, key=raw.get)
    found = [adjusted[name].p for name in order]
    assert found == sorted(found)
    assert all(raw[name] - 1e-12 <= adjusted[name].p <= 1 for name in raw)
    assert adjusted[order[0]].p == pytest.approx(min(1, count * raw[order[0]]))


def test_a_seed_is_compared_by_the_rounds_it_has():
    ticket = np.zeros((2, 3))
    control = np.array([[-0.01, -0.02, -0.03], [-0.05, np.nan, -0.07]])
    found = paired.against(ticket, {"shuffle": control})["shuffle"]
    assert found.gap == pytest.approx(np.mean([0.03, 0.02, 0.05]))
    assert (found.seeds, found.rounds) == (3, 2)


def test_an_interval_is_scipys_and_one_number_has_none():
    values = [0.01, 0.03, -0.01, 0.02]
    test = known.ttest_1samp(values, 0).confidence_interval(0.95)
    mean, interval = paired.interval(values)
    assert mean == pytest.approx(np.mean(values))
    assert interval == pytest.approx([test.low, test.high])
    assert paired.interval([0.5]) == (0.5, None)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 6))
def test_welch_is_scipys(seed, one, two):
    draw = np.random.default_rng(seed)
    first, second = draw.normal(0.8, 0.01, one), draw.normal(0.82, 0.03, two)
    gap, interval = paired.welch(first, second)
    test = known.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert gap == pytest.approx(second.mean() - first.mean())
    assert interval == pytest.approx([test.low, test.high])


def test_welch_needs_two_numbers_on_both_sides_and_takes_equal_ones():
    assert paired.welch([0.5], [0.6, 0.7])[1] is None
    assert paired.welch([0.5, 0.6], [0.7])[1] is None
    assert paired.welch([0.5, 0.5], [0.75, 0.75]) == (0.25, [0.25, 0.25])
