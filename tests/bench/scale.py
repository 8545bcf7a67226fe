"""`scale`: a corpus as large as Yelp polarity is prepared: how fast, in how much memory, and again after a kill.

`python -m tests.bench.scale PROCESSES` prepares it alone, in the folders that the environment names.
"""

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import made
from tests.bench.figures import ROOT, Figure, at_most

NAME = "yelp_polarity"
LIMIT = 2048  # MiB, of all processes together


def run(train: int = 560_000, test: int = 38_000, crews: tuple[int, ...] = (1, 2, 16)) -> list[Figure]:
    """Prepare a made-up corpus with crews of several sizes, then kill a preparation half-way and start again."""
    figures = []
    with made.own_folders() as folder:
        made.reviews_csv(folder / "data" / NAME, train, test)
        found = {}
        for crew in crews:
            found[crew] = _prepared(crew)
            _forget(folder)
        prints = {one["fingerprint"] for one in found.values()}
        alone = found[crews[0]]["seconds"]
        for crew, one in found.items():
            texts = (train + test) / one["seconds"]
            peak = one["peak"]
            figures += [
                Figure(
                    "scale",
                    f"preparing {train + test:,} reviews, {crew} processes",
                    texts,
                    "texts/s",
                    f"{crews[0]} process: {alone:.0f} s",
                    alone / one["seconds"],
                    note=f"{one['seconds']:.1f} s; on CPU {one['cpu']:.1f} s of the process that reads and "
                    f"{one['crew_cpu']:.1f} s of the others; {one['tokens'] / (train + test):.0f} tokens a text, "
                    f"{one['words']:,} words kept, {one['cut']:,} texts cut",
                ),
                Figure(
                    "scale",
                    f"peak memory of all processes, {crew} at work",
                    peak,
                    "MiB",
                    note=f"proportional set size; {one['parent']:.0f} MiB of it the preparing process",
                    **at_most(peak, LIMIT, "MiB"),
                ),
            ]
        figures.append(
            Figure("scale", "different results of these crews", len(prints) - 1, "", **at_most(len(prints) - 1, 0, ""))
        )
        figures.append(_after_a_kill(folder, crews[-1], next(iter(prints)), (train + test) // 2))
    return figures


def _after_a_kill(folder: Path, crew: int, expected: str, half: int) -> Figure:
    process = _start(crew)
    _wait_for(process, half)
    children = _family(process.pid)[1:]
    process.kill()
    process.wait()
    killed = time.perf_counter()
    while any(os.path.exists(f"/proc/{child}") for child in children) and time.perf_counter() - killed < 60:
        time.sleep(0.01)
    gone = time.perf_counter() - killed
    left = [path.name for path in _hidden(folder)]
    again = _prepared(crew)
    clean = not _hidden(folder) and again["fingerprint"] == expected
    return Figure(
        "scale",
        "preparing again after a kill half-way",
        again["seconds"],
        "s",
        target="same result, no leftovers",
        met=clean,
        note=f"its {len(children)} processes were gone after {gone:.2f} s; it had left {', '.join(left) or 'nothing'}",
    )


def _hidden(folder: Path) -> list[Path]:
    return list((folder / "data" / ".encoded").glob(".*"))


def _forget(folder: Path) -> None:
    for cache in (folder / "data" / ".encoded").glob("*.encoded"):
        cache.unlink()


def _start(crew: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.scale", str(crew)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def _wait_for(process: "subprocess.Popen[str]", texts: int) -> None:
    """Until a preparation says that it has read so many texts."""
    assert process.stdout
    for line in process.stdout:
        told = re.search(r": ([\d,]+)", line)
        if told and int(told[1].replace(",", "")) >= texts:
            return


def _prepared(crew: int) -> dict:
    """What a preparation in a process of its own says of itself, with the peak of memory seen from outside, in MiB."""
    process = _start(crew)
    peak = parent = 0.0
    while process.poll() is None:
        sizes = list(_memory(process.pid))
        if sum(sizes) > peak:
            peak, parent = sum(sizes), sizes[0]
        time.sleep(0.1)
    assert process.stdout
    told = process.stdout.read().splitlines()
    if process.returncode:
        raise RuntimeError(f"preparing {NAME} ended with {process.returncode}")
    return {**json.loads(told[-1]), "peak": peak, "parent": parent}


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _memory(pid: int) -> Iterator[float]:
    """MiB of each process of a family, pages that several share divided among them."""
    for one in _family(pid):
        try:
            rolled = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            yield 0.0
            continue
        told = re.search(r"^Pss:\s+(\d+) kB", rolled, re.MULTILINE)
        yield int(told[1]) / 1024 if told else 0.0


def _prepare(crew: int) -> None:
    """As the engine does it: torch is there already."""
    import torch  # noqa: F401

    from engine.data import crew as crews
    from engine.data import encoding
    from engine.spec import compose

    crews.cores = lambda: crew
    before = time.process_time()
    began = time.perf_counter()
    encoded = encoding.load(compose("cnn", NAME).data, lambda words: print(words, flush=True))
    seconds = time.perf_counter() - began
    here, there = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {
        "seconds": seconds,
        "cpu": here.ru_utime + here.ru_stime - before,
        "crew_cpu": there.ru_utime + there.ru_stime,
        "fingerprint": encoded.fingerprint(),
        "tokens": len(encoded.train.tokens) + len(encoded.test.tokens),
        "words": len(encoded.vocabulary),
        "cut": encoded.cut,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    _prepare(int(sys.argv[1]))
