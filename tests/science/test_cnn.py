"""The CNN: the fast gradient is the exact one; a text's logits are its own."""

import pytest
import torch
from torch.nn import functional as F

from engine.models import network
from engine.models.cnn import build
from engine.randomness import derive
from tests.science.conftest import WORD_VECTORS

SETTINGS = {**WORD_VECTORS, "embedding_dim": 7, "filters": 5, "widths": (2, 3, 5), "dropout": 0.0}
WORDS = [str(number) for number in range(20)]


def texts(lengths: list[int], longest: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, 20, (len(lengths), longest), generator=draw)
    size = torch.tensor(lengths)
    return tokens.masked_fill(torch.arange(longest) >= size[:, None], 0), size


def directly(module, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The same network from torch's own convolution and maximum, text by text."""
    rows = []
    for row, length in zip(tokens, lengths.tolist(), strict=True):
        pooled = []
        for filters in module.convolutions:
            width = filters.weight.shape[1]
            kept = row[: max(length, width)]
            kept = F.pad(kept, (0, width - len(kept))) if len(kept) < width else kept
            vectors = module.embedding(kept)[None].transpose(1, 2)
            scores = F.conv1d(vectors, filters.weight.transpose(1, 2), filters.bias)
            pooled.append(F.relu(scores).amax(2))
        rows.append(module.head(torch.cat(pooled, 1))[0])
    return torch.stack(rows)


@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 4, 1], [1, 2, 2], [6]])
def test_logits_and_gradients_are_those_of_torchs_convolution(lengths):
    module = build(WORDS, 3, SETTINGS).double()
    network.draw(module, 5)
    with torch.no_grad():
        for filters in module.convolutions:
            filters.bias.normal_()
    tokens, size = texts(lengths, max(lengths))
    labels = torch.arange(len(lengths)) % 3
    F.cross_entropy(module(tokens, size), labels).backward()
    fast = {name: weight.grad.clone() for name, weight in module.named_parameters()}
    module.zero_grad()
    expected = directly(module, tokens, size)
    torch.testing.assert_close(module(tokens, size), expected)
    F.cross_entropy(expected, labels).backward()
    for name, weight in module.named_parameters():
        torch.testing.assert_close(fast[name], weight.grad, msg=name)


def test_a_texts_logits_do_not_depend_on_its_batch():
    module = build(WORDS, 3, SETTINGS)
    network.draw(module, 1)
    tokens, size = texts([3, 8, 14], 14)
    together = module(tokens, size)
    for i, length in enumerate(size.tolist()):
        torch.testing.assert_close(module(tokens[i : i + 1, :length], size[i : i + 1])[0], together[i])
    wider = F.pad(tokens, (0, 20))
    torch.testing.assert_close(module(wider, size), together)


def test_initial_weights_come_from_their_seed_alone():
    module = build(WORDS, 3, SETTINGS)
    first = network.draw(module, derive(0, "init"))
    torch.manual_seed(123)
    torch.rand(10)
    again, other = network.draw(module, derive(0, "init")), network.draw(module, derive(1, "init"))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_initialisers_are_xaviers_and_biases_0():
    module = build(
        [str(number) for number in range(3000)],
        4,
        SETTINGS | {"embedding_dim": 100, "filters": 100, "widths": (3,), "dropout": 0.5},
    )
    weights = network.draw(module, 0)
    assert weights["embedding.weight"][1:].std().item() == pytest.approx((2 / 3100) ** 0.5, rel=0.02)
    assert weights["convolutions.0.weight"].std().item() == pytest.approx((2 / 600) ** 0.5, rel=0.02)
    assert not weights["embedding.weight"][0].any()
    assert not weights["convolutions.0.bias"].any()
    assert not weights["head.bias"].any()


def test_dropout_comes_from_its_generator_and_only_in_training():
    module = build(WORDS, 3, SETTINGS | {"dropout": 0.5})
    network.draw(module, 1)
    tokens, size = texts([6, 6], 6)

    def logits(seed: int) -> torch.Tensor:
        return module(tokens, size, torch.Generator().manual_seed(seed))

    module.train()
    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
    module.eval()
    assert torch.equal(logits(1), logits(2))


def test_kinds_of_layers():
    assert network.kinds(build(WORDS, 3, SETTINGS)) == {
        "embedding.weight": "embedding",
        **{
            f"convolutions.{i}.{part}": kind
            for i in range(3)
            for part, kind in (("weight", "encoder"), ("bias", "bias"))
        },
        "head.weight": "head",
        "head.bias": "bias",
    }
