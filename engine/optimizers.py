"""AdamW and SGD with momentum, on torch's fused kernels.

torch.optim's classes import torch's compiler at their first step: seconds and memory that an engine has no use for.
The arithmetic is torch's own, bit by bit: these call the functional forms that those classes call.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd


class Optimizer(ABC):
    """Weights, and what is remembered of each that has had a gradient (`state`); set `learning_rate` before a step."""

    def __init__(self, weights: Sequence[nn.Parameter], learning_rate: float, decay: float):
        self.learning_rate = learning_rate
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}
        # Matrices decay; biases and what a normalisation learns do not (Devlin et al. 2019).
        matrices = [weight for weight in weights if weight.dim() > 1]
        others = [weight for weight in weights if weight.dim() < 2]
        self.weights = matrices + others
        self.groups = [(group, of) for group, of in ((matrices, decay), (others, 0.0)) if group]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients; a weight without one is left as it is."""
        for group, decay in self.groups:
            if weights := [weight for weight in group if weight.grad is not None]:
                self._step(weights, [weight.grad for weight in weights], decay)  # type: ignore[misc]

    @abstractmethod
    def _step(self, weights: list[nn.Parameter], gradients: list[Tensor], decay: float) -> None:
        """The same for one group; each weight has a gradient."""

    def moments(self) -> dict[str, Tensor]:
        """All that is remembered, by the weight's number and a name."""
        return {
            f"{number} {name}": value
            for number, weight in enumerate(self.weights)
            for name, value in self.state.get(weight, {}).items()
        }

    def restore(self, moments: Mapping[str, Tensor]) -> None:
        """Remember what `moments` of another told."""
        self.state = {}
        for key, value in moments.items():
            number, _, name = key.partition(" ")
            weight = self.weights[int(number)]
            self.state.setdefault(weight, {})[name] = value.to(weight.device, copy=True)


class AdamW(Optimizer):
    """Adam (Kingma and Ba 2015), with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(
        self,
        weights: Sequence[nn.Parameter],
        learning_rate: float,
        decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ):
        super().__init__(weights, learning_rate, decay)
        self.betas, self.eps = betas, eps

    def _step(self, weights: list[nn.Parameter], gradients: list[Tensor], decay: float) -> None:
        told = [self.state.get(weight) or self._begin(weight) for weight in weights]
        averages, squares, steps = ([one[name] for one in told] for name in ("exp_avg", "exp_avg_sq", "step"))
        adam(
            weights,  # type: ignore[arg-type]
            gradients,
            averages,
            squares,
            [],
            steps,
            fused=True,
            decoupled_weight_decay=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.learning_rate,
            weight_decay=decay,
            eps=self.eps,
            maximize=False,
        )

    def _begin(self, weight: nn.Parameter) -> dict[str, Tensor]:
        """Of a weight at its first gradient; the count of steps is where the fused kernel wants it."""
        zeros: Any = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
        self.state[weight] = {"step": torch.zeros((), dtype=torch.float32, device=weight.device), **zeros}
        return self.state[weight]


class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum where it is above 0."""

    def __init__(self, weights: Sequence[nn.Parameter], learning_rate: float, decay: float, momentum: float):
        super().__init__(weights, learning_rate, decay)
        self.momentum = momentum

    def _step(self, weights: list[nn.Parameter], gradients: list[Tensor], decay: float) -> None:
        buffers = [self.state[weight]["momentum_buffer"] if weight in self.state else None for weight in weights]
        sgd(
            weights,  # type: ignore[arg-type]
            gradients,
            buffers if self.momentum else [],
            fused=True,
            weight_decay=decay,
            momentum=self.momentum,
            lr=self.learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        if self.momentum:
            for weight, buffer in zip(weights, buffers, strict=True):
                assert buffer is not None  # the kernel has put it there
                self.state[weight] = {"momentum_buffer": buffer}
