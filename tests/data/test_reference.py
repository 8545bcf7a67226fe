"""The linear reference: trained on a split's training texts alone, computed once for each split, bounded."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import reference
from engine.data import corpus
from engine.data.corpus import Corpus
from engine.data.split import split
from engine.errors import BadInput, Stopped
from engine.spec import DataSpec
from tests.conftest import write_news

ROOT = Path(reference.__file__).resolve().parents[1]
TOPICS = ("ballot senate minister treaty", "goal striker coach stadium", "profit merger shares bank")


def made(size: int, seed: int) -> list[tuple[str, int]]:
    """Texts of three classes in turn, of two words of their own topic and three of any: learnable, not perfectly."""
    random = np.random.default_rng(seed)
    words = [topic.split() for topic in TOPICS]
    everything = [word for topic in words for word in topic]
    return [
        (" ".join([*random.choice(words[i % 3], 2), *random.choice(everything, 3)]), i % 3)
        for i in range(size)
    ]  # fmt: skip


TRAIN, TEST = made(300, 1), made(120, 2)
LABELS = np.array([label for _, label in TRAIN])
KEPT, HELD = split(LABELS, 0, 0.2, 200)  # 100 texts are in neither


def linear(train=TRAIN, test=TEST, **more) -> reference.Reference:
    """The reference on made-up texts, without the time it took."""
    found = reference.linear(Corpus("made", ("a", "b", "c"), train, test), LABELS, KEPT, HELD, **more)
    return replace(found, seconds=0.0)


def rewritten(pairs, places, word: str = "nonsense") -> list[tuple[str, int]]:
    return [(f"{word} {word} goal", label) if at in places else (text, label) for at, (text, label) in enumerate(pairs)]


def test_it_learns_and_the_same_split_gives_the_same_number():
    found = linear()
    assert 0.7 < found.test_accuracy < 1
    assert 0.7 < found.test_macro_f1 < 1
    assert (found.texts, found.of) == (160, 160)
    assert linear() == found


def test_it_learns_from_training_texts_only(monkeypatch):
    monkeypatch.setattr(reference, "_STRENGTHS", (10.0,))
    found = linear()
    unused = set(range(300)) - set(KEPT) - set(HELD)
    assert linear(rewritten(TRAIN, unused)) == found
    other = linear(rewritten(TRAIN, set(HELD)))
    assert other.valid_accuracy < found.valid_accuracy, "validation texts are what validation reads"
    assert replace(other, valid_accuracy=found.valid_accuracy) == found, "and nothing else hangs on them"
    assert linear(rewritten(TRAIN, set(KEPT[:80]))).test_accuracy != found.test_accuracy


def test_the_test_texts_choose_nothing():
    found, other = linear(), linear(test=rewritten(TEST, set(range(60))))
    assert other.test_accuracy < found.test_accuracy
    chosen = {"test_accuracy": 0.0, "test_macro_f1": 0.0}
    assert replace(other, **chosen) == replace(found, **chosen)


def test_validation_chooses_the_strength(monkeypatch):
    each = {}
    for strength in (0.0001, 1.0, 10.0):
        monkeypatch.setattr(reference, "_STRENGTHS", (strength,))
        each[strength] = linear()
    monkeypatch.setattr(reference, "_STRENGTHS", tuple(each))
    assert linear() == max(each.values(), key=lambda one: one.valid_accuracy)


def test_columns_are_those_of_two_texts_or_more_and_of_too_many_the_most_frequent():
    seen = np.array([0, 1, 2, 9, 5, 2])
    assert reference._features(seen, 10).tolist() == [2, 3, 4, 5]
    assert reference._features(seen, 3).tolist() == [2, 3, 4]
    assert reference._features(np.array([0, 1, 1]), 10).tolist() == [1, 2], "nothing stands twice"


def test_texts_that_share_no_word_are_learned_all_the_same():
    train = [(f"only{i}", i % 3) for i in range(300)]
    assert 0 <= linear(train).test_accuracy <= 1
    assert 0 <= linear([("", label) for _, label in train[:1]] + train[1:]).test_accuracy <= 1


@given(st.lists(st.integers(2, 80), min_size=2, max_size=5), st.data())
def test_a_part_of_too_many_texts_has_each_class_at_its_share(counts, data):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = np.flatnonzero(np.arange(len(labels)) % 7 != 6)
    counts = np.bincount(labels[rows], minlength=len(counts))
    most = data.draw(st.integers(2 * len(counts), len(labels)))
    part = reference._part(labels, rows, most)
    assert len(part) == min(most, len(rows))
    assert set(part) <= set(rows)
    assert (np.diff(part) > 0).all()
    shares = counts * len(part) / len(rows)
    if shares.min() >= 2:  # else a class is given more than its share
        assert np.abs(np.bincount(labels[part], minlength=len(counts)) - shares).max() < 1 + 1e-9


def test_of_too_many_texts_a_part_is_learned_and_that_is_said(monkeypatch):
    monkeypatch.setattr(reference, "_MOST_TEXTS", 60)
    found = linear()
    assert (found.texts, found.of) == (60, 160)
    monkeypatch.setattr(reference, "_MOST_CHARACTERS", 60 * 8)  # a word or two of each
    assert linear().test_accuracy != found.test_accuracy


def test_thousands_of_classes_are_refused_instead_of_filling_the_memory():
    many = Corpus("made", tuple(map(str, range(3000))), TRAIN, TEST)
    with pytest.raises(BadInput, match="3,000 classes"):
        reference.linear(many, LABELS, KEPT, HELD)


def test_a_corpus_of_other_texts_than_were_split_is_noticed():
    with pytest.raises(ValueError, match="other texts"):
        linear(TRAIN[1:] + TRAIN[:1])
    with pytest.raises(ValueError, match="other texts"):
        linear(TRAIN[:150])


@pytest.mark.parametrize("looks", [0, 1, 2, 3, 5])
def test_it_stops_soon_after_it_was_asked_to(looks, monkeypatch):
    monkeypatch.setattr(reference, "_BATCH", 100)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > looks

    with pytest.raises(Stopped):
        linear(stop=stop)
    assert asked == looks + 1


def of_split(seed: int = 0, **more) -> reference.Reference:
    data = DataSpec(name="ag_news", **more)
    return reference.of_split(data, np.array([label for _, label in corpus.read(data).train]), seed)


def test_each_split_is_computed_once(home, monkeypatch):
    folder = write_news(home / "ag_news")
    computed, real = [], reference.linear

    def counted(*given):
        computed.append(given[2].tolist())
        return real(*given)

    monkeypatch.setattr(reference, "linear", counted)
    first = of_split()
    assert of_split() == first, "the time it took included"
    assert len(computed) == 1
    others = [of_split(1), of_split(train_size=120), of_split(valid_fraction=0.3)]
    assert len(computed) == 4
    assert len(set(map(tuple, computed))) == 4, "another seed, size or fraction is another split"
    assert [one.of for one in others] == [216, 108, 168]
    train = folder / "train.csv"
    train.write_text(train.read_text().replace("goal", "penalty"))
    of_split()
    assert len(computed) == 5, "another content"
    for kept in home.rglob("*.linear"):
        kept.write_bytes(kept.read_bytes()[:-1])
    assert of_split() is not None
    assert len(computed) == 6, "a damaged cache costs time and nothing else"


def test_an_answer_from_the_cache_needs_no_scikit_learn(home):
    write_news(home / "ag_news")
    first = of_split()
    code = (
        "import sys; import numpy as np; from engine import reference; from engine.spec import DataSpec\n"
        "found = reference.of_split(DataSpec(name='ag_news'), np.zeros(240), 0)\n"
        "print(found.test_accuracy, *{'sklearn', 'scipy', 'torch'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [str(first.test_accuracy)]


@pytest.mark.parametrize(
    ("linear_", "dense", "warned"),
    [(0.82, 0.801, False), (0.82, 0.80, False), (0.9, 0.88, False), (0.82, 0.799, True), (0.7, 0.9, False),
     (None, 0.5, False), (0.9, None, False)],
)  # fmt: skip
def test_more_than_two_points_below_is_warned_of(linear_, dense, warned):
    words = reference.shortfall(3, dense, linear_)
    assert (words is not None) == warned
    if words:
        assert "seed 3, 79.9 %" in words
        assert "2.1 points below TF-IDF + logistic regression (82.0 %)" in words


def test_what_it_reaches_on_the_built_in_corpus(library_corpus):
    labels = np.array([label for _, label in library_corpus.train])
    found = reference.linear(library_corpus, labels, *split(labels, 0, 0.1))
    assert found.test_accuracy > 0.80


def test_what_it_reaches_on_ag_news(real_data):
    news = corpus.read_folder("ag_news", real_data / "ag_news")
    labels = np.array([label for _, label in news.train])
    found = reference.linear(news, labels, *split(labels, 0, 0.1))
    assert found.test_accuracy > 0.905
