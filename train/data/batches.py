"""Draws the scenes, crops and haze of a batch, all of them a function of the seed and the step.

So a run that was stopped goes on with the very batches that it would have seen, and several
processes share a batch without talking to each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dehaze.runtime.errors import InputError

from .haze import Haze, HazeDraw, Pair, draw_haze, pair_from_crops, table_from_mixture
from .store import Store

CROP_MULTIPLE = 8
"""Sides of crops are a multiple of this: whole cells at every level of `edge` and of FAM."""
NUMBERS_OF_A_PLACE = 5
HALF_WINDOW = 1.2
"""Side of the window of a picture seen at half the size, against the crop: most of a scene."""


@dataclass(frozen=True)
class BatchOptions:
    """The composition of a batch."""

    size: int
    """Samples over all processes."""
    rotate: bool
    """True to turn crops by multiples of 90 degrees, beside mirroring them left to right."""
    seed: int
    half_share: float = 0.0
    """Share of batches that are seen at half the size, as a picture taken from farther away."""
    super_resolution: bool = False
    """True to give halves of clear pictures in place of hazy ones: what RFD's guide learns."""
    rank: int = 0
    processes: int = 1


class Draw(NamedTuple):
    """What a batch is made of: the random numbers of a step, on the training device."""

    which: Tensor
    """(N,) int64, numbers of pictures."""
    places: Tensor
    """(N, 5) in [0, 1): where in a picture, and how it is turned; see `Store.crops`."""
    haze: HazeDraw
    noise: Tensor
    """(2, N, 3, h, w) standard normal."""
    side: int
    """Side of the windows in the pictures."""
    halved: bool
    """True if the batch is seen at half the size."""

    def tensors(self) -> list[Tensor]:
        """All of them, in a fixed order."""
        return [self.which, self.places, *self.haze, self.noise]

    def replaced(self, tensors: list[Tensor]) -> Draw:
        """The same with other tensors, in the order of `tensors`."""
        which, places, *haze, noise = tensors
        return self._replace(which=which, places=places, haze=HazeDraw(*haze), noise=noise)


class Batches:
    """The batches of a store, on its device."""

    def __init__(self, store: Store, mixture: Mapping[str, Haze], options: BatchOptions) -> None:
        """Parts of the mixture whose kind of pictures the store lacks are left out.

        Raises:
            InputError: no part is left.
        """
        self.options = options
        self._store = store
        kinds = set(store.kind)
        parts = [haze for haze in mixture.values() if haze.scenes in kinds and haze.share > 0]
        if not parts:
            wanted = ", ".join(sorted({haze.scenes for haze in mixture.values()}))
            raise InputError(
                f"expected pictures of a kind that the recipe's mixture uses ({wanted}), "
                f"got {', '.join(sorted(kinds))}; change the mixture with --set, or --data"
            )
        self._table = table_from_mixture(parts)
        shares = torch.tensor([part.share for part in parts], dtype=torch.float64)
        self._bounds = (shares / shares.sum()).cumsum(0)
        self._pictures = [_drawn_by_weight(store, part.scenes) for part in parts]

    def pair(self, step: int, crop: int) -> Pair:
        """This process's part of the batch of a step; see `draw`."""
        return self.made(self.draw(step, crop))

    def draw(self, step: int, crop: int) -> Draw:
        """The random numbers of this process's part of the batch of a step.

        Args:
            crop: side of the square windows in training pixels; those of a batch that is seen at
                half the size are smaller, or they would be larger than the scene.
        """
        options, device = self.options, self._store.clear.device
        if crop % CROP_MULTIPLE:
            raise InputError(f"expected crops of a multiple of {CROP_MULTIPLE} pixels, got {crop}")
        seed = options.seed * 1_000_003 + step
        generator = torch.Generator().manual_seed(seed)
        parts = self._drawn_parts(generator)
        which = self._drawn_pictures(parts, generator)
        places = torch.rand(options.size, NUMBERS_OF_A_PLACE, generator=generator)
        haze = draw_haze({k: v[parts] for k, v in self._table.items()}, generator)
        halved = bool(torch.rand((), generator=generator) < options.half_share)
        own = slice(options.rank, None, options.processes)
        which, places = which[own], places[own]
        side = _multiple(HALF_WINDOW / 2 * crop) if halved else crop
        noise = torch.Generator(device)
        noise.manual_seed(seed * 1009 + options.rank)
        return Draw(
            which.to(device),
            places.to(device),
            haze.part(own).to(device),
            torch.randn(2, len(which), 3, side, side, generator=noise, device=device),
            side=2 * side if halved else side,
            halved=halved,
        )

    def made(self, draw: Draw) -> Pair:
        """The batch of a draw, by operations on the training device alone."""
        side = (draw.side, draw.side)
        crops = self._store.crops(draw.which, draw.places, side, rotate=self.options.rotate)
        if draw.halved:
            crops = crops._replace(
                clear=F.avg_pool2d(crops.clear, 2),
                hazy=F.avg_pool2d(crops.hazy, 2) if len(crops.hazy) else crops.hazy,
                depth=F.avg_pool2d(crops.depth, 2),
            )
        if self.options.super_resolution:
            unknown = torch.full_like(crops.clear[:, :1], torch.nan)
            return Pair(F.avg_pool2d(crops.clear, 2), crops.clear, unknown)
        return pair_from_crops(crops, draw.haze, draw.noise)

    def _drawn_parts(self, generator: torch.Generator) -> Tensor:
        """(N,) the part of each sample: shares are met to within one sample, on average exactly."""
        size = self.options.size
        places = (torch.arange(size) + torch.rand(1, generator=generator)).double() / size
        return torch.searchsorted(self._bounds, places, right=True).clamp(max=len(self._bounds) - 1)

    def _drawn_pictures(self, parts: Tensor, generator: torch.Generator) -> Tensor:
        """(N,) the picture of each sample."""
        place = torch.rand(len(parts), generator=generator, dtype=torch.float64)
        which = torch.zeros(len(parts), dtype=torch.int64)
        for part, (pictures, bounds) in enumerate(self._pictures):
            index = torch.searchsorted(bounds, place, right=True).clamp(max=len(pictures) - 1)
            which = torch.where(parts == part, pictures[index], which)
        return which


def _multiple(side: float) -> int:
    """The nearest side that crops may have."""
    return max(1, round(side / CROP_MULTIPLE)) * CROP_MULTIPLE


def _drawn_by_weight(store: Store, kind: str) -> tuple[Tensor, Tensor]:
    """The pictures of a kind, and where each one's share of [0, 1) ends."""
    pictures = torch.tensor([i for i, other in enumerate(store.kind) if other == kind])
    weights = store.weight[pictures]
    return pictures, (weights / weights.sum()).cumsum(0)
