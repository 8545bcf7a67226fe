"""`step`: a training step of the study's CNN, against the same step written the ordinary way."""

from statistics import median

import torch

from engine.data.batches import part
from tests.bench import made, ordinary
from tests.bench.figures import Figure, at_least, interleaved, machine, spread, times_as_long
from tests.bench.pace import Watch, built, composed, step_seconds

VOCABULARY = 50_000


def run(
    vocabulary: int = VOCABULARY,
    shapes: tuple[tuple[int, int, int], ...] = ((45, 8, 5), (200, 4, 3)),  # tokens, steps a reading, readings
    warm_up: int = 3,
) -> list[Figure]:
    """Engine, engine with nn.Conv1d, and the ordinary way, in turn. The first is what a run's own loop takes."""
    torch.set_num_threads(machine()["cores"])
    return [
        figure for tokens, steps, readings in shapes for figure in _at(vocabulary, tokens, steps, readings, warm_up)
    ]


def _at(vocabulary: int, tokens: int, steps: int, readings: int, warm_up: int) -> list[Figure]:
    spec = composed()
    batch = spec.training.batch_size
    texts = part(made.texts((warm_up + steps + 1) * batch, tokens, vocabulary))
    module, start = built(spec, vocabulary, made.CLASSES)
    torch.manual_seed(0)
    plain = ordinary.ConvCnn(vocabulary, made.CLASSES)
    loop = ordinary.OrdinaryTraining(
        ordinary.ConvCnn(vocabulary, made.CLASSES), ordinary.half_of(plain), texts, batch, spec.training.learning_rate
    )
    plain_start = ordinary.start_of(plain)
    found = interleaved(
        {
            "engine": lambda: step_seconds(module, start, spec, texts, Watch(steps, warm_up)),
            "conv": lambda: step_seconds(plain, plain_start, spec, texts, Watch(steps, warm_up)),
            "ordinary": lambda: loop.step_seconds(steps, warm_up),
        },
        readings,
    )
    engine, conv, usual = (1000 * median(found[name]) for name in ("engine", "conv", "ordinary"))
    usual_to_engine = times_as_long(found["ordinary"], found["engine"], readings)
    conv_to_engine = times_as_long(found["conv"], found["engine"], readings)
    usual_to_conv = times_as_long(found["ordinary"], found["conv"], readings)
    where = f"{tokens} tokens"
    return [
        Figure(
            "step",
            f"engine, {where}",
            engine,
            "ms",
            f"prune utilities, Conv1d, plain Adam: {usual:.1f} ms",
            usual_to_engine,
            **at_least(usual_to_engine, 2) if tokens <= 100 else {},
            note=spread(found["engine"], 1000, "ms"),
        ),
        Figure(
            "step",
            f"the same loop with nn.Conv1d, {where}",
            conv,
            "ms",
            f"engine: {engine:.1f} ms",
            1 / conv_to_engine,
            note=f"so the exact max-pool gradient gives {conv_to_engine:.2f}x, masks in place and fused Adam "
            f"{usual_to_conv:.2f}x",
        ),
    ]
