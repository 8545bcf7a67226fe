"""csv for spreadsheets: no foreign text is a formula, every number is whole, and any reader of csv reads it back."""

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.record import summary
from lth_tui import sheet
from tests.cli.conftest import call

DANGEROUS = ["=1+1", "+1", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =cmd|' /C calc'!A0", "＝1+1", "\u200b=1", "'=1"]
DANGEROUS += ["\x00=1"]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(text: str) -> None:
    (row,) = read(sheet.table(["a"], [[text]]))[1:]
    assert row[0].startswith("'") or row[0].startswith("\u2400")  # a sign for NUL begins no formula
    assert row[0].removeprefix("'").strip()


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_are_written_in_full_and_without_an_apostrophe(number: float) -> None:
    written = sheet.cell(number)
    assert (type(number)(written), written[0]) == (number, written[0].replace("'", ""))


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_an_empty_cell(nothing: object) -> None:
    assert sheet.cell(nothing) == ""


texts = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(DANGEROUS)


@given(st.lists(st.lists(texts, min_size=2, max_size=2), max_size=4))
def test_any_text_comes_back_as_one_cell_in_lines_ended_by_cr_lf(rows: list[list[str]]) -> None:
    written = sheet.table(["one", "two"], rows)
    assert read(written) == [["one", "two"], *([sheet.cell(value) for value in row] for row in rows)]
    assert written.count("\r\n") == len(rows) + 1 == written.count("\n")
    assert not {sign for sign in written if ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0} - {"\r", "\n"}
    written.encode()  # no half of a surrogate pair
    for row in read(written)[1:]:
        assert not [one for one in row if one.lstrip()[:1] and one.lstrip()[0] in "=+-@\t\r"]


def test_ls_and_show_print_csv_with_the_numbers_that_json_has(finished) -> None:
    shown = call("show", finished.name, "--json").json
    header, *rows = read(call("show", finished.name, "--csv").out)
    assert len(rows) == sum(len(entry["arms"]) for entry in shown["rounds"]) * len(shown["seeds"])
    told = [dict(zip(header, row, strict=True)) for row in rows]
    for entry in shown["rounds"]:
        for arm, lists in entry["arms"].items():
            for place, seed in enumerate(shown["seeds"]):
                (row,) = (r for r in told if (r["round"], r["arm"], r["seed"]) == (str(entry["round"]), arm, str(seed)))
                assert [row[name] for name in summary.METRICS] == [repr(lists[name][place]) for name in summary.METRICS]
                assert float(row["sparsity"]) == entry["sparsity"]
    header, row = read(call("ls", "--csv").out)
    listed = dict(zip(header, row, strict=True))
    assert (listed["id"], listed["state"], listed["arms"]) == (finished.name, "finished", "ticket; reinit; shuffle")
    assert float(listed["best_dense"]) == call("ls", "--json").json[0]["best"]["dense"]
    for command in ("ls", "show"):
        both = call(command, *([finished.name] if command == "show" else []), "--json", "--csv")
        assert both.code == 2 and "give one of them" in both.err
