"""ms a step of every model, the kernels in it, and the places where the host waits for the device inside an epoch."""

import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.autograd import DeviceType

from engine import catalog, training
from engine import spec as specs
from engine.data.batches import Part, part
from engine.errors import Stopped
from tests.bench import made, ordinary
from tests.bench.figures import ROOT
from tests.bench.pace import Watch, built, composed, plan, step_seconds


def run(device: str, knobs: dict[str, Any], keep: Any) -> None:
    from tests.bench.gpu import guarded

    found: dict[str, Any] = {"models": {}}
    for model in knobs["models"] or catalog.MODELS:
        of_model = found["models"][model] = {}
        vocabulary = knobs["vocabulary"].get(model, knobs["vocabulary"][""])
        for tokens in knobs["lengths"]:
            of_model[f"{tokens} tokens"] = guarded(lambda t=tokens, m=model, v=vocabulary: pace(m, v, t, device, knobs))
            keep(found)
            of_model[f"waits, {tokens} tokens"] = guarded(
                lambda t=tokens, m=model, v=vocabulary: waits(m, v, t, device)
            )
            keep(found)
    tokens = knobs["lengths"][0]
    found["conv1d"] = guarded(lambda: _conv1d(knobs["vocabulary"][""], tokens, device, knobs))
    keep(found)


def pace(model: str, vocabulary: int, tokens: int, device: str, knobs: dict[str, Any]) -> dict[str, Any]:
    """A step of a model of the study's size inside the engine's loop; then the kernels of some steps, profiled."""
    spec = composed(model)
    module, start = built(spec, vocabulary, made.CLASSES)
    found = _readings(module.to(device), start, spec, vocabulary, tokens, device, knobs)
    texts = part(made.texts(spec.training.batch_size * (knobs["profiled"] + 8), tokens, vocabulary), device)
    try:
        found |= _profile(module, start, spec, texts, knobs["profiled"], found["ms"])
    except Exception as error:  # a profiler that is not allowed must not cost the time just measured
        found["profile_error"] = f"{type(error).__name__}: {error}"
    return found


def _readings(
    module: nn.Module,
    start: training.Start,
    spec: specs.RunSpec,
    vocabulary: int,
    tokens: int,
    device: str,
    knobs: dict[str, Any],
) -> dict[str, Any]:
    blocks, block, warm_up = knobs["blocks"]
    watch = Watch(blocks, warm_up, block, _synchronise(device), limit=40)
    texts = part(made.texts(watch.steps * spec.training.batch_size, tokens, vocabulary), device)
    times = step_seconds(module, start, spec, texts, watch)
    return {"ms": 1000 * median(times), "ms_min": 1000 * min(times), "ms_max": 1000 * max(times), "steps": watch.asked}


def _conv1d(vocabulary: int, tokens: int, device: str, knobs: dict[str, Any]) -> dict[str, Any]:
    """The CNN with nn.Conv1d in the same loop: whether the exact max-pool gradient pays on this device too."""
    torch.manual_seed(0)
    module = ordinary.ConvCnn(vocabulary, made.CLASSES)
    start = ordinary.start_of(module)
    return _readings(module.to(device), start, composed(), vocabulary, tokens, device, knobs)


def _synchronise(device: str) -> Callable[[], Any]:
    return (lambda: torch.cuda.synchronize(device)) if device.startswith("cuda") else (lambda: None)


def _profile(
    module: nn.Module, start: training.Start, spec: specs.RunSpec, texts: Part, steps: int, ms: float
) -> dict[str, Any]:
    """Kernels a step, and how much of the step's (unprofiled) time the device is busy with them."""
    on_gpu = texts.tokens.is_cuda
    activity = torch.profiler.ProfilerActivity
    profiler = torch.profiler.profile(activities=[activity.CPU, activity.CUDA] if on_gpu else [activity.CPU])
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        if asked == 5:
            _synchronise(str(texts.tokens.device))()
            profiler.start()
        elif asked == 5 + steps:
            _synchronise(str(texts.tokens.device))()
            profiler.stop()
        return asked == 5 + steps

    with suppress(Stopped):
        training.train({"ticket": start}, plan(spec), module, training.Texts(texts, texts, texts), stop=stop)
    wanted = DeviceType.CUDA if on_gpu else DeviceType.CPU
    kernels: Counter[str] = Counter()
    count = 0
    for event in profiler.events() or []:
        if event.device_type == wanted and not event.name.startswith(("Optimizer.", "ProfilerStep")):
            count += 1
            kernels[event.name] += event.time_range.elapsed_us()
    return {
        "kernels_a_step": count / steps,
        "busy_share": sum(kernels.values()) / steps / (1000 * ms),
        "us_a_step": {name[:120]: round(us / steps, 1) for name, us in kernels.most_common(12)},
    }


def waits(model: str, vocabulary: int, tokens: int, device: str) -> dict[str, Any]:
    """How often the host waits for the device: in the steps of an epoch (it should never), and in a whole training."""
    spec = composed(model, training__lr_schedule="linear")
    module, start = built(spec, vocabulary, made.CLASSES)
    module.to(device)
    batches = 12
    texts = part(made.texts(batches * spec.training.batch_size, tokens, vocabulary), device)
    set_mode = torch.cuda.set_sync_debug_mode if device.startswith("cuda") else (lambda mode: None)

    def trained(stop: Callable[[], bool]) -> None:
        training.train({"ticket": start}, plan(spec), module, training.Texts(texts, texts, texts), stop=stop)

    asked = 0

    def inside() -> bool:
        nonlocal asked
        asked += 1
        if asked in (2, batches):  # the second step to the last but one: set-up is over, evaluation not begun
            set_mode("warn" if asked == 2 else "default")
        return False

    trained(lambda: False)  # kernels are loaded, memory is there
    try:
        with synchronisations() as steps:
            trained(inside)
        with synchronisations() as whole:
            set_mode("warn")
            trained(lambda: False)
    finally:
        set_mode("default")
    return {
        "inside_an_epoch": sum(steps.values()),
        "steps_watched": batches - 2,
        "lines_inside": dict(steps),
        "whole_training": sum(whole.values()),
        "lines": dict(whole),
    }


@contextmanager
def synchronisations() -> Iterator[Counter[str]]:
    """Counts torch's warnings of synchronising calls by the engine's line that made them."""
    seen: Counter[str] = Counter()

    def show(message: Any, *_: Any, **__: Any) -> None:
        if "called a synchronizing" in str(message):
            seen[_line()] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield seen


def _line() -> str:
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and path != Path(__file__):
            return f"{path.relative_to(ROOT)}:{frame.lineno}: {frame.line}"
    return "outside the project"
