"""An entry of a cache, read so that only what was written there is believed, whatever became of it since.

A seal is a hash of an entry's key, a file's name and its content: a file that was damaged, cut, renamed or brought from
another entry does not fit its own. A folder is read by a descriptor: its name may stand for another one at any moment.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from engine.record import room

_Found = TypeVar("_Found")
_BROKEN = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}  # whoever reads it again finds it so again


class Damaged(Exception):
    """An entry that cannot be trusted, in a sentence."""


def seal(key: str, name: str, content: bytes) -> str:
    """32 hex digits for the content of a file of that name in the entry of that key."""
    digest = blake2b(f"{key}/{name}\0".encode(), digest_size=16)
    digest.update(content)
    return digest.hexdigest()


def content(folder: int, file: str, key: str, name: str, wanted: str, size: int | None = None) -> bytes:
    """All of a plain file in a folder that was sealed so under a name. Raises OSError, ValueError.

    Where its `size` in bytes is known, another is not read.
    """
    # A fifo must not block the reader.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        there = os.fstat(descriptor)
        if stat.S_ISREG(there.st_mode) and size in (None, there.st_size):
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                data = opened.read()
            if seal(key, name, data) == wanted:
                return data
    finally:
        os.close(descriptor)
    raise ValueError(f"{file} is not what was written")


def believed(folder: Path, read: Callable[[int], _Found]) -> _Found | None:
    """What is read in an entry's folder, by a descriptor of it; None where it is not there, or not any longer.

    Raises Damaged where that fails and the folder is still in its place: only then was it no other process's doing.
    """
    try:
        with opened(folder) as descriptor:
            try:
                return read(descriptor)
            except (OSError, ValueError, TypeError) as error:
                if not _in_place(folder, descriptor):
                    return None
                raise _damaged(folder, error) from None
    except FileNotFoundError:
        return None
    except OSError as error:
        if not os.path.lexists(folder):
            return None  # nor is there a folder in which it could be
        raise _damaged(folder, error) from None


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, which stands for it whatever its name becomes. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _in_place(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _damaged(folder: Path, why: Exception) -> Damaged:
    """The error to raise; what cannot be trusted is removed, what only could not be read this time stays."""
    words = f"the shared dense round in {folder} cannot be used ({cause(why)})"
    if not isinstance(why, OSError) or why.errno in _BROKEN:
        try:
            room.discard(folder)
            words += " and was removed"
        except FileNotFoundError:
            words += " and was removed by another process"
        except OSError as error:
            words += f", nor removed ({cause(error)})"
    return Damaged(f"{words}; it is trained again.")


def cause(error: Exception) -> str:
    """What went wrong, in the system's words where it said so."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
