"""Extending a finished run: what is added equals what a run of that size from the start would have given."""

import orjson
import pytest

from engine import catalog
from engine import spec as specs
from engine.errors import BadInput
from engine.places import runs_root
from engine.process import extending, launch
from engine.record import checkpoint, events, extensions, rundir, summary
from tests.process.test_engine import SETTINGS, numbers


def run_of(seeds: int, rounds: int, arms: list[str], **settings: str):
    """A run to its end."""
    settings = {**SETTINGS, "training.epochs": "1", "schedule.rounds": str(rounds), **settings}
    spec = specs.compose("cnn", "ag_news", arms=arms, seeds=seeds, settings=settings)
    run = launch.new_run(runs_root(), spec)
    assert launch.start(run).wait() == 0, (run / "engine.log").read_text()
    return run


@pytest.mark.parametrize("rewind", ["init", "3it", "end"])
def test_an_extended_run_equals_one_that_was_so_large_from_the_start(news, rewind):
    arms = list(catalog.ARMS)
    whole = run_of(2, 2, arms, **{"schedule.rewind": rewind})
    run = run_of(1, 1, arms, **{"schedule.rewind": rewind})
    done = numbers(run)
    extending.extend(run, seeds=2, rounds=2)
    assert launch.start(run).wait() == 0, (run / "engine.log").read_text()
    assert numbers(run) == numbers(whole)
    told = [e for e in events.read(run / events.FILE).events if e["event"] == "trained"]
    assert len(told) == len(numbers(run)), "nothing that was done was done again"
    assert done.items() <= numbers(run).items()
    for seed in (0, 1):
        for number in (1, 2):
            one, other = (checkpoint.load_mask(each, seed, number) for each in (run, whole))
            assert all((one[name] == other[name]).all() for name in one)
    shown = summary.show(run)
    assert shown["seeds"] == [0, 1]
    assert shown["state"] == "finished"
    assert [r["round"] for r in shown["rounds"]] == [0, 1, 2]
    small = next(r["arms"]["small-dense"] for r in shown["rounds"] if "small-dense" in r["arms"])
    assert all(0 < count <= shown["rounds"][1]["nonzero"] for count in small["parameters"])


def test_each_extension_is_another_look_and_the_old_verdict_does_not_stand_for_the_new_run(news):
    run = run_of(3, 1, ["ticket", "reinit"])
    assert summary.show(run)["verdict"]["looks"] == 1
    extending.extend(run, seeds=4, rounds=None)
    assert rundir.state(run) == "stopped", "a resume goes on from here, whatever happens to the caller"
    assert summary.show(run)["progress"]["fraction"] == 0.75, "done with what it had, not with what it has"
    assert "progress" not in rundir.read_status(run)
    assert launch.start(run).wait() == 0
    verdict = summary.show(run)["verdict"]
    assert (verdict["looks"], verdict["seeds"]) == (2, 4)
    told = events.read(run / events.FILE).events
    resumed = [e["event"] for e in told].index("run_resumed")
    begun = next(place for place, e in enumerate(told) if place > resumed and e["event"] == "round_started")
    assert summary.fold(None, told[:begun]).finished["verdict"]["seeds"] == 3, "an extension that fails takes nothing"
    assert summary.fold(None, told[: begun + 1]).finished == {}


def test_an_extension_whose_data_are_gone_is_refused_and_changes_nothing(news):
    run = run_of(1, 1, ["ticket"])
    for file in news.iterdir():
        file.unlink()
    with pytest.raises(BadInput, match="ag_news"):
        extending.extend(run, seeds=2, rounds=None)
    assert rundir.state(run) == "finished"
    assert extensions.read(run) == []


def test_a_run_whose_trainings_came_to_other_numbers_is_not_extended(news, monkeypatch):
    run = run_of(1, 1, ["ticket"])
    monkeypatch.setattr(extending, "NUMBERS", extending.NUMBERS + 1)
    with pytest.raises(BadInput, match="another version"):
        extending.extend(run, seeds=2, rounds=None)


@pytest.mark.parametrize(
    ("seeds", "rounds", "words"),
    [(1, None, "nothing to add"), (None, None, "nothing to add"), (0, None, "seeds: 0"), (None, 0, "rounds: 0"),
     (1001, None, "seeds: 1001")],
)  # fmt: skip
def test_what_adds_nothing_is_refused_and_changes_nothing(news, seeds, rounds, words):
    run = run_of(1, 1, ["ticket"])
    with pytest.raises(BadInput, match=words):
        extending.extend(run, seeds, rounds)
    assert rundir.state(run) == "finished"
    assert extensions.read(run) == []


def test_only_a_finished_run_is_extended(news):
    run = launch.new_run(runs_root(), specs.compose("cnn", "ag_news", seeds=1, settings=SETTINGS))
    with pytest.raises(BadInput, match="resume"):
        extending.extend(run, 5, None)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b'{"seeds":[0,0],"rounds":1}', b'{"seeds":["0"],"rounds":1}', b"\xff\x00",
             b'{"seeds":[0],"rounds":-1}', b'{"seeds":[],"rounds":1}', b'{"seeds":[0],"rounds":1e999}'],
)  # fmt: skip
def test_a_damaged_line_is_passed_over(tmp_path, line):
    good = b'{"seeds":[0,1],"rounds":4}'
    (tmp_path / extensions.FILE).write_bytes(line + b"\n" + good + b"\n" + line)
    assert extensions.read(tmp_path) == [orjson.loads(good)]
    assert extensions.apply({"seeds": [0], "schedule": {"rounds": 2, "rate": 0.2}}, extensions.read(tmp_path)) == {
        "seeds": [0, 1],
        "schedule": {"rounds": 4, "rate": 0.2},
    }
