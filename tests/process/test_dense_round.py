"""Dense rounds are found again by later runs: the same numbers, nothing trained twice, and nothing foreign believed."""

import pytest

from engine import spec as specs
from engine.places import cache_root, runs_root
from engine.process import extending, launch
from engine.process.journal import RunJournal
from engine.record import checkpoint, events, shared, summary
from tests.process.test_engine import SETTINGS, numbers


def run_of(arms=("ticket", "reinit"), seeds: int = 1, **settings: str):
    """A run to its end."""
    settings = {**SETTINGS, "schedule.rounds": "1", **settings}
    run = launch.new_run(runs_root(), specs.compose("cnn", "ag_news", arms=list(arms), seeds=seeds, settings=settings))
    assert launch.start(run).wait() == 0, (run / "engine.log").read_text()
    return run


def dense(run) -> dict:
    """The event of seed 0's dense network."""
    (found,) = [e for e in events.read(run / events.FILE).events if e["event"] == "trained" and e["arm"] == "dense"]
    return found


def without_cache(monkeypatch, **settings: str):
    with monkeypatch.context() as patch:
        patch.setenv("LTH_CACHE", "off")
        return run_of(**settings)


def test_a_later_run_with_the_same_dense_part_begins_from_it_whatever_its_rewind_point(news, monkeypatch):
    first = run_of(**{"schedule.rewind": "3it"})
    alone = without_cache(monkeypatch, **{"schedule.rewind": "7it", "schedule.rate": "0.3"})
    later = run_of(**{"schedule.rewind": "7it", "schedule.rate": "0.3"})
    assert "shared" not in dense(first)
    assert "shared" not in dense(alone)
    assert dense(later)["shared"] == first.name
    assert dense(later)["seconds"] == dense(first)["seconds"], "that of the training, which was not done again"
    assert numbers(later) == numbers(alone)
    one, other = checkpoint.load_rewind(later, 0), checkpoint.load_rewind(alone, 0)
    assert all((one[name] == other[name]).all() for name in other)
    epochs = [e["epoch"] for e in events.read(later / events.FILE).events if e["event"] == "epoch" and e["round"] == 0]
    assert epochs == [1, 2], "its learning curve is told too"


def key_of(seed: int = 0, fingerprint: str = "f", threads: int = 1, **settings: str) -> str:
    """The key of the dense round of a run's seed, as its journal has it."""
    spec = specs.compose("cnn", "ag_news", seeds=1, settings={**SETTINGS, **settings})
    journal = RunJournal(launch.new_run(runs_root(), spec), lambda: False)
    journal.started(spec, device="cpu", threads=threads, grouping="one after another")
    journal.data_ready(fingerprint=fingerprint, name="ag_news", classes=4, train=1, valid=1, test=1)
    return shared.key(journal._dense_part(seed))


@pytest.mark.parametrize(
    "other",
    [{"training.epochs": "1"}, {"training.learning_rate": "0.02"}, {"data.train_size": "100"}, {"model.filters": "7"},
     {"data.valid_fraction": "0.2"}, {"training.optimizer": "sgd"}, {"threads": 2}, {"seed": 1}, {"fingerprint": "g"}],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_another_dense_part_is_another_key(news, other):
    assert key_of(**other) != key_of()


@pytest.mark.parametrize(
    "other",
    [{"schedule.rate": "0.3"}, {"schedule.rounds": "5"}, {"schedule.rewind": "1ep"}, {"schedule.prunable": "head"},
     {"verdict.margin": "0.02"}],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_what_comes_after_the_dense_round_is_no_part_of_its_key(news, other):
    assert key_of(**other) == key_of()


def test_a_run_keeps_its_own_copy(news):
    run_of()
    later = run_of(**{"schedule.rate": "0.3"})
    for path in cache_root().iterdir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    extending.extend(later, seeds=None, rounds=2)
    assert launch.start(later).wait() == 0
    assert [r["round"] for r in summary.show(later)["rounds"]] == [0, 1, 2]


def test_a_damaged_entry_is_warned_of_and_trained_again(news):
    first = run_of()
    (file,) = cache_root().glob("*/dense.safetensors")
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    later = run_of(**{"schedule.rate": "0.3"})
    assert "shared" not in dense(later)
    assert numbers(later)[0, 0, "dense"] == numbers(first)[0, 0, "dense"]
    assert any("dense round" in words for words in summary.show(later)["warnings"])


def test_a_cache_that_cannot_be_written_costs_a_warning_and_no_run(news, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LTH_CACHE", str(tmp_path / "file" / "cache"))
    run = run_of()
    shown = summary.show(run)
    assert shown["state"] == "finished"
    assert any("LTH_CACHE" in words for words in shown["warnings"])
