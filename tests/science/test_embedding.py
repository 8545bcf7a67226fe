"""Word vectors: pretrained ones are read, counted, kept by the reinit arm or not, left as they are where asked."""

import gzip
import ssl

import numpy as np
import pytest
import torch

from engine.errors import BadInput
from engine.models import cnn, embedding, network
from engine.models.vectors import find
from engine.optimisation import Plan, Start
from engine.training import train
from tests.science.conftest import CLASSES, WORDS

SETTINGS = {"embedding_dim": 4, "filters": 3, "widths": (2,), "dropout": 0.0}
SOME = {word: [number, number + 0.25, -number, 0.5] for number, word in enumerate(WORDS[2:12], 1)}


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "made.4d.txt"
    lines = [f"{word} {' '.join(map(str, numbers))}\n" for word, numbers in SOME.items()]
    path.write_text("".join([*lines, "elsewhere 1 1 1 1\n"]))
    return path


def build(vectors, embeddings="tuned", reinit_vectors=False):
    given = {"vectors": str(vectors), "embeddings": embeddings, "reinit_vectors": reinit_vectors}
    return cnn.build(WORDS, CLASSES, SETTINGS | given)


def test_words_with_a_vector_begin_at_it_and_the_others_are_drawn(vectors):
    module = build(vectors)
    weight = network.draw(module, 0)["embedding.weight"]
    for word, numbers in SOME.items():
        assert weight[WORDS.index(word)].tolist() == numbers
    other = network.draw(module, 1)["embedding.weight"]
    assert torch.equal(weight[2:12], other[2:12]) and not torch.equal(weight[12:], other[12:])
    assert not weight[0].any()
    assert len(module.embedding.pretrained.rows) == 10


@pytest.mark.parametrize(("redrawn", "equal"), [(False, True), (True, False)])
def test_the_control_keeps_pretrained_vectors_unless_told_otherwise(vectors, redrawn, equal):
    module = build(vectors, reinit_vectors=redrawn)
    first, control = network.draw(module, 0), network.draw(module, 9, control=True)
    assert torch.equal(first["embedding.weight"][2:12], control["embedding.weight"][2:12]) is equal
    assert not torch.equal(first["embedding.weight"][12:], control["embedding.weight"][12:])
    assert not torch.equal(first["head.weight"], control["head.weight"])


def test_static_vectors_are_neither_trained_nor_prunable(vectors, texts):
    module = build(vectors, embeddings="static")
    before = network.draw(module, 0)
    assert network.kinds(module)["embedding.weight"] == "frozen"
    after = train({"dense": Start(before, {})}, Plan(2, 16, 0.01, "constant", 0.0, 0.1, 0.0, 0, 1), module, texts)
    assert torch.equal(after["dense"].weights["embedding.weight"], before["embedding.weight"])
    assert not torch.equal(after["dense"].weights["head.weight"], before["head.weight"])


def test_gzip_and_a_name_without_its_ending_and_the_cache_give_the_same(vectors, tmp_path):
    first = embedding.covered(WORDS, 4, str(vectors))
    again = embedding.covered(WORDS, 4, str(vectors))
    folder = tmp_path / "data" / "vectors"
    folder.mkdir(parents=True)
    (folder / "glove.9.4d.txt.gz").write_bytes(gzip.compress(vectors.read_bytes()))
    named = embedding.covered(WORDS, 4, "glove.9.4d")
    for other in (again, named):
        assert torch.equal(first.rows, other.rows) and torch.equal(first.values, other.values)


def test_a_cached_file_is_not_read_again_until_it_changes(vectors, monkeypatch):
    reads = []
    real = embedding._read
    monkeypatch.setattr(embedding, "_read", lambda path: reads.append(path) or real(path))
    embedding.covered(WORDS, 4, str(vectors))
    embedding.covered(WORDS, 4, str(vectors))
    assert len(reads) == 1
    vectors.write_text(vectors.read_text().replace("0.5", "0.75"))
    assert np.isclose(embedding.covered(WORDS, 4, str(vectors)).values[:, 3], 0.75).all() and len(reads) == 2


def test_reading_vectors_leaves_the_checking_of_certificates_on(vectors):
    before = ssl._create_default_https_context
    embedding.covered(WORDS, 4, str(vectors))
    assert ssl._create_default_https_context is before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"word0 1 2 3\nword3 1 2 3\n", ["embedding_dim", "3", "4"]),
        (b"nobody 1 2 3 4\nknows 1 2 3 4\n", ["none of the dataset's"]),
        (b"word3 1 2 3 4\nword4 1 2\n", ["cannot be read"]),
        (b"word3 1 2 3 4\nword4 1 2 x 4\n", ["cannot be read"]),
        (b"\x00\xff\xfe\x00" * 50, ["cannot be read"]),
        (b"", ["cannot be read"]),
        (b"word3 1 2 3 4\nword4 1 nan 3 4\n", ["not finite"]),
        (b"word3 1 2 3 4\nword4 1 2e39 3 4\n", ["not finite"]),
    ],
)
def test_vectors_that_do_not_fit_are_refused_in_a_sentence(tmp_path, content, said):
    path = tmp_path / "odd.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        embedding.covered(WORDS, 4, str(path))
    assert str(caught.value).startswith("model.vectors: ") and str(path) in str(caught.value)
    assert all(word in str(caught.value) for word in said) and "\n" not in str(caught.value)


def test_vectors_that_are_not_here_say_where_they_would_be_looked_for():
    with pytest.raises(BadInput, match=r"model\.vectors: 'glove\.6B\.100d' is not on this machine; .*vectors, or give"):
        find("glove.6B.100d")
