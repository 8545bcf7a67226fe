"""Masked language modelling (Devlin et al. 2019): a network of transformers, an epoch of it, what it has learned.

Without dropout: a small network that meets each text a few times is far from learning it by heart, and learns faster
so (Lan et al. 2020, section 4.9). What is saved has BERT's usual dropout, for fine-tuning.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM
from transformers.utils import logging

from engine import memory
from engine.errors import Stopped
from engine.models.blocks import Batch
from engine.models.sizes import Shape
from engine.optimizers import AdamW, Optimizer

_LOOK = 20  # steps between two looks at the loss; each waits for the device


def network(shape: Shape, pieces: int, pad: int, seed: int) -> Any:
    """A BertForMaskedLM of that shape over so many pieces, weights drawn from `seed` by BERT's own initialiser.

    Its positions alone begin as sines, in which neighbours are alike: what is learned at one place of a text then helps
    at all others, where a short pretraining meets each of them seldom.
    """
    config = BertConfig(
        vocab_size=pieces,
        num_hidden_layers=shape.layers,
        hidden_size=shape.hidden,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=shape.positions,
        pad_token_id=pad,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = BertForMaskedLM(config)
    with torch.no_grad():
        made.bert.embeddings.position_embeddings.weight.copy_(_sines(shape) * config.initializer_range * 2**0.5)
    return made


def _sines(shape: Shape) -> Tensor:
    """[positions, hidden], Vaswani et al. 2017, section 3.5."""
    waves = torch.exp(-math.log(10_000) * torch.arange(0, shape.hidden, 2) / shape.hidden)
    angles = torch.arange(shape.positions)[:, None] * waves
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def save(module: Any, tokenizer: Any, folder: Path) -> None:
    """A folder that `from_pretrained` reads: configuration, weights as safetensors, tokenizer."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        module.to("cpu").save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    finally:
        if shown:
            logging.enable_progress_bar()


def finite(*numbers: float) -> bool:
    return all(math.isfinite(number) for number in numbers)


def loss(module: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Sum of the cross-entropies of the pieces to be guessed, in nats, and how many were guessed right.

    The vocabulary is the widest layer, so it is computed for these pieces alone.
    """
    states = module.bert(
        input_ids=batch.tokens, attention_mask=batch.valid, position_ids=batch.positions
    ).last_hidden_state
    scores = module.cls(states.flatten(0, 1)[batch.where]).float()
    right = (scores.detach().argmax(dim=1) == batch.wanted).sum()
    return F.cross_entropy(scores, batch.wanted, reduction="sum"), right


def optimizer_of(module: Any, learning_rate: float) -> AdamW:
    """AdamW as for BERT: weight decay 0.01; 0.98 as the slower beta (Liu et al. 2019)."""
    return AdamW(list(module.parameters()), learning_rate, 0.01, betas=(0.9, 0.98))


def learning_rate(highest: float, step: int, steps: int) -> float:
    """Of step 0, 1, ... of `steps`: rises in a straight line over a tenth of them, then falls in one to 0."""
    rising = max(1, round(0.1 * steps))
    return highest * ((step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising))


def epoch(
    module: Any,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    rate: Callable[[int], float],
    on_step: Callable[[int, float | None], None],
    stop: Callable[[], bool],
) -> float:
    """Train on every batch once; the mean loss a guessed piece. `rate(step)` is the learning rate of its steps.

    `on_step` is told after each step how many were done, and now and then the loss since it was last told. The mean is
    not finite where training diverged; it then ends early. Raises Stopped within a step of `stop()` becoming true.
    """
    module.eval()  # no dropout
    device = next(module.parameters()).device
    parameters = list(module.parameters())
    total, recent = torch.zeros((), device=device), torch.zeros((), device=device)
    guessed = guessed_recently = 0
    for step, each in enumerate(batches):
        if stop():
            raise Stopped
        batch = each.to(device)
        optimizer.learning_rate = rate(step)
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            summed, _ = loss(module, batch)
        (summed / max(1, len(batch.wanted))).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        recent += summed.detach()
        guessed_recently += len(batch.wanted)
        if step % _LOOK:
            on_step(step + 1, None)
            continue
        mean = recent.item() / max(1, guessed_recently)
        on_step(step + 1, mean)
        memory.give_back()
        total += recent
        guessed += guessed_recently
        recent.zero_()
        guessed_recently = 0
        if not math.isfinite(mean):
            break
    return (total + recent).item() / max(1, guessed + guessed_recently)


@torch.inference_mode()
def evaluate(module: Any, batches: Iterable[Batch], stop: Callable[[], bool]) -> tuple[float, float]:
    """Mean loss a guessed piece, in nats, and the share of pieces guessed right."""
    module.eval()
    device = next(module.parameters()).device
    total, hits, guessed = torch.zeros((), device=device), torch.zeros((), dtype=torch.long, device=device), 0
    for each in batches:
        if stop():
            raise Stopped
        batch = each.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            summed, right = loss(module, batch)
        total, hits, guessed = total + summed, hits + right, guessed + len(batch.wanted)
    return total.item() / max(1, guessed), hits.item() / max(1, guessed)
