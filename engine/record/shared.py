"""Dense rounds that runs share: a later run with the same dense part begins from what an earlier one trained.

An entry is a folder `<cache_root>/<key>/`, where `key` is a hash of everything that a dense round depends on:

entry.json                    those parts, the numbers that were told, by which run and when; sealed
dense.safetensors             the trained weights; its size and seal stand in entry.json
at-<step>.<seal>.safetensors  the weights passed at that step; any run that trains densely may add some

What does not fit its seal is not believed (engine.record.sealed). An entry comes by one rename of its folder, a file in
it by one too, and it goes likewise (engine.record.room), so nobody needs a lock, and who reads meets all of it or
nothing.

A cache is never the truth, and no failure of it fails a run. Reading raises Damaged, a sentence to warn with, and that
entry is gone then; writing returns such a sentence where it could not be done, else None. With LTH_CACHE=off nothing is
found and nothing kept. Imports torch only to read or write weights.
"""

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from engine.places import cache_root
from engine.record import kinds, modes, room, rundir, sealed, summary
from engine.record.room import DENSE, ENTRY
from engine.record.sealed import Damaged

if TYPE_CHECKING:
    from engine.pruning.mask import Weights

__all__ = ["Damaged"]  # what reading raises, beside what raises it

_FORMAT = 1  # of an entry; part of every key, so that versions never meet
_LARGEST = 1 << 24  # bytes of entry.json; ten thousand epochs take a sixth of it
_PASSED = re.compile(r"(at-(0|[1-9][0-9]{0,14}))\.([0-9a-f]{32})\.safetensors")


@dataclass(frozen=True)
class Entry:
    """A dense round as it was kept; its weights are read by `load`."""

    folder: Path
    parts: dict[str, Any]
    told: dict[str, Any]
    run: str  # which made it
    made: float  # seconds since 1970
    size: int  # bytes of the trained weights' file
    seal: str  # of that file
    passed: frozenset[int]  # the steps of which weights are kept


def key(parts: Mapping[str, Any]) -> str:
    """32 hex digits for everything that a dense round depends on, as JSON has it; the order of names is all one."""
    return sealed.seal(f"dense round {_FORMAT}", "", orjson.dumps(parts, option=orjson.OPT_SORT_KEYS))


def find(key: str) -> Entry | None:
    """The entry of a key, its account verified, its weights not yet. Raises Damaged, and BadInput for LTH_CACHE_GB."""
    room.cap()  # what is wrong with it is to be learnt before anything is trained
    root = cache_root()
    return sealed.believed(root / key, lambda opened: _read(root / key, opened)) if root else None


def load(entry: Entry, step: int | None = None) -> "Weights | None":
    """The trained weights, or those passed at a step, on the CPU; None where they are not, or no longer, there.

    Raises Damaged.
    """
    weights = sealed.believed(entry.folder, lambda opened: _weights(entry, step, opened))
    if weights is not None:
        room.use(entry.folder)
    return weights


def save(
    key: str, parts: Mapping[str, Any], told: Mapping[str, Any], weights: "Weights", passed: Mapping[int, "Weights"],
    run: str,
) -> str | None:  # fmt: skip
    """Keep a dense round that `run` trained: its trained weights, those passed at some steps, and what it told.

    `parts` (of which `key` is the key) and `told` are what JSON can hold, every number finite. An entry that is there
    already stays, and gets what it lacks. Then the least recently used others go until all take no more than
    `room.cap()`. Returns a sentence where it could not be kept. Raises BadInput for LTH_CACHE_GB.
    """
    most = room.cap()
    root = cache_root()
    if root is None:
        return None
    from engine.record import checkpoint

    try:
        modes.make(root)
        room.sweep(root)
        draft = Path(tempfile.mkdtemp(prefix=room.DRAFT, dir=root))
        try:
            draft.chmod(modes.of_folder(root))
            data = checkpoint.to_bytes(weights)
            rundir.write_atomically(draft / DENSE, data)
            for step, then in passed.items():
                _write_at(draft, key, step, then)
            dense = {"size": len(data), "seal": sealed.seal(key, DENSE, data)}
            account = {"parts": parts, "told": told, "dense": dense, "run": run, "made": time.time()}
            whole = {"seal": sealed.seal(key, ENTRY, orjson.dumps(account)), "account": account}
            rundir.write_atomically(draft / ENTRY, orjson.dumps(whole))
            new = _publish(draft, root / key)
        finally:
            shutil.rmtree(draft, ignore_errors=True)  # nothing is there where it was published
    except OSError as error:
        return _not_kept(root, error)
    room.evict(root, root / key, most)
    lacking = {} if new else passed
    return next(filter(None, (add_passed(key, step, then) for step, then in lacking.items())), None)


def add_passed(key: str, step: int, weights: "Weights") -> str | None:
    """Add the weights passed at a step to an entry, unless it has them or is gone. Returns and raises like `save`."""
    most = room.cap()
    root = cache_root()
    if root is None or not (root / key / ENTRY).exists():
        return None
    try:
        if step not in _steps(root / key):
            _write_at(root / key, key, step, weights)
    except FileNotFoundError:
        return None  # another process has made room meanwhile
    except OSError as error:
        return _not_kept(root, error)
    room.evict(root, root / key, most)
    return None


def entries() -> list[dict[str, Any]]:
    """Every entry for people to look at, the last used first: key, model, dataset, seed, bytes, created, used, run.

    What is not known is null; `damaged` is true where nothing is. Raises OSError.
    """
    root = cache_root()
    rows: list[dict[str, Any]] = []
    for folder in reversed(room.folders(root)) if root else ():
        found: dict[str, Any] = dict.fromkeys(("model", "dataset", "seed", "created", "run"))
        try:
            with sealed.opened(folder) as opened:
                entry = _read(folder, opened)
            seed = entry.parts.get("seed")
            found["model"], found["dataset"] = (summary.named(entry.parts, part) for part in ("model", "data"))
            found["seed"] = seed if kinds.is_seed(seed) else None
            found["created"], found["run"] = _clock(entry.made), entry.run
        except (OSError, ValueError, TypeError):
            if not os.path.lexists(folder):
                continue
        also = {"used": _clock(room.used(folder)), "bytes": room.size(folder), "damaged": found["created"] is None}
        rows.append({"key": folder.name, **found, **also})
    return rows


def _read(folder: Path, opened: int) -> Entry:
    """An entry whose account is as it was written, and of this key. Raises OSError, ValueError, TypeError."""
    tree = rundir.load_json(ENTRY, _LARGEST, opened)
    account = tree.get("account")
    if not isinstance(account, dict) or tree.get("seal") != sealed.seal(folder.name, ENTRY, orjson.dumps(account)):
        raise ValueError(f"{ENTRY} is not what was written")
    parts, told, dense, run, made = (account.get(name) for name in ("parts", "told", "dense", "run", "made"))
    if not isinstance(parts, dict) or key(parts) != folder.name:
        raise ValueError(f"{ENTRY} is of another dense round")
    size, seal = (dense.get("size"), dense.get("seal")) if isinstance(dense, dict) else (None, None)
    if type(size) is not int or not isinstance(seal, str):
        raise ValueError(f"{ENTRY} does not say what {DENSE} is")
    if not (isinstance(told, dict) and isinstance(run, str) and isinstance(made, float) and _clock(made)):
        raise ValueError(f"{ENTRY} does not say what became of it")
    return Entry(folder, parts, told, run, made, size, seal, frozenset(_steps(opened)))


def _weights(entry: Entry, step: int | None, opened: int) -> "Weights | None":
    """As `load` has them. Raises OSError, ValueError, TypeError."""
    from engine.record import checkpoint

    key = entry.folder.name
    if step is None:
        if _read(entry.folder, opened).seal != entry.seal:
            return None  # another dense round has taken its place
        data = sealed.content(opened, DENSE, key, DENSE, entry.seal, entry.size)
    elif (match := _steps(opened).get(step)) is not None:
        data = sealed.content(opened, match[0], key, match[1], match[3])
    else:
        return None
    try:
        return checkpoint.from_bytes(data)
    except checkpoint.Damaged as error:
        raise ValueError(error) from None


def _write_at(folder: Path, key: str, step: int, weights: "Weights") -> None:
    from engine.record import checkpoint

    data = checkpoint.to_bytes(weights)
    rundir.write_atomically(folder / f"at-{step}.{sealed.seal(key, f'at-{step}', data)}.safetensors", data)


def _steps(folder: Path | int) -> dict[int, re.Match[str]]:
    """Of the steps of which weights are kept, the file's name in its parts. Raises OSError."""
    matches = [match for name in sorted(os.listdir(folder)) if (match := _PASSED.fullmatch(name))]
    return {int(match[2]): match for match in matches}


def _publish(draft: Path, folder: Path) -> bool:
    """Put a finished draft in its place; False where an entry is there already. Raises OSError."""
    try:
        draft.rename(folder)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    rundir.sync_folder(folder.parent)
    return True


def _not_kept(root: Path, why: OSError) -> str:
    return (
        f"dense rounds cannot be kept for later runs in {root} ({sealed.cause(why)}); "
        "make room, or set LTH_CACHE to another folder, or to off."
    )


def _clock(seconds: float) -> str | None:
    """ISO, the local time of this machine; None where no clock shows it."""
    try:
        return datetime.fromtimestamp(seconds).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None
