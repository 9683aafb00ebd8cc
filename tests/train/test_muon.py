from __future__ import annotations

import pytest
import torch
from torch import nn

from dehaze.train.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 6, 6)])
def test_the_step_keeps_directions_and_levels_their_sizes(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    sizes = u.mT @ torch.stack(orthogonalised(list(matrices))) @ v.mT
    diagonal = sizes.diagonal(dim1=1, dim2=2)
    assert 0.6 < diagonal.min() <= diagonal.max() < 1.3
    assert (sizes - torch.diag_embed(diagonal)).abs().max() < 1e-3


def test_matrices_of_several_sizes_are_the_same_together_as_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.randn(shape, generator=generator) for shape in ((8, 20), (20, 8), (3, 4))]
    for alone, together in zip(matrices, orthogonalised(matrices), strict=True):
        assert together.shape == alone.shape
        assert torch.allclose(orthogonalised([alone])[0], together, atol=1e-5)


def test_it_learns_kernels_that_gradient_descent_crawls_to() -> None:
    """Inputs of very unequal strength: a quadratic with a condition number of 10^4."""
    torch.manual_seed(0)
    strength = torch.logspace(0, -2, 8).view(1, 8, 1, 1)
    x = torch.randn(64, 8, 6, 6) * strength
    target = nn.functional.conv2d(x, torch.randn(4, 8, 3, 3) / strength)
    losses = {}
    for name in ("muon", "sgd"):
        kernel = nn.Parameter(torch.zeros(4, 8, 3, 3))
        optimizer: torch.optim.Optimizer = (
            Muon([kernel], 0.3) if name == "muon" else torch.optim.SGD([kernel], 0.3)
        )
        for _ in range(150):
            loss = (nn.functional.conv2d(x, kernel) - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[name] = loss.item()
    assert losses["muon"] < losses["sgd"]


def test_weight_decay_shrinks_what_has_no_gradient() -> None:
    kernel = nn.Parameter(torch.ones(2, 2, 3, 3))
    kernel.grad = torch.zeros_like(kernel)
    Muon([kernel], 0.1, weight_decay=0.5).step()
    assert torch.allclose(kernel, torch.full_like(kernel, 0.95))
