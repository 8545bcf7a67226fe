"""Texts as blocks of word pieces for masked language modelling, batched by length, with new masks in each epoch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import BertTokenizer, DataCollatorForLanguageModeling

from engine.data.encoding import compact
from engine.models import wordpiece

_POOL = 50  # batches sorted by length together, as in data.batches
_CHUNK = 1000  # texts encoded at a time


@dataclass(frozen=True, eq=False)
class Blocks:
    """Block i is `pieces[starts[i] : starts[i] + lengths[i]]`, which begins at place `places[i]` of its text."""

    pieces: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    places: np.ndarray
    texts: int

    def __len__(self) -> int:
        return len(self.starts)


class Batch(NamedTuple):
    """Some blocks in [CLS] and [SEP], masked. Everything a device needs to work on without being waited for."""

    tokens: Tensor  # [B, L] int64
    positions: Tensor  # [B, L] int64: where each piece stands in its text, [CLS] at 0
    valid: Tensor | None  # [B, 1, 1, L] bool, false on padding; None where there is none
    where: Tensor  # [M] which of the B * L pieces are to be guessed
    wanted: Tensor  # [M] what they are

    def to(self, device: torch.device) -> "Batch":
        if device.type == "cpu":
            return self

        def sent(one: Tensor) -> Tensor:
            return one.pin_memory().to(device, non_blocking=True)

        valid = None if self.valid is None else sent(self.valid)
        return Batch(sent(self.tokens), sent(self.positions), valid, sent(self.where), sent(self.wanted))


def cut(texts: Iterable[str], vocabulary: Sequence[str], max_tokens: int) -> Blocks:
    """Every text in windows of equal length, as few as have room for their special pieces in `max_tokens`."""
    encoder = wordpiece.encoder(vocabulary)
    pieces: list[np.ndarray] = []
    sizes: list[int] = []
    for chunk in _chunks(texts):
        found = [one.ids for one in encoder.encode_batch_fast(chunk, add_special_tokens=False)]
        sizes += map(len, found)
        pieces.append(
            np.fromiter((id_ for ids in found for id_ in ids), compact(len(vocabulary)), sum(map(len, found)))
        )
    of_text = np.array(sizes, np.int64)
    windows = -(-of_text // (max_tokens - 2))
    text = np.repeat(np.arange(len(of_text)), windows)
    number = np.arange(len(text)) - np.repeat(np.cumsum(windows) - windows, windows)
    places = number * of_text[text] // windows[text]
    ends = (number + 1) * of_text[text] // windows[text]
    starts = (np.cumsum(of_text) - of_text)[text] + places
    return Blocks(np.concatenate(pieces or [np.empty(0, np.uint16)]), starts, ends - places, places, len(sizes))


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def unigram_loss(train: Blocks, measured: Blocks, pieces: int) -> float:
    """Nats a piece of `measured`, guessed by how often pieces occur in `train`: what a network must do better than."""
    counts = np.bincount(train.pieces, minlength=pieces) + 1.0
    return float(-np.log(counts / counts.sum())[measured.pieces].mean())


def tokenizer(vocabulary: Sequence[str], positions: int) -> Any:
    """The tokenizer of transformers for these pieces; its network reads `positions` of them."""
    numbers = {piece: number for number, piece in enumerate(vocabulary)}
    return BertTokenizer(vocab=numbers, do_lower_case=wordpiece.lower_case(vocabulary), model_max_length=positions)


class Masking:
    """Masks as Devlin et al. 2019: 15 % of the pieces, of those 80 % by [MASK], 10 % by any piece, 10 % left."""

    def __init__(self, vocabulary: Sequence[str], positions: int) -> None:
        self._collator = DataCollatorForLanguageModeling(tokenizer(vocabulary, positions), mlm_probability=0.15)
        self._pad, self._cls, self._sep = (
            vocabulary.index(piece) for piece in (wordpiece.PAD, wordpiece.CLS, wordpiece.SEP)
        )
        self._positions = positions

    def shuffled(self, blocks: Blocks, size: int, order: int, masks: int) -> Iterator[Batch]:
        """One epoch: every block once, in an order that the seed `order` alone decides, masks by the seed `masks`."""
        random = np.random.Generator(np.random.PCG64(order))
        rows = random.permutation(len(blocks))
        for start in range(0, len(rows), _POOL * size):
            pool = rows[start : start + _POOL * size]
            rows[start : start + len(pool)] = pool[np.argsort(blocks.lengths[pool], kind="stable")]
        starts = np.arange(0, len(rows), size)
        random.shuffle(starts)
        return self._batches(blocks, [rows[start : start + size] for start in starts], masks)

    def by_length(self, blocks: Blocks, size: int, masks: int) -> Iterator[Batch]:
        """Every block once, shortest first, with the same masks each time."""
        rows = np.argsort(blocks.lengths, kind="stable")
        return self._batches(blocks, [rows[start : start + size] for start in range(0, len(rows), size)], masks)

    def _batches(self, blocks: Blocks, batches: list[np.ndarray], masks: int) -> Iterator[Batch]:
        self._collator.generator = torch.Generator().manual_seed(masks)
        for rows in batches:
            yield self._batch(blocks, rows)

    def _batch(self, blocks: Blocks, rows: np.ndarray) -> Batch:
        lengths = blocks.lengths[rows][:, None]
        columns = np.arange(int(lengths.max()) + 2)
        inside = (columns >= 1) & (columns <= lengths)
        at = np.where(inside, blocks.starts[rows][:, None] + columns - 1, 0)
        tokens = np.where(inside, blocks.pieces[at].astype(np.int64), self._pad)
        tokens[:, 0] = self._cls
        np.put_along_axis(tokens, lengths + 1, self._sep, axis=1)
        masked, labels = self._collator.torch_mask_tokens(torch.from_numpy(tokens), torch.from_numpy(~inside))
        labels = labels.flatten()
        where = (labels != -100).nonzero().flatten()
        ragged = bool((lengths != lengths.max()).any())
        return Batch(
            masked,
            torch.from_numpy(self._places(blocks.places[rows][:, None], lengths, columns)),
            torch.from_numpy(columns < lengths + 2)[:, None, None] if ragged else None,
            where,
            labels[where],
        )

    def _places(self, places: np.ndarray, lengths: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Position ids: a window stands where it does in its text, so that all positions are learned from short ones.

        Behind the last position that the network has, they begin again.
        """
        room = self._positions - lengths - 1
        found = np.where(columns > 0, np.where(places < room, places, places % room) + columns, 0)
        return np.minimum(found, self._positions - 1)  # of the padding
