"""Our optimizers come to the bits of torch's own, and need none of torch's compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from engine.optimizers import AdamW, Sgd

KINDS = {
    "adamw": (
        lambda weights: AdamW(weights, 0.01, 0.1, betas=(0.9, 0.98)),
        lambda groups: torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.98), fused=True),
    ),
    "sgd": (lambda weights: Sgd(weights, 0.1, 0.1, 0.0), lambda groups: torch.optim.SGD(groups, lr=0.1, fused=True)),
    "momentum": (
        lambda weights: Sgd(weights, 0.1, 0.1, 0.9),
        lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, fused=True),
    ),
}


def weights() -> list[nn.Parameter]:
    """Two matrices, their biases, and a matrix that gets no gradient."""
    draw = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=draw)) for shape in ((5, 3), (3,), (3, 7), (7,), (2, 2))]


def give_gradients(of: list[nn.Parameter], step: int) -> None:
    draw = torch.Generator().manual_seed(100 + step)
    for weight in of[:-1]:
        weight.grad = torch.randn(weight.shape, generator=draw)


def grouped(of: list[nn.Parameter]) -> list[dict]:
    matrices, others = [w for w in of if w.dim() > 1], [w for w in of if w.dim() < 2]
    return [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_those_of_torchs_own_also_when_taken_up_again(kind):
    make, torchs = KINDS[kind]
    ours, theirs = weights(), weights()
    optimizer, reference = make(ours), torchs(grouped(theirs))
    for step in range(12):
        if step == 5:  # another engine goes on
            moments = {name: value.clone() for name, value in optimizer.moments().items()}
            optimizer = make(ours)
            optimizer.restore(moments)
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimizer.learning_rate = reference.param_groups[0]["lr"] = reference.param_groups[1]["lr"] = 0.1 / (step + 1)
        optimizer.step()
        reference.step()
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True)), step
        optimizer.zero_grad()
        reference.zero_grad()
        assert all(weight.grad is None for weight in ours)
    kept = reference.state_dict()["state"]
    told = {
        f"{number} {name}": value for number, one in kept.items() for name, value in one.items() if value is not None
    }
    moments = optimizer.moments()
    assert moments.keys() == told.keys(), "checkpoints of torch's own are read as ours"
    assert all(torch.equal(moments[name], told[name]) for name in told)


def test_a_training_imports_nothing_of_torchs_compiler():
    code = """
import sys, torch
from engine.optimizers import AdamW, Sgd
for optimizer in (AdamW, lambda *of: Sgd(*of, 0.9)):
    weight = torch.nn.Parameter(torch.ones(2, 2))
    one = optimizer([weight], 0.1, 0.0)
    weight.sum().backward()
    torch.nn.utils.clip_grad_norm_([weight], 1.0, foreach=True)
    one.step()
    one.restore(one.moments())
print(sorted(name for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor", "sympy"))))
"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
