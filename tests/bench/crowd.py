"""`crowd`: the step while another process burns a core, with and without the wait policy that `launch` sets."""

import json
import os
import subprocess
import sys
from statistics import median

from tests.bench.figures import ROOT, Figure, as_launched, spread

_BURN = "while True: pass"


def run(steps: int = 20, repeats: int = 2, vocabulary: int = 50_000, limit: float = 15) -> list[Figure]:
    """Each reading is a process of its own, since the policy counts only when a process starts."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    policy = as_launched()
    variants = {"launched": bare | policy, "default": bare}
    found: dict[str, list[float]] = {name: [] for name in variants}
    burner = subprocess.Popen([sys.executable, "-c", _BURN])
    try:
        for _ in range(repeats):
            for name, environment in variants.items():
                arguments = [sys.executable, "-m", "tests.bench.crowd", str(steps), str(vocabulary), str(limit)]
                child = subprocess.run(
                    arguments, env=environment, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300
                )
                found[name] += json.loads(child.stdout)
    finally:
        burner.kill()
        burner.wait()
    launched, default = 1000 * median(found["launched"]), 1000 * median(found["default"])
    words = ", ".join(f"{name}={value}" for name, value in policy.items()) or "no policy"
    return [
        Figure(
            "crowd",
            f"step beside a busy process, {words}",
            launched,
            "ms",
            f"no policy: {default:.1f} ms",
            default / launched,
            note=f"{spread(found['launched'], 1000)}; without {spread(found['default'], 1000, 'ms')}",
        )
    ]


def _child(steps: int, vocabulary: int, limit: float) -> list[float]:
    import torch

    from engine.data.batches import part
    from tests.bench import made
    from tests.bench.figures import machine
    from tests.bench.pace import Watch, built, composed, step_seconds

    torch.set_num_threads(machine()["cores"])
    spec = composed()
    watch = Watch(steps, warm_up=3, limit=limit)
    texts = part(made.texts(watch.steps * spec.training.batch_size, 45, vocabulary))
    return step_seconds(*built(spec, vocabulary, made.CLASSES), spec, texts, watch)


if __name__ == "__main__":
    print(json.dumps(_child(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
