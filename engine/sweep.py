"""A sweep: a grid over models, datasets, schedules and settings, read from a TOML file and composed to runs.

    name = "rewind"                   # optional; else the file's stem
    models = ["cnn"]
    datasets = ["ag_news", "pydoc"]
    schedules = ["imp"]               # these three have the defaults of `lth run`
    arms = ["ticket", "reinit"]
    seeds = 3
    [settings]                        # the same for every run
    training.epochs = 3
    [grid]                            # every combination
    schedule.rate = [0.2, 0.5]

Every combination is composed before any of them starts; what is wrong is one sentence that names the file and the key.
"""

import math
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from engine import catalog
from engine import spec as specs
from engine.errors import BadInput, unknown

MOST = 1000  # runs
_LARGEST = 1 << 20  # bytes; no honest file comes near
_NAMED = ("model", "dataset", "schedule")  # the axes that stand outside of [grid]
_KEYS = ("name", "models", "datasets", "schedules", "arms", "seeds", "settings", "grid")


@dataclass(frozen=True)
class Cell:
    """One run of the grid: what distinguishes it, by axis, and its spec.

    Axes are `model`, `dataset`, `schedule`, then the settings of [grid] by their dotted paths, with values as given.
    """

    chosen: dict[str, Any]
    spec: specs.RunSpec


@dataclass(frozen=True)
class Sweep:
    """The runs of a file, in order: the last axis changes fastest. `axes` are those with more than one value."""

    name: str
    file: Path
    cells: tuple[Cell, ...]
    axes: dict[str, list[Any]]

    @property
    def path(self) -> str:
        """The file as text that JSON can hold, whatever bytes its name is made of."""
        return _legible(self.file)


def _legible(path: Path | str) -> str:
    return os.fsencode(path).decode(errors="replace")


def read(file: Path) -> Sweep:
    """The sweep that a file describes, every run of it composed. Raises BadInput."""
    try:
        return _sweep(file, _tree(file))
    except BadInput as error:
        words = str(error)
    except RecursionError:
        words = "it is nested too deeply; [settings] and [grid] are flat tables."
    raise BadInput(f"sweep {file}: {words}".replace("\n", " ")) from None


def _tree(file: Path) -> dict[str, Any]:
    if not os.path.isfile(file):
        what = "it is no file" if os.path.exists(file) else "it does not exist"
        raise BadInput(f"{what}; give the path of a TOML file such as `lth sweep --help` shows.")
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except OSError as error:
        raise BadInput(f"it cannot be read ({error.strerror or error}); make it readable.") from None
    if len(data) > _LARGEST:
        raise BadInput("it is larger than 1 MiB; a sweep is a few lines of TOML.")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise BadInput("it is not UTF-8 text; save it as such.") from None
    except ValueError as error:  # TOML's own errors, and numbers of thousands of digits
        raise BadInput(f"it is no TOML ({error}); `lth sweep --help` shows a file that is.") from None


def _sweep(file: Path, tree: dict[str, Any]) -> Sweep:
    for key in tree:
        if key not in _KEYS:
            raise unknown("key", key, _KEYS)
    for key in ("models", "datasets"):
        if key not in tree:
            raise BadInput(f'{key}: it is missing; give a list of names, say {key} = ["{_EXAMPLE[key]}"].')
    models = _names(tree, "models")
    for model in models:
        catalog.card("models", catalog.MODELS, model)
    settings = {path: _set(value) for path, value in _flat(tree.get("settings", {}), "settings", models).items()}
    grid = _flat(tree.get("grid", {}), "grid", models)
    for path, values in grid.items():
        _each_once(f"grid.{path}", _several(f"grid.{path}", values))
        if path in settings:
            raise BadInput(f"grid.{path}: it stands in [settings] too; keep one of the two.")
    axes: dict[str, list[Any]] = {
        "model": models,
        "dataset": _names(tree, "datasets"),
        "schedule": _names(tree, "schedules") or ["imp"],
        **grid,
    }
    if (count := math.prod(map(len, axes.values()))) > MOST:
        raise BadInput(f"grid: it makes {count:,} runs; a sweep has at most {MOST:,}, so give fewer values.")
    arms, seeds = _names(tree, "arms") or None, _seeds(tree.get("seeds", 3))
    combined = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    cells = tuple(Cell(chosen, _composed(chosen, arms, seeds, settings)) for chosen in combined)
    _all_different(cells)
    varying = {axis: values for axis, values in axes.items() if len(values) > 1}
    return Sweep(_name(tree.get("name", _legible(file.stem[:64]))), file, cells, varying)


_EXAMPLE = {"models": "cnn", "datasets": "pydoc"}


def _name(given: Any) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= 64:
        raise BadInput(f"name: {_short(given)} given; it should be a text of 1 to 64 characters.")
    return given


def _names(tree: dict[str, Any], key: str) -> list[str]:
    """A list of names, each once; empty only where the key is absent."""
    if key not in tree:
        return []
    for name in (names := _several(key, tree[key])):
        if not isinstance(name, str):
            raise BadInput(f"{key}: {_short(name)} given; it should be a name in quotes.")
    _each_once(key, names)
    return names


def _several(key: str, given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise BadInput(f"{key}: {_short(given)} given; it should be a list, say [{_short(given)}].")
    if not given:
        raise BadInput(f"{key}: [] given; list at least one value, or leave the key out.")
    return given


def _each_once(key: str, values: Sequence[Any]) -> None:
    seen: set[str] = set()
    for value in values:
        if (said := repr(value)) in seen:
            raise BadInput(f"{key}: {_short(value)} is listed twice; list it once.")
        seen.add(said)


def _seeds(given: Any) -> int | list[int]:
    many = given if isinstance(given, list) else [given]
    if not many or any(type(seed) is not int or seed.bit_length() > 63 for seed in many):  # true is an int too
        raise BadInput(f"seeds: {_short(given)} given; it should be a number of seeds, say 3, or a list of seeds.")
    return given


def _flat(table: Any, section: str, models: list[str]) -> dict[str, Any]:
    """A table by dotted path, whether its keys are dotted, quoted or tables of their own; every path one all know."""
    if not isinstance(table, dict):
        raise BadInput(f"{section}: {_short(table)} given; it should be a table that begins with [{section}].")
    found: dict[str, Any] = {}

    def put(prefix: str, part: dict[str, Any]) -> None:
        for key, value in part.items():
            path = f"{prefix}{key}"
            if isinstance(value, dict):
                put(f"{path}.", value)
            elif path in found:
                raise BadInput(f"{section}.{path}: it is given twice; give it once.")
            else:
                found[path] = _plain(f"{section}.{path}", value)

    put("", table)
    settable = {model: specs.settable(model) for model in models}
    for path in found:
        for model, known in settable.items():
            if path in known:
                continue
            if having := [name for name in catalog.MODELS if path in specs.settable(name)]:
                raise BadInput(f"{section}.{path}: {model} has no such setting; {', '.join(having)} have it.")
            raise unknown(section, path, known)
    return found


def _plain(key: str, value: Any) -> Any:
    """A value that `--set` could give as well: text, number, truth, or a list of such."""
    if isinstance(value, list):
        return [_plain(key, one) for one in value]
    sound = isinstance(value, str | float) or (isinstance(value, int) and -(2**63) <= value < 2**63)
    if not sound:
        raise BadInput(
            f"{key}: {_short(value)} given; it should be text in quotes, a number of 64 bits, true or false."
        )
    return value


def _set(value: Any) -> Any:
    """A value as `--set` would give it: to pydantic true is also the number 1, to a person it is not."""
    if isinstance(value, list):
        return [_set(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else value


def _composed(
    chosen: dict[str, Any], arms: list[str] | None, seeds: int | list[int], settings: dict[str, Any]
) -> specs.RunSpec:
    own = {axis: _set(value) for axis, value in chosen.items() if axis not in _NAMED}
    model, dataset, schedule = (chosen[axis] for axis in _NAMED)
    return specs.compose(model, dataset, schedule, arms, seeds, {**settings, **own})


def _all_different(cells: Sequence[Cell]) -> None:
    """Two ways to write the same run, such as 1 and 1.0, would be one run that counts twice."""
    seen: dict[bytes, Cell] = {}
    for cell in cells:
        if (other := seen.setdefault(specs.dump(cell.spec), cell)) is not cell:
            axis = next(axis for axis, value in cell.chosen.items() if repr(value) != repr(other.chosen[axis]))
            twice = f"{_short(other.chosen[axis])} and {_short(cell.chosen[axis])}"
            raise BadInput(f"{'' if axis in _NAMED else 'grid.'}{axis}: {twice} make the same run; keep one of them.")


def _short(value: Any) -> str:
    try:
        said = repr(value)
    except ValueError:  # Python writes out no number of more than 4,300 digits
        said = "a number of thousands of digits"
    return said if len(said) <= 80 else said[:77] + "..."
