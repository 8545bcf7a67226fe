"""Measures what the project promises about speed: `make bench`, or `python -m tests.bench [NAME ...] [--json FILE]`.

How to read the table: every line is a median. Where it is compared with an alternative, both were measured in turn in
the same run, so that whatever else the machine did hit both; `ratio` is how many times as long the alternative took
(above 1: we are faster). On a busy machine believe the ratios, not the seconds: the load is printed with them. "met"
and "not met" are words, not verdicts of a test: the exit code is 0 either way, and 1 only where a benchmark broke.

    cli     lth --help and lth ls as whole processes, and whether they import torch
    step    a training step of the study's CNN, timed inside the engine's own loop, against the ordinary way
    crowd   that step beside a busy process, with the threads' wait policy that the engine is launched with
    data    encoding texts, and loading them again
    app     the app on a terminal: first paint, answers to keys, bytes and CPU while it watches
    soak    ten minutes of watching, and the memory they take; only where it is named
    record  the index of runs, and the event log
    scale   560,000 reviews prepared: pace, memory, and again after a kill; some minutes, only where it is named
    verdict how often the verdict is wrong, by simulation (no matter of speed); some minutes, only where it is named
"""

import argparse
import importlib
import os
import sys
import time
from pathlib import Path

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.figures import Figure, as_launched, machine

BENCHMARKS = {
    "app": "tests.bench.app",
    "soak": "tests.bench.soak",
    "cli": "tests.bench.command_line",
    "step": "tests.bench.steps",
    "crowd": "tests.bench.crowd",
    "data": "tests.bench.datasets",
    "record": "tests.bench.records",
    "scale": "tests.bench.scale",
    "verdict": "tests.bench.verdict",
}
USUAL = [name for name in BENCHMARKS if name not in ("scale", "soak", "verdict")]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure what is promised about speed.")
    which = f"some of: {', '.join(BENCHMARKS)}; all but scale, soak and verdict if none"
    parser.add_argument("names", nargs="*", metavar="NAME", help=which)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    words = Console(stderr=True)
    os.environ.update(as_launched())  # before torch is imported
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed lth has its byte code
    before, figures, broken = machine(), [], {}
    for name in chosen.names or USUAL:
        began = time.perf_counter()
        try:
            figures += importlib.import_module(BENCHMARKS[name]).run()
        except Exception as error:  # one that breaks must not hide the others
            broken[name] = f"{type(error).__name__}: {error}"
        words.print(f"{name}: measured in {time.perf_counter() - began:.0f} s", style="bright_black", markup=False)
    after = machine()
    console = Console() if sys.stdout.isatty() else Console(width=110)
    if figures:
        console.print(_table(figures))
    console.print(
        f"{before['cores']} cores, load {before['load'][0]} before and {after['load'][0]} after.", markup=False
    )
    for name, cause in broken.items():
        console.print(f"{name} broke: {cause}", markup=False, style="red")
    if chosen.json:
        result = {"before": before, "after": after, "figures": [one.plain() for one in figures], "broken": broken}
        chosen.json.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    return 1 if broken else 0


def _table(figures: list[Figure]) -> Table:
    """Two lines a figure, so that it fits 80 columns: the numbers, and beneath them what they are compared with."""
    table = Table("", "figure", "median", "ratio", "target", "", box=box.SIMPLE_HEAD, pad_edge=False)
    last = ""
    for figure in figures:
        first = "" if figure.benchmark == last else figure.benchmark
        against = f"against {figure.against}" if figure.against else ""
        beneath = "; ".join(filter(None, (against, figure.note)))
        name = Text(figure.name) + Text(f"\n{beneath}" if beneath else "", style="bright_black")
        table.add_row(first, name, *(Text(cell) for cell in figure.cells()))
        last = figure.benchmark
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
