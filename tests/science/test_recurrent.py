"""Recurrent networks read valid tokens only, both ways; masks on recurrent weights hold; weights begin as said."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine import spec as specs
from engine.models import network, recurrent
from engine.optimisation import Plan, Start
from engine.pruning import mask as masks
from engine.training import train
from tests.science.conftest import CLASSES, WORD_VECTORS, WORDS

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
SETTINGS = {
    **WORD_VECTORS,
    "embedding_dim": 6,
    "hidden": 5,
    "layers": 2,
    "bidirectional": True,
    "pooling": "last",
    "dropout": 0.0,
}


def build(cell: str, **settings) -> recurrent.Recurrent:
    module = getattr(recurrent, f"build_{cell}")(WORDS, CLASSES, SETTINGS | settings)
    network.draw(module, 3)
    return module


def texts(lengths: list[int], longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.randint(1, len(WORDS), (len(lengths), longest), generator=torch.Generator().manual_seed(0))
    size = torch.tensor(lengths)
    return tokens.masked_fill(torch.arange(longest) >= size[:, None], 0), size


def packed(module: recurrent.Recurrent, cell: str, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The same network as torch has it: bidirectional layers over packed sequences."""
    vectors = module.embedding(tokens)
    for layer in module.layers:
        whole = CELLS[cell](vectors.shape[-1], module.hidden, batch_first=True, bidirectional=True)
        with torch.no_grad():
            for name, weight in layer.ahead.named_parameters():
                getattr(whole, name).copy_(weight)
            for name, weight in layer.back.named_parameters():
                getattr(whole, f"{name}_reverse").copy_(weight)
        sequence = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        output, state = whole(sequence)
        vectors = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0]
    last = state[0] if cell == "lstm" else state
    return module.head(torch.cat([last[0], last[1]], dim=1))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [[7, 7], [7, 3, 1], [1]])
def test_logits_are_those_of_torchs_bidirectional_network_over_packed_sequences(cell, lengths):
    module = build(cell)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "bias" in name:
                weight.normal_(std=0.3)
    tokens, size = texts(lengths, max(lengths))
    torch.testing.assert_close(module(tokens, size), packed(module, cell, tokens, size))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", ["last", "max", "mean"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_neither_padding_nor_the_rest_of_the_batch_is_read(cell, pooling, bidirectional):
    module = build(cell, pooling=pooling, bidirectional=bidirectional)
    tokens, size = texts([3, 8, 14], 14)
    together = module(tokens, size)
    for i, length in enumerate(size.tolist()):
        torch.testing.assert_close(module(tokens[i : i + 1, :length], size[i : i + 1])[0], together[i])
    torch.testing.assert_close(module(F.pad(tokens, (0, 20)), size), together)


@pytest.mark.parametrize("cell", CELLS)
def test_every_valid_token_counts_and_reaches_the_gradient(cell):
    module = build(cell)
    tokens, size = texts([5], 9)
    F.cross_entropy(module(tokens, size), torch.tensor([1])).backward()
    reached = module.embedding.weight.grad.abs().sum(dim=1) > 0
    assert set(reached.nonzero().flatten().tolist()) == set(tokens[0, :5].tolist())


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_recurrence_begins_orthogonal_inputs_xavier_biases_zero(cell, gates):
    module = build(cell, embedding_dim=80, hidden=90, layers=1)
    weights = network.weights(module)
    for direction in ("ahead", "back"):
        for gate in weights[f"layers.0.{direction}.weight_hh_l0"].chunk(gates):
            torch.testing.assert_close(gate @ gate.t(), torch.eye(90), atol=1e-5, rtol=0)
        for gate in weights[f"layers.0.{direction}.weight_ih_l0"].chunk(gates):
            assert gate.std().item() == pytest.approx((2 / 170) ** 0.5, rel=0.05)
        assert not weights[f"layers.0.{direction}.bias_ih_l0"].any()
        assert not weights[f"layers.0.{direction}.bias_hh_l0"].any()


def test_initial_weights_come_from_their_seed_alone():
    module = build("lstm")
    first = network.draw(module, 1)
    torch.manual_seed(99)
    again, other = network.draw(module, 1), network.draw(module, 2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["layers.1.back.weight_hh_l0"], other["layers.1.back.weight_hh_l0"])


@pytest.mark.parametrize("cell", CELLS)
def test_masked_recurrent_weights_stay_exactly_zero_through_training(cell, texts):
    module = build(cell, dropout=0.3)
    weights = network.draw(module, 4)
    kinds = network.kinds(module)
    entries = masks.support(weights, network.padding(module))
    whole = {name: entries[name] for name, kind in kinds.items() if kind in ("embedding", "encoder", "head")}
    assert any("weight_hh" in name for name in whole)
    mask = masks.prune({name: weights[name].abs() for name in whole}, whole, 0.6, "layerwise")
    plan = Plan(2, 16, 0.01, "linear", 0.1, 0.01, 1.0, 0, 5)
    arms = train({"ticket": Start(weights, mask)}, plan, module, texts)
    for name, kept in mask.items():
        assert not arms["ticket"].weights[name][~kept].any(), name
        assert not torch.equal(arms["ticket"].weights[name][kept], weights[name][kept]), name


def test_the_studys_sizes_go_by_name():
    model = specs.compose("lstm-2020", "ag_news").model
    assert (model.layers, model.hidden, model.bidirectional, model.vectors) == (2, 256, True, "glove.6B.100d")
    spec = specs.compose("cnn-2020", "imdb")
    assert (spec.data.valid_fraction, spec.training.learning_rate, spec.training.epochs) == (0.3, 5e-3, 20)
    assert specs.compose("lstm", "ag_news").model.hidden == 128
