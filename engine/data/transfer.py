"""One file over the network, so that a broken connection costs what was on the wire and nothing else.

The hub's own client begins a file anew in every process; this keeps what came beside the target and asks for the rest.
Both the datasets and the checkpoints of the hub come this way. Nothing here imports torch.
"""

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.secrets import hidden

_TRIES = 4  # in a row that brought nothing
_SHA256, _SHA1 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{40}")
_HASHED = 1 << 20  # bytes hashed at a time
_MAY_PASS = (408, 429, 500, 502, 503, 504)  # answers that a later try may not get

OFFLINE = "HF_HUB_OFFLINE is set"

Told = Callable[[int, int | None], None]  # is told how many bytes of the file are here, and of how many


class Damaged(OSError):
    """What came is not what was sent."""


class Cut(OSError):
    """The connection ended before the file did."""


@contextmanager
def quiet() -> Iterator[None]:
    """The hub's client without its log lines and progress bars; it reports to us, and we to the person."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    shown, bare = logging.get_verbosity(), are_progress_bars_disabled()
    logging.set_verbosity(logging.CRITICAL)  # its errors come to us as exceptions
    disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(shown)
        if not bare:
            enable_progress_bars()


def look(repository: str, file: str, commit: str, kind: str) -> Any:
    """Size and etag of a file on the hub; `kind` is "dataset" or "model". Raises what the hub's client does."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, file, revision=commit, repo_type=kind)
    return _patiently(lambda: get_hf_file_metadata(url), lambda: 0)


def download(
    repository: str, file: str, commit: str, kind: str, target: Path, told: Told = lambda _have, _of: None
) -> None:
    """Bring one file of the hub to `target`, in one rename; what an earlier try brought is not asked for again.

    Raises OSError where the disk does not take it, Damaged, and what the hub's client does.
    """
    from huggingface_hub import hf_hub_url

    there = look(repository, file, commit, kind)
    url = hf_hub_url(repository, file, revision=commit, repo_type=kind)
    # Named by its content: the beginning of another file is never taken for the beginning of this one.
    part = target.with_name(f"{there.etag}.incomplete")
    _patiently(lambda: _rest(url, part, there.size, told), lambda: _size(part))
    if (there.size is not None and _size(part) != there.size) or _damaged(part, there.etag):
        part.unlink()
        raise Damaged(f"{file} arrived damaged")
    part.replace(target)


def words(file: str, progress: Callable[[str], None]) -> Told:
    """Tells in words how far a file is."""
    return lambda have, of: progress(f"fetching {file}: {have / 1e6:.1f}{f' of {of / 1e6:.1f}' if of else ''} MB")


def reason(error: BaseException) -> str:
    """Why the hub gave nothing, in words that fit into brackets. Foreign text in them is not yet safe to show."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    known: tuple[tuple[type[BaseException], str], ...] = (
        (errors.OfflineModeIsEnabled, OFFLINE),
        (errors.GatedRepoError, "its owner asks for a login"),
        (errors.RepositoryNotFoundError, "the hub has no such repository, or it is private"),
        (errors.RevisionNotFoundError, "the hub has no such revision of it"),
        (httpx.ConnectError, "the hub cannot be reached"),
        (httpx.TimeoutException, "the hub does not answer"),
        (httpx.TransportError, "the connection broke"),
        (Cut, "the connection broke"),
    )
    for each in _chain(error):
        for kind, why in known:
            if isinstance(each, kind):
                return why
        if isinstance(each, errors.HfHubHTTPError):
            return f"the hub answered {each.response.status_code}"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    lines = hidden(str(error)).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def passing(error: BaseException) -> bool:
    """Whether the same command may do better in a while: the network broke, the hub was busy."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    chain = list(_chain(error))
    return any(
        isinstance(each, httpx.TransportError | Cut | Damaged)
        or (isinstance(each, errors.HfHubHTTPError) and each.response.status_code in _MAY_PASS)
        for each in chain
    )


def full(error: BaseException) -> bool:
    """Whether it was the disk that did not take it."""
    refusals = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENOTDIR)
    return any(isinstance(each, OSError) and each.errno in refusals for each in _chain(error))


def _rest(url: str, part: Path, size: int | None, told: Told) -> None:
    """Append to `part` what it lacks."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    have = _size(part)
    if size is not None and have >= size:
        return
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}  # or sizes and ranges would be those of a zip
    if have:
        headers["Range"] = f"bytes={have}-"
    wait = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=wait, follow_redirects=True) as answer:
        hf_raise_for_status(answer)
        goes_on = answer.status_code == 206  # a server may send the whole file instead
        with part.open("ab" if goes_on else "wb") as file:
            for piece in answer.iter_bytes():
                file.write(piece)
                file.flush()  # what came is kept even if we are killed
                told(file.tell(), size)
    if size is not None and _size(part) < size:
        raise Cut("the connection ended before the file did")


def _patiently(attempt: Callable[[], Any], have: Callable[[], int]) -> Any:
    """What `attempt` gives; tried again while what breaks may pass, until it brings nothing a few times in a row."""
    vain, before = 0, have()
    while True:
        try:
            return attempt()
        except Exception as error:
            now = have()
            vain, before = (0 if now > before else vain + 1), now
            if not passing(error) or vain == _TRIES:
                raise
            time.sleep(max(1, vain))


def _damaged(path: Path, etag: str) -> bool:
    """Whether a file is not the one that its name on the hub says: a large one's SHA-256, a small one's hash in git."""
    if _SHA256.fullmatch(etag):
        digest = hashlib.sha256()
    elif _SHA1.fullmatch(etag):
        digest = hashlib.sha1(b"blob %d\0" % _size(path), usedforsecurity=False)
    else:
        return False
    with path.open("rb") as file:
        while piece := file.read(_HASHED):
            digest.update(piece)
    return digest.hexdigest() != etag


def _size(path: Path) -> int:
    return path.stat().st_size if os.path.exists(path) else 0


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from, however it was raised again."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
