"""Every family of models in the engine itself: it trains, prunes what it should, and goes on to the same numbers."""

import os
import signal
from pathlib import Path

import pytest

from engine import spec as specs
from engine.errors import BadInput
from engine.models import pretraining
from engine.places import runs_root
from engine.process import ask, launch
from engine.record import checkpoint as records
from engine.record import finding, rundir, summary
from engine.spec import DataSpec
from tests.checkpoints import small
from tests.conftest import COMMON, WORDS
from tests.process.test_engine import numbers, until

COMMONLY = {
    "training.epochs": 2, "training.learning_rate": 0.005, "schedule.rounds": 2, "schedule.rate": 0.5, "threads": 1,
}  # fmt: skip
RECURRENT = {"model.embedding_dim": 8, "model.hidden": 6, "data.min_count": 1}


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return small(tmp_path / "checkpoint", [*" ".join(WORDS.values()).lower().split(), *map(str.lower, COMMON)])


def new_run(model: str, **changes) -> Path:
    return launch.new_run(runs_root(), specs.compose(model, "ag_news", seeds=1, settings=COMMONLY | changes))


def finish(run: Path) -> dict:
    assert launch.start(run).wait() == 0, (run / "engine.log").read_text()
    return summary.show(run)


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
def test_a_recurrent_run_prunes_its_recurrent_weights(news, model):
    shown = finish(new_run(model, **RECURRENT))
    layers = shown["rounds"][2]["layers"]
    recurrent = {name: density for name, density in layers.items() if "weight_hh" in name}
    assert len(recurrent) == 2 and all(density == pytest.approx(0.25, abs=0.02) for density in recurrent.values())
    assert all(density == 1.0 for name, density in layers.items() if "bias" in name)
    assert shown["state"] == "finished" and list(shown["rounds"][2]["arms"]) == ["ticket", "reinit", "shuffle"]


def test_a_bert_run_prunes_its_encoder_alone_and_names_its_pieces(news, checkpoint):
    shown = finish(new_run("bert", **{"model.checkpoint": str(checkpoint)}))
    kinds = shown["rounds"][2]["kinds"]
    assert kinds["encoder"] == pytest.approx(0.75, abs=0.01)
    assert kinds["embedding"] == kinds["head"] == kinds["bias"] == 0.0
    assert shown["rounds"][2]["sparsity"] == pytest.approx(0.75, abs=0.01)
    assert shown["rounds"][2]["total_sparsity"] < 0.7
    assert shown["data"]["vocabulary"] == len((checkpoint / "vocab.txt").read_text().split())


def test_a_killed_bert_run_goes_on_to_the_numbers_of_an_uninterrupted_one(news, checkpoint):
    settings = {"model.checkpoint": str(checkpoint), "training.epochs": 4}
    whole, broken = new_run("bert", **settings), new_run("bert", **settings)
    finish(whole)
    engine = launch.start(broken)
    until(lambda: list((broken / "checkpoints").glob("seed-0*")) or engine.poll() is not None)
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    assert rundir.state(broken) == "orphaned"
    finish(broken)
    assert numbers(broken) == numbers(whole)


def test_a_run_refuses_to_go_on_from_another_checkpoint_than_it_began_from(news, checkpoint):
    run = new_run("bert", **{"model.checkpoint": str(checkpoint), "training.epochs": 10_000})
    engine = launch.start(run)
    until(lambda: rundir.read_status(run).get("epoch") or engine.poll() is not None)
    launch.ask_to_stop(run)
    engine.wait()
    small(checkpoint, [*" ".join(WORDS.values()).lower().split(), *map(str.lower, COMMON)], seed=1)
    assert launch.start(run).wait() == 2
    assert "changed since this run began" in rundir.read_status(run)["cause"]


def test_vectors_are_told_and_cut_texts_counted(news, tmp_path):
    vectors = tmp_path / "some.txt"
    words = " ".join(WORDS.values()).lower().split()[:5]
    vectors.write_text("".join(f"{word} 1 2 3 4 5 6 7 8\n" for word in words))
    shown = finish(new_run("gru", **RECURRENT, **{"model.vectors": str(vectors), "data.max_tokens": 6}))
    note = shown["data"]["note"]
    assert "words have a pretrained vector" in note and note.split("; ")[-1].startswith("5 of ")
    assert "texts longer than 6 tokens are cut there" in note


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        ("bert", {"model.checkpoint": "none"}, ["model.checkpoint", "begins from one"]),
        ("bert", {"model.checkpoint": "/nowhere/at/all"}, ["model.checkpoint", "does not exist"]),
        ("bert-tiny", {}, ["model.checkpoint", "lth pretrain -m bert-tiny -d ag_news"]),
    ],
)
def test_a_checkpoint_that_is_not_here_says_what_to_do_and_leaves_no_run(news, model, settings, said):
    with pytest.raises(BadInput) as caught:
        new_run(model, **settings)
    assert all(words in str(caught.value) for words in said), caught.value
    assert not finding.run_dirs(runs_root())


def test_vectors_of_the_wrong_width_fail_the_launch_in_a_sentence(news, tmp_path):
    vectors = tmp_path / "some.txt"
    vectors.write_text("world 1 2 3\nsports 1 2 3\n")
    with pytest.raises(BadInput, match=r"model\.vectors: .*some\.txt has vectors of 3 numbers, but"):
        new_run("gru", **RECURRENT, **{"model.vectors": str(vectors)})


def test_another_file_split_or_content_is_never_taken_for_what_was_pretrained_on(tmp_path):
    one, other = tmp_path / "a" / "train.csv", tmp_path / "b" / "train.csv"
    for file in (one, other):
        file.parent.mkdir()
        file.write_text("text,label\na b,0\n")
    whole = DataSpec(name="train", file=str(one))
    folders = [
        pretraining.folder_for("bert-tiny", data)
        for data in (
            whole,
            DataSpec(name="train", file=str(other)),
            DataSpec(name="train", file=str(one), test_file=str(other)),
            DataSpec(name="train", file=str(one), text_column="text"),
        )
    ]
    one.write_text("text,label\na b c,0\n")
    assert len({*folders, pretraining.folder_for("bert-tiny", whole)}) == 5


def test_a_ticket_of_a_bert_is_moved_with_its_checkpoint_and_gets_a_new_head(news, checkpoint, tmp_path):
    source = new_run("bert", **{"model.checkpoint": str(checkpoint), "schedule.rounds": 1, "training.epochs": 1})
    finish(source)
    own = tmp_path / "own.csv"
    own.write_text("text,label\n" + "\n".join(f"goal {word},{'ab'[i % 2]}" for i, word in enumerate(COMMON * 3)) + "\n")
    asked = ask.transfer(source, 1, str(own), settings={"training.epochs": "1", "training.learning_rate": "0.005"})
    assert asked.spec.model.checkpoint == str(checkpoint)
    assert "all " in asked.remarks[0] and asked.remarks[0].endswith("new head for 2 classes")
    run = launch.new_run(runs_root(), asked.spec, fill=asked.fill)
    finish(run)
    weights, mask = records.load_rewind(run, 0), records.load_mask(run, 0, 1)
    before, kept = records.load_rewind(source, 0), records.load_mask(source, 0, 1)
    changed = {name for name in weights if weights[name].shape != before[name].shape}
    assert changed == {"network.classifier.weight", "network.classifier.bias"}
    assert all((weights[name] == before[name]).all() for name in weights if "classifier" not in name)
    assert mask.keys() == kept.keys() and all((mask[name] == kept[name]).all() for name in mask)
    (checkpoint / "vocab.txt").write_text((checkpoint / "vocab.txt").read_text() + "further\n")
    (checkpoint / "tokenizer.json").unlink(missing_ok=True)
    with pytest.raises(BadInput, match=r"model\.checkpoint"):
        ask.transfer(source, 1, str(own))
