"""Haze made on the fly by the scattering model, I = J t + A (1 - t) with t = exp(-beta d).

The ranges are RESIDE's (arXiv 1712.04143, section 3): beta from [0.6, 1.8] on depth as a share of
the scene's largest, A from [0.7, 1.0].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .scenes import Scenes


@dataclass(frozen=True)
class HazeRecipe:
    """How the haze of a training sample is drawn."""

    airlight: tuple[float, float] = (0.7, 1.0)
    white_share: float = 0.5
    """Share of samples with A = 1, the airlight of SOTS-indoor."""
    tint: float = 0.04
    """Largest deviation of a colour of A from its mean, for real skies."""
    tinted_share: float = 0.3
    clear_share: float = 0.08
    """Share of samples without haze: the network must learn to do no harm."""


class Pair(NamedTuple):
    """A batch of synthesised samples."""

    hazy: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]."""
    clear: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]."""
    transmission: Tensor
    """(N, 1, h, w) float32 in (0, 1]."""


def scatter(clear: Tensor, transmission: Tensor, airlight: Tensor | float) -> Tensor:
    """I = J t + A (1 - t)."""
    return clear * transmission + airlight * (1 - transmission)


def sample_pairs(
    scenes: Scenes, indices: Tensor, crop: int, recipe: HazeRecipe, generator: torch.Generator
) -> Pair:
    """Crops, flips and hazes scenes; the same generator state gives the same batch.

    Args:
        indices: (N,) which scenes.
        crop: side of the square crop in thumbnail pixels; cut to the scene where it is larger.
    """
    count = len(indices)

    def uniform(low: float | Tensor, high: float | Tensor) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)

    clear, depth = _cropped(scenes, indices, crop, generator)
    low, high = scenes.scattering[indices].view(count, 2, 1, 1, 1).unbind(1)
    beta = uniform(low, high) * (uniform(0, 1) >= recipe.clear_share)
    airlight = uniform(*recipe.airlight)
    airlight = torch.where(uniform(0, 1) < recipe.white_share, torch.ones(()), airlight)
    tint = recipe.tint * (2 * torch.rand(count, 3, 1, 1, generator=generator) - 1)
    airlight = (airlight + tint * (uniform(0, 1) < recipe.tinted_share)).clamp(max=1)
    transmission = torch.exp(-beta * depth)
    return Pair(scatter(clear, transmission, airlight), clear, transmission)


def _cropped(
    scenes: Scenes, indices: Tensor, crop: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(N, 3, crop, crop) clear and (N, 1, crop, crop) depth, half of them mirrored."""
    height, width = scenes.clear.shape[-2:]
    rows, columns = min(crop, height), min(crop, width)
    clear, depth = [], []
    for index in indices.tolist():
        top, left, mirror = (
            int(torch.randint(n, (), generator=generator))
            for n in (height - rows + 1, width - columns + 1, 2)
        )
        window = (slice(None), slice(top, top + rows), slice(left, left + columns))
        flip = [-1] if mirror else []
        clear.append(scenes.clear[index][window].float().flip(flip))
        depth.append(scenes.depth[index][window].flip(flip))
    return torch.stack(clear), torch.stack(depth)
