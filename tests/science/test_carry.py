"""Carrying a ticket over: what both networks know moves bit by bit, what is new is drawn, and densities stay."""

from fractions import Fraction

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from engine.data.alignment import align, remark
from engine.pruning import mask as masks
from engine.pruning.carry import carry

WORDS = [f"word{number}" for number in range(30)]
OLD, CLASSES = ["<pad>", "<unk>", *WORDS], ["World", "Sports", "Business"]
SIZE = 5
PRUNABLE = ("embedding.weight", "conv.weight", "head.weight")
OUTPUT = ("head.weight", "head.bias")


def drawn(words: int, classes: int, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"embedding.weight": (words, SIZE), "conv.weight": (4, SIZE), "head.weight": (classes, 4)}
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    weights["embedding.weight"][0] = 0
    return weights | {"head.bias": torch.randn(classes, generator=generator)}


def moved(new_words: list[str], new_classes: list[str], density: float = 0.4, seed: int = 0):
    """A ticket of the old vocabulary and classes, and what it is carried to."""
    weights = drawn(len(OLD), len(CLASSES), 1)
    whole = masks.support(weights)
    scores = drawn(len(OLD), len(CLASSES), 2)
    mask = masks.prune(scores, {name: whole[name] for name in PRUNABLE}, 1 - density, "layerwise")
    fresh = drawn(len(new_words), len(new_classes), 3)
    found = align(OLD, new_words, CLASSES, new_classes)
    generator = torch.Generator().manual_seed(seed)
    after = carry(weights, mask, found, fresh, masks.support(fresh), "embedding.weight", OUTPUT, generator)
    return weights, mask, fresh, *after


vocabularies = st.lists(st.sampled_from([*WORDS, *(f"new{n}" for n in range(20))]), unique=True).map(
    lambda words: ["<pad>", "<unk>", *words]
)


@given(vocabularies, st.floats(0.05, 1))
def test_rows_of_shared_words_are_carried_bit_by_bit_whatever_the_order(words, density):
    weights, mask, fresh, after, kept = moved(words, CLASSES, density)
    for row, word in enumerate(words):
        if word in OLD:
            old = OLD.index(word)
            assert torch.equal(after["embedding.weight"][row], weights["embedding.weight"][old])
            assert torch.equal(kept["embedding.weight"][row], mask["embedding.weight"][old])
        else:
            assert torch.equal(after["embedding.weight"][row], fresh["embedding.weight"][row])
    assert after["embedding.weight"].shape == fresh["embedding.weight"].shape
    assert not kept["embedding.weight"][0].any(), "padding is no parameter"
    for name in ("conv.weight", "head.weight", "head.bias"):
        assert torch.equal(after[name], weights[name])


@given(vocabularies, st.floats(0.05, 1))
@example(["<pad>", *OLD[1:3], *(f"new{n}" for n in range(9))], 0.74)  # 7/10 of 45 is a half; as a float, less
def test_new_rows_have_exactly_the_carried_rows_density(words, density):
    _, mask, _, _, kept = moved(words, CLASSES, density)
    shared = [OLD.index(word) for word in words if word in OLD and word != "<pad>"]
    new = [row for row, word in enumerate(words) if word not in OLD]
    of_carried = Fraction(int(mask["embedding.weight"][shared].sum()), len(shared) * SIZE)
    assert int(kept["embedding.weight"][new].sum()) == round(of_carried * len(new) * SIZE)


def test_the_random_mask_of_new_rows_follows_from_its_generator_and_falls_anywhere():
    words = ["<pad>", "<unk>", *WORDS[:10], *(f"new{n}" for n in range(20))]
    one, same, other = (moved(words, CLASSES, seed=seed)[4]["embedding.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    hits = sum(moved(words, CLASSES, seed=seed)[4]["embedding.weight"][12:].float() for seed in range(200)) / 200
    assert hits.min() > 0.15 and hits.max() < 0.75, "no entry is favoured"


@given(st.permutations(range(3)))
def test_a_head_of_the_same_classes_is_carried_by_name_whatever_their_order(order):
    classes = [CLASSES[place].upper() for place in order]
    weights, mask, _, after, kept = moved(OLD, classes)
    for new, old in enumerate(order):
        assert torch.equal(after["head.weight"][new], weights["head.weight"][old])
        assert torch.equal(after["head.bias"][new], weights["head.bias"][old])
        assert torch.equal(kept["head.weight"][new], mask["head.weight"][old])


@pytest.mark.parametrize("classes", [["a", "b"], ["World", "Sports", "Arts"], ["World", "Sports"], [*CLASSES, "Arts"]])
def test_a_head_of_other_classes_is_fresh_and_whole(classes):
    _, _, fresh, after, kept = moved(OLD, classes)
    for name in OUTPUT:
        assert torch.equal(after[name], fresh[name])
    assert kept["head.weight"].all()
    assert kept["head.weight"].shape == fresh["head.weight"].shape
    assert "head.bias" not in kept, "what may not be pruned has no mask"


def test_to_the_same_words_and_classes_a_ticket_is_carried_as_it_is_and_shares_nothing():
    weights, mask, _, after, kept = moved(OLD, CLASSES)
    assert all(torch.equal(after[name], weights[name]) for name in weights)
    assert all(torch.equal(kept[name], mask[name]) for name in mask)
    assert list(kept) == list(mask)
    before = {tensor.data_ptr() for tensor in (*weights.values(), *mask.values())}
    assert not before & {tensor.data_ptr() for tensor in (*after.values(), *kept.values())}


def test_a_layer_of_another_size_is_refused():
    weights = drawn(len(OLD), 3, 1)
    fresh = drawn(len(OLD), 3, 2) | {"conv.weight": torch.zeros(6, SIZE)}
    found = align(OLD, OLD, CLASSES, CLASSES)
    with pytest.raises(ValueError, match=r"conv\.weight"):
        carry(weights, {}, found, fresh, masks.support(fresh), "embedding.weight", OUTPUT, torch.Generator())


def test_what_is_carried_is_said():
    assert remark(align(OLD, OLD, CLASSES, CLASSES), CLASSES).startswith("all 30 words carried; the head too")
    few = ["<pad>", "<unk>", *WORDS[:4], "news"]
    assert remark(align(OLD, few, CLASSES, ["a", "b"]), ["a", "b"]) == "4 of 5 words carried; new head for 2 classes"
