"""`cli`: how soon `lth --help` and `lth ls` answer, and what they import."""

import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from tests.bench import made
from tests.bench.figures import ROOT, Figure, at_most, process

HEAVY = ("torch", "torchtext", "transformers", "datasets", "sklearn", "scipy", "textual")


def run(runs: int = 1000, repeats: int = 5) -> list[Figure]:
    """Wall seconds of whole processes, one after another in turn: bare Python, --help, ls without index, ls with."""
    with made.own_folders() as folder:
        made.finished_runs(folder / "runs", runs)
        index = folder / "runs" / "history.json"
        wall: dict[str, list[float]] = {"python": [], "help": [], "first": [], "ls": []}
        cpu: dict[str, list[float]] = {name: [] for name in wall}
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "help": [*_lth(), "--help"],
            "first": [*_lth(), "ls"],
            "ls": [*_lth(), "ls"],
        }
        process(commands["help"])  # so that byte code is there
        for _ in range(repeats):
            for name, command in commands.items():
                if name == "first":
                    index.unlink(missing_ok=True)
                seconds, used = process(command)
                wall[name].append(seconds)
                cpu[name].append(used)
        heavy = {name: _heavy(arguments) for name, arguments in (("--help", ["--help"]), ("ls", ["ls"]))}
    bare = median(wall["python"])

    def figure(name: str, words: str, limit: float | None, note: str = "") -> Figure:
        value = median(wall[name])
        return Figure(
            "cli",
            words,
            value,
            "s",
            f"python -c pass: {bare:.3f} s",
            bare / value,
            **at_most(value, limit, "s") if limit else {},
            note=f"CPU {median(cpu[name]):.2f} s" + note,
        )

    return [
        figure("help", "lth --help", 0.35),
        figure("ls", f"lth ls, {runs:,} runs", 0.6),
        figure("first", f"lth ls, {runs:,} runs, no index yet", None, "; the index is rebuilt and written"),
        *(
            Figure(
                "cli",
                f"lth {name} imports",
                ", ".join(found) or "nothing heavy",
                target="no torch",
                met="torch" not in found,
            )
            for name, found in heavy.items()
        ),
    ]


def _lth() -> list[str]:
    script = Path(sys.executable).with_name("lth")
    return [str(script)] if script.exists() else [sys.executable, "-c", "from lth_tui.__main__ import main; main()"]


def _heavy(arguments: list[str]) -> list[str]:
    """Which heavy packages a command imports, as Python itself tells."""
    code = f"import sys; sys.argv = ['lth', *{arguments}]; from lth_tui.cli import main; main()"
    child = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if child.returncode:
        raise RuntimeError(f"lth {' '.join(arguments)} failed: {child.stderr[-300:]}")
    imported = {name.partition(".")[0] for name in re.findall(r"\|\s+(\S+)$", child.stderr, re.MULTILINE)}
    return [name for name in HEAVY if name in imported]
