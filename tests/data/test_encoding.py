"""Token ids say exactly what torchtext says, and the cache never says anything else."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from torchtext.data.utils import get_tokenizer
from torchtext.vocab import Vocab

from engine.data import corpus, encoding, words
from engine.data.corpus import Corpus
from engine.errors import BadInput
from engine.places import encoded_root
from engine.spec import DataSpec
from tests.data.same import same

_tokenise = get_tokenizer("basic_english")


def _corpus(train: list[str], test: list[str]) -> Corpus:
    return Corpus("made", ("a", "b"), [(text, n % 2) for n, text in enumerate(train)], [(t, 0) for t in test], "a note")


def _slow(source: Corpus, max_tokens: int, vocabulary_size: int, min_count: int) -> tuple[Vocab, list[list[int]]]:
    """The ids of every text, train then test, through torchtext alone, token by token."""
    counts = Counter(token for text, _ in source.train for token in _tokenise(text)[:max_tokens])
    vocab = Vocab(counts, max_size=vocabulary_size, min_freq=min_count, specials=("<pad>", "<unk>"))
    texts = [_tokenise(text)[:max_tokens] for text, _ in (*source.train, *source.test)]
    return vocab, [[vocab.stoi[token] or 1 for token in text] or [1] for text in texts]


def _ids(texts: encoding.Texts) -> list[list[int]]:
    return [texts.tokens[a:b].tolist() for a, b in zip(texts.offsets[:-1], texts.offsets[1:], strict=True)]


@pytest.mark.parametrize("limits", [(400, 50_000, 2), (12, 300, 1), (1, 50_000, 1), (60, 20, 9)])
def test_ids_are_those_of_torchtext_token_by_token(library_corpus, limits):
    source = replace(library_corpus, train=library_corpus.train[::9], test=library_corpus.test[::9])
    got = words.encode(source, *limits)
    vocab, ids = _slow(source, *limits)
    assert got.vocabulary == vocab.itos and len(got.vocabulary) <= limits[1] + 2
    assert _ids(got.train) + _ids(got.test) == ids
    for part, pairs in ((got.train, source.train), (got.test, source.test)):
        assert part.labels.tolist() == [label for _, label in pairs] and len(part) == len(pairs)


def test_ids_turn_back_into_the_words_of_the_text():
    got = words.encode(_corpus(["The cat, the DOG!", "a cat"], ["the dog; purred"]), 400, 100, 1)
    told = [[got.vocabulary[id_] for id_ in ids] for ids in _ids(got.train) + _ids(got.test)]
    assert told == [["the", "cat", ",", "the", "dog", "!"], ["a", "cat"], ["the", "dog", "<unk>"]]
    assert float(np.mean(got.test.tokens == encoding.UNK)) == pytest.approx(1 / 3)


def test_the_vocabulary_never_holds_a_word_of_the_test_texts_alone():
    got = words.encode(_corpus(["one two", "two three"], ["four four four two"]), 400, 100, 1)
    assert got.vocabulary == ["<pad>", "<unk>", "two", "one", "three"]
    assert _ids(got.test) == [[1, 1, 1, 2]]


def test_a_word_the_model_never_sees_for_the_cut_is_not_in_the_vocabulary():
    got = words.encode(_corpus(["one two unseen", "one two"], ["one two three four"]), 2, 100, 1)
    assert got.vocabulary[2:] == ["one", "two"] and got.cut == 2
    assert got.test.offsets.tolist() == [0, 2]


def test_a_text_without_a_token_is_one_unknown_word_and_none_becomes_padding():
    got = words.encode(_corpus(['";";', "word word", "<pad> <unk> word"], ["<pad>", ""]), 400, 100, 1)
    assert _ids(got.train) == [[1], [2, 2], [1, 1, 2]] and _ids(got.test) == [[1], [1]]
    assert encoding.PAD not in got.train.tokens and encoding.PAD not in got.test.tokens
    assert got.vocabulary.count("<pad>") == got.vocabulary.count("<unk>") == 1


@pytest.mark.parametrize(("known", "kind"), [(2**16 - 2, np.uint16), (2**16 - 1, np.int32), (2**16 + 1, np.int32)])
def test_ids_are_as_small_as_the_vocabulary_allows_and_no_smaller(known, kind):
    got = words.encode(_corpus([" ".join(f"w{n}" for n in range(known)), "w0"], ["w0"]), 100_000, 100_000, 1)
    assert got.train.tokens.dtype == kind and len(got.vocabulary) == known + 2
    assert sorted(got.train.tokens.tolist()) == sorted([2, *range(2, known + 2)])


def test_a_min_count_that_no_word_reaches_is_refused_with_what_would_do():
    with pytest.raises(BadInput, match=r"data.min_count: 9 given, .* occurs 3 times; give less"):
        words.encode(_corpus(["a a", "a b"], ["a"]), 400, 100, 9)


@pytest.fixture
def encodings(monkeypatch) -> list[Corpus]:
    """The corpora that were really encoded, not read from the cache."""
    done, encode = [], words.encode
    monkeypatch.setattr(words, "encode", lambda source, *given: done.append(source) or encode(source, *given))
    return done


_SPEC = DataSpec(name="ag_news", min_count=1)


def test_what_comes_from_the_cache_equals_what_went_in(ag_news, encodings):
    said: list[str] = []
    first, again = encoding.load(_SPEC, said.append), encoding.load(_SPEC, said.append)
    assert same(first, again) and len(encodings) == 1
    assert said == ["reading ag_news", "encoding ag_news"], "what is cached takes no time worth a word"
    assert not first.train.tokens.flags.writeable and not again.train.tokens.flags.writeable
    assert again.train.labels.flags.writeable, "torch.from_numpy warns of arrays that are not"


@pytest.mark.parametrize("change", [{"max_tokens": 5}, {"vocabulary_size": 3}, {"min_count": 6}])
def test_another_setting_is_encoded_anew(ag_news, encodings, change):
    first = encoding.load(_SPEC)
    other = encoding.load(_SPEC.model_copy(update=change))
    assert len(encodings) == 2 and not same(first, other)
    assert same(encoding.load(_SPEC), first) and len(encodings) == 2


@pytest.mark.parametrize("change", [{"valid_fraction": 0.5}, {"train_size": 8}])
def test_what_only_decides_the_split_is_not_encoded_anew(ag_news, encodings, change):
    assert same(encoding.load(_SPEC), encoding.load(_SPEC.model_copy(update=change))) and len(encodings) == 1


def test_changed_files_and_other_versions_are_encoded_anew(ag_news, encodings, monkeypatch):
    first = encoding.load(_SPEC)
    changed = (ag_news / "test.csv").read_text().replace("words", "verbs")
    (ag_news / "test.csv").write_text(changed)  # as long as before, but later
    os.utime(ag_news / "test.csv", ns=(0, 1))
    assert not same(encoding.load(_SPEC), first) and len(encodings) == 2
    monkeypatch.setattr(encoding, "version", lambda _: "0.7.0")
    encoding.load(_SPEC)
    monkeypatch.setattr(encoding, "_FORMAT", encoding._FORMAT + 1)
    encoding.load(_SPEC)
    assert len(encodings) == 4


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied"])
def test_a_damaged_cache_is_made_again(ag_news, encodings, damage):
    first = encoding.load(_SPEC)
    (path,) = encoded_root().glob("*.encoded")
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    path.unlink()  # a new file: the old one is mapped
    path.write_bytes({"flipped": flipped, "cut": whole[:middle], "emptied": b""}[damage])
    assert same(encoding.load(_SPEC), first) and len(encodings) == 2
    assert path.read_bytes() == whole


def test_without_a_place_for_the_cache_the_dataset_is_encoded_each_time(ag_news, encodings, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("engine.data.cache.encoded_root", lambda: tmp_path / "file")
    assert same(encoding.load(_SPEC), encoding.load(_SPEC)) and len(encodings) == 2


def test_a_dataset_that_is_not_here_is_refused():
    with pytest.raises(BadInput, match="ag_news is not on this machine"):
        encoding.load(_SPEC)


def test_a_cached_dataset_is_loaded_without_torch(ag_news):
    encoding.load(_SPEC)
    code = (
        "import sys; from engine.data import encoding; from engine.spec import DataSpec;"
        "encoding.load(DataSpec(name='ag_news', min_count=1)); print({'torch', 'torchtext'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True).stdout.strip()
        == "set()"
    )


def test_ag_news_is_encoded_as_torchtext_would_and_once(real_data, home, encodings):
    (home / "ag_news").symlink_to(real_data / "ag_news")
    spec = DataSpec(name="ag_news")
    first, again = encoding.load(spec), encoding.load(spec)
    assert same(first, again) and len(encodings) == 1 and (len(again.train), len(again.test)) == (38_124, 7_600)
    assert float(np.mean(again.test.tokens == encoding.UNK)) < 0.03 and again.train.tokens.dtype == np.uint16

    texts = [text for text, _ in corpus.read(spec).test]
    number = {word: id_ for id_, word in enumerate(again.vocabulary)}
    for text in range(0, 7_600, 50):
        ids = [number.get(token, 1) for token in _tokenise(texts[text])]
        assert again.test.tokens[again.test.offsets[text] : again.test.offsets[text + 1]].tolist() == ids
