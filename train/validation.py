"""Scores on held-out scenes, for watching a training run and choosing a model."""

from __future__ import annotations

import torch
from torch import Tensor

from .edge import GRID_STRIDE, THUMBNAIL_STRIDE, EdgeEstimator, apply_grid, padded
from .haze import scatter
from .scenes import Scenes

SOTS_BETAS = tuple(round(0.6 + 0.1 * level, 1) for level in range(10))
"""The ten haze levels of SOTS-indoor."""
FRIDA2_BETA = 0.0375
"""FRIDA2's own fog, per metre."""


def psnr(result: Tensor, reference: Tensor) -> Tensor:
    """(N, C, H, W) in [0, 1] to (N,) dB."""
    error = (result.clamp(0, 1) - reference).square().mean((1, 2, 3))
    return -10 * error.clamp(min=1e-10).log10()


class Validation:
    """Fixed hazy thumbnails of held-out scenes, never trained on."""

    def __init__(self, indoor: Scenes, road: Scenes) -> None:
        levels = torch.arange(len(indoor)) % len(SOTS_BETAS)
        betas = torch.tensor(SOTS_BETAS)
        opposite = betas[(levels + len(SOTS_BETAS) // 2) % len(SOTS_BETAS)]
        self._sets = {
            # Two levels a scene, all ten covered evenly, as in the SOTS subset.
            "indoor_db": _hazed(indoor, torch.cat((betas[levels], opposite))),
            "road_db": _hazed(road, torch.full((len(road),), FRIDA2_BETA)),
            "clear_db": _hazed(indoor, torch.zeros(len(indoor))),
        }

    @torch.no_grad()
    def score(self, estimator: EdgeEstimator) -> dict[str, float]:
        """Mean PSNR in dB on thumbnails: indoor haze, road fog, and clear in against clear out."""
        scores = {}
        for name, (hazy, clear) in self._sets.items():
            values = [
                psnr(dehaze_thumbnails(estimator, h), c)
                for h, c in zip(hazy.split(10), clear.split(10), strict=True)
            ]
            scores[name] = torch.cat(values).mean().item()
        return scores


def dehaze_thumbnails(estimator: EdgeEstimator, thumbnails: Tensor) -> Tensor:
    """(N, 3, h, w) RGB in [0, 1], of any size, to the same."""
    grid = estimator(padded(thumbnails, 8)).grid()
    return apply_grid(thumbnails, grid, GRID_STRIDE // THUMBNAIL_STRIDE)


def _hazed(scenes: Scenes, betas: Tensor) -> tuple[Tensor, Tensor]:
    """(hazy, clear) with airlight 1; scenes repeat until every beta is used."""
    rounds = len(betas) // len(scenes)
    clear = scenes.clear.float().repeat(rounds, 1, 1, 1)
    depth = scenes.depth.repeat(rounds, 1, 1, 1)
    return scatter(clear, torch.exp(-betas.view(-1, 1, 1, 1) * depth), 1.0), clear
