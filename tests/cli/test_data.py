"""Datasets from the command line: a file of one's own is used like a famous set, and every set can be looked at."""

import csv
import tarfile

import pytest

from engine.record import finding
from tests.cli.conftest import call, lth, one_sentence, only_run, run_arguments, runs_here
from tests.conftest import write_news


@pytest.fixture
def mine(tmp_path, news):
    """The small ag_news as somebody's own csv: other columns, labels in words."""
    path = tmp_path / "my reviews.csv"
    with (news / "train.csv").open(newline="") as source, path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["no", "review", "sentiment"])
        for number, (label, title, text) in enumerate(csv.reader(source)):
            rows.writerow([number, f"{title} {text}", "wsbt"[int(label) - 1]])
    return path


def test_an_own_file_is_run_like_a_famous_set_wherever_one_stands(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = run_arguments("schedule.rounds=1", dataset=mine.name)
    said = call(*arguments, "--json")
    assert said.code == 0, said.err
    shown = said.json
    assert shown["state"] == "finished"
    assert (shown["data"]["train"], shown["data"]["valid"], shown["data"]["test"]) == (173, 19, 48)
    assert "text from 'review', label from 'sentiment'; a stratified fifth held out" in shown["data"]["note"]
    assert shown["spec"]["data"]["file"] == str(mine)


def test_a_test_file_is_found_from_where_one_stands_and_tested_on(mine, tmp_path, monkeypatch):
    (tmp_path / "held.csv").write_text("".join(mine.read_text().splitlines(keepends=True)[:21]))
    monkeypatch.chdir(tmp_path)
    said = call(*run_arguments("schedule.rounds=1", dataset=mine.name), "--test-file", "held.csv", "--json")
    assert said.code == 0, said.err
    assert said.json["data"]["test"] == 20
    assert said.json["spec"]["data"]["test_file"] == str(tmp_path / "held.csv")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-d", "mine.pkl"], ["mine.pkl", "csv, tsv, jsonl and parquet"]),
        (["-d", "./gone.csv"], ["gone.csv does not exist"]),
        (["-d", "mine.csv", "--test-file", "gone.csv"], ["data.test_file", "gone.csv does not exist"]),
        (["-d", "mine.csv", "--set", "data.text_column=words"], ["data.text_column", "'words'", "review, sentiment"]),
        (["-d", "mine.csv", "--set", "data.label_column=no"], ["data.label_column", "looks like no column of labels"]),
        (["-d", "one.csv"], ["data.label_column", "one value only"]),
        (["-d", "latin.csv"], ["latin.csv, line 2", "not UTF-8"]),
        (["-d", "pydoc", "--test-file", "mine.csv"], ["data.test_file", "pydoc is no file"]),
    ],
)
def test_a_file_that_will_not_do_is_said_before_a_run_is_made(mine, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(tmp_path)
    rows = mine.read_text().splitlines(keepends=True)
    (tmp_path / "mine.csv").write_text("".join([*rows, *(f"{n + 500},text,w\n" for n in range(1000))]))
    (tmp_path / "mine.pkl").write_bytes(b"\x80")
    (tmp_path / "one.csv").write_text("text,label\n" + "some words,1\n" * 9)
    (tmp_path / "latin.csv").write_bytes(b"text,label\ncaf\xe9,1\n")
    words = one_sentence(call("run", "-m", "cnn", *arguments))
    for part in parts:
        assert part in words
    assert not runs_here().exists() or not finding.run_dirs(runs_here())


def test_show_tells_a_set_at_80_columns_and_lets_no_text_act_on_the_terminal(mine, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with mine.open("a") as file:
        file.write("0,\x1b]0;owned\x07 and \u202eback,q\n1,\x1b[2J again,q\n2,third,q\n")
    said = call("data", "show", str(mine))
    assert said.code == 0
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)
    words = " ".join(said.out.split())
    for part in (
        "194 texts to train on, 49 to test on, 5 classes",
        "text from 'review', label from 'sentiment'",
        "tokens a text",
        "none is longer than data.max_tokens (400)",
        "of the test texts",
        "of the words of the test texts are unknown",
    ):
        assert part in words


def test_show_as_json_of_a_set_of_the_menu(news):
    shown = call("data", "show", "ag_news", "--json").json
    assert [one["name"] for one in shown["classes"]] == ["World", "Sports", "Business", "Sci/Tech"]
    assert (shown["train"], shown["test"]) == (240, 80)
    assert shown["lengths"]["histogram"] and shown["duplicates"]["share"] >= 0 and shown["vocabulary"]["words"] > 10


def test_show_of_what_is_not_here_says_how_to_bring_it():
    words = one_sentence(call("data", "show", "sst2"))
    assert "lth data fetch sst2, or lth data import sst2 PATH" in words


def test_menus_say_both_ways_to_bring_a_set_and_the_studys_split():
    for command in (["data", "ls"], ["datasets"]):
        words = " ".join(call(*command).out.split())
        assert "lth data fetch imdb, or lth data import imdb PATH" in words
    assert "--set data.valid_fraction=0.3" in " ".join(call("datasets").out.split())
    row = next(row for row in call("datasets", "--json").json if row["name"] == "imdb")
    assert row["hub"]["repository"] == "stanfordnlp/imdb" and "0.3" in row["study"]


def test_an_archive_is_imported_and_one_that_climbs_out_refused(tmp_path):
    source = write_news(tmp_path / "ag_news_csv", train=40, test=12)
    with tarfile.open(tmp_path / "ag_news_csv.tar.gz", "w:gz") as made:
        made.add(source, "ag_news_csv")
    assert (
        call("data", "import", "ag_news", str(tmp_path / "ag_news_csv.tar.gz"), "--json").json["train"]["World"] == 10
    )
    with tarfile.open(tmp_path / "evil.tgz", "w:gz") as made:
        made.add(source / "train.csv", "../../train.csv")
    words = one_sentence(call("data", "import", "ag_news", str(tmp_path / "evil.tgz")))
    assert "climbs out of its folder" in words
    assert call("data", "ls", "--json").json[1]["train"] == 40


def test_an_own_set_is_resumed_from_another_folder(mine, tmp_path):
    said = lth(*run_arguments("schedule.rounds=1", dataset=str(mine)), "--json")
    assert said.code == 0 and only_run().name.split("-")[2] == "my_reviews"
