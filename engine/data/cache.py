"""Files that hold what was computed once: a JSON head, then raw bytes. Checked, memory-mapped, never pickled.

A cache is never the truth. Whatever cannot be read or written here costs time and nothing else, so nothing raises.

Hidden files beside the caches are at work: a part being written, or the lock of who prepares a cache. Each is held by
flock, which ends with its process however that dies, so that the next one can tell what was left behind and remove it.
"""

import fcntl
import json
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Any

from filelock import FileLock, Timeout

from engine.errors import Stopped
from engine.places import encoded_root
from engine.record import modes

_MAGIC = b"lth\x01"
_PREFIX = struct.Struct("<4sIQ")  # magic, crc32 of all that follows it, length of the head
_ALIGN = 64
_PART, _LOCK = ".part", ".lock"
_PATIENCE = 0.25  # seconds between two looks at whether a lock is free, and whether to stop


def place(name: str, kind: str, *parts: object) -> Path:
    """Where a dataset's cache of one kind lies; its name is a hash of everything that decides the content."""
    key = blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=10).hexdigest()
    return encoded_root() / f"{name}-{key}.{kind}"


def write(path: Path, head: dict[str, Any], body: Iterable[bytes | memoryview] = ()) -> bool:
    """Put `head` and the pieces of `body` at `path` in one rename; False where the disk does not allow it."""
    text = json.dumps(head).encode()
    text += b" " * (-(_PREFIX.size + len(text)) % _ALIGN)  # so that arrays in the body are aligned
    pieces = [len(text).to_bytes(8, "little"), text, *body]
    crc = 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
    part = path.with_name(f".{path.name}.{token_hex(8)}{_PART}")
    try:
        modes.make(path.parent)
        try:
            with part.open("xb") as file:
                os.fchmod(file.fileno(), modes.of_file(path.parent))
                with suppress(OSError):  # a file system without locks: then nothing can be swept either
                    fcntl.flock(file, fcntl.LOCK_EX)
                file.writelines([_MAGIC, crc.to_bytes(4, "little"), *pieces])
                file.flush()
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def read(path: Path) -> tuple[dict[str, Any], memoryview] | None:
    """The head and the body (read-only, mapped, 64-byte aligned) of a cache; None if missing or damaged anywhere."""
    with suppress(OSError, ValueError, struct.error):  # ValueError: an empty file cannot be mapped
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        magic, crc, length = _PREFIX.unpack_from(data)
        if magic == _MAGIC and crc == zlib.crc32(data[8:]):
            return json.loads(bytes(data[_PREFIX.size : _PREFIX.size + length])), data[_PREFIX.size + length :]
    return None


@contextmanager
def alone(path: Path, waiting: Callable[[], None], stop: Callable[[], bool]) -> Iterator[None]:
    """Keeps other processes from preparing the cache at `path` meanwhile; who comes second calls `waiting`, and waits.

    Raises Stopped where `stop()` becomes true. Without a place for a lock nobody is kept out, and nothing breaks.
    """
    lock = FileLock(path.with_name(f".{path.name}{_LOCK}"), mode=modes.of_file(path.parent))
    told = False
    with suppress(OSError, NotImplementedError):
        modes.make(path.parent)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=_PATIENCE)
            except Timeout:
                if not told:
                    waiting()
                told = True
                if stop():
                    raise Stopped from None
    try:
        yield
    finally:
        with suppress(OSError):
            if lock.is_locked:
                Path(lock.lock_file).unlink(missing_ok=True)  # while it is held: who waits for it takes a new one
        lock.release()


def sweep() -> None:
    """Remove what processes left behind that were killed while they prepared a cache."""
    with suppress(OSError):
        for left in encoded_root().glob(".*"):
            if left.suffix in (_PART, _LOCK):
                with suppress(OSError), left.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an OSError where its process is alive
                    left.unlink()
