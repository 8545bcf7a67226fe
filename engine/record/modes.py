"""Who may read what we write: its owner alone, under any umask; in a folder that is shared, its group too.

A folder with setgid and group write (`chgrp GROUP runs; chmod 2770 runs`) is a shared one: its files are made 0660 and
its folders 2770, so that every user of the group may read, stop, remove and go on with what the others began. Anywhere
else files are 0600 and folders 0700.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SHARED = stat.S_ISGID | stat.S_IWGRP
_given: list[int] = []  # the umask that this process came with, once `guard` was called


def guard() -> None:
    """From now on, what is written by those whose code is not ours is this user's alone too."""
    _given.append(os.umask(0o077))


@contextmanager
def as_given() -> Iterator[None]:
    """The umask that this process came with, for folders that are not ours, such as the hub's cache."""
    ours = os.umask(_given[0]) if _given else None
    try:
        yield
    finally:
        if ours is not None:
            os.umask(ours)


def shared(folder: Path) -> bool:
    """Whether what is made in this folder is its group's too; False where there is none."""
    try:
        return os.stat(folder).st_mode & SHARED == SHARED  # noqa: PTH116  once a file written
    except OSError:
        return False


def of_file(folder: Path) -> int:
    """The mode of a file made in this folder."""
    return 0o660 if shared(folder) else 0o600


def of_folder(folder: Path) -> int:
    """The mode of a folder made in this folder."""
    return 0o2770 if shared(folder) else 0o700


def give(descriptor: int, folder: Path) -> None:
    """Give an open file the mode of its folder's files, unless it is another user's, of the same group. OSError."""
    with suppress(PermissionError):
        os.fchmod(descriptor, of_file(folder))


def make(folder: Path) -> None:
    """Make a folder, and those above it that are not there; one that is there stays as it is. Raises OSError."""
    for one in (*reversed(folder.parents), folder):
        if not one.is_dir():
            with suppress(FileExistsError):  # another process was a moment faster
                one.mkdir(0o700)
                one.chmod(of_folder(one.parent))
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))


def settle(path: Path) -> None:
    """Give a file or a tree, made by those whose code is not ours, the modes that it has in its folder. OSError."""
    group = shared(path.parent)
    if path.is_symlink():
        return
    path.chmod((0o2770 if group else 0o700) if path.is_dir() else (0o660 if group else 0o600))
    if path.is_dir():
        for one in path.iterdir():
            settle(one)
