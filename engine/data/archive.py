"""Archives of published datasets (.tgz, .tar.gz, .zip), of which only what makes up a dataset is ever written to disk.

Nothing is extracted by the name that the archive gives it: members are read as streams, and their content is put under
names of ours. An archive that climbs out of its folder, holds links or devices, or would fill the disk is refused.
"""

import gzip
import re
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from zipfile import BadZipFile, ZipFile

from engine.data import tables
from engine.errors import BadInput

MOST_FILES = 400_000  # aclImdb has 150,000
MOST_BYTES = 4_000_000_000  # Yelp's largest set has 500 million
_LONGEST_HEADER = 1_000_000  # bytes that a tar may use to name one member
_TOLD = 2000  # files between two words about progress
_SENTENCES = re.compile(r"stsa\.binary\.(train|dev|test)")
_REVIEW = re.compile(r"\d+_\d+\.txt")


class _Member(NamedTuple):
    name: str
    size: int
    plain: bool  # neither link nor device
    folder: bool
    open: Callable[[], IO[bytes] | None]


class _Info(tarfile.TarInfo):
    """Refuses a member's name of megabytes, which tarfile would read into memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if not self.isreg() and self.size > _LONGEST_HEADER:
            raise BadInput(f"dataset: {archive.name!s} is no archive of texts (a header of {self.size:,} bytes).")
        return super()._proc_member(archive)  # type: ignore[misc]


def kind(path: Path) -> str:
    """`tgz` or `zip`, known by content; "" for anything else, a gzipped table among it."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"PK"):
        return "zip"
    return "tgz" if start.startswith(b"\x1f\x8b") and not tables.kind(path) else ""


def unpack(path: Path, target: Path, progress: Callable[[str], None] = lambda _: None) -> None:
    """Put the files of a dataset that an archive holds into the folder `target`, which is empty.

    Raises BadInput for an archive that breaks off or is damaged, climbs out, holds links or devices, holds two of a
    file, or is too large; and OSError where the disk does not take it.
    """
    members = _tar(path) if kind(path) == "tgz" else _zip(path)
    count = size = 0
    try:
        for member in members:
            count, size = count + 1, size + member.size
            _refuse(path, member, count, size)
            place = None if member.folder else _place(member.name)
            if place is not None:
                _write(path, member, target / place)
            if count % _TOLD == 0:
                progress(f"unpacking {path.name}: {count:,} files")
    except BadInput:  # a ValueError too
        raise
    except (tarfile.TarError, BadZipFile, EOFError, zlib.error, LZMAError, ValueError, IndexError) as error:
        raise BadInput(f"dataset: {path} breaks off or is damaged ({error}); download it again.") from None
    except (NotImplementedError, RuntimeError) as error:  # how zipfile refuses passwords and odd compressions
        raise BadInput(f"dataset: {path} cannot be unpacked ({error}); unpack it and give the folder.") from None


@contextmanager
def _reading() -> Iterator[None]:
    """What goes wrong in reading is the archive's fault, and not that of the disk which is written to."""
    try:
        yield
    except OSError as error:  # bzip2 and gzip have no other for content that is none of theirs
        raise EOFError(error.strerror or str(error)) from None


class _Content:
    """The content of a member, to be copied from."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content

    def read(self, size: int = -1) -> bytes:
        with _reading():
            return self._content.read(size)


def _refuse(path: Path, member: _Member, count: int, size: int) -> None:
    name = member.name.replace("\\", "/")
    if ".." in PurePosixPath(name).parts or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise BadInput(f"dataset: {path} climbs out of its folder (it holds {member.name[:80]!r}); get another copy.")
    if not member.plain:
        raise BadInput(f"dataset: {path} holds a link or a device ({member.name[:80]!r}); get another copy.")
    if count > MOST_FILES or size > MOST_BYTES:
        most = f"{MOST_FILES:,} files" if count > MOST_FILES else f"{MOST_BYTES / 1e9:g} GB"
        raise BadInput(
            f"dataset: {path} holds more than {most}, so it is none of the sets; give the set's own archive."
        )


def _place(name: str) -> Path | None:
    """Where a member goes: a table, SST lines, or one of aclImdb's reviews; None for what is not wanted."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or any(part.startswith((".", "__")) for part in parts):
        return None
    base = parts[-1]
    if len(parts) >= 3 and parts[-3] in ("train", "test") and parts[-2] in ("pos", "neg"):
        return Path(*parts[-3:]) if _REVIEW.fullmatch(base) else None
    if _SENTENCES.fullmatch(base):
        return Path(base)
    return Path(re.sub(r"[^\w .()-]", "_", base)[-100:]) if tables.kind(Path(base)) else None


def _write(path: Path, member: _Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _reading():
        content = member.open()
    if content is None:
        raise tarfile.ReadError(f"{member.name[:80]!r} has no content")
    try:
        with content, target.open("xb") as file:
            shutil.copyfileobj(_Content(content), file)
    except FileExistsError:
        raise BadInput(f"dataset: {path} holds two of {target.name}; give the folder that is meant.") from None
    if target.stat().st_size != member.size:
        raise EOFError(f"{target.name} is not whole")


def _tar(path: Path) -> Iterator[_Member]:
    with _reading(), gzip.open(path) as unzipped:
        with tarfile.open(path, mode="r|", fileobj=unzipped, tarinfo=_Info) as archive:
            while (one := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # a hundred thousand of them would be a hundred megabytes
                plain = (one.isreg() and not one.issparse()) or one.isdir()
                yield _Member(one.name, one.size, plain, one.isdir(), partial(archive.extractfile, one))
        left = 0
        while piece := unzipped.read(1 << 20):  # to its end, where gzip checks that all of it came
            left += len(piece)
            if left > MOST_BYTES:
                raise tarfile.ReadError("no end")


def _zip(path: Path) -> Iterator[_Member]:
    with _reading(), ZipFile(path) as archive:
        for one in archive.infolist():
            mode = one.external_attr >> 16
            plain = not stat.S_IFMT(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)
            yield _Member(one.filename, one.file_size, plain, one.is_dir(), partial(archive.open, one))
