"""Where a pretraining stands: weights, the optimizer's moments and an account in words, in one file.

One file, so that weights and account never disagree; safetensors, so that nothing in it can be run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from engine.optimizers import Optimizer
from engine.record.rundir import write_atomically

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Standing:
    """After some epochs: tensors by name, and an account that JSON can hold."""

    tensors: Mapping[str, Tensor]
    account: dict[str, Any]


def write(path: Path, standing: Standing) -> None:
    """Replace the file, whole or not at all. Raises OSError."""
    metadata = {"account": orjson.dumps(standing.account).decode()}
    write_atomically(path, save(dict(standing.tensors), metadata))


def read(path: Path) -> Standing | None:
    """None where there is no such file, or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            # Copied, since the file is mapped and will be replaced.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            return Standing(tensors, orjson.loads((file.metadata() or {})["account"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def take(module: torch.nn.Module, optimizer: Optimizer, account: dict[str, Any]) -> Standing:
    """Of a network and an optimizer that have worked for a step or more."""
    tensors = {}
    for name, weight in module.named_parameters():
        tensors[f"weight:{name}"] = weight.detach().cpu().contiguous()
        for moment in _MOMENTS:
            tensors[f"{moment}:{name}"] = optimizer.state[weight][moment].cpu().contiguous()
    return Standing(tensors, account)


@torch.no_grad()
def restore(standing: Standing, module: torch.nn.Module, optimizer: Optimizer, steps: int) -> None:
    """Put a network and a fresh optimizer where they stood after so many steps. Raises KeyError, RuntimeError."""
    for name, weight in module.named_parameters():
        weight.copy_(standing.tensors[f"weight:{name}"])
        moments = {moment: standing.tensors[f"{moment}:{name}"].to(weight.device) for moment in _MOMENTS}
        counted = torch.tensor(float(steps), dtype=torch.float32, device=weight.device)  # as a fused optimizer has it
        optimizer.state[weight] = {"step": counted, **moments}
