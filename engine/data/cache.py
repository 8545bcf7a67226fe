"""Files that hold what was computed once: a JSON head, then raw bytes. Checked, memory-mapped, never pickled.

A cache is never the truth. Whatever cannot be read or written here costs time and nothing else, so nothing raises.
"""

import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Any

from engine.places import encoded_root

_MAGIC = b"lth\x01"
_PREFIX = struct.Struct("<4sIQ")  # magic, crc32 of all that follows it, length of the head
_ALIGN = 64


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
    part = path.with_name(f".{path.name}.{os.getpid()}.{token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.writelines([_MAGIC, crc.to_bytes(4, "little"), *pieces])
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
