"""What a benchmark measured: a figure, what it is compared with, what was aimed at."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Figure:
    """One line of the table. `ratio` says how many times the figure the alternative took; above 1 is faster."""

    benchmark: str
    name: str
    value: float | str  # a median, where it is a number
    unit: str = ""
    against: str = ""  # the alternative, measured in the same run
    ratio: float | None = None
    target: str = ""
    met: bool | None = None  # None: there is no target
    note: str = ""

    def cells(self) -> list[str]:
        """Median, ratio, target and whether it is met, in words."""
        value = self.value if isinstance(self.value, str) else f"{self.value:,.4g} {self.unit}".strip()
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        return [value, ratio, self.target, {None: "", True: "met", False: "not met"}[self.met]]

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def at_most(value: float, limit: float, unit: str) -> dict[str, Any]:
    """`target` and `met` of a figure that should not exceed a limit."""
    return {"target": f"<= {limit:g} {unit}", "met": value <= limit}


def at_least(ratio: float, limit: float) -> dict[str, Any]:
    """`target` and `met` of a figure whose ratio should reach a limit."""
    return {"target": f"ratio >= {limit:g}", "met": ratio >= limit}


def interleaved(variants: Mapping[str, Callable[[], list[float]]], repeats: int) -> dict[str, list[float]]:
    """Run the variants in turn, again and again, so that whatever else the machine does hits all of them alike."""
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, variant in variants.items():
            found[name] += variant()
    return found


def times_as_long(slower: list[float], faster: list[float], readings: int) -> float:
    """How many times as long, from pairs of neighbouring readings: the median of their medians' ratios."""

    def medians(values: list[float]) -> list[float]:
        size = len(values) // readings
        return [median(values[i * size : (i + 1) * size]) for i in range(readings)]

    return median(a / b for a, b in zip(medians(slower), medians(faster), strict=True))


def timed(call: Callable[[], Any]) -> Callable[[], list[float]]:
    """A variant for `interleaved`: the seconds of one call."""

    def variant() -> list[float]:
        began = time.perf_counter()
        call()
        return [time.perf_counter() - began]

    return variant


def process(arguments: list[str], **options: Any) -> tuple[float, float]:
    """Wall and CPU seconds of a child process. Raises CalledProcessError, with its errors, where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=ROOT, **options)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def as_launched() -> dict[str, str]:
    """How an engine's threads wait, as variables of the environment; they count when a process imports torch."""
    from engine.process import launch

    return {name: value for name, value in launch._environment().items() if name.startswith("OMP_")}


def spread(values: list[float], scale: float = 1.0, unit: str = "") -> str:
    """`min 3.1, max 4.2 ms`: how far the readings behind a median lie apart."""
    return f"min {min(values) * scale:.3g}, max {max(values) * scale:.3g} {unit}".strip()


def machine() -> dict[str, Any]:
    """What a reader of the figures has to know: cores, load, versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cores": cores, "load": [round(load, 2) for load in os.getloadavg()], "python": sys.version.split()[0]}
