"""Texts as numbers of word pieces, by the fast tokenizer that a checkpoint brings."""

import os
from array import array
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.corpus import Corpus
from engine.data.encoding import Encoded, Texts, compact
from engine.data.reader import Reader
from engine.errors import BadInput

# All that decides what a tokenizer does and how much of a text its model reads; never the weights. Without one of the
# first, transformers makes up a tokenizer that knows no word.
_PIECES = ("tokenizer.json", "vocab*.json", "vocab*.txt", "*.model")
_FILES = (*_PIECES, "config.json", "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")
# Their positions count from behind that of the padding, as in the RoBERTa of fairseq.
_RESERVING = ("roberta", "camembert", "longformer", "mpnet", "data2vec-text", "luke", "ibert", "xmod", "esm")
_UNLIMITED = 10**9


def fingerprint(checkpoint: Path) -> str:
    """A hash of the files that a tokenizer is made of, wherever they lie. Raises BadInput where there are none."""
    if not any(file for pattern in _PIECES for file in checkpoint.glob(pattern)):
        raise BadInput(f"model.checkpoint: {checkpoint} holds no tokenizer; give the folder of a transformers model.")
    digest = blake2b(digest_size=16)
    try:
        for file in sorted({file for pattern in _FILES for file in checkpoint.glob(pattern)}):
            content = file.read_bytes()
            digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    except OSError as error:
        raise BadInput(
            f"model.checkpoint: {error.filename} cannot be read ({error.strerror}); check the file and its rights."
        ) from None
    return digest.hexdigest()


def encode(
    source: Corpus,
    checkpoint: Path,
    max_tokens: int,
    progress: Callable[[str], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Encoded:
    """Every text in ids of the tokenizer in `checkpoint`, special tokens among them, cut to what it can read.

    Raises BadInput for a tokenizer that cannot be read or has no room for a text, and Stopped.
    """
    tokenizer, readable = _tokenizer(checkpoint)
    longest = min(max_tokens, readable)
    added = tokenizer.num_special_tokens_to_add()
    if longest <= added:
        raise BadInput(
            f"data.max_tokens: {max_tokens} given, but the tokenizer of {checkpoint.name} adds {added} tokens to each "
            f"text and reads {longest} in all; give at least {added + 1}."
        )
    reader = Reader(source, progress, stop)
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(longest, direction=tokenizer.truncation_side)
    # A tokenizer without special tokens may make nothing of a text.
    nothing = [next((id_ for id_ in (tokenizer.unk_token_id, tokenizer.eos_token_id) if id_ is not None), 0)]
    names = backend.get_vocab(with_added_tokens=True)
    vocabulary = [""] * (max(names.values()) + 1)
    for name, id_ in names.items():
        vocabulary[id_] = name

    def part(pairs: Iterable[tuple[str, int]]) -> tuple[Texts, int]:
        chunks, lengths, labels, cut = [], array("q", [0]), array("q"), 0
        for texts in reader.chunks(pairs, labels):
            ids = array("i")
            for found in backend.encode_batch_fast([_whole(text) for text in texts]):
                ids.extend(found.ids or nothing)
                lengths.append(len(found.ids) or 1)
                cut += bool(found.overflowing)
            chunks.append(np.frombuffer(ids, np.intc).astype(compact(len(vocabulary))))
        tokens = np.concatenate(chunks) if chunks else np.empty(0, compact(len(vocabulary)))
        tokens.flags.writeable = False  # as those from the cache are
        return Texts(tokens, np.cumsum(lengths, dtype=np.int64), np.array(labels, np.int64)), cut

    # Its threads are switched off after any fork of this process unless somebody wants them in so many words.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    (train, train_cut), (test, test_cut) = part(source.train), part(source.test)
    return Encoded(source.name, source.class_names, vocabulary, source.note, train, test, train_cut + test_cut)


def _whole(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which JSON may hold and Rust does not take."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _tokenizer(checkpoint: Path) -> tuple[Any, int]:
    """The tokenizer of a checkpoint, and how many ids its model can read. Raises BadInput."""
    from transformers import AutoConfig, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(checkpoint, local_files_only=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(
            checkpoint, local_files_only=True, use_fast=True, trust_remote_code=False
        )
    except Exception as error:  # noqa: BLE001  each library beneath has its own, down to Rust's plain Exception
        words = next(iter(str(error).strip().splitlines()), "").rstrip(".") or type(error).__name__
        raise BadInput(f"model.checkpoint: {checkpoint} holds no tokenizer that can be read ({words}).") from None
    if not tokenizer.is_fast:
        raise BadInput(f"model.checkpoint: {checkpoint} holds no fast tokenizer; give one with a tokenizer.json.")
    positions = getattr(config, "max_position_embeddings", None) or 0
    if any(name in config.model_type for name in _RESERVING):
        positions -= (1 if config.pad_token_id is None else config.pad_token_id) + 1
    # A model of relative positions states none, and a tokenizer without a limit a huge one.
    return tokenizer, min(tokenizer.model_max_length, positions if positions > 0 else _UNLIMITED)
