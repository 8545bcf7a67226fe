"""`make gpu`: what a run is on a GPU, measured in one call of at most eight minutes; without one it says so and ends.

    agreement  one training step and one short run against the CPU's, and the short run twice against itself
    pace       ms a step of every model in the catalog, kernels a step, waits for the device inside an epoch
    study      the study's CNN on AG News through the real engine, for as many seeds and rounds as fit

The results go to one JSON, written after every part: to the path given, else $OUT/gpu.json, else ./bench-gpu.json.
A part that fails, hangs or loses the device is reported there, and the next one still runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.figures import ROOT, as_launched, machine

_PIECES = dict.fromkeys(("bert", "bert-tiny", "bert-mini"), 500)  # fewer than their made-up checkpoint has

# The knobs. `small` (with --device cpu) runs the same code where there is no GPU, to see that it works.
FULL: dict[str, Any] = {
    "budget": 450,  # seconds for everything; the study gets what the other parts leave
    "part_limits": {"agreement": 120, "pace": 110},  # seconds after which a part is killed
    "models": (),  # none named: every one of the catalog
    "reserve": 25,  # seconds kept for stopping the study's engine and writing its results
    # agreement: sizes, and what may differ from the CPU
    "vocabulary": {"": 50_000, "lstm": 25_000, "rnn": 25_000} | _PIECES,  # "" is for every other model
    "tokens": 45,
    "short_texts": (640, 160, 400),  # train, validation, test
    "short_settings": {"cnn": {"model.embedding_dim": 32, "model.filters": 16}},  # by model; else its card's
    "loss_tolerance": 1e-5,
    "gradient_tolerance": 1e-4,  # norm of the difference / norm, a layer
    "weight_tolerance": 1e-5,  # after one step of Adam 1e-3, where the gradient is more than noise
    "accuracy_tolerance": 0.03,  # of the short run: its trainings diverge by rounding
    "mask_tolerance": 0.02,  # share of a mask's entries that may differ, by the same rounding
    # pace
    "lengths": (45, 200),  # tokens
    "blocks": (8, 25, 20),  # readings, steps in each, steps of warm-up
    "profiled": 10,  # steps
    # study: the setting of 2020, rate 0.2 layerwise, everything pruned, 70/30, to 89.3 % sparsity
    "study_seeds": 5,
    "study_settings": {
        "schedule.rate": 0.2,
        "schedule.rounds": 10,
        "schedule.scope": "layerwise",
        "schedule.prunable": "embedding,encoder,head,bias",
        "data.valid_fraction": 0.3,
        "training.epochs": 10,
        "training.batch_size": 64,
        "training.learning_rate": 1e-3,
        "model.embedding_dim": 100,
        "model.filters": 100,
        "model.widths": "3,4,5",
        "model.dropout": 0.5,
    },
    "made_texts": (20_000, 4_000),  # where AG News is not at hand
}
SMALL: dict[str, Any] = FULL | {
    "budget": 150,
    "reserve": 10,
    "vocabulary": {"": 2_000} | _PIECES,
    "short_texts": (160, 40, 80),
    "lengths": (20,),
    "blocks": (2, 3, 2),
    "profiled": 2,
    "study_seeds": 2,
    "study_settings": FULL["study_settings"]
    | {"schedule.rounds": 2, "training.epochs": 1, "model.filters": 8, "data.train_size": 400},
    "made_texts": (600, 200),
}
PARTS = ("agreement", "pace", "study")
Keep = Callable[[dict[str, Any]], None]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description="Check a GPU against the CPU.")
    parser.add_argument("json", type=Path, nargs="?", help="where the results go")
    parser.add_argument("--device", default="cuda", help=argparse.SUPPRESS)
    parser.add_argument("--budget", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=PARTS[:2], help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    knobs = FULL if chosen.device.startswith("cuda") else SMALL
    knobs = knobs | ({"budget": chosen.budget} if chosen.budget else {})
    if chosen.part:
        return _child(chosen.part, chosen.device, knobs, chosen.json)
    if (why := _missing(chosen.device)) is not None:
        print(why)
        return 0
    path = chosen.json or Path(os.environ.get("OUT") or ".") / (
        "gpu.json" if os.environ.get("OUT") else "bench-gpu.json"
    )
    _all(chosen.device, knobs, path)
    return 0


def _missing(device: str) -> str | None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        return f"No CUDA device is visible to torch {torch.__version__} on this machine, so there is nothing to check."
    return None


def _all(device: str, knobs: dict[str, Any], path: Path) -> None:
    from tests.bench import gpu_summary

    began = time.monotonic()
    results: dict[str, Any] = {"when": datetime.now().isoformat(timespec="seconds"), "machine": _machine(device)}
    results |= {"knobs": knobs, "parts": {}}

    def keep(name: str, part: dict[str, Any]) -> None:
        results["parts"][name] = part
        results["seconds"] = round(time.monotonic() - began, 1)
        text = json.dumps(results, indent=1, default=str)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text + "\n")
        beside.replace(path)

    print(gpu_summary.head(results), flush=True)
    for name in PARTS:
        left = knobs["budget"] - (time.monotonic() - began)
        started = time.monotonic()
        if name == "study":
            part = _study(device, knobs, left, lambda part: keep("study", part))
        else:
            part = _in_child(name, device, min(left, knobs["part_limits"][name]))
        keep(name, part | {"seconds": round(time.monotonic() - started, 1)})
        print(gpu_summary.part(name, results["parts"][name]), flush=True)
    print(f"{results['seconds']:.0f} s; all of it is in {path}.")


def _in_child(name: str, device: str, limit: float) -> dict[str, Any]:
    """A part in a process of its own, since one lost kernel ends every later one in the same process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.json"
        arguments = [sys.executable, "-m", "tests.bench.gpu", str(file), "--device", device, "--part", name]
        trouble = ""
        try:
            child = subprocess.run(
                arguments,
                cwd=ROOT,
                env=os.environ | as_launched(),
                check=False,
                capture_output=True,
                text=True,
                timeout=max(10, limit),
            )
            if child.returncode:
                trouble = f"exit {child.returncode}: {(child.stderr or child.stdout)[-1500:]}"
        except subprocess.TimeoutExpired:
            trouble = f"killed after {limit:.0f} s; what it had measured is kept"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found | ({"error": trouble} if trouble else {})


def _child(name: str, device: str, knobs: dict[str, Any], path: Path) -> int:
    from engine.process import worker
    from tests.bench import gpu_agreement, gpu_pace

    worker._device(device)  # the same switches of torch as an engine's

    def keep(part: dict[str, Any]) -> None:
        beside = path.with_name("new.json")
        beside.write_text(json.dumps(part, default=str))
        beside.replace(path)

    {"agreement": gpu_agreement.run, "pace": gpu_pace.run}[name](device, knobs, keep)
    return 0


def _study(device: str, knobs: dict[str, Any], seconds: float, keep: Keep) -> dict[str, Any]:
    from tests.bench import gpu_study

    found: dict[str, Any] = {}

    def remember(part: dict[str, Any]) -> None:
        found.update(part)
        keep(found)

    try:
        gpu_study.run(device, knobs, seconds, remember)
    except Exception as error:  # a part that fails is reported
        found["error"] = f"{type(error).__name__}: {error}"
        found["traceback"] = traceback.format_exc()[-1500:]
    return found


def _machine(device: str) -> dict[str, Any]:
    import torch

    found = machine() | {"torch": torch.__version__, "device": device}
    if device.startswith("cuda"):
        about = torch.cuda.get_device_properties(torch.device(device))
        found |= {"gpu": about.name, "memory_gib": round(about.total_memory / 2**30, 1), "cuda": torch.version.cuda}
    return found


def guarded(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `call` gives, or what went wrong with it."""
    try:
        return call()
    except Exception as error:  # reported, and the next still runs
        return {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()[-1500:]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
