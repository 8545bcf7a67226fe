"""The split into training and validation texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.split import split
from engine.errors import BadInput

_counts = st.lists(st.integers(2, 60), min_size=2, max_size=6)
_fractions = st.floats(0.01, 0.99)
_seeds = st.integers(0, 2**31 - 1)


def _labels(counts: list[int]) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@given(_counts, _fractions, _seeds)
def test_every_text_is_trained_on_or_validated_with_and_none_is_both(counts, fraction, seed):
    labels = _labels(counts)
    train, valid = split(labels, seed, fraction)
    assert sorted([*train, *valid]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all() and (np.diff(valid) > 0).all()


@given(_counts, _fractions, _seeds)
def test_every_class_has_its_share_to_within_one_text_and_stands_on_both_sides(counts, fraction, seed):
    labels = _labels(counts)
    train, valid = split(labels, seed, fraction)
    shares = [count * fraction for count in counts]
    room = all(1 <= share <= count - 1 for share, count in zip(shares, counts, strict=True))
    assert not room or len(valid) == round(sum(shares))
    for label, (count, share) in enumerate(zip(counts, shares, strict=True)):
        kept = np.count_nonzero(labels[valid] == label)
        assert 1 <= kept <= count - 1
        assert not room or abs(kept - share) < 1 + 1e-9
        assert np.count_nonzero(labels[train] == label) == count - kept


def test_the_validation_set_is_as_large_as_asked_for():
    labels = _labels([97, 53, 31, 19])
    for fraction in (0.1, 0.25, 0.3):
        assert len(split(labels, 0, fraction)[1]) == round(200 * fraction)


@given(_counts, _fractions, _seeds, st.data())
def test_train_size_is_the_number_of_texts_used_in_all_in_the_classes_proportions(counts, fraction, seed, data):
    labels = _labels(counts)
    size = data.draw(st.integers(2 * len(counts), len(labels)))
    train, valid = split(labels, seed, fraction, size)
    used = np.concatenate([train, valid])
    assert len(used) == len(set(used)) == size
    shares = [count * size / len(labels) for count in counts]
    if min(shares) >= 2:  # else a class is given more than its share, so that it can be split
        assert all(
            abs(np.count_nonzero(labels[used] == label) - share) < 1 + 1e-9 for label, share in enumerate(shares)
        )
    assert set(labels[train]) == set(labels[valid]) == set(range(len(counts)))


def test_a_class_of_one_text_is_trained_on():
    train, valid = split(np.array([0] * 10 + [1]), 0, 0.5)
    assert 10 in train and 10 not in valid


def test_a_seed_always_splits_alike_and_another_seed_otherwise():
    labels = _labels([50, 50])
    first, again, other = split(labels, 0, 0.2, 60), split(labels, 0, 0.2, 60), split(labels, 1, 0.2, 60)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert set(np.concatenate(first)) != set(np.concatenate(other)), "seeds are independent: they use other texts"


def test_the_split_does_not_depend_on_how_the_labels_are_stored():
    labels = _labels([20, 30])
    small, wide = split(labels.astype(np.int8), 3, 0.2), split(labels.astype(np.int64), 3, 0.2)
    assert np.array_equal(small[0], wide[0]) and small[0].dtype == np.int64


@pytest.mark.parametrize("size", [3, 101])
def test_a_train_size_that_cannot_be_is_refused_with_what_would_do(size):
    with pytest.raises(BadInput, match=rf"data.train_size: {size} given; give from 4 \(2 a class\) to 100 "):
        split(_labels([50, 50]), 0, 0.1, size)
