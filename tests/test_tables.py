"""What the command line prints of values that a run's files should not hold: unknown, never an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lth_tui import one_run, tables

ODD = [
    None,
    True,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("-inf"),
    "x\x1b",
    [],
    [None],
    {},
    {"name": [], "rounds": "y"},
]
odd = st.sampled_from(ODD)


def printed(what) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def summary(**more):
    return {"id": "some-run", "state": "failed", "created": None, "best": None, "progress": None, **more}


def shown(**more):
    found = {"id": "some-run", "state": "failed", "spec": {}, "seeds": [], "data": {}, "rounds": [], "verdict": None}
    return found | more


PARTS = ("dense", "ticket", "sparsity", "fraction")


@given(odd, odd | st.fixed_dictionaries(dict.fromkeys(PARTS, odd)), odd | st.fixed_dictionaries({"fraction": odd}))
def test_runs_take_any_value(created, best, progress):
    assert "some-run" in printed(tables.runs([summary(created=created, best=best, progress=progress)]))


def test_what_is_no_number_is_unknown():
    row = tables.runs([summary(best={"dense": "x", "ticket": None}, progress={"fraction": "y"})]).plain.splitlines()[1]
    assert row.split() == ["some-run", "failed", "–", "–", "–", "–"]


@pytest.mark.parametrize("created", ["0001-01-01", "9999-12-31T23:59:59", "yesterday", 7])
def test_any_creation_time_has_an_age_or_none(created):
    tables.age(created, 0.0)


@pytest.mark.parametrize("progress", [None, {"fraction": 0.4}, {"fraction": "y"}])
def test_a_finished_run_is_done_whatever_its_progress_says(progress):
    assert "100 %" in tables.runs([summary(state="finished", progress=progress)]).plain


GROUPS = ("model", "data", "schedule", "training", "arms", "seeds")
DATA = ("train", "valid", "test", "classes", "vocabulary", "note")
SETTINGS = {"schedule": ("name", "rounds", "rate", "scope"), "training": ("epochs",)}
specs = st.fixed_dictionaries(
    dict.fromkeys(GROUPS, odd)
    | {group: odd | st.fixed_dictionaries(dict.fromkeys(names, odd)) for group, names in SETTINGS.items()}
)
METRICS = st.fixed_dictionaries(dict.fromkeys(("test_accuracy", "seconds"), st.lists(odd, max_size=3)))


@given(specs, st.fixed_dictionaries(dict.fromkeys(DATA, odd)), odd, odd)
def test_a_run_takes_any_value(spec, data, sentence, won):
    verdict = {"sentence": sentence, "winning_ticket": won}
    assert "some-run" in printed(one_run.run(shown(spec=spec, data=data, verdict=verdict), 80))


@given(st.sampled_from([None, [], ["ticket"], ["ticket", 3]]), METRICS, METRICS, odd)
def test_rounds_take_any_value(arms, dense, ticket, nonzero):
    entries = [
        {"round": 0, "sparsity": None, "nonzero": nonzero, "arms": {"dense": dense}},
        {"round": None, "sparsity": None, "nonzero": nonzero, "arms": {"ticket": ticket}},
    ]
    assert "round" in printed(one_run.rounds(shown(spec={"arms": arms}, rounds=entries)))


def test_counts_agree_with_their_nouns():
    assert [tables.count(value, "round") for value in (0, 1, 1200, None)] == [
        "0 rounds", "1 round", "1,200 rounds", "? rounds",
    ]  # fmt: skip
    spec = {"schedule": {"rounds": 1}, "training": {"epochs": 1}}
    words = " ".join(line.plain for line in one_run.facts(shown(spec=spec, seeds=[0])))
    assert all(one in words for one in ("1 round ", "1 epoch,", "1 seed"))


def test_a_verdict_takes_any_value():
    for value in ODD:
        for verdict in (
            {"against": value, "rivals": value, "region": value, "rounds": value},
            {"against": {"a\x1b": value, "b": {"gap": value, "ci95": value, "p": value}}, "region": [value]},
            {"rounds": [value, {"round": value, "differences": value}, {"round": 1, "differences": {"dense": value}}]},
        ):
            text = printed(one_run.run(shown(verdict=verdict, rounds=DECIDED["rounds"]), 200))
            assert "some-run" in text
            assert "\x1b" not in text


def difference(gap, low, high):
    return {"gap": gap, "ci95": [low, high], "p": 0.0004}


DECIDED = {
    "spec": {"arms": ["ticket", "reinit"]},
    "rounds": [
        {"round": 1, "sparsity": 0.2, "arms": {"ticket": {"test_accuracy": [0.9]}, "reinit": {"test_accuracy": [0.8]}}}
    ],
    "verdict": {
        "sentence": "A winning ticket.",
        "region": [0.5, 0.95],
        "against": {"reinit": difference(0.0111, 0.005, 0.0172)},
        "rivals": {"finetune": difference(-0.0004, -0.01, 0.0095)},
        "rounds": [
            {
                "round": 1,
                "differences": {"dense": difference(-0.002, -0.01, 0.006), "reinit": difference(0.1, 0.08, 0.12)},
            }
        ],
    },
}


def test_differences_stand_beside_the_rounds_where_there_is_room_marked_as_unadjusted():
    def wide(width, **more):
        console = Console(width=width)
        with console.capture() as captured:
            console.print(one_run.run(shown(**DECIDED), width, **more))
        return captured.get()

    text = wide(120)
    for words in ("ticket - dense", "-0.2 [-1.0, 0.6]", "ticket - reinit", "+10.0 [8.0, 12.0]"):
        assert words in text
    assert "differences in points, unadjusted 95 % intervals" in text
    narrow = wide(40)
    assert "ticket - dense" not in narrow
    assert "unadjusted" not in narrow
    assert "ticket - dense" not in wide(120, metric="loss"), "they are of accuracies"


def test_every_comparison_of_the_verdict_is_in_a_table():
    text = " ".join(printed(one_run.run(shown(**DECIDED), 80)).split())
    for words in (
        "reinit +1.1 [0.5, 1.7] < 0.001",
        "finetune +0.0 [-1.0, 0.9] < 0.001",
        "50.0 to 95.0 % sparsity",
    ):
        assert words in text


REFERENCE = {"linear_test_accuracy": 0.912, "per_seed": [0.911, None, 0.913], "test_macro_f1": [0.90, None, 0.92]}


def test_the_linear_reference_stands_under_the_table_as_soon_as_it_is_known():
    words = "linear reference (TF-IDF + logistic regression): "
    assert words not in printed(one_run.run(shown(reference=None), 80))
    assert f"{words}91.2 ± 0.1 % test accuracy" in printed(one_run.run(shown(reference=REFERENCE), 80))
    assert f"{words}91.0 ± 1.4 % test macro-F1" in printed(one_run.run(shown(reference=REFERENCE), 80, "macro-f1"))
    assert f"{words}91.2 % test" in printed(one_run.run(shown(reference={"linear_test_accuracy": 0.912}), 80))


def test_a_reference_of_a_part_of_the_texts_says_so():
    whole = REFERENCE | {"texts": [216, None, 216], "of": [216, None, 216]}
    assert "trained on" not in one_run.reference(shown(reference=whole)).plain
    part = REFERENCE | {"texts": [100_000] * 3, "of": [504_000] * 3}
    assert "trained on 100,000 of 504,000 texts" in one_run.reference(shown(reference=part)).plain


@given(odd | st.fixed_dictionaries(dict.fromkeys((*REFERENCE, "texts", "of"), odd | st.lists(odd | st.floats(0, 1)))))
def test_a_reference_takes_any_value(reference):
    for metric in one_run.METRICS:
        assert "some-run" in printed(one_run.run(shown(reference=reference), 80, metric))
