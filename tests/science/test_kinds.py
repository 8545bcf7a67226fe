"""What the menu counts as embedding, encoder, head and bias is what a run may prune as that."""

from collections import Counter

import pytest

from engine import catalog
from engine import spec as specs
from engine.models import network, sizes
from engine.pruning import mask as masks
from tests.science.test_sizes import built

WORDS = [f"word{number}" for number in range(30)]
OF_WORDS = [name for name, card in catalog.MODELS.items() if card.kinds]
SETTINGS = {
    "as they are": {},
    "static": {"model.embeddings": "static"},
    "small": {"model.embedding_dim": 7, "model.dropout": 0.1},
}
RECURRENT = {"model.layers": 3, "model.hidden": 5, "model.bidirectional": "false"}


def counted(module) -> dict[str, int]:
    """By kind, as a run counts: the padding row is no parameter."""
    found: Counter[str] = Counter()
    entries = masks.support(network.weights(module), network.padding(module))
    for name, kind in network.kinds(module).items():
        found[kind] += int(entries[name].sum())
    return dict(found)


@pytest.mark.parametrize("name", OF_WORDS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_model_of_words_has_of_each_kind_what_the_menu_says(name, settings):
    more = RECURRENT if "model.hidden" in specs.settable(name) else {"model.widths": "2,7", "model.filters": 3}
    for changed in ({}, more):
        model = specs.compose(name, "ag_news", settings={"model.vectors": "none", **settings, **changed}).model
        said = sizes.kinds(model.model_dump(), len(WORDS), 3)
        assert said == counted(network.build(model, WORDS, 3))
        assert ("frozen" in said) == (settings.get("model.embeddings") == "static")


@pytest.mark.parametrize("name", sizes.BERTS)
def test_a_bert_has_of_each_kind_what_the_menu_says(name):
    shape, module = sizes.BERTS[name], built(name)
    found: Counter[str] = Counter()
    for layer, kind in network.kinds(module).items():
        found[kind] += module.get_parameter(layer).numel()
    found["embedding"] -= shape.hidden  # the padding row
    assert sizes.kinds({"name": "bert"}, 0, 3, shape) == dict(found)


def test_a_checkpoint_of_unknown_shape_is_not_counted():
    assert sizes.kinds({"name": "bert-tiny", "checkpoint": None}, 100, 3) is None


def test_every_model_is_counted_by_kind_or_is_a_checkpoint():
    for card in catalog.MODELS.values():
        assert (card.kinds is None) == (card.reads == "pieces") == (card.size is None)
