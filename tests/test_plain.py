"""Foreign text made safe: nothing that a terminal obeys, that reorders its surroundings, or that cannot be written."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lth_tui import plain

EVERYTHING = st.text(st.characters(codec=None, categories=None) | st.sampled_from("\x1b\x9b\x07\u202e\ud800\u2066\n"))
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"\u061c", "\u200e", "\u200f"}
FILLERS = "\u115f\u3164\uffa0"  # letters without a shape


def harmless(text: str, allowed: str = "") -> None:
    for sign in text:
        if sign in allowed:
            continue
        assert unicodedata.category(sign) not in ("Cc", "Cs", "Zl", "Zp"), ascii(sign)
        assert unicodedata.bidirectional(sign) not in BIDI, ascii(sign)
        assert sign not in MARKS, ascii(sign)
    text.encode()


@given(EVERYTHING)
@example("\x1b[2J\x1b]52;c;aGk=\x07")
@example("".join(map(chr, range(0x100))))
@example("\u202etxt.exe\u2066\ud83d\ufeff\u2028")
def test_a_line_is_one_harmless_line(text):
    harmless(plain.line(text))


@given(EVERYTHING)
@example("a\r\nb\x85c\u2029d\x0be\x0cf\x1cg")
def test_lines_are_harmless_and_break_only_at_newlines(text):
    safe = plain.lines(text)
    harmless(safe, allowed="\n")
    assert safe.split("\n") == safe.splitlines() + [""] * (safe.endswith("\n") or not safe)
    assert safe.count("\n") == text.count("\n"), "every newline stays, and none comes in"


def test_every_sign_of_unicode_is_harmless():
    every = "".join(map(chr, range(0x110000)))
    for start in range(0, len(every), 400):
        part = every[start : start + 400]
        harmless(plain.line(part))
        harmless(plain.lines(part), allowed="\n")


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters=FILLERS), max_size=500))
def test_ordinary_text_stays_as_it_is(text):
    assert plain.line(text) == text
    assert plain.lines(text) == text


@given(EVERYTHING, st.integers(1, 40))
def test_a_line_is_never_longer_than_asked(text, most):
    assert len(plain.line(text, most)) <= most


def test_a_cut_is_shown():
    assert plain.line("x" * 500) == "x" * 500
    assert plain.line("x" * 501) == "x" * 499 + "…"
    assert len(plain.lines("y" * 200_000)) == 100_000


@pytest.mark.parametrize("dropped", [1, 10_000])
def test_a_cut_is_shown_though_signs_were_dropped(dropped):
    assert plain.line("\u200b" * dropped + "x" * 600).endswith("…")


@pytest.mark.parametrize("sign", "\u2061\u2062\u2063\u2064\u206a\u206f\ufff9\ufffb\u180e\u00ad\u3164\u115f\uffa0")
def test_signs_without_a_shape_do_not_hide_in_names(sign):
    assert plain.line(f"a{sign}b") != f"a{sign}b"


def test_an_escape_is_seen_rather_than_lost():
    assert plain.line("\x1b[31mred\x07") == "␛[31mred␇"
    assert plain.lines("a\tb\r\nc") == "a    b\nc"


def test_anything_can_be_shown():
    assert plain.line(None) == "None"
    assert plain.line(0.5) == "0.5"
    assert plain.line(ValueError("a\nb")) == "a b"


def test_a_path_below_home_is_written_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert plain.path(tmp_path / "a" / "b") == "~/a/b"
    assert plain.path(Path("/etc/x\x1by")) == "/etc/x␛y"
