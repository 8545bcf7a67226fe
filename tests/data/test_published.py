"""The study's sets from every form in which they are published: the same texts, or one sentence."""

import csv
import gzip
import json
import re
from collections import Counter
from operator import length_hint
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from engine import catalog
from engine.data import corpus, lines, published
from engine.data.corpus import Corpus
from engine.errors import BadInput, Stopped

POINTS = [("a fine film , warmly told", 1), ("a dull film", 0)]
TRAIN = [(f"{text} , number {n}", label) for n in range(6) for text, label in POINTS]
TEST = [(f"{text} , test {n}", label) for n in range(2) for text, label in POINTS]


def _csv(path: Path, rows: list) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _classic(folder: Path) -> None:
    for part, pairs in (("train", TRAIN), ("test", TEST)):
        _csv(folder / f"{part}.csv", [(label + 1, text) for text, label in pairs])


def _with_header(folder: Path) -> None:
    for part, pairs in (("train", TRAIN), ("test", TEST)):
        rows = [(n, 9 if label else 2, label, text) for n, (text, label) in enumerate(pairs)]
        _csv(folder / f"{part}.csv", [("id", "rating", "label", "text"), *rows])
        (folder / f"{part}.csv.gz").write_bytes(gzip.compress((folder / f"{part}.csv").read_bytes()))
        (folder / f"{part}.csv").unlink()


def _sst(folder: Path) -> None:
    for part, pairs in (("train", TRAIN), ("dev", TEST), ("test", TEST)):
        text = "".join(f"{label} {text}\n" for text, label in pairs)
        (folder / f"stsa.binary.{part}").write_text(text, encoding="latin-1")


def _acl(folder: Path, inner: str = "aclImdb") -> None:
    for part, pairs in (("train", TRAIN), ("test", TEST)):
        for n, (text, label) in enumerate(pairs):
            place = folder / inner / part / ("neg", "pos")[label]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{n}_{9 if label else 2}.txt").write_text(text, encoding="utf-8")
        (folder / inner / part / "unsup").mkdir(exist_ok=True)
        (folder / inner / part / "unsup" / "0_0.txt").write_text("no label")


def _parquet(path: Path, pairs: list, **more: list) -> None:
    texts, labels = zip(*pairs, strict=True)
    parquet.write_table(pa.table({"text": texts, "label": labels, **more}), path)


def _hub(folder: Path) -> None:
    """As the hub holds it: shards in a folder, a column more."""
    (folder / "data").mkdir(exist_ok=True)
    for n in range(2):
        _parquet(folder / "data" / f"train-0000{n}-of-00002.parquet", TRAIN[n::2], more=["x"] * 6)
    _parquet(folder / "data" / "test-00000-of-00001.parquet", TEST)


def _fetched(folder: Path) -> None:
    _parquet(folder / "train.parquet", TRAIN), _parquet(folder / "test.parquet", TEST)


def _jsonl(folder: Path) -> None:
    for part, pairs in (("train", TRAIN), ("test", TEST)):
        rows = [json.dumps({"text": text, "label": label, "label_text": "x"}) for text, label in pairs]
        (folder / f"{part}.jsonl").write_text("\n".join(rows))


FORMS = [_classic, _with_header, _sst, _acl, _hub, _fetched, _jsonl]


def _read(folder: Path, name: str = "imdb") -> Corpus:
    read = corpus.read_folder(name, folder)
    corpus.check(read)
    return read


@pytest.mark.parametrize("form", FORMS)
def test_every_published_form_gives_the_same_texts_and_labels(tmp_path, form):
    form(tmp_path)
    read = _read(tmp_path)
    assert read.class_names == ("negative", "positive")
    assert sorted(read.train) == sorted(TRAIN) and sorted(read.test) == sorted(TEST)
    assert list(read.train) == list(read.train) and length_hint(read.train) == len(TRAIN)
    assert read.note == ""


@pytest.mark.parametrize("form", FORMS)
def test_what_it_hangs_on_changes_with_any_file_of_it_and_is_none_for_half_of_it(tmp_path, form):
    form(tmp_path)
    before = published.fingerprint(tmp_path)
    assert before is not None and before == published.fingerprint(tmp_path)
    *_, last = published.files(tmp_path)
    last.write_bytes(last.read_bytes() + b" ")
    assert published.fingerprint(tmp_path) != before
    for file in published.files(tmp_path):
        if "test" in str(file.relative_to(tmp_path)):
            file.unlink()
    assert published.fingerprint(tmp_path) is None
    with pytest.raises(BadInput, match=r"bring (both parts|the whole)"):
        _read(tmp_path)


@pytest.mark.parametrize("sentiment", [("negative", "positive"), ("neg", "pos"), ("Negative", "POSITIVE")])
def test_kaggles_single_file_is_parted_with_the_same_share_held_out_and_that_is_said(tmp_path, sentiment):
    pairs = [(f"review {n} of {label}", label) for n in range(50) for label in (0, 1)]
    rows = [(text, sentiment[label]) for text, label in pairs]
    _csv(tmp_path / "IMDB Dataset.csv", [("review", "sentiment"), *rows])
    read = _read(tmp_path)
    train, test = list(read.train), list(read.test)
    assert sorted(train + test) == sorted(pairs)
    assert Counter(label for _, label in test) == {0: 25, 1: 25}, "as many as the published test part has"
    assert "no test part" in read.note and "stratified 50%" in read.note and "not the published one" in read.note
    assert (train, test) == (list(_read(tmp_path).train), list(_read(tmp_path).test))


def test_columns_named_otherwise_and_classes_from_1_are_understood(tmp_path):
    """Kaggle's AG News."""
    rows = [(c, f"title {c} {n}", "words\\of it") for n in range(3) for c in (1, 2, 3, 4)]
    for part in ("train", "test"):
        _csv(tmp_path / f"{part}.csv", [("Class Index", "Title", "Description"), *rows])
    read = _read(tmp_path, "ag_news")
    assert list(read.train)[:2] == [("title 1 0 words of it", 0), ("title 2 0 words of it", 1)]


def test_yelps_escapes_are_undone_in_the_hubs_files_too(tmp_path):
    pairs = [(rf"so \"good\" {n}\n\nindeed", label) for n in range(3) for label in range(5)]
    _parquet(tmp_path / "train.parquet", pairs), _parquet(tmp_path / "test.parquet", pairs)
    assert next(iter(_read(tmp_path, "yelp_full").train)) == ('so "good" 0  indeed', 0)


def test_empty_texts_are_left_out_and_counted_in_every_form(tmp_path):
    (tmp_path / "stsa.binary.train").write_text("0 \n1 a\n0 b\n1\n1 c\n0 d\n")
    (tmp_path / "stsa.binary.test").write_text("0 \n1 a\n")
    assert _read(tmp_path, "sst2").note == "3 empty texts left out"
    _acl(tmp_path / "acl")
    (tmp_path / "acl" / "aclImdb" / "train" / "pos" / "99_9.txt").write_text(" \n")
    read = _read(tmp_path / "acl")
    assert read.note == "1 empty text left out" and length_hint(read.train) == len(TRAIN)


def test_latin_1_sentences_are_read_as_such(tmp_path):
    _sst(tmp_path)
    (tmp_path / "stsa.binary.train").write_bytes("1 a café\n0 b\n1 c\n0 d\n".encode("latin-1"))
    assert next(iter(_read(tmp_path, "sst2").train)) == ("a café", 1)


@pytest.mark.parametrize("form", [*FORMS, "single"])
def test_whoever_says_stop_is_heard_while_the_texts_are_counted(tmp_path, monkeypatch, form):
    monkeypatch.setattr(lines, "_BATCH", 2)
    if form == "single":
        _csv(tmp_path / "reviews.csv", [("review", "sentiment"), *TRAIN])
    else:
        form(tmp_path)
    for looks in range(6):
        left = iter([False] * looks)
        with pytest.raises(Stopped):
            corpus.read_folder("imdb", tmp_path, lambda left=left: next(left, True))


def _broken(folder: Path, kind: str) -> None:
    if kind == "shard":
        _hub(folder)
        (folder / "data" / "train-00001-of-00002.parquet").unlink()
    elif kind == "sst label":
        _sst(folder)
        (folder / "stsa.binary.train").write_text("1 a\n2 b\n")
    elif kind == "one folder":
        _acl(folder)
        for file in (folder / "aclImdb" / "test" / "neg").iterdir():
            file.unlink()
    elif kind == "bytes":
        _acl(folder)
        (folder / "aclImdb" / "train" / "neg" / "1_2.txt").write_bytes(b"caf\xe9")
    elif kind == "parquet":
        _fetched(folder)
        (folder / "test.parquet").write_bytes((folder / "test.parquet").read_bytes()[:-9])
    elif kind == "label of a shard":
        _hub(folder)
        _parquet(folder / "data" / "train-00001-of-00002.parquet", [*TRAIN[:3], ("odd", 2)])
    elif kind == "label":
        _parquet(folder / "train.parquet", [*TRAIN, ("odd", 2), ("odd", 2)]), _parquet(folder / "test.parquet", TEST)
    elif kind == "test label":
        _parquet(folder / "train.parquet", TRAIN), _parquet(folder / "test.parquet", [*TEST, ("odd", 7)])
    elif kind == "test line":
        _jsonl(folder)
        with (folder / "test.jsonl").open("a") as file:
            file.write('\n{"text": "odd", "label": 7}')
    elif kind == "columns":
        _fetched(folder)
        parquet.write_table(pa.table({"words": ["a"], "label": [1]}), folder / "test.parquet")
    elif kind == "base":
        _parquet(folder / "train.parquet", [("a", 2), ("b", 3)]), _parquet(folder / "test.parquet", TEST)
    elif kind == "names":
        _csv(folder / "reviews.csv", [("review", "sentiment"), ("a", "negative"), ("b", "positive"), ("c", "mixed")])
    elif kind == "json":
        _jsonl(folder)
        with (folder / "train.jsonl").open("a") as file:
            file.write('\n{"text": "brok')


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("shard", "holds 1 of the 2 files of its train part; bring them all"),
        ("sst label", "stsa.binary.train, line 2: label '2' given; give 0"),
        ("one folder", "holds no reviews in test/neg; bring the whole of aclImdb"),
        ("bytes", r"1_2.txt, line 1: byte 3 \(0xe9\) is not UTF-8"),
        ("parquet", "test.parquet is no whole parquet file"),
        ("label of a shard", "train-00001-of-00002.parquet, row 4: label '2' given; give a number from 0 to 1"),
        ("label", "train.parquet, row 13: label '2' given; give a number from 0 to 1"),
        ("test label", "test.parquet, row 5: label '7' given; give one of 0, 1"),
        ("test line", "test.jsonl, line 5: label '7' given; give one of 0, 1"),
        ("columns", r"test.parquet has no column 'text' \(words, label instead\)"),
        ("base", "which does not tell whether they count from 0 or from 1"),
        ("names", "reviews.csv, row 4: label 'mixed' given; give one of negative, positive"),
        ("json", "train.jsonl, line 13: not JSON"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(tmp_path, kind, says):
    _broken(tmp_path, kind)
    with pytest.raises(BadInput, match=says) as caught:
        _read(tmp_path, "ag_news" if kind == "base" else "imdb")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_every_card_but_the_built_in_tells_where_it_is_published():
    for card in catalog.DATASETS.values():
        assert card.builtin or re.fullmatch("[0-9a-f]{40}", card.hub.revision)
        assert card.licence and card.citation and len(set(card.classes)) == len(card.classes) >= 2


@pytest.mark.parametrize(
    ("name", "train", "test", "balance"),
    [
        ("ag_news", 38_124, 7_600, dict.fromkeys(range(4), 1900)),
        ("imdb", 25_000, 25_000, {0: 12_500, 1: 12_500}),
        ("sst2", 6_920, 1_821, {0: 912, 1: 909}),
        ("yelp_full", 4_000, 1_000, None),
        ("dbpedia", 6_000, 1_600, None),
    ],
)
def test_real_published_sets_are_read_whole(real_data, name, train, test, balance):
    read = corpus.read_folder(name, real_data / name)
    counts = corpus.check(read)
    assert (sum(counts[0].values()), sum(counts[1].values()), read.note) == (train, test, "")
    assert set(counts[0]) == set(range(len(catalog.DATASETS[name].classes)))
    assert balance is None or counts[1] == balance
    texts = [text for text, _ in read.test]
    assert not [text for text in texts if "\\n" in text or " etwork" in text or text != text.strip()]
