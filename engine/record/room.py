"""The room that shared dense rounds take on a disk: how much they may, what they do, and what goes first.

An entry is a folder named by 32 hex digits, as `engine.record.shared` writes it; nothing else in the cache's folder is
ever touched. It goes by one rename, to a hidden name, and is removed from there: whoever reads it at that moment meets
all of it or nothing. The time of its account, `entry.json`, is when it was last used.
"""

import math
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from engine.errors import BadInput
from engine.places import cache_root

ENTRY, DENSE = "entry.json", "dense.safetensors"
DRAFT = ".lth-new-"  # an entry in the making, beside the others
_GONE = ".lth-gone-"  # one that is being removed
_USUAL_GB = 5.0
_ABANDONED = 3600.0  # seconds; no writer or remover takes so long
_KEY = re.compile(r"[0-9a-f]{32}")


def cap() -> int:
    """How many bytes all entries may take together: `LTH_CACHE_GB` (of 10^9 bytes), else 5. Raises BadInput."""
    given = os.environ.get("LTH_CACHE_GB", "").strip()
    try:
        most = float(given or _USUAL_GB) * 1e9
    except ValueError:
        most = math.nan
    if not 0 < most < math.inf:
        raise BadInput(
            f"LTH_CACHE_GB: {given!r} given; give a number of gigabytes above 0, such as 5, or set LTH_CACHE=off."
        )
    return int(most)


def folders(root: Path) -> list[Path]:
    """Every entry, the least recently used first. Raises OSError."""
    return sorted(_folders(root), key=used) if os.path.lexists(root) else []


def _folders(root: Path) -> Iterator[Path]:
    for name in os.listdir(root):
        folder = root / name
        if _KEY.fullmatch(name) and not folder.is_symlink() and any((folder / own).exists() for own in (ENTRY, DENSE)):
            yield folder


def used(folder: Path) -> float:
    """When an entry was last used, in seconds since 1970; 0 where it is gone."""
    for path in (folder / ENTRY, folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def use(folder: Path) -> None:
    """An entry is used now; where that cannot be noted it goes sooner."""
    with suppress(OSError):
        os.utime(folder / ENTRY)


def size(folder: Path) -> int:
    """Bytes of the files in an entry; 0 where it is gone."""
    total = 0
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            with suppress(OSError):
                total += file.stat(follow_symlinks=False).st_size
    return total


def clear(older_than_days: float | None = None) -> tuple[int, int]:
    """Remove every entry, or those not used for so many days; how many went, and their bytes. Raises OSError."""
    root = cache_root()
    if root is None:
        return 0, 0
    gone, freed = 0, 0
    for folder in folders(root):
        if older_than_days is None or time.time() - used(folder) > older_than_days * 86400:
            taken = size(folder)
            with suppress(FileNotFoundError):  # another process was faster
                discard(folder)
                gone, freed = gone + 1, freed + taken
    sweep(root)
    return gone, freed


def evict(root: Path, stays: Path, most: int) -> None:
    """Remove the least recently used entries but one, until all take at most so many bytes."""
    with suppress(OSError):
        sizes = {folder: size(folder) for folder in folders(root)}
        total = sum(sizes.values())
        for folder, taken in sizes.items():
            if total <= most:
                return
            if folder != stays:
                with suppress(OSError):
                    discard(folder)
                    total -= taken


def discard(folder: Path) -> None:
    """Take an entry out of its place, then remove it. Raises OSError."""
    _remove(folder.rename(folder.with_name(_GONE + token_hex(8))))


def sweep(root: Path) -> None:
    """Remove what writers and removers that were killed left behind."""
    with suppress(OSError):
        drafts = [root / name for name in os.listdir(root) if name.startswith((DRAFT, _GONE))]
        for left in [*drafts, *(torn for folder in _folders(root) for torn in folder.glob(".*-*"))]:
            with suppress(OSError):
                if time.time() - left.lstat().st_mtime > _ABANDONED:
                    _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
