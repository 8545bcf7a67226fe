"""`lth transfer` and `lth stability` as a person meets them: what is said, what is shown, what is refused."""

import re
import shutil

import orjson
import pytest

from engine.record import events, finding, summary, tickets
from tests.cli.conftest import call, lth, one_sentence, runs_here


@pytest.fixture
def data(journey, news):
    """The data that the finished run was trained on."""
    return news


def newest():
    return finding.run_dirs(runs_here())[0]


def test_stability_is_asked_followed_and_shown(finished, data):
    said = lth("stability", finished.name, "--round", "1", "--set", "threads=1")
    assert said.code == 0, said.err
    assert "12 trainings of at most 2 epochs" in said.err
    assert "dense copy 1" in said.err and "ticket copy 2" in said.err
    assert "error barrier" in said.err
    assert "ticket, round 1" in said.out
    assert "stable" in said.out
    words = " ".join(said.out.split())
    assert f"round 1 of {finished.name}, from its rewind point init" in words
    assert "(below 2 is stable); 3 seeds." in words
    shown = call("show", "@last", "--json").json
    assert [one["arm"] for one in shown["stability"]] == ["dense", "ticket"]
    assert shown["spec"]["origin"]["run"] == finished.name
    assert call("show", "@last").out.strip() == said.out.strip()
    listed = call("ls", "--json").json
    assert [one["state"] for one in listed] == ["finished"] * 2
    assert call("rm", "@last").code == 0
    assert one_sentence(call("stability", newest().name, "--round", "9")).startswith("round: 9 given")


def test_transfer_says_what_is_carried_before_it_starts(finished, data, tmp_path):
    own = tmp_path / "own.csv"
    lines = [f"goal season new{i % 7} new{i % 5} the of and,{'no' if i % 2 else 'yes'}" for i in range(70)]
    own.write_text("text,label\n" + "\n".join(lines) + "\n")
    settings = ("--set", "data.min_count=1", "--set", "training.epochs=1")
    said = lth("transfer", finished.name, "--round", "2", "-d", str(own), *settings, "--detach", "--json")
    assert said.code == 0, said.err
    assert said.json == {"id": said.json["id"], "state": "running"}
    assert re.search(r"Note: 5 of 1\d words carried; new head for 2 classes\.\n", said.err)
    watched = lth("watch", said.json["id"])
    assert watched.code == 0
    assert f"a ticket moved here: round 2 of {finished.name}" in " ".join(watched.out.split())
    told = events.read(runs_here() / said.json["id"] / events.FILE).events
    assert next(e["event"] for e in told if e["event"] in ("warning", "round_started")) == "warning"
    assert summary.show(runs_here() / said.json["id"])["verdict"]["sentence"]


BAD = [
    (("transfer", "RUN", "--round", "0", "-d", "ag_news"), "round: 0 given"),
    (("transfer", "RUN", "--round", "7", "-d", "ag_news"), "has 0 to 2"),
    (("transfer", "nobody", "--round", "1", "-d", "ag_news"), "run: 'nobody'"),
    (("transfer", "RUN", "--round", "1", "-d", "yelp_full"), "yelp_full"),
    (("transfer", "RUN", "--round", "1", "-d", "nonesuch"), "dataset: 'nonesuch'"),
    (("transfer", "RUN", "--round", "1", "-d", "ag_news", "-a", "finetune"), "arm: finetune given"),
    (("transfer", "RUN", "--round", "1", "-d", "ag_news", "-a", "nonesuch"), "arm: 'nonesuch'"),
    (("transfer", "RUN", "--round", "1", "-d", "ag_news", "--set", "model.filters=9"), "--set: model.filters given"),
    (("transfer", "RUN", "--round", "1", "-d", "ag_news", "--set", "schedule.rate=0.3"), "--set: schedule.rate given"),
    (("transfer", "RUN", "--round", "1", "-d", "ag_news", "--set", "training.epochs=0"), "training.epochs"),
    (
        ("transfer", "RUN", "--round", "1", "-d", "ag_news", "--set", "training.epoch=1"),
        "did you mean training.epochs or",
    ),
    (("transfer", "RUN", "--round", "1"), "--dataset"),
    (("stability", "RUN", "--round", "3"), "has 0 to 2"),
    (("stability", "RUN", "--round", "x"), "--round"),
    (("stability", "RUN", "--round", "1", "--points", "5"), "points: 5 given"),
    (("stability", "RUN", "--round", "1", "--set", "training.epochs=3"), "--set: training.epochs given"),
    (("stability", "RUN", "--round", "1", "--set", "threads=0"), "threads"),
    (("stability", "RUN"), "--round"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_asked_is_one_sentence_and_leaves_nothing(finished, data, arguments, words):
    said = call(*(finished.name if argument == "RUN" else argument for argument in arguments))
    assert words in one_sentence(said)
    assert finding.run_dirs(runs_here()) == [finished]
    assert not list(runs_here().glob(".new-*"))


@pytest.mark.parametrize("question", ["transfer", "stability"])
@pytest.mark.parametrize("name", [tickets.mask(1, 2), tickets.rewind(2)])
@pytest.mark.parametrize("keep", [0, 9, -3])
def test_a_damaged_ticket_is_named(finished, data, question, name, keep):
    path = finished / "tickets" / name
    path.write_bytes(path.read_bytes()[:keep])
    of = ["-d", "ag_news"] if question == "transfer" else []
    assert f"{name} is damaged" in one_sentence(call(question, finished.name, "--round", "2", *of))


def test_a_question_about_a_question_is_sent_to_its_origin(finished, data):
    other = shutil.copytree(finished, finished.with_name(finished.name + "-other"))
    spec = orjson.loads((other / "spec.json").read_bytes())
    origin = {"question": "stability", "run": finished.name, "round": 1}
    (other / "spec.json").write_bytes(orjson.dumps(spec | {"origin": origin}))
    for question, of in (("transfer", ["-d", "ag_news"]), ("stability", [])):
        words = one_sentence(call(question, other.name, "--round", "1", *of))
        assert f"lth {question} {finished.name}" in words


def test_a_run_that_trained_nothing_yet_has_no_tickets(finished, data):
    for path in (finished / "tickets").iterdir():
        path.unlink()
    assert "has trained no network yet" in one_sentence(call("stability", finished.name, "--round", "1"))
