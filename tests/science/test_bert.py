"""Transformers as classifiers: they begin at their checkpoint, read valid tokens only, prune what the paper prunes."""

import json

import pytest
import torch
from safetensors.torch import load_file

from engine import spec as specs
from engine.errors import BadInput
from engine.lottery import experiment
from engine.models import bert, network
from engine.optimisation import Plan, Start
from engine.pruning import mask as masks
from engine.training import train
from tests.checkpoints import small
from tests.science.conftest import CLASSES, WORDS, Laboratory, Memory

KINDS = ("bert", "distilbert", "roberta")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        (kind, head): small(tmp_path_factory.mktemp(f"{kind}-{head}"), WORDS, kind, head)
        for kind in KINDS
        for head in ("none", "mlm")
    }


def build(folder, pretrained=True):
    return bert.build(WORDS, CLASSES, {"checkpoint": str(folder), "pretrained": pretrained})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["none", "mlm"])
def test_a_run_begins_at_the_checkpoints_weights_with_a_head_of_its_seed(folders, kind, head):
    module = build(folders[kind, head])
    first, other = network.draw(module, 0), network.draw(module, 1)
    held = load_file(folders[kind, head] / "model.safetensors")
    kinds = network.kinds(module)
    compared = 0
    for name, weight in first.items():
        inner = name.removeprefix("network.")
        stored = held.get(inner, held.get(inner.partition(".")[2]))
        if kinds[name] in ("encoder", "embedding") and ".pooler." not in name:
            assert stored is not None and torch.equal(weight, stored), name
            assert torch.equal(weight, other[name])
            compared += 1
    assert compared > 8
    heads = [name for name, kind_ in kinds.items() if kind_ == "head"]
    assert heads and all(not torch.equal(first[name], other[name]) for name in heads)


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoders_matrices_are_its_kind_and_embeddings_the_classifier_and_vectors_are_not(folders, kind):
    kinds = network.kinds(build(folders[kind, "none"]))
    encoder = [name for name, kind_ in kinds.items() if kind_ == "encoder"]
    assert len([name for name in encoder if ".pooler." not in name]) == 2 * 6  # four of attention, two of the rest
    assert all("embedding" in name for name, kind_ in kinds.items() if kind_ == "embedding")
    assert all("classifier" in name for name, kind_ in kinds.items() if kind_ == "head")
    assert any("LayerNorm" in name or "layer_norm" in name for name, kind_ in kinds.items() if kind_ == "bias")
    assert specs.compose("bert", "ag_news").schedule.prunable == ("encoder",)


@pytest.mark.parametrize("kind", KINDS)
def test_what_tells_the_classes_apart_is_the_last_map_alone(folders, kind):
    module = build(folders[kind, "none"])
    shapes = {name: tuple(weight.shape) for name, weight in module.named_parameters()}
    other = bert.build(WORDS, CLASSES + 1, {"checkpoint": str(folders[kind, "none"]), "pretrained": True})
    changed = [name for name, weight in other.named_parameters() if tuple(weight.shape) != shapes[name]]
    assert network.output(module) == changed


def test_bert_bases_encoder_has_the_85_million_weights_of_the_paper():
    from transformers import BertConfig, BertForSequenceClassification

    with torch.device("meta"):
        whole = bert.Bert(BertForSequenceClassification(BertConfig(num_labels=2)), {}, 2)
    sizes = {name: weight.numel() for name, weight in whole.named_parameters()}
    encoder = sum(sizes[name] for name, kind in network.kinds(whole).items() if kind == "encoder")
    assert encoder == 85_524_480
    assert sum(sizes.values()) == pytest.approx(109.5e6, rel=1e-3)


def test_the_reinit_arm_keeps_the_embeddings_and_redraws_encoder_and_head(folders):
    module = build(folders["bert", "none"])
    first, control = network.draw(module, 0), network.draw(module, 5, control=True)
    for name, kind in network.kinds(module).items():
        if kind in ("encoder", "head"):
            assert not torch.equal(first[name], control[name]), name
            if kind == "encoder":
                assert control[name].std().item() == pytest.approx(0.02, rel=0.2)  # BERT's initializer_range
        elif ".embeddings." in name:
            assert torch.equal(first[name], control[name]), name


def test_without_pretraining_every_weight_comes_from_the_seed(folders):
    module = build(folders["bert", "none"], pretrained=False)
    first, again, other = (network.draw(module, seed) for seed in (0, 0, 1))
    held = load_file(folders["bert", "none"] / "model.safetensors")
    for name, kind in network.kinds(module).items():
        assert torch.equal(first[name], again[name])
        if kind != "bias":
            assert not torch.equal(first[name], other[name])
            stored = held.get(name.removeprefix("network.bert."))
            assert stored is None or not torch.equal(first[name], stored)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_padding_nor_the_rest_of_the_batch_is_read(folders, kind):
    module = build(folders[kind, "none"]).eval()
    network.draw(module, 0)
    lengths = torch.tensor([3, 8, 12])
    tokens = torch.randint(5, 40, (3, 12), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    tokens = tokens.masked_fill(torch.arange(12) >= lengths[:, None], 0)
    together = module(tokens, lengths)
    for i, length in enumerate(lengths.tolist()):
        alone = module(tokens[i : i + 1, :length], lengths[i : i + 1])[0]
        torch.testing.assert_close(alone, together[i], rtol=1e-4, atol=1e-5)


def test_dropout_follows_from_the_epoch_alone_whatever_was_drawn_before(folders, texts):
    module = build(folders["bert", "none"])
    start = Start(network.draw(module, 0), {})
    plan = Plan(1, 16, 1e-3, "linear", 0.2, 0.01, 1.0, 0, 3)
    first = train({"dense": start}, plan, module, texts)["dense"]
    torch.manual_seed(77)
    torch.rand(5)
    again = train({"dense": start}, plan, module, texts)["dense"]
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)


def test_an_experiment_rewinds_to_the_pretrained_weights_head_included(folders, texts):
    settings = {"model.checkpoint": str(folders["bert", "mlm"]), "schedule.rounds": 2, "training.epochs": 1,
                "schedule.rate": 0.5, "training.batch_size": 32}  # fmt: skip
    spec = specs.compose("bert", "ag_news", seeds=1, settings=settings)
    template = network.build(spec.model, WORDS, CLASSES)
    journal = Memory()
    experiment(Laboratory(spec, network.build(spec.model, WORDS, CLASSES), template, lambda _: texts), journal)
    rewound = journal.rewinds[0]
    assert torch.equal(
        rewound["network.classifier.weight"], network.draw(template, _init(0))["network.classifier.weight"]
    )
    last = journal.rounds[0, 2]
    kinds = network.kinds(template)
    assert set(last.mask) == {name for name, kind in kinds.items() if kind == "encoder"}
    entries = masks.support(rewound, network.padding(template))
    kept = sum(int(mask.sum()) for mask in last.mask.values()) / sum(int(entries[name].sum()) for name in last.mask)
    assert kept == pytest.approx(0.25, abs=0.01)
    for name, mask in last.mask.items():
        assert not last.trained[name][~mask].any()


def _init(seed: int) -> int:
    from engine.randomness import derive

    return derive(seed, "init")


def test_a_checkpoint_that_is_no_sequence_classifier_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", "architectures": ["ViTModel"]}))
    with pytest.raises(BadInput, match=r"model\.checkpoint: .*cannot be loaded as a sequence classifier") as caught:
        build(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_whose_encoder_is_missing_is_refused(folders, tmp_path):
    from safetensors.torch import save_file

    source = folders["bert", "none"]
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    held = load_file(source / "model.safetensors")
    save_file({name: w for name, w in held.items() if "layer.1" not in name}, tmp_path / "model.safetensors")
    with pytest.raises(BadInput, match="lacks the weights of"):
        build(tmp_path)


def test_a_tokenizer_larger_than_the_network_is_refused(folders):
    with pytest.raises(BadInput, match=r"has a tokenizer of 5,000 pieces but vectors for 45"):
        bert.build(["piece"] * 5000, CLASSES, {"checkpoint": str(folders["bert", "none"]), "pretrained": True})


@pytest.mark.parametrize("change", [{"num_attention_heads": 0}, {"pad_token_id": 10**6}])
def test_a_config_that_makes_no_network_is_refused_however_it_fails(folders, tmp_path, change):
    for file in folders["bert", "none"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(BadInput, match=r"model\.checkpoint: .* cannot be loaded as a sequence classifier"):
        build(tmp_path)


@pytest.mark.parametrize("kind", ["gpt2", "xlnet"])
def test_an_architecture_without_padding_or_with_unused_weights_trains(tmp_path, texts, kind):
    from transformers import AutoModel, GPT2Config, XLNetConfig

    configs = {
        "gpt2": GPT2Config(vocab_size=45, n_positions=64, n_embd=16, n_layer=1, n_head=2, eos_token_id=44),
        "xlnet": XLNetConfig(vocab_size=45, d_model=16, n_layer=1, n_head=2, d_inner=24, pad_token_id=0),
    }
    AutoModel.from_config(configs[kind]).save_pretrained(tmp_path)
    module = build(tmp_path)
    weights = network.draw(module, 0)
    entries = masks.support(weights, network.padding(module))
    whole = {name: entries[name] for name, kind_ in network.kinds(module).items() if kind_ == "encoder"}
    mask = masks.prune({name: weights[name].abs() for name in whole}, whole, 0.5, "layerwise")
    trained = train({"ticket": Start(weights, mask)}, Plan(1, 32, 1e-3, "linear", 0.1, 0.01, 1.0, 0, 3), module, texts)
    assert all(not trained["ticket"].weights[name][~kept].any() for name, kept in mask.items())


def test_the_network_that_is_trained_shares_what_it_begins_from(folders):
    module = build(folders["bert", "none"])
    twin = network.twin(module)
    assert twin.pretrained is module.pretrained
    assert twin.network.classifier.weight is not module.network.classifier.weight
