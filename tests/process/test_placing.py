"""Which GPU a run gets, on machines that are made up: lists of GPUs, and statuses of runs that work."""

from pathlib import Path

import orjson
import pytest

from engine.places import runs_root
from engine.process import gpus, placing, queue
from engine.process.gpus import Gpu
from engine.process.placing import GIB
from engine.record import events, rundir, waiting
from engine.record.waiting import Working
from tests.process.test_engine import long_run, new_run, until


def card(name: str, free: float, index: int = 0) -> Gpu:
    return Gpu(f"GPU-{name}", index, "made up", 80 * GIB, int(free * GIB))


def works(on: str, *, young: bool = False) -> Working:
    """A run that works on a GPU; one that is young has not trained an epoch yet."""
    return Working(Path("/nowhere"), {"gpu": f"GPU-{on}", "round": 0, "epoch": 0 if young else 3})


def chosen(cards: list[Gpu], *working: Working, wanted: str = "auto", need: float = 2, each: int = 9) -> str | None:
    found = placing.choose(wanted, int(need * GIB), cards, working, each)
    return found and found.uuid.removeprefix("GPU-")


def test_the_gpu_with_the_fewest_runs_of_ours_is_taken_and_of_those_the_one_with_the_most_free_memory():
    cards = [card("a", 10), card("b", 30), card("c", 20)]
    assert chosen(cards) == "b"
    assert chosen(cards, works("b")) == "c"
    assert chosen(cards, works("b"), works("c")) == "a"
    assert chosen(cards, works("a"), works("b"), works("b"), works("c")) == "c"


def test_a_gpu_without_room_is_passed_over_and_without_any_one_waits_with_a_reason():
    assert chosen([card("a", 1.9), card("b", 2)], works("b")) == "b"
    with pytest.raises(placing.NoRoom, match=r"needs about 2\.0 GiB, and at most 1\.9 GiB is free"):
        chosen([card("a", 1.9), card("b", 1)])


def test_memory_that_a_young_engine_has_yet_to_take_is_not_free():
    assert chosen([card("a", 3)], works("a")) == "a"
    with pytest.raises(placing.NoRoom, match=r"at most 1\.5 GiB"):
        chosen([card("a", 3)], works("a", young=True))


def test_a_gpu_takes_no_more_runs_than_its_share_of_the_slots():
    cards = [card("a", 1), card("b", 70)]
    with pytest.raises(placing.NoRoom, match="has a run on it"):
        chosen(cards, works("b"), each=1)
    assert chosen(cards, works("b"), each=2) == "b"


def test_a_run_for_the_cpu_or_on_a_machine_without_gpus_gets_none():
    assert chosen([card("a", 70)], wanted="cpu") is None
    assert chosen([], wanted="cuda") is None


def test_a_gpu_that_is_named_by_its_number_is_the_one_or_waited_for():
    cards = [card("a", 70), card("b", 3)]
    assert chosen(cards, wanted="cuda:1") == "b"
    assert chosen(cards, wanted="cuda:7") is None, "its engine says that it is not here"
    with pytest.raises(placing.NoRoom):
        chosen(cards, wanted="cuda:1", need=4)


def test_the_estimate_counts_forty_bytes_a_parameter(news):
    run = new_run(**{"model.embedding_dim": 100, "data.vocabulary_size": 50_000})
    words, filters = 50_001 * 100, 8 * (2 + 3) * 100 + 16
    assert placing.need(run) == 3 * GIB // 2 + 40 * (words + filters + 16 * 20 + 20)


@pytest.mark.parametrize("spec", [b"{}", b'{"model": {"name": "cnn"}, "data": 3}', b'{"model": 1}', b"torn {"])
def test_a_spec_that_says_nothing_is_no_reason_to_stumble(spec):
    run = rundir.create(runs_root(), spec, "cnn", "a", "imp")
    assert placing.need(run) == 3 * GIB // 2
    assert placing.device(run) == "auto"


def test_the_first_waits_for_memory_and_is_not_overtaken_and_then_has_a_card_of_its_own(news, monkeypatch):
    cards = [card("a", 0.5), card("b", 0.5, index=1)]
    monkeypatch.setattr(gpus, "every", lambda: cards)
    monkeypatch.delenv("LTH_SLOTS")
    assert queue.slot_count(runs_root()) == 2
    first, on_cpu, third = long_run(), long_run(), long_run()
    spec = orjson.loads((on_cpu / "spec.json").read_bytes()) | {"device": "cpu"}
    (on_cpu / "spec.json").write_bytes(orjson.dumps(spec))
    for run in (first, on_cpu, third):
        queue.submit(run)
    assert queue.dispatch(runs_root()) == []
    assert "no GPU has room" in placing.turn(waiting.look(runs_root()), None, None)
    cards[1] = card("b", 70, index=1)
    assert [one.run for one in queue.dispatch(runs_root())] == [first, on_cpu]
    assert rundir.read_status(first)["gpu"] == "GPU-b"
    assert "gpu" not in rundir.read_status(on_cpu)
    assert "2 slots, held by" in placing.turn(waiting.look(runs_root()), None, None)
    until(lambda: rundir.read_status(first).get("epoch"))
    assert rundir.read_status(first)["gpu"] == "GPU-b", "for as long as it works"


def began(on: str, asked: str = "auto", **status: object) -> Path:
    run = rundir.create(runs_root(), orjson.dumps({"device": asked}), "cnn", "a", "imp")
    log = events.EventLog(run)
    log.append("run_started", device=on)
    rundir.write_status(run, rundir.read_status(run) | status)
    return run


def test_a_gpu_that_a_run_was_placed_on_binds_it_to_no_number():
    assert placing.device(began("cuda:0")) == "cuda"
    assert placing.device(began("cpu")) == "cpu"
    assert placing.device(began("cuda:0", "cuda:1")) == "cuda:1"
    assert placing.device(began("cuda:0", device="cpu")) == "cpu", "told shorter"


@pytest.mark.parametrize("device", ["cuda:x", "tpu", 3, None, ["cuda"], "cuda:123456789"])
def test_a_device_that_is_none_is_the_engines_to_refuse(device):
    run = rundir.create(runs_root(), orjson.dumps({"device": device}), "cnn", "a", "imp")
    assert placing.device(run) == "auto"


def test_a_run_that_no_gpu_can_hold_by_the_estimate_gets_the_freest_that_no_run_is_on():
    small, large = Gpu("GPU-a", 0, "", 24 * GIB, 21 * GIB), Gpu("GPU-b", 1, "", 80 * GIB, 70 * GIB)
    assert chosen([small, large], need=500) == "b"
    assert chosen([small, large], works("b"), need=500) == "a"
    with pytest.raises(placing.NoRoom):
        chosen([small, large], works("a"), works("b"), need=500)


def test_a_run_keeps_to_the_gpus_that_it_was_submitted_with(monkeypatch):
    cards = [card("a", 70), card("b", 70, index=1), card("c", 30, index=2)]
    monkeypatch.setattr(gpus, "every", lambda: cards)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    run = rundir.create(runs_root(), b'{"device": "cuda:0"}', "cnn", "a", "imp")
    queue.submit(run)
    kept = orjson.loads((run / "status.json").read_bytes())["waiting"]["env"]
    assert kept["CUDA_VISIBLE_DEVICES"] == "GPU-c,GPU-b"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert placing.turn(waiting.look(runs_root()), None, None).gpu == "GPU-c", "its first, whatever is hidden from us"


def test_hidden_gpus_are_not_given(monkeypatch):
    monkeypatch.setattr(gpus, "every", lambda: [card("a", 70)])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    queue.submit(rundir.create(runs_root(), b"{}", "cnn", "a", "imp"))
    assert placing.turn(waiting.look(runs_root()), None, None).gpu is None


def test_a_run_that_began_on_a_gpu_waits_where_the_machine_shows_none(monkeypatch):
    monkeypatch.setattr(gpus, "every", list)
    run = began("cuda:0", gpu="GPU-a", device="cuda", process=rundir.identity())
    queue.submit(run)
    assert "this machine shows none now" in placing.turn(waiting.look(runs_root()), None, None)
    queue.withdraw(run)
    queue.submit(began("cuda:0", gpu="GPU-a", device="cuda", process={"host": "another", "pid": 1}))
    assert placing.turn(waiting.look(runs_root()), None, None).gpu is None, "copied from elsewhere: its engine tells"
