"""The user's own file: columns guessed and stated, labels of any kind, a test part that is always the same."""

import gzip
import json
from collections import Counter
from operator import length_hint
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from engine.data import corpus, own, pairs
from engine.data.corpus import Corpus
from engine.errors import BadInput, Stopped
from engine.spec import DataSpec

ROWS = [(f"{word} number {n}", label) for n in range(20) for word, label in (("alpha", "x"), ("beta", "y"), ("c", "z"))]


def _spec(path: Path, **more: str | None) -> DataSpec:
    return DataSpec(name="mine", file=str(path), **more)


def _read(path: Path, **more: str | None) -> Corpus:
    read = corpus.read(_spec(path, **more))
    corpus.check(read)
    return read


def _write(path: Path, rows: list, columns: tuple[str, str] = ("text", "label")) -> Path:
    """A file of a text and a label a row, in the kind that its name says."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        texts, labels = zip(*rows, strict=True)
        parquet.write_table(pa.table({columns[0]: texts, columns[1]: labels}), path)
        return path
    if name.endswith(".jsonl"):
        content = "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows)
    else:
        sign = "," if name.endswith(".csv") else "\t"
        content = "".join(sign.join(map(str, row)) + "\n" for row in [columns, *rows])
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


KINDS = [
    "mine.csv",
    "mine.tsv",
    "mine.jsonl",
    "mine.parquet",
    "mine.csv.gz",
    "mine.tsv.gz",
    "mine.jsonl.gz",
    "MINE.csv",
]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_texts_parted_alike(tmp_path, name):
    read = _read(_write(tmp_path / name, ROWS))
    every = [*read.train, *read.test]
    assert read.class_names == ("x", "y", "z")
    assert sorted(every) == sorted((text, "xyz".index(label)) for text, label in ROWS)
    assert (length_hint(read.train), length_hint(read.test)) == (48, 12)
    assert Counter(label for _, label in read.test) == {0: 4, 1: 4, 2: 4}
    assert list(read.test) == list(_read(_write(tmp_path / "other.csv", ROWS)).test)
    assert read.note == "text from 'text', label from 'label'; a stratified fifth held out for testing"


def test_texts_added_to_a_file_leave_most_of_its_test_part_as_it_was(tmp_path):
    before = set(_read(_write(tmp_path / "a.csv", ROWS)).test)
    after = set(_read(_write(tmp_path / "a.csv", [("new one", "x"), *ROWS, ("new two", "y")])).test)
    assert len(before & after) >= len(before) - 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "B", " b", "c c", "c  C", "d", "e", "f"]), st.integers(0, 2))))
def test_equal_texts_of_a_label_stay_on_one_side_and_every_label_can_still_be_trained_on(rows):
    marks: dict[int, list[int]] = {}
    for text, label in rows:
        marks.setdefault(label, []).append(pairs.mark(text))
    train, test = (list(part()) for part in pairs.parted(lambda: iter(rows), pairs.thresholds(marks, 0.2)))
    assert sorted(train + test) == sorted((text, label) for text, label in rows)
    sides = [{(pairs.same(text), label) for text, label in side} for side in (train, test)]
    assert sides[0].isdisjoint(sides[1])
    kept = Counter(label for _, label in train)
    assert all(kept[label] >= min(2, len(found)) for label, found in marks.items())


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        (("review", "sentiment"), "review", "sentiment"),
        (("Sentence", "Stars"), "Sentence", "Stars"),
        (("review_text", "class-index"), "review_text", "class-index"),
        (("what", "category"), "what", "category"),
        (("comment", "group"), "comment", "group"),
        (("foo", "bar"), "foo", "bar"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_are_guessed_by_name_or_by_content_and_stated(tmp_path, columns, text, label, ending):
    read = _read(_write(tmp_path / f"mine.{ending}", ROWS, columns))
    assert read.note.startswith(f"text from '{text}', label from '{label}'")
    assert read.class_names == ("x", "y", "z")


def test_a_title_is_joined_with_its_description_and_other_columns_are_let_be(tmp_path):
    lines = [f'{n},"T{n}","says, {n}",{"ab"[n % 2]},{n % 3}' for n in range(12)]
    (tmp_path / "mine.csv").write_text("\n".join(["id,title,description,label,rating", *lines]))
    read = _read(tmp_path / "mine.csv")
    assert ("T0 says, 0", 0) in [*read.train, *read.test]
    assert "text from 'title' + 'description', label from 'label'" in read.note


def test_given_columns_are_taken_however_they_are_cased(tmp_path):
    lines = [f"{n},text {n},other {n},{'ab'[n % 2]},{n % 3}" for n in range(12)]
    (tmp_path / "mine.csv").write_text("\n".join(["id,text,more,label,rating", *lines]))
    read = _read(tmp_path / "mine.csv", text_column="More+text", label_column="rating")
    assert read.class_names == ("0", "1", "2") and "text from 'more' + 'text', label from 'rating'" in read.note
    assert ("other 0 text 0", 0) in [*read.train, *read.test]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("".join(f'{n % 2 + 1},"one, {n}"\n' for n in range(12)), "text from 'column 2', label from 'column 1'"),
        (
            "".join(f"{n % 2},t{n},b{n}\n" for n in range(12)),
            "text from 'column 2' + 'column 3', label from 'column 1'",
        ),
        ("".join(f"some words {n},{'ab'[n % 2]}\n" for n in range(12)), "text from 'column 1', label from 'column 2'"),
    ],
)
def test_a_file_without_a_header_is_read_where_that_can_be_told(tmp_path, content, note):
    (tmp_path / "mine.csv").write_text(content)
    read = _read(tmp_path / "mine.csv")
    assert read.note.startswith(note) and len([*read.train, *read.test]) == 12


def test_a_first_row_that_may_be_either_is_refused(tmp_path):
    (tmp_path / "mine.csv").write_text("a" * 100 + ",good\nb,bad\nc,so\n")
    with pytest.raises(BadInput, match=r"row 1: neither plainly names of columns .*put a header"):
        _read(tmp_path / "mine.csv")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([10, 9, 2], ("2", "9", "10")),
        ([1.0, 2.0, 0.5], ("0.5", "1", "2")),
        ([True, False], ("false", "true")),
        (["b", "A", "10"], ("10", "A", "b")),
        (["-1", "1"], ("-1", "1")),
        (["nan", "2", "10"], ("10", "2", "nan")),
        (["1.0", "2.0"], ("1", "2")),
        (["007", "7"], ("007", "7")),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_labels_may_be_of_any_kind_and_stand_in_natural_order(tmp_path, values, classes, ending):
    rows = [(f"text {n}", values[n % len(values)]) for n in range(12)]
    assert _read(_write(tmp_path / f"mine.{ending}", rows)).class_names == classes


def test_missing_labels_and_empty_texts_are_left_out_and_counted(tmp_path):
    rows = [*ROWS, ("no label", ""), ("  ", "x"), ("", "y"), ("", "only here")]
    note = _read(_write(tmp_path / "mine.csv", rows)).note
    assert note.endswith("3 empty texts left out; 1 text without a label left out")
    rows = [*ROWS, ("no label", None), (None, "x")]
    note = _read(_write(tmp_path / "mine.jsonl", rows)).note
    assert note.endswith("1 empty text left out; 1 text without a label left out")


def test_a_test_file_is_tested_on_and_nothing_is_held_out(tmp_path):
    train, test = _write(tmp_path / "mine.csv", ROWS), _write(tmp_path / "held.jsonl", ROWS[:6])
    read = _read(train, test_file=str(test))
    assert len(list(read.train)) == 60 and list(read.test) == [(text, "xyz".index(label)) for text, label in ROWS[:6]]
    assert "tested on held.jsonl" in read.note


def test_a_text_that_stands_there_over_and_over_does_not_keep_the_test_part_empty(tmp_path):
    read = _read(
        _write(tmp_path / "mine.csv", [("spam", "x"), ("ham", "x")] * 20 + [("a", "y"), ("b", "y"), ("c", "y")])
    )
    assert len(list(read.test)) == 21 and {text for text, _ in read.train} & {text for text, _ in read.test} == set()


def test_long_texts_are_fine(tmp_path):
    rows = [*ROWS, ("word " * 100_000, "x"), ("longestword " * 100_000, "y")]
    every = [*(read := _read(_write(tmp_path / "mine.csv", rows))).train, *read.test]
    assert max(len(text.split()) for text, _ in every) == 100_000


def test_quotes_in_a_tsv_may_enclose_a_field_or_be_part_of_a_text(tmp_path):
    bare = ['"Hello" he said\t0', 'an inch is 1"\t1', '"open\t0', "plain\t1"] * 3
    (tmp_path / "bare.tsv").write_text("text\tlabel\n" + "\n".join(bare))
    assert ('"open', 0) in [*(read := _read(tmp_path / "bare.tsv")).train, *read.test]
    enclosed = [f'"two\tcolumns ""here"" {n}"\t0\n"two\nlines {n}"\t1' for n in range(4)]
    (tmp_path / "enclosed.tsv").write_text("text\tlabel\n" + "\n".join(enclosed))
    assert ('two\tcolumns "here" 0', 0) in [*(read := _read(tmp_path / "enclosed.tsv")).train, *read.test]


def test_a_spreadsheets_semicolons_are_understood(tmp_path):
    (tmp_path / "mine.csv").write_text("text;label\n" + "".join(f"so, so {n};{n % 2}\n" for n in range(10)))
    assert ("so, so 0", 0) in [*(read := _read(tmp_path / "mine.csv")).train, *read.test]


def test_what_a_dataset_hangs_on_are_its_files_and_the_columns_asked_for(tmp_path):
    path, other = _write(tmp_path / "mine.csv", ROWS), _write(tmp_path / "held.csv", ROWS)
    first = own.fingerprint(_spec(path))
    found = {
        first,
        own.fingerprint(_spec(path, label_column="text")),
        own.fingerprint(_spec(path, test_file=str(other))),
    }
    _write(path, ROWS[:-1])
    assert len({*found, own.fingerprint(_spec(path))}) == 4
    assert own.fingerprint(_spec(tmp_path / "gone.csv")) is None
    assert own.fingerprint(_spec(path, test_file="a\0b")) is None


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("columns", "given", "note"),
    [
        (("a+b", "c"), "a+b+c", "text from 'a+b' + 'c'"),
        (("a", "b+c"), "A + b+c", "text from 'a' + 'b+c'"),
        (("a+b", "b+c", "a"), "a+b+c", "text from 'a' + 'b+c'"),
        (("a", "b", "a+b"), "a+b", "text from 'a+b', "),
    ],
)
def test_names_of_columns_may_hold_a_plus_in_the_test_file_too(tmp_path, ending, columns, given, note):
    path, table = tmp_path / f"mine.{ending}", pa.table({
        **{name: [f"{name} {n}" for n in range(12)] for name in columns}, "label": ["x", "y"] * 6
    })  # fmt: skip
    if ending == "parquet":
        parquet.write_table(table, path)
    elif ending == "jsonl":
        path.write_text("\n".join(map(json.dumps, table.to_pylist())))
    else:
        rows = [table.column_names, *(row.values() for row in table.to_pylist())]
        path.write_text("\n".join(map(",".join, rows)))
    assert _read(path, text_column=given).note.startswith(note)
    assert _read(path, text_column=given, test_file=str(path)).note.startswith(note)


def test_columns_without_a_name_are_called_by_their_place(tmp_path):
    (tmp_path / "mine.csv").write_text("text,label,,\n" + "".join(f"t {n},{n % 2},,\n" for n in range(10)))
    assert _read(tmp_path / "mine.csv").note.startswith("text from 'text', label from 'label'")


def test_half_a_surrogate_pair_costs_one_character_and_not_the_file(tmp_path):
    lines = [rf'{{"text": "a {half} {n}", "label": {n % 2}}}' for half in (r"\ud800", r"\udc00") for n in range(6)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    every = [*(read := _read(tmp_path / "mine.jsonl")).train, *read.test]
    assert ("a ? 0", 0) in every and len(every) == 12


def test_numbers_of_many_digits_are_labels_of_their_own(tmp_path):
    big = ["123456789012345678901234567890", "123456789012345678901234567891", "-9223372036854775809"]
    lines = [f'{{"text": "text {n}", "label": {big[n % 3]}}}' for n in range(12)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    assert set(_read(tmp_path / "mine.jsonl").class_names) == set(big)


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_whoever_says_stop_is_heard_between_two_rows(tmp_path, ending):
    path = _write(tmp_path / f"mine.{ending}", ROWS * 50)
    looks = iter([False, False, True])
    with pytest.raises(Stopped):
        corpus.read(_spec(path), lambda: next(looks))


def _bad(folder: Path, kind: str) -> DataSpec:
    path = folder / "mine.csv"
    if kind.startswith("twice"):
        path = folder / kind.removeprefix("twice: ")
        rows = [["text", "label", "label"], *([f"text {n}", "one", "other"] for n in range(4))]
        sign = "\t" if path.suffix == ".tsv" else ","
        path.write_text("\n".join(map(sign.join, rows)))
        if path.suffix == ".parquet":
            names, *values = rows
            parquet.write_table(pa.table([pa.array(column) for column in zip(*values, strict=True)], names), path)
    if kind == "nested":
        path = folder / "mine.jsonl"
        path.write_text('{"text": "\\ud800", "label": ' + "[" * 100_000)
    if kind == "digits":
        path = folder / "mine.jsonl"
        path.write_text('{"text": "\\ud800", "label": ' + "9" * 5000 + "}")
    if kind == "one value":
        return _spec(_write(path, [(text, "same") for text, _ in ROWS]))
    if kind == "one value and empty texts":
        return _spec(_write(path, [*((text, "same") for text, _ in ROWS), ("", "other"), (" ", "another")]))
    if kind == "empty texts alone":
        return _spec(_write(path, [("", label) for _, label in ROWS]))
    if kind == "many values":
        return _spec(_write(path, [(f"text {n}", n) for n in range(1100)]))
    if kind == "no column":
        return _spec(_write(path, ROWS), text_column="words")
    if kind == "no label column":
        return _spec(_write(path, ROWS), label_column="sort\x1b")
    if kind == "one for both":
        return _spec(_write(path, ROWS), text_column="text", label_column="text")
    if kind == "nothing looks like labels":
        return _spec(_write(path, [(f"text {n}", f"another {n}") for n in range(40)], ("foo", "bar")))
    if kind == "strange test label":
        return _spec(_write(path, ROWS), test_file=str(_write(folder / "t.csv", [("a", "x"), ("b", "w")])))
    if kind == "test columns":
        return _spec(_write(path, ROWS), test_file=str(_write(folder / "t.csv", ROWS, ("words", "label"))))
    if kind == "test file gone":
        return _spec(_write(path, ROWS), test_file=str(folder / "gone.csv"))
    if kind == "list as text":
        return _spec(_write(folder / "mine.jsonl", [(["a", "b"], "x"), (["c"], "y")]))
    if kind == "no object":
        (folder / "mine.jsonl").write_text('{"text": "a", "label": 1}\n[1, 2]\n')
        return _spec(folder / "mine.jsonl")
    if kind == "row too short":
        path.write_text("text,label\na,1\nb\n")
    if kind == "pickle":
        path = folder / "mine.pkl"
        path.write_bytes(b"\x80\x04.")
    if kind == "gone":
        path = folder / "gone.csv"
    if kind == "folder":
        path = folder
    if kind == "empty":
        path.write_text("")
    if kind == "header alone":
        path.write_text("text,label\n")
    if kind == "not UTF-8":
        path.write_bytes(b"text,label\ncaf\xe9,1\n")
    if kind == "no parquet":
        path = folder / "mine.parquet"
        path.write_bytes(b"PAR1 and then nothing")
    if kind == "one column":
        path.write_text("text\na\nb\n")
    if kind == "broken gzip":
        path = _write(folder / "mine.csv.gz", ROWS * 50)
        path.write_bytes(path.read_bytes()[:-20])
    return _spec(path)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("one value", r"data.label_column: 'label' of .*mine.csv holds one value only \('same'\); give a column with"),
        ("one value and empty texts", r"one value only \('same', 2 empty texts left out\); give a column"),
        ("empty texts alone", "mine.csv holds no text with a label .text from 'text', label from 'label'.; give rows"),
        (
            "many values",
            "data.label_column: 'label' of .* more than 1,000 values, so it looks like no column of labels",
        ),
        ("no column", "data.text_column: 'words' given, but .*mine.csv has the columns text, label; name one of those"),
        ("no label column", r"data.label_column: 'sort\\x1b' given, but .* has the columns text, label"),
        ("one for both", "data.label_column: 'text' is among the columns of texts too"),
        ("nothing looks like labels", "data.label_column: none given, and no column of .* looks like labels"),
        ("strange test label", "data.test_file: .*t.csv, row 3 has the label 'w', which no training text has"),
        ("test columns", "data.text_column: 'text' given, but .*t.csv has the columns words, label"),
        ("test file gone", "data.test_file: .*gone.csv does not exist; give a csv, tsv, jsonl or parquet file"),
        ("list as text", "mine.jsonl, line 1: .* given; give a text or a number in this column"),
        ("no object", r"mine.jsonl, line 2: '\[1, 2\]' given; give one object a line"),
        ("row too short", "mine.csv, row 3: 1 columns given, not the 2 of row 1"),
        ("pickle", "mine.pkl is none of csv, tsv, jsonl and parquet; give a file that ends so"),
        ("gone", "dataset: .*gone.csv does not exist; give a csv, tsv, jsonl or parquet file"),
        ("folder", "is no file; give a csv, tsv, jsonl or parquet file"),
        ("empty", "mine.csv is empty; give rows of a text and its label"),
        ("header alone", "mine.csv holds no text with a label"),
        ("not UTF-8", r"mine.csv, line 2: byte 14 \(0xe9\) is not UTF-8; save the file as UTF-8"),
        ("no parquet", "mine.parquet is no whole parquet file"),
        *(
            (f"twice: mine.{ending}", rf"mine.{ending} has two columns called 'label'; give each its own name\.")
            for ending in ("csv", "tsv", "parquet")
        ),
        ("nested", "mine.jsonl, line 1: JSON that is nested too deeply"),
        ("digits", "mine.jsonl, line 1: a number of thousands of digits"),
        ("one column", "row 1: a single column given; give a text and its label"),
        ("broken gzip", r"line \d+: the gzip file breaks off or is damaged"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path, kind, says):
    with pytest.raises(BadInput, match=says) as caught:
        corpus.read(_bad(tmp_path, kind))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["mine.csv", "mine.tsv", "mine.jsonl", "mine.parquet", "mine.csv.gz"]), st.binary(max_size=300))
def test_whatever_the_bytes_they_are_refused_or_read(tmp_path_factory, name, data):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    try:
        read = corpus.read(_spec(path))
        corpus.check(read)
        assert all(text.strip() and 0 <= label < len(read.class_names) for text, label in read.train)
    except BadInput as error:
        assert "\n" not in str(error)  # noqa: PT017
