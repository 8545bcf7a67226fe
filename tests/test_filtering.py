"""The filter of the runs: words, fields, negation, numbers and times; no text makes it fail."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lth_tui import filtering

NOW = datetime.fromisoformat("2026-11-25T12:00:00")
TREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def run(**fields) -> dict:
    """A summary as the history has it, as far as filters look."""
    usual = {
        "id": "20261124-120000-imdb-cnn-imp-7f3a", "state": "finished", "model": "cnn", "dataset": "imdb",
        "schedule": "imp", "arms": ["ticket", "reinit"], "seeds": 3, "rounds": 10, "name": None, "tags": ["old"],
        "note": "One fold of five", "cause": None, "sentence": "A winning ticket.", "winning_ticket": True,
        "best": {"dense": 0.87, "ticket": 0.8755, "sparsity": 0.36}, "progress": {"fraction": 1.0},
        "created": (NOW - timedelta(days=1)).isoformat(),
    }  # fmt: skip
    return usual | fields


FAILED = run(id="20261101-b", state="failed", model="lstm", tags=[], cause="out of GPU memory", winning_ticket=None,
             note=None, sentence=None, best=None, created=(NOW - timedelta(days=24)).isoformat())  # fmt: skip


def fitting(text: str) -> list[str]:
    query = filtering.parse(text)
    assert not query.trouble, query.trouble
    return [one["state"] for one in filtering.Sieve().fitting([run(), FAILED], query, NOW)]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("", True, True), ("imdb", True, True), ("CNN imdb", True, False), ("cnn lstm", False, False),
        ("state:failed", False, True), ("state:failed,finished", True, True), ("!state:failed", True, False),
        ("!cnn", False, True), ('"one fold"', True, False), ('!"one fold"', False, True), ("tag:old", True, False),
        ("!tag:old", False, True), ("seeds:3", True, True), ("seeds:>3", False, False), ("seeds:>=3", True, True),
        ("ticket:>87", True, False), ("ticket:88", True, False),
        ("sparsity:36", True, False),
        ("age:<2d", True, False), ("age:>2w", False, True), ("age:1d", True, False), ("verdict:yes", True, False),
        ("gpu", False, True), ('cause:"gpu memory"', False, True), ("arm:reinit", True, True),
        ("run:7f3a", True, False),
        ("model:", True, True), ("!", True, True), ("note:fold age:<3d !lstm", True, False),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_says(text, first, second):
    assert fitting(text) == ["finished"] * first + ["failed"] * second


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour:red", "colour: no such field; there are state, model"), ("colour:", "colour: no such field"),
        ("seeds:many", "seeds: 'many' given; give a number"), ("age:old", "age: 'old' given; give a time"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_in_one_sentence_and_passed_over(text, told):
    query = filtering.parse(f"cnn {text}")
    assert query.trouble.startswith(told)
    assert [one["model"] for one in filtering.Sieve().fitting([run(), FAILED], query, NOW)] == ["cnn"]


@given(st.text(), st.dictionaries(st.sampled_from(sorted(run())), TREE))
def test_no_text_and_no_summary_makes_it_fail(text, fields):
    one = run(**fields) | {"id": "x"}
    query = filtering.parse(text)
    assert "\n" not in query.trouble or "\n" in text
    assert list(filtering.Sieve().fitting([one], query, NOW)) in ([], [one])


def test_what_is_kept_of_a_run_is_made_anew_with_its_summary():
    sieve, query = filtering.Sieve(), filtering.parse("later")
    assert list(sieve.fitting([run()], query, NOW)) == []
    assert len(sieve.fitting([run(name="later")], query, NOW)) == 1
