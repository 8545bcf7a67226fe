"""lth pretrain from the command line: to its end, interrupted and gone on with, of a file, and of bad input."""

import csv
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.models import standing, wordpiece
from tests.cli.conftest import call, command, lth, one_sentence, until
from tests.conftest import write_news

SMALL = ["--vocabulary-size", "150", "--batch-size", "8", "--max-tokens", "24", "--threads", "1", "--device", "cpu"]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def working(tmp_path, news) -> Iterator[tuple[subprocess.Popen, Path]]:
    """A process that has pretrained for two epochs of twelve, and the folder it works for."""
    folder = tmp_path / "data" / ".pretrained" / "bert-tiny-ag_news"
    arguments = ["pretrain", "-d", "ag_news", "--epochs", "12", *SMALL]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command(*arguments), stdout=said, stderr=said)
    try:
        until(lambda: b"epoch 2 of 12" in (tmp_path / "said").read_bytes() or process.poll() is not None)
        yield process, folder
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(working, tmp_path):
    process, folder = working
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    said = (tmp_path / "said").read_text()
    assert "Traceback" not in said
    kept = standing.read(folder.with_name("bert-tiny-ag_news.part") / "state.safetensors")
    assert kept is not None
    epochs = len(kept.account["epochs"])
    assert f"Interrupted; {epochs} of 12 epochs kept, and the same command goes on from there." in said
    assert not folder.exists()
    done = lth("pretrain", "-d", "ag_news", "--epochs", "12", *SMALL, "--json")
    assert done.code == 0, done.err
    assert f"Going on after epoch {epochs} of 12." in done.err
    assert [epoch["epoch"] for epoch in done.json["epochs"]] == list(range(1, 13))
    assert done.json["folder"] == str(folder)
    assert files(folder.parent) == [
        f"bert-tiny-ag_news/{name}"
        for name in ("config.json", "model.safetensors", "pretraining.json", "tokenizer.json", "tokenizer_config.json",
                     "vocab.txt")
    ]  # fmt: skip
    assert json.loads((folder / "pretraining.json").read_text())["texts"] == done.json["texts"]
    again = one_sentence(call("pretrain", "-d", "ag_news", "--epochs", "12", *SMALL))
    assert "finished already" in again
    assert "--force" in again


@pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGKILL])
def test_a_lost_terminal_or_a_kill_costs_no_finished_epoch(working, sent):
    process, folder = working
    process.send_signal(sent)
    assert process.wait(120) == -sent
    kept = standing.read(folder.with_name("bert-tiny-ag_news.part") / "state.safetensors")
    assert kept is not None
    assert len(kept.account["epochs"]) >= 2
    assert not folder.exists()


def test_a_file_of_ones_own_gives_its_training_texts_alone(tmp_path):
    for name, mark in (("train", "zebra"), ("test", "quagga")):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "label"])
            rows.writerows([f"the {mark} grazes on hill number {number}", number % 2] for number in range(200))
    arguments = ["-d", str(tmp_path / "train.csv"), "--test-file", str(tmp_path / "test.csv")]
    done = lth("pretrain", *arguments, "--epochs", "1", *SMALL, "-o", str(tmp_path / "out"))
    assert done.code == 0, done.err
    assert done.out == ""
    assert "epoch 1 of 1: loss" in done.err
    assert f"--set model.checkpoint={tmp_path / 'out'}" in done.err
    pieces = (tmp_path / "out" / "vocab.txt").read_text().splitlines()
    assert "zebra" in pieces
    assert not any("q" in piece for piece in pieces)


VOCABULARIES = {
    "missing.txt": (None, "cannot be read"),
    "lacking.txt": ("[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n", "lacks [MASK]"),
    "twice.txt": ("\n".join([*wordpiece.SPECIALS, "word", "other", "word"]), "'word' in lines 6 and 8"),
    "gap.txt": ("\n".join([*wordpiece.SPECIALS, "word", "", "other"]), "empty line 7"),
    "latin.txt": (b"\xff\xfe", "not UTF-8"),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_vocabulary_that_a_bert_cannot_use_is_answered_with_the_cause(news, tmp_path, name):
    content, said = VOCABULARIES[name]
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    words = one_sentence(call("pretrain", "-d", "ag_news", "--vocab", str(tmp_path / name)))
    assert words.startswith(f"vocab: {tmp_path / name}")
    assert said in words


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-d", "agnews"], ("dataset", "agnews", "ag_news?")),
        (["-d", "imdb"], ("dataset", "imdb", "not on this machine")),
        (["-d", "ag_news", "-m", "bert-tny"], ("model", "bert-tny", "bert-tiny")),
        (["-d", "ag_news", "--device", "gpu"], ("device", "gpu", "cuda")),
        (["-d", "ag_news", "--learning-rate", "0"], ("learning-rate", "0", "above 0")),
        (["-d", "ag_news", "--learning-rate", "nan"], ("learning-rate", "nan", "above 0")),
        (["-d", "ag_news", "--epochs", "0"], ("epochs", "0", "from 1 to")),
        (["-d", "ag_news", "--max-tokens", "513"], ("max-tokens", "513", "512")),
        (["-d", "ag_news", "--threads", "0"], ("threads", "0", "at least 1")),
        (["-d", "ag_news", "--set", "model.filters=3"], ("--set", "model.filters", "data.text_column")),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(news, tmp_path, arguments, said):
    words = one_sentence(call("pretrain", *arguments))
    assert all(part in words for part in said), words
    assert not (tmp_path / "data" / ".pretrained").exists() or files(tmp_path / "data" / ".pretrained") == []


def test_a_place_that_cannot_be_written_is_named(news, tmp_path):
    (tmp_path / "file").write_text("")
    words = one_sentence(call("pretrain", "-d", "ag_news", "-o", str(tmp_path / "file" / "out")))
    assert words.startswith(f"output: {tmp_path / 'file' / 'out'} cannot be written")


def test_too_few_texts_are_said_in_one_sentence(tmp_path):
    write_news(tmp_path / "data" / "ag_news", train=40, test=8)
    said = call("pretrain", "-d", "ag_news", *SMALL)
    assert said.code == 2
    words = said.err.strip().splitlines()[-1]  # after what was told of the work
    assert words.startswith("dataset: ag_news has 40 training texts, too few to pretrain on;")
    assert files(tmp_path / "data" / ".pretrained") == []
