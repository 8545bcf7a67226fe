"""Checkpoints of transformers: found on this machine or brought from the hub, and looked over before anything loads.

Of the hub's files only those that `facts` knows are asked for: pickles and code never. Nothing here imports torch.
"""

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.data import transfer
from engine.errors import BadInput
from engine.models.facts import TOKENIZER, WEIGHTS, check, no_weights, one_of
from engine.record import modes

Progress = Callable[[str], None]

_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def resolve(checkpoint: str, download: bool, progress: Progress = lambda _: None) -> Path:
    """The local folder of a checkpoint, given as a folder or a hub name: `google-bert/bert-base-uncased[@revision]`.

    What is on this machine is used without asking the network; only `download` brings what is not. The folder has
    been through `check`. Raises BadInput.
    """
    folder = Path(os.path.expanduser(checkpoint))
    if os.path.isdir(folder):
        check(folder)
        return folder.absolute()
    name, _, revision = checkpoint.partition("@")
    if checkpoint.startswith((".", "/", "~")) or not _NAME.fullmatch(name):
        state = "is no folder" if os.path.exists(folder) else "does not exist"
        raise BadInput(f"model.checkpoint: {checkpoint} {state}; give a transformers folder or a hub name.")
    revision = revision or "main"
    try:
        with transfer.quiet():
            cached = _cached(name, revision)
            if download and not _usable(cached):
                with modes.as_given():  # the hub's cache is not ours, and may be shared otherwise
                    cached = _download(checkpoint, name, revision, progress)
    except BadInput:
        raise
    except Exception as error:  # noqa: BLE001  the hub's client raises what its dependencies do; `transfer` knows which
        raise _failed(checkpoint, error) from None
    if cached is None:
        raise BadInput(
            f"model.checkpoint: {checkpoint} is neither a folder nor in the hub's cache on this machine; give a "
            "folder, or launch the run where the hub can be reached."
        )
    check(cached, checkpoint)
    return cached


def fingerprint(folder: Path, weights: bool = True) -> str:
    """A hash of what a checkpoint says: config, tokenizer and, unless left out, weights; the same wherever it lies.

    Raises BadInput where a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    wanted = ("config.json", *TOKENIZER, *(WEIGHTS if weights else ()))
    try:
        for file in sorted(entry for entry in folder.iterdir() if one_of(entry.name, wanted)):
            # The hub's cache links to files named by their sha256, which saves reading gigabytes.
            named = file.resolve().name if file.is_symlink() else ""
            if not re.fullmatch("[0-9a-f]{64}", named):
                with file.open("rb") as content:
                    named = hashlib.file_digest(content, "sha256").hexdigest()
            digest.update(f"{file.name} {named}\n".encode())
    except OSError as error:
        raise BadInput(
            f"model.checkpoint: {folder} cannot be read ({error.strerror}); check the folder and its rights."
        ) from None
    return digest.hexdigest()


def _cached(name: str, revision: str) -> Path | None:
    """The folder of the hub's cache that holds this revision, or some of it. Asks no network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with suppress(LocalEntryNotFoundError):
        return Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=["config.json"]))
    return None


def _usable(folder: Path | None) -> bool:
    with suppress(BadInput):
        return folder is not None and bool(check(folder))
    return False


def _download(checkpoint: str, name: str, revision: str, progress: Progress) -> Path:
    """Bring what a checkpoint needs into the hub's cache, file by file: an interrupt is heard between any two bytes."""
    from filelock import FileLock
    from huggingface_hub import HfApi, constants, hf_hub_download
    from huggingface_hub.file_download import repo_folder_name

    progress(f"looking at {name}")
    about = HfApi().model_info(name, revision=revision, timeout=10)
    commit, there = str(about.sha), [each.rfilename for each in about.siblings or ()]
    if not any(one_of(file, WEIGHTS) for file in there):
        raise BadInput(f"model.checkpoint: {checkpoint} {no_weights(there)}.")
    of = repo_folder_name(repo_id=name, repo_type="model")
    blobs, locks = Path(constants.HF_HUB_CACHE, of, "blobs"), Path(constants.HF_HUB_CACHE, ".locks", of)
    for folder in (blobs, locks):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (each for each in there if one_of(each, ("config.json", *TOKENIZER, *WEIGHTS))):
        there = transfer.look(name, file, commit, "model")
        blob = blobs / there.etag
        with FileLock(locks / f"{blob.name}.lock"):  # the lock that the hub's client takes for this file
            if not blob.exists() or there.size not in (None, blob.stat().st_size):
                transfer.download(name, file, commit, "model", blob, transfer.words(f"{name} {file}", progress))
        hf_hub_download(name, file, revision=revision)  # finds the content, and puts the name in its place
    found = _cached(name, revision)
    assert found is not None  # or the loop would have raised
    return found


def _failed(checkpoint: str, error: Exception) -> BadInput:
    """What went wrong and what would do, in one sentence."""
    why = transfer.reason(error)
    remedy = "give another hub name, one with @revision, or a transformers folder"
    if transfer.full(error):
        remedy = "make room or set HF_HOME to a folder that can be written"
    elif transfer.passing(error):
        remedy = "launch again and it goes on where it broke off, or give a transformers folder"
    elif why == transfer.OFFLINE:
        remedy = "unset it and launch again, or give a transformers folder"
    return BadInput(f"model.checkpoint: {checkpoint} could not be fetched from the hub ({why}); {remedy}.")
