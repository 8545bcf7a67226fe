"""`lth compare`: runs made up on disk, held against the first of them."""

import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from engine import comparison
from engine.record import rundir, summary
from engine.record.events import EventLog
from lth_tui import comparison as words
from lth_tui import sheet
from tests.cli.conftest import call, one_sentence, runs_here

SPEC: dict[str, Any] = {
    "version": 1,
    "model": {"name": "cnn"},
    "data": {"name": "pydoc", "valid_fraction": 0.1, "train_size": None},
    "schedule": {"name": "imp", "rounds": 2, "rate": 0.2},
    "arms": ["ticket", "reinit"],
    "seeds": [0, 1, 2],
}


def made(lead: float = 0.0, state: str = "finished", device: str = "cpu", trained: bool = True, **spec: Any) -> Path:
    """A run whose tickets are so much better than 0.8, each seed a thousandth more than the one before."""
    spec = SPEC | spec
    run = rundir.create(runs_here(), orjson.dumps(spec), "cnn", "pydoc", "imp")
    rundir.write_status(run, {"state": state})
    log = EventLog(run)
    log.append("run_started", versions={"torch": "2.13.0"}, device=device, threads=2)
    rate = spec["schedule"].get("rate", 0.2)
    for seed in SPEC["seeds"] if trained else []:
        for number in range(3):
            for arm in ("ticket", "reinit") if number else ("dense",):
                better = lead * (arm == "ticket") - 0.02 * (arm == "reinit") - 0.01 * number
                numbers = {"test_accuracy": 0.8 + better + seed / 1000 * (1 + number), "test_loss": 0.5 - better}
                where = {"seed": seed, "round": number, "arm": arm, "sparsity": 1 - (1 - rate) ** number}
                log.append("trained", test_macro_f1=0.7 + better, seconds=1.0, **where, **numbers)
    log.close()
    return run


def printed(*runs: Path, width: int = 80, metric: str = "accuracy", terminal: bool = True) -> str:
    shown = [summary.show(run) for run in runs]
    found = comparison.compare(shown, {"accuracy": "test_accuracy", "loss": "test_loss"}[metric])
    console = Console(width=width)
    with console.capture() as captured:
        console.print(words.report(found, shown, metric, None, width if terminal else None))
    return captured.get()


def names(*runs: Path) -> list[str]:
    return [run.name[-4:] for run in runs]


# What is printed


def test_differences_are_printed_arm_by_arm_with_their_intervals_marked_as_unadjusted():
    one, two = made(), made(0.03)
    said = call("compare", one.name, two.name)
    assert (said.code, said.err) == (0, "")
    lines = [line.split() for line in said.out.splitlines()]
    for row in (
        "dense 0.0 80.1 80.1 +0.0 [0.0, 0.0] 3 paired",
        "ticket 20.0 79.2 82.2 +3.0 [3.0, 3.0] 3 paired",
        "36.0 78.3 81.3 +3.0 [3.0, 3.0] 3 paired",
        "reinit 20.0 77.2 77.2 +0.0 [0.0, 0.0] 3 paired",
    ):
        assert row.split() in lines
    assert "The settings are the same." in said.out
    assert "unadjusted" in said.out
    for run, short in zip((one, two), names(one, two), strict=True):
        assert run.name in said.out
        assert said.out.count(short) >= 3, "its id, the head of its part, its column"


def test_settings_that_differ_stand_in_a_column_a_run_and_nothing_else():
    one = made()
    two = made(device="cuda", model={"name": "lstm", "bidirectional": True}, arms=["ticket"])
    said = call("compare", one.name, two.name)
    lines = [line.split() for line in said.out.splitlines()]
    for row in ("model.name cnn lstm", "model.bidirectional – true", "arms ticket,reinit ticket",
                "machine.device cpu cuda"):  # fmt: skip
        assert row.split() in lines
    for same in ("schedule.rate", "seeds", "data.name", "versions", "threads"):
        assert same not in said.out.partition(" against ")[0]


def test_sparsities_that_differ_visibly_are_both_shown():
    one, two = made(), made(schedule={"name": "imp", "rounds": 2, "rate": 0.22})
    said = call("compare", one.name, two.name)
    assert "20.0, 22.0" in said.out
    assert "36.0, 39.2" in said.out
    near = call("compare", one.name, made(schedule={"name": "imp", "rounds": 2, "rate": 0.2002}).name)
    assert "20.0," not in near.out


def test_rounds_that_meet_none_of_the_baselines_are_named():
    one, two = made(), made(schedule={"name": "imp", "rounds": 2, "rate": 0.5})
    assert "Without a round of the baseline's within 10 % of their density: 1, 2." in call(
        "compare", one.name, two.name
    ).out.replace("\n", " ")


def test_another_dataset_is_compared_without_pairs():
    said = call("compare", made().name, made(0.01, data={"name": "imdb"}).name)
    assert "3 and 3" in said.out
    assert " paired" not in said.out.replace("paired by seed", "")


@pytest.mark.parametrize(("metric", "row"), [("macro-f1", "ticket 20.0 69.0 72.0 +3.0"), ("loss", "20.0 0.510 0.480")])
def test_another_metric_can_be_compared(metric, row):
    said = call("compare", made().name, made(0.03).name, "--metric", metric)
    assert row in " ".join(said.out.split())
    assert ("in nats" in said.out) == (metric == "loss")
    assert ("-0.030 [-0.030, -0.030]" in said.out) == (metric == "loss")


def test_one_arm_alone_can_be_compared():
    one, two = made(), made(0.03)
    said = call("compare", one.name, two.name, "--arm", "reinit")
    assert "reinit" in said.out
    assert "ticket" not in said.out
    rounds = call("compare", one.name, two.name, "-a", "dense", "--json").json["comparisons"][0]["rounds"]
    assert [list(entry["arms"]) for entry in rounds] == [["dense"], [], []]


def test_json_is_the_engines_comparison_and_nothing_else():
    runs = [made(), made(0.03), made(0.01)]
    said = call("compare", *(run.name for run in runs), "--json")
    assert said.err == ""
    assert said.json == comparison.compare([summary.show(run) for run in runs])


def test_csv_has_the_numbers_that_json_has():
    one, two = made(), made(0.03)
    found = call("compare", one.name, two.name, "--json").json
    said = call("compare", one.name, two.name, "--csv")
    rows = list(csv.DictReader(io.StringIO(said.out, newline=""), strict=True))
    assert (said.code, said.err) == (0, "")
    assert said.out == sheet.comparison(found).replace("\r", "")
    assert len(rows) == sum(len(entry["arms"]) for entry in found["comparisons"][0]["rounds"]) == 5
    ticket = next(row for row in rows if (row["arm"], row["round"]) == ("ticket", "2"))
    assert (ticket["baseline"], ticket["run"], ticket["paired"]) == (one.name, two.name, "true")
    told = found["comparisons"][0]["rounds"][2]["arms"]["ticket"]
    assert [float(ticket[name]) for name in ("difference", "ci95_low")] == [told["difference"], told["ci95"][0]]
    alone = call("compare", one.name, two.name, "--csv", "--arm", "reinit", "--metric", "loss").out
    assert {row["arm"] for row in csv.DictReader(io.StringIO(alone))} == {"reinit"}
    assert "give one of them" in one_sentence(call("compare", one.name, two.name, "--csv", "--json"))


def test_a_run_without_results_yet_is_told_in_words():
    one, two = made(), made(trained=False, state="queued")
    for order in ((one, two), (two, one)):
        said = call("compare", *(run.name for run in order))
        assert said.code == 0
        assert "queued" in said.out
        assert f"{two.name[-4:]} has no trained network yet." in said.out
        assert " against " not in said.out
    both = call("compare", two.name, made(trained=False).name)
    assert both.out.count("no trained network yet") == 2


def test_runs_that_share_no_sparsity_are_told_in_words():
    one, two = made(), made()
    (two / "events.jsonl").unlink()
    log = EventLog(two)
    log.append("trained", seed=0, round=1, arm="ticket", sparsity=0.9, test_accuracy=0.8)
    log.close()
    assert "No networks of nearly the same sparsity in both." in call("compare", one.name, two.name).out


# The chart


def test_the_tickets_curves_are_overlaid_at_a_terminal_that_is_wide_enough():
    one, two = made(), made(0.03)
    text = printed(one, two)
    assert "ticket of each run" in text
    legend = text.splitlines()[-1]
    for name in names(one, two):
        assert name in legend
    for sign in "●○":
        assert text[text.index("ticket of each run") :].count(sign) >= 3
    for other in (printed(one, two, terminal=False), printed(one, two, width=59)):
        assert "of each run" not in other
    assert "of each run" not in call("compare", one.name, two.name).out, "standard output is no terminal here"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    runs = [made(), made(0.03, model={"name": "x" * 200}), made(seeds=list(range(500)))]
    assert max(map(len, printed(*runs, width=width).splitlines())) <= width


# Names


@pytest.mark.parametrize(
    ("ids", "short"),
    [
        (["20261122-071205-pydoc-cnn-imp-7f3a", "20261122-071206-pydoc-cnn-imp-90bc"], ["7f3a", "90bc"]),
        (["20261122-071205-pydoc-cnn-imp-7f3a", "20261122-071206-pydoc-cnn-own-7f3a"], ["imp-7f3a", "own-7f3a"]),
        (["a", "b-a", "c"], ["a", "b-a", "c"]),
    ],
)
def test_a_run_is_called_by_as_much_of_its_id_as_tells_it_apart(ids, short):
    assert words.short(ids) == short


HOSTILE = "\x1b]0;title\x07[/red][@click=app.quit]\u202e\x9b31m"


def test_hostile_text_in_a_spec_reaches_no_terminal():
    one = made()
    two = made(model={"name": HOSTILE, HOSTILE: HOSTILE}, device=HOSTILE, arms=["ticket", HOSTILE])
    for text in (call("compare", one.name, two.name).out, printed(one, two)):
        assert "[/red]" in text
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"data": 3, "arms": {"x": []}, "seeds": "all"}'])
def test_a_damaged_spec_is_no_traceback(damage):
    one, two = made(), made()
    (two / "spec.json").write_bytes(damage)
    for order in ((one, two), (two, one)):
        assert call("compare", *(run.name for run in order)).code == 0
        assert call("compare", *(run.name for run in order), "--json").code == 0


# Bad input


def test_fewer_than_two_runs_are_refused():
    assert "two runs or more" in one_sentence(call("compare", made().name))
    assert call("compare").code == 2


def test_the_same_run_twice_is_refused_however_it_is_called():
    one, two = made(), made()
    for second in (one.name, one.name[-7:]):
        said = one_sentence(call("compare", one.name, two.name, second))
        assert said.startswith("run: ")
        assert "the same run" in said
        assert one.name in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], ("run: 'nobody'", "lth ls")),
        (["--metric", "f1"], ("--metric: 'f1'", "macro-f1")),
        (["--arm", "tickets"], ("--arm: 'tickets'", "did you mean ticket?")),
        (["--arm", "\x1b[31m"], ("--arm: ",)),
    ],
)
def test_what_is_not_known_is_answered_in_one_sentence(arguments, said):
    sentence = one_sentence(call("compare", made().name, made().name, *arguments))
    for part in said:
        assert part in sentence
    assert sentence.isprintable()


def test_a_run_of_a_newer_program_is_refused():
    assert "upgrade lth-tui" in one_sentence(call("compare", made().name, made(version=3).name))
