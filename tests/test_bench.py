"""The benchmarks work, at sizes that take no time. What they measure is never asserted; `make bench` shows it."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.bench import (
    command_line,
    datasets,
    gpu,
    gpu_agreement,
    gpu_pace,
    gpu_summary,
    ordinary,
    records,
    scale,
    steps,
    verdict,
)
from tests.bench.figures import ROOT, times_as_long
from tests.bench.pace import Watch, built, composed

TINY = gpu.SMALL | {
    "models": ("cnn", "gru", "bert"),  # one of each family
    "vocabulary": {"": 200},
    "short_texts": (64, 16, 32),
    "blocks": (2, 1, 1),
    "tokens": 8,
    "lengths": (8,),
    "accuracy_tolerance": 0.1,  # 3 of its 32 test texts: in so short a run one thread and two part company
}


def python(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_without_cuda_the_gpu_check_says_so_in_one_sentence_and_ends_well(tmp_path: Path) -> None:
    done = python("tests.bench.gpu", tmp_path / "gpu.json", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1 and done.stdout.startswith("No CUDA device")
    assert not list(tmp_path.glob("gpu*"))


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        (command_line, {"runs": 3, "repeats": 1}),
        (steps, {"vocabulary": 300, "shapes": ((12, 2, 1),), "warm_up": 1}),
        (datasets, {"texts": 200, "repeats": 1}),
        (records, {"processes": 2, "updates": 10, "listed": 5, "rebuilt": 5, "appends": 200}),
        (scale, {"train": 60, "test": 20, "crews": (2,)}),
        (verdict, {"runs": 4, "seeds": (3,), "rounds": (4,)}),
    ],
    ids=["cli", "step", "data", "record", "scale", "verdict"],
)
def test_a_benchmark_measures_something_and_keeps_out_of_the_users_folders(
    module: ModuleType, sizes: dict, tmp_path: Path
) -> None:
    figures = module.run(**sizes)
    assert figures
    assert all(one.cells() for one in figures)
    assert json.dumps([one.plain() for one in figures])
    assert not list(tmp_path.iterdir())


def test_no_history_update_is_reported_lost_where_none_is() -> None:
    (figure,) = records._updates(2, 12, runs_each=5)
    assert figure.met and figure.note.startswith("0 lost")


def test_a_ratio_is_that_of_neighbouring_readings() -> None:
    assert times_as_long([2, 2, 20, 20], [1, 1, 10, 10], readings=2) == 2  # the machine got ten times slower between


def test_a_watch_times_blocks_of_steps_and_then_stops() -> None:
    waits: list[int] = []
    watch = Watch(blocks=2, warm_up=3, block=5, synchronise=lambda: waits.append(watch.asked))
    asked = next(number for number in range(100) if watch())
    assert asked == 13 < watch.steps
    assert len(watch.seconds) == 2
    assert waits == [4, 9, 14]  # nowhere but where a block begins or ends


def test_the_ordinary_network_has_the_layers_of_the_engines() -> None:
    module, _ = built(composed(), 50, 4)
    plain = ordinary.ConvCnn(50, 4)
    sizes = {name: weight.numel() for name, weight in module.named_parameters()}
    assert {name: weight.numel() for name, weight in plain.named_parameters()} == sizes


def test_the_gpu_check_compares_and_measures_a_model_of_every_family() -> None:
    kept: dict[str, dict] = {}
    for name, part in (("agreement", gpu_agreement), ("pace", gpu_pace)):
        part.run("cpu", TINY, lambda found, name=name: kept.update({name: found}))
        text = gpu_summary.part(name, kept[name])
        assert "FAILED" not in text and "NOT WITHIN" not in text, (text, kept[name])
    assert kept["pace"]["models"]["cnn"]["waits, 8 tokens"]["inside_an_epoch"] == 0


def test_a_step_that_differs_is_reported_as_not_within(monkeypatch: pytest.MonkeyPatch) -> None:
    real = gpu_agreement._one_step
    calls = iter((0.0, 1e-2))

    def shifted(*arguments: object) -> gpu_agreement._Step:
        step = real(*arguments)  # type: ignore[arg-type]
        step.gradients["head.weight"] += next(calls)
        return step

    monkeypatch.setattr(gpu_agreement, "_one_step", shifted)
    assert not gpu_agreement.step("cnn", "cpu", TINY)["within"]


def test_a_wait_for_the_device_is_counted_by_its_line() -> None:
    with gpu_pace.synchronisations() as seen:
        for _ in range(2):
            warnings.warn("called a synchronizing CUDA operation", UserWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert list(seen.values()) == [2]
    assert next(iter(seen)).startswith("tests/test_bench.py:")


def test_a_part_that_fails_is_reported_and_the_next_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, device: str, limit: float) -> dict:
        return {"error": f"{name} lost the device"}

    def study(device: str, knobs: dict, seconds: float, keep: object) -> None:
        raise RuntimeError("no engine")

    monkeypatch.setattr(gpu, "_in_child", broken)
    monkeypatch.setattr("tests.bench.gpu_study.run", study)
    gpu._all("cpu", TINY, tmp_path / "out" / "gpu.json")
    parts = json.loads((tmp_path / "out" / "gpu.json").read_text())["parts"]
    assert parts["pace"]["error"] == "pace lost the device"
    assert parts["study"]["error"] == "RuntimeError: no engine"


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
