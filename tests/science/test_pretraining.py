"""Pretraining by masked language modelling: it learns, from training texts alone, and the same each time."""

import json
import math
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine import places
from engine.data import corpus
from engine.errors import BadInput, Stopped
from engine.models import blocks, masked, pretraining, wordpiece
from engine.models.pretraining import SIZES, Epoch, Listener, Plan, pretrain
from engine.models.sizes import Shape
from engine.spec import DataSpec

DATA = DataSpec(name="pydoc")
WORDS = [first + second for first in ("ba", "ke", "lo", "mi", "nu") for second in ("ra", "so", "ti", "vu", "xe", "da")]
PLAN = Plan(
    vocabulary_size=120, epochs=2, batch_size=8, max_tokens=24, learning_rate=3e-3, device="cpu", threads=1
)  # fmt: skip


def rows(count: int, seed: int = 0) -> list[tuple[str, int]]:
    """Texts in which a word is followed by the next one of WORDS: whoever sees the neighbours knows it."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        first, length = draw.randrange(len(WORDS)), draw.randint(3, 40)
        words = [WORDS[(first + place) % len(WORDS)] for place in range(length)]
        found.append((" ".join(words), number % 2))
    return found


class Untouched:
    """Test texts that nobody may read."""

    def __iter__(self) -> Iterator[tuple[str, int]]:
        raise AssertionError("the test texts were read")


def make(patch: pytest.MonkeyPatch) -> None:
    """A made corpus in place of pydoc, and a network that trains on it in a second."""
    made = corpus.Corpus("made", ("even", "odd"), rows(300), Untouched())
    patch.setattr(corpus, "read", lambda _: made)
    patch.setattr(corpus, "fingerprint", lambda _: ("made",))
    patch.setitem(pretraining.SIZES, "bert-tiny", Shape(2, 32, 2, 64, positions=64))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make(monkeypatch)


class Watch:
    """Remembers what is said and finished, and asks to stop some steps into an epoch."""

    def __init__(self, epoch: int | None = None, step: int = 1) -> None:
        self.words: list[str] = []
        self.epochs: list[Epoch] = []
        self.at, self.stopping = (epoch, step), False

    def listener(self) -> Listener:
        return Listener(self.words.append, self.words.append, self._on_step, self.epochs.append, lambda: self.stopping)

    def _on_step(self, epoch: int, step: int, steps: int, loss: float | None) -> None:
        self.stopping = self.stopping or (epoch, step) == self.at


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, dict]:
    """A pretraining to its end, for tests that only look."""
    folder = tmp_path_factory.mktemp("done") / "bert-tiny-made"
    with pytest.MonkeyPatch.context() as patch:
        make(patch)
        return folder, pretrain(DATA, replace(PLAN, epochs=10), folder)


def test_the_loss_falls_clearly_below_what_counting_pieces_comes_to(done):
    _, account = done
    losses = [epoch["held_out_loss"] for epoch in account["epochs"]]
    assert losses[-1] < account["unigram_loss"] - 0.5
    assert losses[-1] < losses[0] - 0.5
    assert account["epochs"][-1]["held_out_accuracy"] > 3 / len(WORDS)


def test_the_folder_is_an_ordinary_one_of_transformers(done):
    from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

    folder, account = done
    assert sorted(os.listdir(folder)) == [
        "config.json", "model.safetensors", "pretraining.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"
    ]  # fmt: skip
    assert not folder.with_name(f"{folder.name}.part").exists()
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["BertForMaskedLM"]
    assert config["hidden_dropout_prob"] == 0.1
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = (folder / "vocab.txt").read_text().splitlines()
    assert tokenizer.convert_ids_to_tokens(list(range(5))) == pieces[:5] == list(wordpiece.SPECIALS)
    ids = tokenizer("BARA ke\u0301ra").input_ids  # in small letters, without accents
    assert tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", "bara", "kera", "[SEP]"]
    network, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert all(name.startswith(("classifier.", "bert.pooler.")) for name in info["missing_keys"])
    assert network(torch.tensor([ids])).logits.shape == (1, 2)
    whole, info = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert whole(torch.tensor([ids])).logits.shape == (1, len(ids), len(pieces))
    assert account["folder"] == str(folder)


def test_test_texts_and_held_out_texts_are_never_learned_from(tmp_path, monkeypatch):
    texts = [text for text, _ in rows(300)]
    kept_out = next(text for text in (f"{text} zzyzx" for text in texts) if pretraining.held_out(text))
    trained = next(text for text in (f"{text} qwqwq" for text in texts) if not pretraining.held_out(text))
    pairs = [(text, 0) for text in (*texts, *[kept_out] * 20, *[trained] * 20)]
    monkeypatch.setattr(corpus, "read", lambda _: corpus.Corpus("made", ("a", "b"), pairs, Untouched()))
    pretrain(DATA, replace(PLAN, epochs=1), tmp_path / "out")
    pieces = (tmp_path / "out" / "vocab.txt").read_text().splitlines()
    assert "qwqwq" in pieces
    assert not any("z" in piece for piece in pieces)
    assert wordpiece.encoder(pieces).encode("zzyzx").tokens == ["[UNK]"]


def test_a_twentieth_of_the_texts_is_held_out_copies_together():
    share = sum(map(pretraining.held_out, (f"text {number}" for number in range(20_000)))) / 20_000
    assert 0.045 < share < 0.055


def test_one_seed_gives_one_network_and_another_seed_another(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        pretrain(DATA, replace(PLAN, seed=seed), tmp_path / name)
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_interrupted_and_taken_up_again_it_comes_to_the_same_bits(tmp_path):
    plan = replace(PLAN, epochs=3)
    whole = Watch()
    pretrain(DATA, plan, tmp_path / "whole", listener=whole.listener())
    first, second = Watch(epoch=2, step=5), Watch()
    with pytest.raises(Stopped) as stopped:
        pretrain(DATA, plan, tmp_path / "halted", listener=first.listener())
    assert stopped.value.args == (1,)
    assert not (tmp_path / "halted").exists()
    pretrain(DATA, plan, tmp_path / "halted", listener=second.listener())
    assert "Going on after epoch 1 of 3." in second.words
    assert same(tmp_path / "whole", tmp_path / "halted")

    def numbers(watch: Watch) -> list[tuple[float, float, float]]:
        return [(epoch.loss, epoch.held_out_loss, epoch.held_out_accuracy) for epoch in watch.epochs]

    assert numbers(first) + numbers(second) == numbers(whole)
    assert sorted(os.listdir(tmp_path)) == ["halted", "whole"]


def test_other_settings_begin_anew_and_say_which(tmp_path):
    with pytest.raises(Stopped):
        pretrain(DATA, PLAN, tmp_path / "out", listener=Watch(epoch=2).listener())
    watch = Watch()
    pretrain(DATA, replace(PLAN, learning_rate=1e-3), tmp_path / "out", listener=watch.listener())
    assert any("Beginning anew" in words and words.endswith("another learning-rate.") for words in watch.words)
    assert [epoch.epoch for epoch in watch.epochs] == [1, 2]
    pretrain(DATA, replace(PLAN, learning_rate=1e-3), tmp_path / "fresh")
    assert same(tmp_path / "out", tmp_path / "fresh")


def test_a_damaged_state_begins_anew(tmp_path):
    with pytest.raises(Stopped):
        pretrain(DATA, PLAN, tmp_path / "out", listener=Watch(epoch=2).listener())
    state = tmp_path / "out.part" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    watch = Watch()
    pretrain(DATA, PLAN, tmp_path / "out", listener=watch.listener())
    assert any("damaged" in words for words in watch.words)
    assert (tmp_path / "out").is_dir()


def test_stopped_before_the_first_epoch_nothing_is_left(tmp_path):
    with pytest.raises(Stopped) as stopped:
        pretrain(DATA, PLAN, tmp_path / "out", listener=Watch(epoch=1, step=3).listener())
    assert stopped.value.args == (0,)
    assert os.listdir(tmp_path) == []


def test_what_is_finished_stays_unless_forced_and_what_is_not_ours_stays_always(tmp_path):
    out = tmp_path / "out"
    pretrain(DATA, PLAN, out)
    before = weights(out)
    with pytest.raises(BadInput, match="finished already"):
        pretrain(DATA, replace(PLAN, seed=5), out)
    pretrain(DATA, replace(PLAN, seed=5), out, force=True)
    assert not torch.equal(weights(out)["cls.predictions.bias"], before["cls.predictions.bias"])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.tex").write_text("years of work")
    with pytest.raises(BadInput, match="not made by lth pretrain"):
        pretrain(DATA, PLAN, tmp_path / "thesis", force=True)
    assert sorted(os.listdir(tmp_path)) == ["out", "thesis"]


def test_a_given_vocabulary_is_used_as_it_is(tmp_path):
    pieces = ("[UNK]", *WORDS, "[CLS]", "[SEP]", "[MASK]", "Cased", "[PAD]")
    pretrain(DATA, replace(PLAN, pieces=pieces, epochs=1), tmp_path / "out")
    assert tuple((tmp_path / "out" / "vocab.txt").read_text().splitlines()) == pieces
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.tokenize("Cased bara Bara") == ["Cased", "bara", "[UNK]"]
    assert AutoConfig.from_pretrained(tmp_path / "out").pad_token_id == tokenizer.pad_token_id == len(pieces) - 1


def test_too_few_texts_are_refused_and_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "read", lambda _: corpus.Corpus("made", ("a", "b"), rows(99), Untouched()))
    with pytest.raises(BadInput, match="99 training texts, too few"):
        pretrain(DATA, PLAN, tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_a_loss_that_is_no_number_is_refused_with_the_cause(tmp_path, monkeypatch):
    monkeypatch.setattr(masked, "learning_rate", lambda *_: math.inf)
    with pytest.raises(BadInput, match=r"learning-rate: at 0.003 the loss left the finite numbers in epoch 1"):
        pretrain(DATA, PLAN, tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_a_network_lies_where_run_looks_for_it(tmp_path, monkeypatch):
    imdb = DataSpec(name="imdb")
    assert pretraining.folder_for("bert-tiny", imdb) == tmp_path / "data" / ".pretrained" / "bert-tiny-imdb"
    monkeypatch.setattr(places.os, "access", lambda *_: False)
    cached = tmp_path / "cache" / "lth" / "data" / ".pretrained" / "bert-tiny-imdb"
    assert pretraining.folder_for("bert-tiny", imdb) == cached
    (tmp_path / "data" / ".pretrained" / "bert-tiny-imdb").mkdir(parents=True)  # put there by who may write
    assert pretraining.folder_for("bert-tiny", imdb) == tmp_path / "data" / ".pretrained" / "bert-tiny-imdb"


@pytest.fixture
def batch() -> blocks.Batch:
    pieces = wordpiece.train(lambda: [text for text, _ in rows(50)], 120)
    made = blocks.cut((text for text, _ in rows(20)), pieces, 24)
    return next(blocks.Masking(pieces, 64).shuffled(made, 8, 1, 2))


def test_scores_at_the_masked_pieces_alone_give_the_loss_of_all(batch):
    network = masked.network(SIZES["bert-tiny"], 120, 0, seed=3).eval()
    assert batch.valid is not None, "padding should not change it"
    summed, right = masked.loss(network, batch)
    labels = torch.full_like(batch.tokens, -100).flatten()
    labels[batch.where] = batch.wanted
    labels = labels.view_as(batch.tokens)
    valid = batch.valid[:, 0, 0].long()
    full = network(batch.tokens, attention_mask=valid, position_ids=batch.positions, labels=labels)
    assert abs(summed.item() / len(batch.wanted) - full.loss.item()) < 1e-5
    assert int(right) == int((full.logits.argmax(-1) == labels).sum())


def test_blocks_hold_every_piece_once_in_windows_that_know_their_place():
    texts = [text for text, _ in rows(60)] + ["", "bara"]
    pieces = wordpiece.train(lambda: texts, 60)  # too few for whole words, so that texts are long
    made = blocks.cut(texts, pieces, 16)
    ids = [wordpiece.encoder(pieces).encode(text).ids for text in texts]
    assert made.pieces.tolist() == [one for text in ids for one in text]
    assert made.lengths.max() <= 14
    assert made.lengths.min() >= 1
    assert made.lengths.sum() == len(made.pieces)
    begins = np.cumsum([0, *map(len, ids)])
    for start, length, place in zip(made.starts, made.lengths, made.places, strict=True):
        text = int(np.searchsorted(begins, start, side="right")) - 1
        assert start - begins[text] == place
        assert place + length <= len(ids[text])


def test_masks_are_berts_and_spare_the_special_pieces():
    pieces = list(wordpiece.SPECIALS) + [f"w{number}" for number in range(95)]
    draw = random.Random(0)
    texts = [" ".join(f"w{draw.randrange(95)}" for _ in range(draw.randint(1, 200))) for _ in range(400)]
    made = blocks.cut(texts, pieces, 32)
    masking = blocks.Masking(pieces, 64)
    seen = guessed = as_mask = kept = 0
    for batch in masking.shuffled(made, 16, 1, 2):
        tokens, known = batch.tokens.flatten(), batch.tokens.flatten().clone()
        known[batch.where] = batch.wanted
        known = known.view_as(batch.tokens)
        lengths = (known != 0).sum(1)
        seen += int((known > 4).sum())
        guessed += len(batch.where)
        as_mask += int((tokens[batch.where] == 4).sum())
        kept += int((tokens[batch.where] == batch.wanted).sum())
        assert bool((batch.wanted > 4).all())
        assert bool((known[:, 0] == 2).all())
        assert bool((known.gather(1, lengths[:, None] - 1) == 3).all())
        assert bool(((known == 2) | (known == 3)).sum(1).eq(2).all())
        valid = torch.ones_like(known) if batch.valid is None else batch.valid[:, 0, 0].long()
        assert torch.equal(valid.sum(1), lengths)
        assert int(batch.positions.max()) < 64
        assert bool((batch.positions[:, 0] == 0).all())
    assert math.isclose(guessed / seen, 0.15, abs_tol=0.01)
    assert math.isclose(as_mask / guessed, 0.8, abs_tol=0.02)
    assert math.isclose(kept / guessed, 0.1, abs_tol=0.02)
    again = [batch.tokens for batch in masking.shuffled(made, 16, 1, 2)]
    assert all(map(torch.equal, again, (batch.tokens for batch in masking.shuffled(made, 16, 1, 2))))
    assert not all(map(torch.equal, again, (batch.tokens for batch in masking.shuffled(made, 16, 1, 3))))


def test_the_learning_rate_rises_over_a_tenth_and_falls_to_nothing():
    rates = [masked.learning_rate(1.0, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.02
