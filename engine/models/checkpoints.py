"""Checkpoints of transformers: found on this machine or brought from the hub, and looked over before anything loads.

Only safetensors are ever read, and no code that came with a checkpoint is run. Nothing here imports torch.
"""

import ast
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from engine.data import transfer
from engine.errors import BadInput

Progress = Callable[[str], None]

_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json")
_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "spm.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip
# Any one of these is enough to cut a text into pieces.
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model", "sentencepiece.bpe.model",
                 "tokenizer.model")  # fmt: skip
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_KEPT_BEFORE_THE_TEXT = ("roberta", "xlm-roberta", "camembert", "mpnet", "data2vec-text")  # position 0 is not the first


@dataclass(frozen=True)
class Facts:
    """What a checkpoint is; None where its config does not say. `classifier` is None where that cannot be told here."""

    model_type: str
    architectures: tuple[str, ...]
    classifier: bool | None
    weights: tuple[str, ...]
    hidden: int | None
    positions: int | None  # the longest text in pieces, special ones included
    vocabulary: int | None


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


def check(folder: Path, given: str = "") -> Facts:
    """What the checkpoint in `folder` is, from its small files and the heads of its weights; `given` is its name.

    Raises BadInput where it could not be fine-tuned as a sequence classifier: something is missing or broken, it needs
    its own code, or is of another kind.
    """
    where = f"model.checkpoint: {given or folder}"
    config = _config(folder, where)
    model_type = config.get("model_type")
    if _needs_code(folder, config):
        raise BadInput(
            f"{where} needs its own code, which is never run; give a checkpoint of an architecture in transformers."
        )
    if not isinstance(model_type, str):
        raise BadInput(f"{where} has a config.json without a model_type; give the folder of a transformers model.")
    known = _classifiers()
    if known and model_type not in known:
        raise BadInput(
            f"{where} is a {model_type}, of which transformers makes no sequence classifier; "
            "give a text encoder, such as bert, distilbert or roberta."
        )
    weights = _weights(folder, where)
    if not any(os.path.isfile(folder / name) for name in _VOCABULARIES):
        raise BadInput(
            f"{where} has no tokenizer; put its {' or '.join(_VOCABULARIES[:2])} beside the config.json "
            "(tokenizer.save_pretrained writes it)."
        )
    positions = _number(config, "max_position_embeddings", "n_positions")
    if positions is not None and model_type in _KEPT_BEFORE_THE_TEXT:
        positions -= int(config.get("pad_token_id") or 0) + 1
    return Facts(
        model_type=model_type,
        architectures=tuple(map(str, config.get("architectures") or ())),
        classifier=model_type in known if known else None,
        weights=weights,
        hidden=_number(config, "hidden_size", "dim", "d_model", "n_embd"),
        positions=positions,
        vocabulary=_number(config, "vocab_size"),
    )


def fingerprint(folder: Path, weights: bool = True) -> str:
    """A hash of what a checkpoint says: config, tokenizer and, unless left out, weights; the same wherever it lies.

    Raises BadInput where a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    wanted = ("config.json", *_TOKENIZER, *(_WEIGHTS if weights else ()))
    try:
        for file in sorted(entry for entry in folder.iterdir() if _one_of(entry.name, wanted)):
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
    if not any(_one_of(file, _WEIGHTS) for file in there):
        raise BadInput(f"model.checkpoint: {checkpoint} {_no_weights(there)}.")
    of = repo_folder_name(repo_id=name, repo_type="model")
    blobs, locks = Path(constants.HF_HUB_CACHE, of, "blobs"), Path(constants.HF_HUB_CACHE, ".locks", of)
    for folder in (blobs, locks):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (each for each in there if _one_of(each, ("config.json", *_TOKENIZER, *_WEIGHTS))):
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


def _config(folder: Path, where: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            f"{where} holds no config.json; give the folder of a transformers model, as save_pretrained writes it."
        ) from None
    except OSError as error:
        raise BadInput(
            f"{where} has a config.json that cannot be read ({error.strerror}); check the file and its rights."
        ) from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadInput(f"{where} has a config.json that is no JSON object; copy the folder again.")
    return found


def _needs_code(folder: Path, config: dict[str, Any]) -> bool:
    if config.get("auto_map"):
        return True
    with suppress(OSError, ValueError, RecursionError, AttributeError):
        tokenizer = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return bool(tokenizer.get("auto_map"))
    return False


def _weights(folder: Path, where: str) -> tuple[str, ...]:
    """The names of the safetensors files, each with a head that fits its size."""
    from safetensors import SafetensorError, safe_open

    names = sorted(entry.name for entry in folder.iterdir())
    found = tuple(name for name in names if _one_of(name, _WEIGHTS[:2]))
    if not found:
        raise BadInput(f"{where} {_no_weights(names)}.")
    if "model.safetensors" in found:
        found = ("model.safetensors",)  # transformers prefers it too
    else:
        wanted = _indexed(folder)
        if not wanted:
            raise BadInput(
                f"{where} has parts but no model.safetensors.index.json to put them together; fetch it again."
            )
        if missing := sorted(wanted - set(found)):
            raise BadInput(f"{where} lacks {missing[0]}, which its index names; copy or fetch it again.")
    for name in found:
        try:
            with safe_open(folder / name, "numpy"):
                pass
        except (SafetensorError, OSError):
            raise BadInput(f"{where} has a {name} that is cut off or damaged; copy or fetch it again.") from None
    return found


def _indexed(folder: Path) -> set[str]:
    """The parts that the index of divided weights names; none where it cannot be read."""
    with suppress(OSError, ValueError, RecursionError, KeyError, AttributeError, TypeError):
        index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
        return {str(part) for part in index["weight_map"].values()}
    return set()


def _no_weights(names: list[str]) -> str:
    pickled = sorted(name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt")) and "/" not in name)
    if pickled:
        return (
            f"has its weights only in {pickled[0]}, a format that can run code and is never read; convert it to "
            "safetensors (load it in transformers where you trust it, then save_pretrained) or give another"
        )
    return "holds no model.safetensors; give a checkpoint with its weights in safetensors"


@cache
def _classifiers() -> frozenset[str]:
    """The model types of which transformers makes sequence classifiers; empty where its source does not tell.

    Read as text: importing the mapping would import torch, which takes seconds that a launch does not have.
    """
    with suppress(ImportError, OSError, ValueError, SyntaxError, TypeError, AttributeError):
        source = Path(str(importlib.util.find_spec("transformers").origin)).parent  # type: ignore[union-attr]
        tree = ast.parse((source / "models" / "auto" / "modeling_auto.py").read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Assign) and "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES" in ast.unparse(
                node.targets[0]
            ):
                return frozenset(name for name, _ in ast.literal_eval(node.value.args[0]))  # type: ignore[attr-defined]
    return frozenset()


def _number(config: dict[str, Any], *names: str) -> int | None:
    return next((config[name] for name in names if type(config.get(name)) is int), None)


def _one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
