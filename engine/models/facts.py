"""What the folder of a checkpoint holds, told from its small files and the heads of its weights, before anything loads.

Only safetensors are ever read, and no code that came with a checkpoint is run. Nothing here imports torch.
"""

import ast
import importlib.util
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from engine.errors import BadInput

WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json")
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
    "vocab.json", "merges.txt", "spiece.model", "spm.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip
# Any one of these is enough to cut a text into pieces.
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model", "sentencepiece.bpe.model",
                 "tokenizer.model")  # fmt: skip
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
    found = tuple(name for name in names if one_of(name, WEIGHTS[:2]))
    if not found:
        raise BadInput(f"{where} {no_weights(names)}.")
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


def no_weights(names: list[str]) -> str:
    """What to say of a checkpoint whose files, these, are without weights that may be read."""
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


def one_of(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a file is one of those that `WEIGHTS` or `TOKENIZER` means."""
    return any(fnmatch(name, pattern) for pattern in patterns)
