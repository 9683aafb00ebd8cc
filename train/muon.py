"""Muon: momentum whose every step is made orthogonal, for convolution kernels.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon). torch.optim.Muon takes matrices
only; here a kernel (D, C, K, K) is the matrix (D, C K K), and those of one shape are one batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz step: steep at 0, so that 5 steps bring all singular values to
between 0.7 and 1.2."""


class Muon(torch.optim.Optimizer):
    """Steps of orthogonalised Nesterov momentum, with decoupled weight decay.

    Args:
        kernels: parameters of two or more dimensions, with more than one row and column.
        learning_rate: about the largest change of a singular value in one step.
    """

    def __init__(
        self,
        kernels: Iterable[nn.Parameter],
        learning_rate: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(kernels, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure, no loss
        assert closure is None
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for kernel in group["params"]:
                if kernel.grad is not None:
                    by_shape[kernel.shape].append(kernel)
            for kernels in by_shape.values():
                directions = [self._direction(kernel, group["momentum"]) for kernel in kernels]
                steps = orthogonalised(torch.stack(directions).flatten(2))
                scale = max(1.0, steps.shape[1] / steps.shape[2]) ** 0.5
                for kernel, step in zip(kernels, steps, strict=True):
                    kernel.mul_(1 - group["lr"] * group["weight_decay"])
                    kernel.add_(step.view(kernel.shape), alpha=-group["lr"] * scale)

    def _direction(self, kernel: nn.Parameter, momentum: float) -> Tensor:
        state = self.state[kernel]
        if not state:
            state["average"] = torch.zeros_like(kernel)
        average: Tensor = state["average"]
        assert kernel.grad is not None
        average.lerp_(kernel.grad, 1 - momentum)
        return kernel.grad.lerp(average, momentum)  # Nesterov's look ahead


def orthogonalised(matrices: Tensor) -> Tensor:
    """(B, r, c) to matrices of the same singular vectors whose singular values are all about 1."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
