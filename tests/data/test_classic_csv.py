"""Classic csv is read as it was written, and what is not classic csv is refused by file and row."""

import csv
import gzip
import io
import tempfile
from operator import length_hint
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import classic_csv, corpus
from engine.errors import BadInput

_GOOD = b"".join(f'{c},"Title","Text of class {c}, number {n}"\n'.encode() for n in range(2) for c in range(1, 5))


def _read(folder: Path, train: bytes = _GOOD, test: bytes = _GOOD, file: str = "train.csv", name: str = "ag_news"):
    (folder / file).write_bytes(train)
    (folder / "test.csv").write_bytes(test)
    read = corpus.read_folder(name, folder)
    corpus.check(read)
    return read


def _held(read: corpus.Corpus) -> tuple[list[tuple[str, int]], list[tuple[str, int]], str]:
    return list(read.train), list(read.test), read.note


def test_columns_are_joined_quotes_undoubled_and_classes_counted_from_zero(tmp_path):
    first = b'3,"He said ""no""","line\none, two",more\r\n 4 ,plain,text,\n'
    wide = _GOOD.replace(b"\n", b",\n")
    got = _read(tmp_path, first + wide, wide)
    assert list(got.train)[:2] == [('He said "no" line\none, two more', 2), ("plain text", 3)]
    assert [label for _, label in got.train][:6] == [2, 3, 0, 1, 2, 3]


def test_both_parts_can_be_read_again_and_again_and_tell_how_long_they_are(tmp_path):
    got = _read(tmp_path, b'1,"",""\n' + _GOOD)
    assert list(got.train) == list(got.train) and length_hint(got.train) == len(list(got.train)) == 8


def _texts(tmp_path: Path, name: str, *texts: str) -> list[str]:
    rows = "".join(f'1,"{text}",\n' for text in texts).encode()
    return [text for text, _ in _read(tmp_path, rows + _GOOD, name=name).train][: len(texts)]


def test_escaped_newlines_become_spaces_where_newlines_are_escaped(tmp_path):
    """Yelp writes `\\n` and `\\"`; the csv doubles the quote."""
    got = _texts(tmp_path, "yelp_full", r"one\ntwo\n\nthree", r'so \""good\""')
    assert got == ["one two  three", 'so "good"']


def test_a_bare_backslash_is_a_newline_where_it_is_one(tmp_path):
    """AG News: reading `\\n` there would make `etwork` of the word after it."""
    got = _texts(tmp_path, "ag_news", r"social\network", r"dwindling\band of\ultra", r"\$46 billion")
    assert got == ["social network", "dwindling band of ultra", "$46 billion"]


def test_a_backslash_stays_itself_elsewhere(tmp_path):
    assert _texts(tmp_path, "dbpedia", r"the band AC\DC") == [r"the band AC\DC"]


def test_empty_texts_are_left_out_and_counted(tmp_path):
    got = _read(tmp_path, b'1,"",""\n2," ",\\n\n' + _GOOD, b"3,,\n" + _GOOD, name="yelp_full")
    assert len(list(got.train)) == len(list(got.test)) == 8
    assert [label for _, label in got.train][:2] == [0, 1] and got.note == "3 empty texts left out"


def test_a_byte_order_mark_and_blank_lines_are_no_text(tmp_path):
    marked = _held(_read(tmp_path, b"\xef\xbb\xbf" + _GOOD + b"\n\r\n"))
    assert marked == _held(_read(tmp_path))


def test_gzip_is_known_by_its_content_whatever_the_file_is_called(tmp_path):
    plain = _held(_read(tmp_path))
    assert _held(_read(tmp_path, gzip.compress(_GOOD))) == plain
    (tmp_path / "train.csv").unlink()
    assert _held(_read(tmp_path, gzip.compress(_GOOD), file="train.csv.gz")) == plain
    assert _held(_read(tmp_path, _GOOD, file="train.csv.gz")) == plain


_LONG = b'1,"' + b"x" * 4_000_001 + b'","y"\n'


_BAD = {
    "one column": (_GOOD + b"1\n", "row 9: a single column given, not the 3 of the rows before"),
    "fewer columns": (_GOOD + b"1,a\n", "row 9: 2 columns given, not the 3 of the rows before"),
    "more columns": (_GOOD + b"1,a,b,c\n", "row 9: 4 columns given, not the 3 of the rows before"),
    "class 0": (_GOOD + b"0,a,b\n", "row 9: class '0' given; give a number from 1 to 4."),
    "class 5": (_GOOD + b"5,a,b\n", "row 9: class '5' given; give a number from 1 to 4."),
    "class in words": (_GOOD + b"\nSports,a,b\n", "row 10: class 'Sports' given"),
    "class with a point": (_GOOD + b"1.0,a,b\n", "row 9: class '1.0' given"),
    "class underscored": (_GOOD + b"0_1,a,b\n", "row 9: class '0_1' given"),
    "odd header": (b"what,about,whom\n" + _GOOD, "row 1: class 'what' given; .* from 1 to 4 or a header"),
    "long class": (b"9" * 500 + b",a,b\n", f"row 1: class '{'9' * 40}...' given"),
    "tabs": (_GOOD.replace(b",", b"\t"), "row 1: a single column given"),
    "quote not closed": (_GOOD + b'1,"a,b\n' + _GOOD, "row 9: not csv"),
    "last quote not closed": (_GOOD + b'1,a,"b\n', "row 9: not csv .unexpected end of data"),
    "quote not doubled": (_GOOD + b'1,"a "b" c",d\n', "row 9: not csv"),
    "huge field": (_GOOD + _LONG, "row 9: not csv .field larger than field limit"),
    "endless line": (_GOOD + b"x" * 17_000_000, "line 9: a line of more than 16,000,000 bytes"),
    "NUL": (_GOOD + b"1,a,b\0\n", f"line 9: a NUL at byte {len(_GOOD) + 5}, so this is no text"),
    "latin-1": (_GOOD + b"1,caf\xe9,b\n", rf"line 9: byte {len(_GOOD) + 5} .0xe9. is not UTF-8; save"),
    "UTF-16": (_GOOD.decode().encode("utf-16"), r"line 1: (byte 0 .0xff. is not UTF-8|a NUL at byte)"),
    "old Macintosh lines": (_GOOD.replace(b"\n", b"\r"), "row 1: not csv .new-line character"),
    "empty": (b"", "train.csv is empty; give rows of class, title, description."),
    "blank": (b"\n\n", "train.csv is empty"),
    "empty gzip": (gzip.compress(b""), "train.csv is empty"),
    "truncated gzip": (gzip.compress(_GOOD * 500)[:-20], r"line \d+: the gzip file breaks off or is damaged"),
    "damaged gzip": (gzip.compress(_GOOD)[:-6] + b"abcdef", "line 9: the gzip file breaks off or is damaged"),
    "no gzip after all": (b"\x1f\x8bnot gzip", "line 1: the gzip file breaks off or is damaged"),
    "one class": (b"2,a,b\n2,a,c\n", r"training texts of one class only .Sports."),
    "only empty texts": (b"1,,\n2,,\n", "has no train texts"),
}


@pytest.mark.parametrize(("train", "says"), _BAD.values(), ids=_BAD)
def test_what_is_wrong_is_named_by_file_and_row_in_one_sentence(tmp_path, train, says):
    where = "" if "class only" in says or "no train" in says or "empty" in says else "train.csv, "
    with pytest.raises(BadInput, match=where + says) as caught:
        _read(tmp_path, train)
    assert str(caught.value).startswith("dataset: ") and str(caught.value).endswith(".")
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_the_test_file_is_held_to_the_columns_of_the_training_file(tmp_path):
    with pytest.raises(BadInput, match=r"test.csv, row 1: 2 columns given, not the 3 of the rows before"):
        _read(tmp_path, test=b"1,a\n2,b\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refused(*_args, **_kw):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "train.csv").touch()
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(BadInput, match=r"train.csv cannot be read \(Permission denied\)"):
        classic_csv.read_files("made", tmp_path / "train.csv", tmp_path / "train.csv", ["a", "b"])


_field = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\\"), max_size=30)
_rows = st.lists(st.tuples(st.integers(1, 4), _field, _field), min_size=1, max_size=12)


@settings(deadline=None)
@given(_rows, st.booleans(), st.booleans())
def test_what_csv_wrote_is_read_back(rows, every, zipped):
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL).writerows(rows)
    data = written.getvalue().encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        path.write_bytes(gzip.compress(data) if zipped else data)
        got = list(classic_csv.read_files("made", path, path, "abcd").train)
    kept = [(c - 1, text) for c, title, body in rows if (text := f"{title} {body}".strip())]
    assert [(label, text) for text, label in got] == kept


@st.composite
def _nearly_csv(draw):
    """A good file with some bytes of it cut out and others put in."""
    data = bytearray(_GOOD)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        put = draw(st.sampled_from([b"", b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"7", b"\\n", b"\xc3\xa9", b'"",']))
        data[at : at + draw(st.integers(0, 3))] = put
    return bytes(data)


@settings(deadline=None, max_examples=300)
@given(st.one_of(_nearly_csv(), st.binary(max_size=200), _nearly_csv().map(gzip.compress)), st.booleans())
def test_whatever_the_bytes_they_are_refused_or_read_as_csv_reads_them(data, cut):
    data = data[: len(data) // 2] if cut else data
    with tempfile.TemporaryDirectory() as folder:
        try:
            got = list(_read(Path(folder), data).train)
        except BadInput as error:
            assert folder in str(error) or "dataset: ag_news" in str(error)  # noqa: PT017
            return
    text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8-sig")
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    joined = ((" ".join(row[1:]).replace("\\", " ").strip(), int(row[0]) - 1) for row in rows)
    assert got == [(text, label) for text, label in joined if text]
