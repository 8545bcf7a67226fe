"""Questions about a run's tickets, by real engines: answered from copies, and to the same numbers after a kill."""

import csv
import os
import random
import shutil
import signal
from pathlib import Path

import orjson
import pytest

from engine import spec as specs
from engine.errors import BadInput
from engine.places import runs_root
from engine.process import ask, extending, launch
from engine.record import checkpoint, events, finding, history, summary, tickets
from tests.conftest import COMMON, WORDS, write_news
from tests.process.test_engine import SETTINGS, until

THERE = {"training.epochs": "2", "training.learning_rate": "0.01", "data.min_count": "1"}
SAME = {key: str(value) for key, value in SETTINGS.items() if key.startswith(("training.", "data."))}


def write_sports(path: Path) -> Path:
    """Another corpus, a file: three classes, half of its words known to the small ag_news."""
    draw = random.Random(5)
    own = {"yes": "goal season extra", "no": "profit market spare", "perhaps": "chip genome other"}
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for i in range(150):
            label = list(own)[i % 3]
            rows.writerow([" ".join(draw.choices(own[label].split(), k=2) + draw.choices(COMMON[:8], k=6)), label])
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder of a finished run of two seeds, rewound to the start, and of its data."""
    folder = tmp_path_factory.mktemp("source")
    write_news(folder / "data" / "ag_news")
    with pytest.MonkeyPatch.context() as patch:
        for name, part in (("LTH_RUNS", "runs"), ("LTH_DATA", "data"), ("XDG_CACHE_HOME", "cache")):
            patch.setenv(name, str(folder / part))
        run = launch.new_run(runs_root(), specs.compose("cnn", "ag_news", seeds=2, settings=SETTINGS))
        assert launch.start(run).wait() == 0, (run / "engine.log").read_text()
    return folder


@pytest.fixture
def source(made, news) -> Path:
    """This test's own copy of that run, beside the same data."""
    runs_root().mkdir(parents=True)
    (run,) = finding.run_dirs(made / "runs")
    return Path(shutil.copytree(run, runs_root() / run.name))


@pytest.fixture
def sports(tmp_path) -> Path:
    return write_sports(tmp_path / "sports.csv")


def begun(question: ask.Question) -> Path:
    return launch.new_run(runs_root(), question.spec, fill=question.fill)


def answered(question: ask.Question) -> Path:
    run = begun(question)
    assert launch.start(run).wait() == 0, (run / "engine.log").read_text()
    return run


def told(run: Path, kind: str) -> list[dict]:
    return [event for event in events.read(run / events.FILE).events if event["event"] == kind]


def numbers(run: Path) -> dict:
    """What a run's trainings and comparisons came to, without times; the latest of each counts."""
    own = ("seq", "time", "seconds", "crc32", "event", "shared")  # an earlier run may have trained the dense network
    return {
        tuple(e.get(name) for name in ("event", "seed", "round", "arm", "copy")): {
            k: v for k, v in e.items() if k not in own
        }
        for e in (*told(run, "trained"), *told(run, "stability"))
    }


def test_every_run_keeps_the_words_that_its_tickets_read(source):
    words = tickets.words(source)
    assert words[:2] == ["<pad>", "<unk>"]
    assert set(" ".join(WORDS.values()).split()) <= set(words)
    assert len(words) == len(checkpoint.load_rewind(source, 0)["embedding.weight"])


def test_a_stability_run_answers_for_the_dense_network_and_the_ticket(source):
    run = answered(ask.stability(source, 2, points=13))
    shown = summary.show(run)
    assert (shown["state"], shown["events_skipped"]) == ("finished", 0)
    dense, ticket = shown["stability"]
    assert (dense["round"], dense["arm"], dense["sparsity"]) == (0, "dense", 0.0)
    assert (ticket["round"], ticket["arm"], round(ticket["sparsity"], 2)) == (2, "ticket", 0.75)
    for one in (dense, ticket):
        assert one["alphas"] == pytest.approx([place / 12 for place in range(13)])
        assert len(one["barrier"]) == len(one["errors"]) == 2
        for barrier, errors in zip(one["barrier"], one["errors"], strict=True):
            assert len(errors) == 13
            assert barrier == pytest.approx(max(errors) - (errors[0] + errors[-1]) / 2)
    assert shown["verdict"]["winning_ticket"] is None
    assert "error barrier of" in shown["verdict"]["sentence"]
    assert shown["progress"] | {"trained": 8, "trainings": 8, "fraction": 1.0} == shown["progress"]
    assert [r["round"] for r in shown["rounds"]] == [0, 2]
    both = [one["test_accuracy"] for one in shown["stability"]]
    for entry, arm, copies in zip(shown["rounds"], ("dense", "ticket"), both, strict=True):
        assert entry["arms"][arm]["test_accuracy"] == pytest.approx([sum(pair) / 2 for pair in copies])
    listed = history.refresh(runs_root())[0][0]
    assert listed["id"] == run.name
    assert listed["best"]["sparsity"] == ticket["sparsity"]
    assert "stability" in run.name


def test_a_transfer_to_the_same_data_repeats_the_tickets_round_bit_by_bit(source):
    run = answered(ask.transfer(source, 2, "ag_news", settings=SAME))
    there, here = (summary.show(one)["rounds"] for one in (source, run))
    for metric in ("valid_accuracy", "test_accuracy", "test_loss", "best_epoch"):
        assert here[0]["arms"]["dense"][metric] == there[0]["arms"]["dense"][metric]
        assert here[1]["arms"]["ticket"][metric] == there[2]["arms"]["ticket"][metric]
    assert summary.show(run)["warnings"] == summary.show(source)["warnings"], "all could be carried"


def test_a_transfer_says_what_could_not_be_carried_and_ends_with_a_verdict(source, sports):
    question = ask.transfer(source, 2, str(sports), ["small-dense", "reinit"], THERE)
    known = set(tickets.words(source))
    theirs = ["goal", "season", "profit", "market", "chip", "genome", *COMMON[:8]]
    carried = sum(word in known for word in theirs)
    assert question.remarks == (f"{carried} of {len(theirs) + 3} words carried; new head for 3 classes",)
    run = answered(question)
    shown = summary.show(run)
    assert question.remarks[0] in shown["warnings"]
    assert [r["round"] for r in shown["rounds"]] == [0, 1]
    assert list(shown["rounds"][1]["arms"]) == ["ticket", "small-dense", "reinit"]
    assert shown["verdict"]["sentence"]
    assert shown["stability"] is None
    assert shown["data"]["class_names"] == ["no", "perhaps", "yes"]
    mask, words = checkpoint.load_mask(run, 0, 1), tickets.words(run)
    before, rows = checkpoint.load_mask(source, 0, 2), tickets.words(source)
    for word in theirs:
        if word in known:
            moved = mask["embedding.weight"][words.index(word)]
            assert (moved == before["embedding.weight"][rows.index(word)]).all()


@pytest.mark.parametrize("name", ["stability", "transfer"])
def test_a_question_needs_its_source_no_more_and_goes_on_after_a_kill_to_the_same_numbers(source, sports, name):
    def question():
        if name == "stability":
            return ask.stability(source, 2)
        return ask.transfer(source, 2, str(sports), settings=THERE)

    whole, run = answered(question()), begun(question())
    shutil.rmtree(source)
    moved = run.with_name("elsewhere-" + run.name)
    run.rename(moved)
    engine = launch.start(moved)
    until(lambda: told(moved, "epoch")[6:] or engine.poll() == 0)
    os.kill(engine.pid, signal.SIGKILL)
    assert engine.wait() == -signal.SIGKILL
    assert launch.start(moved).wait() == 0, (moved / "engine.log").read_text()
    assert numbers(moved) == numbers(whole)
    one, other = (summary.show(run) for run in (moved, whole))
    assert one["verdict"] == other["verdict"]
    assert one["stability"] == other["stability"]
    assert one["progress"]["trained"] == one["progress"]["trainings"]


def test_a_question_can_be_stopped_and_its_finished_pairs_are_not_trained_again(source):
    run = begun(ask.stability(source, 1))
    engine = launch.start(run)
    until(lambda: told(run, "stability"))
    launch.ask_to_stop(run)
    assert engine.wait() in (0, 130)
    assert launch.start(run).wait() == 0
    of_first = [e["copy"] for e in told(run, "trained") if (e["seed"], e["round"]) == (0, 0)]
    assert of_first == [1, 2]


def test_a_moved_ticket_can_be_moved_on(source, sports, tmp_path):
    once = answered(ask.transfer(source, 1, str(sports), settings=THERE))
    question = ask.transfer(once, 1, "ag_news", settings=SAME)
    assert question.spec.origin.run == once.name
    assert len(tickets.words(begun(question), tickets.ORIGIN)) == len(tickets.words(once)), "those of the second data"


def test_a_run_without_a_list_of_words_finds_them_in_its_data_or_says_so(source, sports, news):
    whole = ask.transfer(source, 2, str(sports), settings=THERE)
    (source / "tickets" / "words.json").unlink()
    assert ask.transfer(source, 2, str(sports), settings=THERE).remarks == whole.remarks
    write_news(news, train=200)
    with pytest.raises(BadInput, match="kept no list of its words, and ag_news has changed"):
        ask.transfer(source, 2, str(sports), settings=THERE)


def test_stability_on_data_that_have_changed_is_refused(source, news):
    run = begun(ask.stability(source, 1))
    write_news(news, train=200)
    assert launch.start(run).wait() == 2
    assert f"has changed since {source.name} began" in summary.show(run)["cause"]


def test_a_seed_that_has_not_come_so_far_is_left_out_and_that_is_said(source):
    (source / "tickets" / tickets.mask(1, 2)).unlink()
    question = ask.stability(source, 2)
    assert question.spec.seeds == (0,)
    assert question.remarks == (f"seed 1 of {source.name} has no round 2 and is left out",)


def test_a_copy_that_is_damaged_later_is_one_sentence(source):
    run = begun(ask.stability(source, 2))
    (run / "origin" / tickets.mask(0, 2)).write_bytes(b"torn")
    assert launch.start(run).wait() == 2
    assert "launch the question anew" in summary.show(run)["cause"]


def test_a_question_cannot_be_extended_and_old_specs_load_as_before(source):
    run = answered(ask.stability(source, 0))
    with pytest.raises(BadInput, match=r"extend that run, then ask again with `lth stability`"):
        extending.extend(run, seeds=3, rounds=None)
    assert "origin" not in orjson.loads((source / "spec.json").read_bytes())
    assert specs.of_run(source).origin is None
    assert specs.of_run(run).origin.run == source.name
