"""keys.toml: what moves a key, what is refused, and that every key can be written as it is shown."""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual.keys import _character_to_key

from engine import places
from lth_tui import keymap
from lth_tui.keys import KEYS


@pytest.fixture
def written(tmp_path: Path):
    """Reads a keys.toml of this text."""

    def write(text: str | bytes) -> keymap.Read:
        path = tmp_path / "keys.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return keymap.read(path)

    return write


def one_trouble(read: keymap.Read) -> str:
    """The one sentence that a file is told of; nothing was moved."""
    assert read.moved == {}
    (words,) = read.troubles
    assert words.startswith("keys.toml: ")
    assert words[-1] in ".?"
    assert "\n" not in words
    return words


def test_a_missing_file_moves_nothing(tmp_path):
    assert keymap.read(tmp_path / "keys.toml") == ({}, [])
    assert keymap.read(tmp_path / "keys.toml" / "below") == ({}, [])


def test_names_are_given_keys_dotted_or_in_tables_or_in_quotes_alone_or_in_lists(written):
    read = written('runs.stop = "S"\n"runs.undo" = "ctrl+z"\n[table]\ndown = ["Z", "down"]\npage.down = "f12"\n')
    assert read.troubles == []
    assert read.moved == {
        "runs.stop": ("S",),
        "runs.undo": ("ctrl+z",),
        "table.down": ("Z", "down"),
        "table.page.down": ("f12",),
    }
    assert read.keys["runs.stop"] == ("S",)
    assert read.keys["runs.open"] == ("enter",)


def test_n_for_the_next_row_is_refused_where_n_is_a_new_run_and_taken_where_that_was_moved(written):
    assert "runs.new" in one_trouble(written('table.down = "n"'))
    assert written('table.down = "n"\nruns.new = "M"').troubles == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('runs.stpo = "S"', "did you mean runs.stop"),
        ('runs = "S"', "not known"),
        ('nothing.like.it = "S"', "`lth keys` lists the names"),
        ("runs.stop = 5", "runs.stop = 5 is no key"),
        ("runs.stop = true", "runs.stop = true is no key"),
        ('runs.stop = "stop"', '"stop" is no key'),
        ('runs.stop = ""', "is no key"),
        ("runs.stop = []", "runs.stop = [] is no key"),
        ('runs.stop = ["S", 3]', "runs.stop = 3 is no key"),
        ("[runs.stop]", "runs.stop = {} is no key"),
        ('runs.stop = "x"', "runs.remove"),
        ('runs.stop = "q"', "app.quit"),
        ('runs.stop = "j"', "table.down"),
        ('app.quit = "s"', "s"),
        ('app.quit-anywhere = "a"', "what you type"),
        ('launch.launch = "?"', "what you type"),
        ("runs.stop = ", "is no TOML"),
        ("runs.stop = 'S'\nruns.undo 5", "line 2"),
        (b"\xff\xfe", "no UTF-8"),
        ("[" * 5000, "is no TOML"),
        ("#" * 200_000, "too large"),
        ('"runs.\x1b[31m" = "S"'.replace("\x1b", "\\u001b"), "␛[31m is not known"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_that_says_what_would_do(written, text, said):
    words = one_trouble(written(text))
    assert said in words
    assert len(words) < 400
    assert "\x1b" not in words


def test_a_folder_of_that_name_is_told(tmp_path):
    (tmp_path / "keys.toml").mkdir()
    assert "cannot be read" in one_trouble(keymap.read(tmp_path / "keys.toml"))


def test_a_wrong_line_leaves_the_others_as_they_are(written):
    read = written('runs.stop = "S"\nruns.undo = "nonsense"\nruns.copy = "Y"')
    assert read.moved == {"runs.stop": ("S",), "runs.copy": ("Y",)}
    assert len(read.troubles) == 1


def test_two_keys_may_change_places(written):
    read = written('runs.stop = "x"\nruns.remove = "s"')
    assert read == ({"runs.stop": ("x",), "runs.remove": ("s",)}, [])


def test_a_key_that_goes_back_to_its_place_may_push_another_back_too(written):
    read = written('runs.remove = "s"\nruns.stop = "u"')  # u is taken, so s is stop again, so x is remove again
    assert read.moved == {}
    assert len(read.troubles) == 2


def test_the_same_key_may_do_something_else_in_another_place(written):
    assert written('runs.stop = "K"\nrun.stop = "K"\npage.up = "K"').troubles == []
    assert written('table.up = "Q"\npage.up = "Q"').troubles == []  # a log has no table in it


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("S", "S"), ("shift+s", "S"), ("?", "question_mark"), ("/", "slash"), (":", "colon"), ("-", "minus"),
        ("+", "plus"), (" ", "space"), ("Space", "space"), ("Esc", "escape"), ("Return", "enter"), ("F5", "f5"),
        ("^q", "ctrl+q"), ("Ctrl+Q", "ctrl+q"), ("control+q", "ctrl+q"), ("PgDn", "pagedown"), ("↓", "down"),
        ("shift+ctrl+up", "ctrl+shift+up"), ("ctrl+i", "tab"), ("ctrl+m", "enter"), ("é", "é"), ("_", "underscore"),
        ("f25", None), ("ctrl+", None), ("+s", None), ("hyper+s", None), ("ctrl+ctrl+s", None), ("", None),
        ("\x1b", None), ("\n", None), ("ab", None), ("shift+1", None), ("ctrl+?", None),
    ],
)  # fmt: skip
def test_a_key_is_understood_however_it_is_written(given, key):
    assert keymap.spelt(given) == key


def test_every_key_of_the_registry_is_read_back_from_how_it_is_shown():
    for keys in keymap.usual().values():
        for key in keys:
            assert keymap.spelt(keymap.shown(key)) == key
            assert keymap.spelt(key) == key


@given(st.characters(min_codepoint=33, max_codepoint=126))
@example("'")
def test_a_sign_is_named_as_textual_names_it(sign):
    key = keymap.spelt(sign)
    assert key == _character_to_key(sign)
    assert keymap.shown(key) == sign
    assert keymap.spelt(key) == key
    assert keymap.is_typed(key)


@given(st.text(max_size=12))
def test_any_text_is_a_key_that_can_be_shown_and_read_back_or_none(text):
    key = keymap.spelt(text)
    assert key is None or keymap.spelt(keymap.shown(key)) == key


@given(st.dictionaries(st.sampled_from(sorted(keymap.named())), st.sampled_from([*"sxqjnS?", "f5", "enter"])))
def test_whatever_was_moved_no_two_that_work_at_once_have_one_key_that_had_two_before(tmp_path_factory, given):
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.write_text("".join(f'"{name}" = "{key}"\n' for name, key in given.items()))
    read = keymap.read(path)
    assert set(read.moved) <= set(given)
    assert len(read.moved) + len(read.troubles) == len(given)
    for (one, keys), (other, others) in combinations(read.keys.items(), 2):
        if keymap._together(one.partition(".")[0], other.partition(".")[0]):
            assert not set(keys) & set(others), (one, other)


def test_as_they_come_no_place_has_two_actions_on_one_key():
    for place, group in KEYS.items():
        keys = [key for one in group.keys for key in one.keys.split(",")]
        assert len(keys) == len(set(keys)), place


def test_every_name_can_be_written_as_a_dotted_key():
    """`a.b = "x"` and `a.b.c = "y"` cannot stand in one TOML file."""
    names = list(keymap.named())
    assert [(one, other) for one in names for other in names if other.startswith(f"{one}.")] == []
    assert len(names) == len(set(names))


def test_the_file_is_moved_by_lth_keys_and_by_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("LTH_KEYS", str(tmp_path / "mine.toml"))
    assert places.keys_file() == tmp_path / "mine.toml"
    monkeypatch.delenv("LTH_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert places.keys_file() == tmp_path / "config" / "lth" / "keys.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert places.keys_file() == Path.home() / ".config" / "lth" / "keys.toml"
