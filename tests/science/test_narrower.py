"""A narrower dense network: as many parameters as it is allowed, counted as a run counts them, and fit to train."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import catalog
from engine import spec as specs
from engine.errors import BadInput
from engine.models import network, sizes
from tests.checkpoints import small
from tests.science.conftest import CLASSES, WORDS
from tests.science.test_sizes import counted

FAMILIES = ("cnn", "rnn", "lstm", "gru")
KINDS = ("bert", "distilbert", "roberta")
WIDTH = {"cnn": "filters"} | dict.fromkeys(("rnn", "lstm", "gru"), "hidden")


@st.composite
def shapes(draw):
    """A model of words of any family and shape, and how many words and classes there are."""
    name = draw(st.sampled_from(FAMILIES))
    given = {"embedding_dim": draw(st.integers(1, 40)), WIDTH[name]: draw(st.integers(1, 40))}
    if name == "cnn":
        given["widths"] = ",".join(map(str, draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))))
    else:
        given |= {"layers": draw(st.integers(1, 2)), "bidirectional": draw(st.booleans())}
        given["pooling"] = draw(st.sampled_from(["last", "max", "mean"]))
    model = specs.compose(name, "ag_news", settings={f"model.{key}": str(value) for key, value in given.items()}).model
    return model, draw(st.integers(3, 60)), draw(st.integers(2, 9))


def size_of(model, words: int, classes: int, **changes) -> int:
    return catalog.load(catalog.MODELS[model.name].size)(model.model_dump() | changes, words, classes)


def widths(model, words: int, classes: int, parameters: int) -> tuple[int, int] | None:
    """Those of the word vectors and of the layers of the narrower network."""
    found = catalog.load(catalog.MODELS[model.name].narrow)(model.model_dump(), words, classes, parameters)
    return None if found is None else (found["embedding_dim"], found[WIDTH[model.name]])


def trains(module, words: int) -> None:
    """One step backward reaches every layer, and every number is finite."""
    first, other = network.draw(module, 0), network.draw(module, 1)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    module.train()
    tokens, lengths = torch.randint(2, words, (3, 7)), torch.tensor([7, 3, 1])
    with torch.random.fork_rng():
        logits = module(tokens, lengths, torch.Generator().manual_seed(0))
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0])).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in module.parameters())


@settings(max_examples=150, deadline=None)
@given(shape=shapes(), share=st.floats(0, 1.2))
def test_a_narrower_network_has_at_most_so_many_parameters_and_none_one_step_wider_fits(shape, share):
    model, words, classes = shape
    whole = size_of(model, words, classes)
    narrowest = size_of(model, words, classes, **{"embedding_dim": 1, WIDTH[model.name]: 1})
    allowed = round(share * whole)
    module = network.narrower(model, [f"word{number}" for number in range(words)], classes, allowed)
    if module is None:
        assert allowed < narrowest
        return
    size, wide = widths(model, words, classes, allowed)
    assert tuple(module.embedding.weight.shape) == (words, size)
    assert counted(module) == size_of(model, words, classes, **{"embedding_dim": size, WIDTH[model.name]: wide})
    assert narrowest <= counted(module) <= allowed
    limits = model.embedding_dim, getattr(model, WIDTH[model.name])
    for wider in ((size + 1, wide), (size, wide + 1)):
        fits = size_of(model, words, classes, **dict(zip(("embedding_dim", WIDTH[model.name]), wider, strict=True)))
        assert fits > allowed or any(one > limit for one, limit in zip(wider, limits, strict=True))
    assert size <= limits[0]
    assert wide <= limits[1]


@settings(max_examples=150, deadline=None)
@given(shape=shapes(), one=st.floats(0, 1.2), other=st.floats(0, 1.2))
def test_more_parameters_never_make_a_smaller_network(shape, one, other):
    model, words, classes = shape
    counts = []
    for share in sorted((one, other)):
        found = widths(model, words, classes, round(share * size_of(model, words, classes)))
        parts = None if found is None else dict(zip(("embedding_dim", WIDTH[model.name]), found, strict=True))
        counts.append(0 if parts is None else size_of(model, words, classes, **parts))
    assert counts[0] <= counts[1]


@settings(max_examples=100, deadline=None)
@given(shape=shapes(), short=st.integers(0, 3))
def test_all_its_parameters_give_the_network_itself_and_fewer_than_the_narrowest_none(shape, short):
    model, words, classes = shape
    whole = size_of(model, words, classes)
    assert widths(model, words, classes, whole + short) == (model.embedding_dim, getattr(model, WIDTH[model.name]))
    narrowest = size_of(model, words, classes, **{"embedding_dim": 1, WIDTH[model.name]: 1})
    assert widths(model, words, classes, narrowest) is not None
    assert widths(model, words, classes, narrowest - 1 - short) is None


@pytest.mark.parametrize("name", [name for name, card in catalog.MODELS.items() if card.reads == "words"])
@pytest.mark.parametrize("share", [0.8, 0.5, 0.2, 0.1, 0.05])
def test_on_a_real_vocabulary_it_is_within_a_hundredth_and_no_thinner_than_in_proportion(name, share):
    model = specs.compose(name, "ag_news").model
    allowed = round(share * size_of(model, 20_000, 4))
    width = next(each for each in ("filters", "hidden") if hasattr(model, each))
    found = catalog.load(catalog.MODELS[name].narrow)(model.model_dump(), 20_000, 4, allowed)
    assert 0.99 * allowed <= catalog.load(catalog.MODELS[name].size)(found, 20_000, 4) <= allowed
    assert found[width] >= round(found["embedding_dim"] / model.embedding_dim * getattr(model, width)) - 1


@settings(max_examples=40, deadline=None)
@given(shape=shapes(), share=st.floats(0.2, 1))
def test_a_narrower_network_of_words_is_drawn_and_trains(shape, share):
    model, words, classes = shape
    module = network.narrower(
        model, [f"word{n}" for n in range(words)], classes, round(share * size_of(model, words, classes))
    )
    if module is not None:
        trains(module, words)


def test_all_but_the_widths_stays_as_it_was():
    model = specs.compose("lstm-2020", "ag_news", settings={"model.vectors": "none", "model.bidirectional": "false"})
    given = model.model.model_dump()
    found = sizes.narrower_lstm(given, 1000, 4, 100_000)
    assert {key for key in given if found[key] != given[key]} == {"embedding_dim", "hidden"}


def test_static_pretrained_vectors_become_random_tuned_ones():
    model = specs.compose(
        "cnn", "ag_news", settings={"model.vectors": "no/such/file.txt", "model.embeddings": "static"}
    ).model
    module = network.narrower(model, WORDS, CLASSES, 20_000)
    assert module.embedding.pretrained is None
    assert not network.pretrained(module)
    assert "frozen" not in network.kinds(module).values()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    return {kind: small(tmp_path_factory.mktemp(kind), WORDS, kind) for kind in KINDS}


def of_checkpoint(folder):
    return specs.compose("bert", "ag_news").model.model_copy(update={"checkpoint": str(folder)})


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(share=st.floats(0, 1.1))
def test_a_narrower_transformer_has_at_most_so_many_parameters_and_none_one_step_wider_fits(checkpoints, kind, share):
    model = of_checkpoint(checkpoints[kind])
    allowed = round(share * counted(network.build(model, WORDS, CLASSES)))
    module = network.narrower(model, WORDS, CLASSES, allowed)
    feed = "hidden_dim" if kind == "distilbert" else "intermediate_size"

    def wider(hidden: int, inner: int) -> int:
        """Parameters of the same transformer with these widths, built by hand."""
        shape = {"hidden_size": hidden, feed: inner, "num_attention_heads": 1}
        build = catalog.load(catalog.MODELS["bert"].build)
        given = {"checkpoint": model.checkpoint, "pretrained": False, "config": shape}
        return counted(build(WORDS, CLASSES, given))

    if module is None:
        assert allowed < wider(2, 1)
        return
    config = module.network.config
    hidden, inner, heads = config.hidden_size, getattr(config, feed), config.num_attention_heads
    assert counted(module) == wider(hidden, inner) <= allowed
    assert hidden == 16 or wider(hidden + 2, inner) > allowed
    assert inner == 24 or wider(hidden, inner + 1) > allowed
    assert hidden % heads == 0
    assert heads == (2 if hidden // 2 >= 8 else 1)
    assert module.network.get_input_embeddings().num_embeddings == len(WORDS) + 5
    assert config.num_hidden_layers == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_narrower_transformer_begins_at_nothing_pretrained_and_trains(checkpoints, kind):
    model = of_checkpoint(checkpoints[kind])
    whole = counted(network.build(model, WORDS, CLASSES))
    module = network.narrower(model, WORDS, CLASSES, whole // 2)
    assert not network.pretrained(module)
    assert 0.97 * (whole // 2) <= counted(module)
    trains(module, len(WORDS))
    assert all(torch.equal(weight, network.draw(module, 3)[name]) for name, weight in network.draw(module, 3).items())


def test_a_transformer_of_the_same_size_is_the_checkpoints_architecture_drawn_afresh(checkpoints):
    model = of_checkpoint(checkpoints["bert"])
    given = network.build(model, WORDS, CLASSES)
    module = network.narrower(model, WORDS, CLASSES, counted(given))
    shapes_ = {name: weight.shape for name, weight in given.named_parameters()}
    assert {name: weight.shape for name, weight in module.named_parameters()} == shapes_
    assert network.pretrained(given)
    assert not network.pretrained(module)


def test_an_architecture_that_does_not_narrow_is_told_in_one_sentence(tmp_path):
    from transformers import PerceiverConfig

    PerceiverConfig().save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"^arm: small-dense given, but a perceiver cannot be made narrower here; "):
        network.narrower(of_checkpoint(tmp_path), WORDS, CLASSES, 100)
