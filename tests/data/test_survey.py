"""What `lth data show` counts is what is there."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from engine.data import corpus, survey
from engine.spec import DataSpec


def _write(path: Path, rows: list) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


@pytest.fixture
def found(tmp_path):
    train = [(f"known known words {'more ' * n}", "ab"[n % 2]) for n in range(20)]
    train += [("Known  known WORDS", "a"), ("x " * 600, "b")]
    test = [("KNOWN known   words", "a"), ("never seen before", "b"), ("known words more", "b"), ("known", "a")]
    file, held = _write(tmp_path / "mine.csv", train), _write(tmp_path / "held.csv", test)
    return survey.survey(DataSpec(name="mine", file=file, test_file=held, max_tokens=20))


def test_classes_are_counted_and_exemplified_from_the_training_texts(found):
    assert [(one["name"], one["train"], one["test"]) for one in found["classes"]] == [("a", 11, 2), ("b", 11, 2)]
    assert found["classes"][0]["examples"] == ["known known words", "known known words more more"]
    assert found["train"] == 22 and found["test"] == 4


def test_lengths_are_those_of_whole_texts_and_every_text_stands_in_one_bar(found):
    lengths = found["lengths"]
    assert lengths["longest"] == 600 and lengths["max_tokens"] == 20
    assert lengths["longer"] == 3 and lengths["longer_share"] == 3 / 26  # of 21 and 22 tokens, and of 600
    assert sum(bar["texts"] for bar in lengths["histogram"]) == 26
    edges = [(bar["from"], bar["to"]) for bar in lengths["histogram"]]
    assert edges[:4] == [(1, 4), (5, 9), (10, 19), (20, 49)] and edges[-1] == (500, 999)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(edges))


def test_duplicates_are_found_whatever_their_case_and_white_space(found):
    assert found["duplicates"] == {"test_in_train": 1, "share": 0.25, "within_train": 1}


def test_unknown_words_are_counted_over_the_words_of_the_test_texts(found):
    assert found["vocabulary"]["words"] == 4  # known, words, more, x; the rest is not there twice
    assert (found["vocabulary"]["unknown"], found["vocabulary"]["test_tokens"]) == (3, 10)


@pytest.mark.parametrize(
    ("edge", "following"), [(1, 5), (5, 10), (10, 20), (20, 50), (50, 100), (200, 500), (500, 1000)]
)
def test_edges_are_round(edge, following):
    assert survey._next(edge) == following


def test_imdbs_known_duplicates_are_found(real_data):
    """Its authors say nothing of them: 123 test texts also stand in train."""
    read = corpus.read_folder("imdb", real_data / "imdb")
    train, test = survey._Part(read.train), survey._Part(read.test)
    assert sum(one in train.marks for one in test.every) == 123
