"""A run's tickets as files, looked at without torch: which there are, whether they are whole, and what belongs to them.

`tickets/` holds, all written by the engine: the weights of the rewind point once a seed, a mask once a round, and once
the words that the rows of the embedding stand for. A run that asks about another's tickets has copies in `origin/`.
"""

import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import orjson
from safetensors import SafetensorError, safe_open

from engine.errors import BadInput
from engine.record import events, modes
from engine.record.rundir import read_json, write_atomically

TICKETS, ORIGIN = "tickets", "origin"
_WORDS, _DATA = "words.json", "data.json"


def rewind(seed: int) -> str:
    """The name of the file of a seed's rewind weights."""
    return f"seed-{seed}.safetensors"


def mask(seed: int, number: int) -> str:
    """The name of the file of a seed's mask of one round."""
    return f"seed-{seed}-round-{number:02}.mask"


def rounds(run: Path, seeds: Sequence[int]) -> dict[int, list[int]]:
    """The rounds that a run has tickets of, the dense one among them, and which seeds have reached each."""
    found: dict[int, list[int]] = {}
    for seed in seeds:
        if (run / TICKETS / rewind(seed)).is_file():
            for path in (run / TICKETS).glob(f"seed-{seed}-round-*.mask"):
                number = path.name.removesuffix(".mask").rpartition("-")[2]
                if number.isdecimal():
                    found.setdefault(int(number), []).append(seed)
    return {number: [seed for seed in seeds if seed in found[number]] for number in sorted(found)}


def write_words(run: Path, words: Sequence[str]) -> None:
    """Keep the words by id, once a run: its texts never change, which its fingerprint makes sure of."""
    path = run / TICKETS / _WORDS
    if not path.exists():
        write_atomically(path, json.dumps(list(words)).encode())  # orjson takes no half of a surrogate pair


def words(run: Path, folder: str = TICKETS) -> list[str] | None:
    """The words by id; None where the file is missing or no list of words."""
    try:
        found = json.loads((run / folder / _WORDS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def data(run: Path) -> dict[str, Any]:
    """The `fingerprint`, `class_names` and `vocabulary` (how many) that a run told of its data. Raises BadInput."""
    told = [event for event in events.read(run / events.FILE).events if event["event"] == "data_ready"]
    if not told or not _names(told[-1].get("class_names")) or not isinstance(told[-1].get("fingerprint"), str):
        raise BadInput(f"run: {run.name} does not say what data it was trained on; choose another run.")
    return {name: told[-1].get(name) for name in ("fingerprint", "class_names", "vocabulary")}


def origin_data(run: Path) -> dict[str, Any]:
    """The same of the run that this one asks about. Raises BadInput where the file cannot be trusted."""
    found = read_json(run / ORIGIN / _DATA)
    if not _names(found.get("class_names")) or not isinstance(found.get("fingerprint"), str):
        raise BadInput(f"run: {run.name} has lost what it knew of its origin's data; launch the question anew.")
    return found


def _names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def copy(source: Path, run: Path, seeds: Sequence[int], number: int, vocabulary: Sequence[str] | None) -> None:
    """Fill `origin/` of a run that is being made: with the tickets of one round, their words if given, their data."""
    folder = run / ORIGIN
    modes.make(folder)
    for name in (name for seed in seeds for name in (rewind(seed), mask(seed, number))):
        write_atomically(folder / name, (source / TICKETS / name).read_bytes())
    if vocabulary is not None:
        write_atomically(folder / _WORDS, json.dumps(list(vocabulary)).encode())
    write_atomically(folder / _DATA, orjson.dumps(data(source)))


def check(run: Path, seeds: Sequence[int], number: int) -> None:
    """BadInput where a file of these tickets is damaged, as far as can be told without loading it."""
    for path in (run / TICKETS / name for seed in seeds for name in (rewind(seed), mask(seed, number))):
        if trouble := _trouble(path):
            raise BadInput(f"round: {path} is damaged ({trouble}); restore it, or ask about another round.")


def _trouble(path: Path) -> str:
    """What is wrong with a file of weights or of a mask; empty where nothing is seen."""
    try:
        with safe_open(path, framework="np") as file:
            sizes = {layer: prod(file.get_slice(layer).get_shape()) for layer in file.keys()}  # noqa: SIM118
            shapes = orjson.loads((file.metadata() or {}).get("shapes", "{}"))
        packed = {layer: -(-prod(shape) // 8) for layer, shape in shapes.items()}
    except (OSError, SafetensorError, ValueError, TypeError, AttributeError) as error:
        return str(error).rstrip(".") or type(error).__name__
    return "its layers do not fit their shapes" if path.suffix == ".mask" and packed != sizes else ""
