"""The menu's count of parameters is that of the network itself, as a run counts it."""

import pytest
import torch

from engine import catalog
from engine import spec as specs
from engine.models import bert, network, sizes
from engine.pruning import mask as masks

WORDS = [f"word{number}" for number in range(30)]


def counted(module) -> int:
    entries = masks.support(network.weights(module), network.padding(module))
    return sum(int(present.sum()) for present in entries.values())


@pytest.mark.parametrize("name", [name for name, card in catalog.MODELS.items() if card.size])
@pytest.mark.parametrize("settings", [{}, {"model.embedding_dim": 7}])
def test_a_model_of_words_has_as_many_parameters_as_the_menu_says(name, settings):
    model = specs.compose(name, "ag_news", settings={"model.vectors": "none", **settings}).model
    said = catalog.load(catalog.MODELS[name].size)(model.model_dump(), len(WORDS), 3)
    assert said == counted(network.build(model, WORDS, 3))


def built(name: str) -> bert.Bert:
    """A BERT of the menu with weights that take no room."""
    from transformers import BertConfig, BertForSequenceClassification

    shape = sizes.BERTS[name]
    config = BertConfig(
        vocab_size=shape.pieces, hidden_size=shape.hidden, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, intermediate_size=shape.inner, num_labels=3,
    )  # fmt: skip
    with torch.device("meta"):
        return bert.Bert(BertForSequenceClassification(config), {}, 3)


@pytest.mark.parametrize("name", sizes.BERTS)
def test_a_bert_has_as_many_parameters_as_the_menu_says(name):
    shape, module = sizes.BERTS[name], built(name)
    assert sizes.bert(shape, 3) == sum(weight.numel() for weight in module.parameters()) - shape.hidden  # padding row
