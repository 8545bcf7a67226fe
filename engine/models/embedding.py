"""Word vectors, the first layer of every model that reads words: random or pretrained, tuned or left as they are.

Row 0 is padding, stays 0, and is no parameter of anything.
"""

import ssl
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data import cache
from engine.data.encoding import SPECIALS
from engine.errors import BadInput
from engine.models.initialisers import xavier_normal_
from engine.models.vectors import check, find, unreadable


@dataclass(frozen=True)
class Covered:
    """Pretrained vectors for the words of one vocabulary: `rows` [C] of the embedding, `values` [C, D] for them."""

    rows: Tensor
    values: Tensor


class WordVectors(nn.Module):
    """An embedding of [V, D]: Xavier normal, over it the pretrained vectors of the words that have one."""

    def __init__(self, words: Sequence[str], size: int, vectors: str | None, embeddings: str, reinit_vectors: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(len(words), size), requires_grad=embeddings == "tuned")
        self.pretrained = covered(words, size, vectors) if vectors else None
        self.reinit_vectors = reinit_vectors

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L] ids -> [B, L, D] vectors; the padding row gets no gradient."""
        return F.embedding(tokens, self.weight, padding_idx=0)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, control: bool) -> None:
        """Fresh vectors; words with a pretrained one get that, in a `control` unless it is to be redrawn there."""
        words, size = self.weight.shape
        xavier_normal_(self.weight, words, size, generator=generator)
        if self.pretrained is not None and not (control and self.reinit_vectors):
            self.weight[self.pretrained.rows.to(self.weight.device)] = self.pretrained.values.to(self.weight.device)
        self.weight[0] = 0


def take_words(words: Sequence[str], settings: dict[str, Any]) -> tuple[WordVectors, dict[str, Any]]:
    """The first layer that a model's settings ask for, and the settings that are not about it. Raises BadInput."""
    others = dict(settings)
    size, vectors = others.pop("embedding_dim"), others.pop("vectors")
    return WordVectors(words, size, vectors, others.pop("embeddings"), others.pop("reinit_vectors")), others


def covered(words: Sequence[str], size: int, vectors: str) -> Covered:
    """The words of a vocabulary that a file of vectors has; cached, since reading GloVe takes long. Raises BadInput."""
    path = find(vectors)
    check(path, size)
    stat = path.stat()
    place = cache.place("vectors", "rows", str(path), stat.st_size, stat.st_mtime_ns, size, "\n".join(words))
    if kept := cache.read(place):
        head, body = kept
        rows, values = np.frombuffer(body[: head["bytes"]], np.int64), np.frombuffer(body[head["bytes"] :], np.float32)
        return Covered(torch.from_numpy(rows.copy()), torch.from_numpy(values.copy()).view(-1, size))
    table = _read(path)
    known = [(row, table.stoi[word]) for row, word in enumerate(words) if row >= len(SPECIALS) and word in table.stoi]
    if not known:
        raise BadInput(f"model.vectors: {path} has none of the dataset's {len(words)} words; give other vectors.")
    found, places = (torch.tensor(column) for column in zip(*known, strict=True))
    chosen = table.vectors[places].float()
    if not chosen.isfinite().all():
        raise unreadable(path, "some of its numbers are not finite")
    cache.write(place, {"bytes": found.numel() * 8}, [found.numpy().tobytes(), chosen.numpy().tobytes()])
    return Covered(found, chosen)


def _read(path: Path) -> Any:
    """torchtext's `Vectors` of a text file, plain or gzipped. Raises BadInput."""
    from torchtext import vocab

    checked = (
        ssl._create_default_https_context
    )  # torchtext turns the checking of certificates off for the whole process
    shown, vocab.tqdm = vocab.tqdm, partial(vocab.tqdm, disable=True)
    try:
        with tempfile.TemporaryDirectory() as folder:  # where it leaves a copy in a format that we do not read
            return vocab.Vectors(str(path), cache=folder)
    except (RuntimeError, ValueError, TypeError, OSError, EOFError, zlib.error) as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise unreadable(path, words[0]) from None
    finally:
        ssl._create_default_https_context = checked
        vocab.tqdm = shown
