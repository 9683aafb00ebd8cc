"""Muon: momentum whose every step is made orthogonal, for convolution kernels.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon). torch.optim.Muon takes matrices
only; here a kernel (D, C, K, K) is the matrix (D, C K K), and many are made orthogonal at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz step: steep at 0, so that 5 steps bring all singular values to
between 0.7 and 1.2."""


class Muon(torch.optim.Optimizer):
    """Steps of orthogonalised Nesterov momentum, with decoupled weight decay.

    Args:
        kernels: parameters of two or more dimensions, with more than one row and column.
        learning_rate: about the largest change of a singular value in one step; a tensor of no
            dimensions on the kernels' device if it is to change in a CUDA graph.
    """

    def __init__(
        self,
        kernels: Iterable[nn.Parameter],
        learning_rate: float | Tensor,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        # A CUDA graph may hold every step: nothing here waits for the GPU.
        defaults = {
            "lr": learning_rate,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "capturable": True,
        }
        super().__init__(kernels, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure, no loss
        assert closure is None
        for group in self.param_groups:
            kernels = [kernel for kernel in group["params"] if kernel.grad is not None]
            if not kernels:
                continue
            rate, momentum = group["lr"], group["momentum"]
            gradients = [kernel.grad for kernel in kernels]
            averages = [self._average(kernel) for kernel in kernels]
            torch._foreach_lerp_(averages, gradients, 1 - momentum)
            ahead = torch._foreach_lerp(gradients, averages, momentum)  # Nesterov's look ahead
            steps = _orthogonal_steps(ahead)
            torch._foreach_mul_(steps, rate)
            torch._foreach_mul_(kernels, 1 - rate * group["weight_decay"])
            torch._foreach_sub_(kernels, steps)

    def _average(self, kernel: nn.Parameter) -> Tensor:
        state = self.state[kernel]
        if not state:
            state["average"] = torch.zeros_like(kernel)
        average: Tensor = state["average"]
        return average


def _orthogonal_steps(directions: Sequence[Tensor]) -> list[Tensor]:
    """The direction of each kernel, orthogonal and of a size that suits its shape."""
    together: dict[Any, list[int]] = defaultdict(list)
    for index, direction in enumerate(directions):
        # A GPU starts twenty small batches more slowly than it runs one of padded matrices.
        together[None if direction.is_cuda else direction.shape].append(index)
    steps: list[Tensor] = [directions[0]] * len(directions)
    for indices in together.values():
        matrices = [directions[index].flatten(1) for index in indices]
        for index, matrix in zip(indices, orthogonalised(matrices), strict=True):
            scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
            steps[index] = scale * matrix.view(directions[index].shape)
    return steps


def orthogonalised(matrices: Sequence[Tensor]) -> list[Tensor]:
    """(r, c) matrices of any sizes to ones of the same singular vectors, all values about 1."""
    wide = [matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix for matrix in matrices]
    rows, columns = (max(matrix.shape[axis] for matrix in wide) for axis in (0, 1))
    # Zeros beside a matrix add singular values of 0, which stay 0.
    sizes = [(0, columns - matrix.shape[1], 0, rows - matrix.shape[0]) for matrix in wide]
    x = torch.stack([F.pad(matrix, size) for matrix, size in zip(wide, sizes, strict=True)])
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    cut = [y[: matrix.shape[0], : matrix.shape[1]] for y, matrix in zip(x, wide, strict=True)]
    return [
        y.mT if matrix.shape[0] > matrix.shape[1] else y
        for y, matrix in zip(cut, matrices, strict=True)
    ]
