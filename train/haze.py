"""Haze made on the fly by the scattering model, I = J t + A (1 - t) with t = exp(-beta d).

The ranges are RESIDE's (arXiv 1712.04143, section 3): beta from [0.6, 1.8] on depth as a share of
the scene's largest, A from [0.7, 1.0]. What real haze has beyond that model (a tinted and uneven
airlight, sensor noise, JPEG) comes on top, for a share of the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .jpeg import jpeg

UNEVEN_CELLS = 4
"""The airlight varies over the picture as smoothly as a grid of this many cells a side."""

SKY_DEPTH = 400
"""Farther away is sky, in metres. Through haze it shows the airlight and perhaps clouds, and that
is what should come out: how a clear sky would look cannot be known, and guesses blacken it."""

CLOUD_CELLS = 16
"""Clouds have details down to the picture's size over this."""

LARGEST_SKY = 0.6
"""Where a scene is given a sky, it takes up to this share of the picture."""


@dataclass(frozen=True)
class HazeRecipe:
    """How the haze of a training sample is drawn; the defaults are RESIDE's and nothing more."""

    airlight: tuple[float, float] = (0.7, 1.0)
    white_share: float = 0.0
    """Share of samples with A = 1, the airlight of SOTS-indoor."""
    clear_share: float = 0.0
    """Share of samples without haze: the network must learn to do no harm."""
    tint: float = 0.04
    """Largest deviation of a colour of A from its mean, for real skies."""
    tinted_share: float = 0.0
    unevenness: float = 0.02
    """Standard deviation of A over the picture."""
    uneven_share: float = 0.0
    sensor_noise: float = 0.01
    """Largest standard deviation of the noise, at the training scale."""
    noisy_share: float = 0.0
    jpeg_quality: tuple[int, int] = (40, 95)
    jpeg_share: float = 0.0
    sky_share: float = 0.0
    """Share of samples whose far end is made sky, never under white haze: rooms have none,
    photographs do."""
    clouds: float = 0.15
    """Largest standard deviation of a sky over the picture."""
    cloudy_share: float = 0.0
    """Of those skies; one that a scene has of itself is even, as fog makes it."""


class HazeDraw(NamedTuple):
    """The chosen haze of each sample of a batch, on any device."""

    beta: Tensor
    """(N, 1, 1, 1) scattering coefficient per unit of depth."""
    airlight: Tensor
    """(N, 3, 1, 1) RGB."""
    unevenness: Tensor
    """(N, 1, 4, 4) deviation of A."""
    noise: Tensor
    """(N, 1, 1, 1) standard deviation of the sensor's noise."""
    quality: Tensor
    """(N,) of JPEG, 1 to 100; 0 for none."""
    sky: Tensor
    """(N, 1, 1, 1) share of the picture, its far end, that is made sky."""
    clouds: Tensor
    """(N, 3, 16, 16) deviation of the sky from A."""

    def part(self, samples: slice) -> HazeDraw:
        """The haze of some of the samples."""
        return HazeDraw(*(tensor[samples] for tensor in self))

    def to(self, device: torch.device) -> HazeDraw:
        """The same on another device."""
        return HazeDraw(*(tensor.to(device, non_blocking=True) for tensor in self))


class Pair(NamedTuple):
    """A batch to train on."""

    hazy: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]: what goes in."""
    clear: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]: what should come out."""
    transmission: Tensor
    """(N, 1, h, w) float32 in (0, 1]; NaN where it is not known: in pairs of files, and in hazy
    skies, which come out as they are whatever it is."""


def scatter(clear: Tensor, transmission: Tensor, airlight: Tensor | float) -> Tensor:
    """I = J t + A (1 - t)."""
    return clear * transmission + airlight * (1 - transmission)


def draw_haze(
    scattering: Tensor, airlight: Tensor, recipe: HazeRecipe, generator: torch.Generator
) -> HazeDraw:
    """Draws the haze of a batch; the same generator state gives the same.

    Args:
        scattering: (N, 2) range of the scattering coefficient of each sample.
        airlight: (N, 2) range of the airlight of each sample.
    """
    count = len(scattering)

    def uniform(low: float | Tensor, high: float | Tensor) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)

    def chosen(share: float) -> Tensor:
        return uniform(0, 1) < share

    low, high = scattering.view(count, 2, 1, 1, 1).unbind(1)
    beta = uniform(low, high) * ~chosen(recipe.clear_share)
    grey = uniform(*airlight.view(count, 2, 1, 1, 1).unbind(1))
    sky = uniform(0, LARGEST_SKY) * chosen(recipe.sky_share)
    white_or_grey = torch.where(chosen(recipe.white_share) & (sky == 0), torch.ones(()), grey)
    tint = recipe.tint * (2 * torch.rand(count, 3, 1, 1, generator=generator) - 1)
    colour = (white_or_grey + tint * chosen(recipe.tinted_share)).clamp(max=1)
    cells = torch.randn(count, 1, UNEVEN_CELLS, UNEVEN_CELLS, generator=generator)
    unevenness = recipe.unevenness * cells * chosen(recipe.uneven_share)
    noise = uniform(0, recipe.sensor_noise) * chosen(recipe.noisy_share)
    quality = uniform(*recipe.jpeg_quality) * chosen(recipe.jpeg_share)
    cloudy = chosen(recipe.cloudy_share) & (sky > 0)
    clouds = _clouds(count, generator) * uniform(0, recipe.clouds) * cloudy
    return HazeDraw(beta, colour, unevenness, noise, quality.flatten(), sky, clouds)


def _clouds(count: int, generator: torch.Generator) -> Tensor:
    """(count, 3, 16, 16) of a standard deviation of about 1: large shapes, smaller ones on them."""
    size = (CLOUD_CELLS, CLOUD_CELLS)
    total = torch.zeros(count, 3, *size)
    for cells, channels, weight in (
        (2, 1, 0.9),
        (2, 3, 0.3),
        (4, 1, 0.5),
        (8, 1, 0.3),
        (16, 1, 0.2),
    ):
        noise = torch.randn(count, channels, cells, cells, generator=generator)
        total += weight * F.interpolate(noise, size, mode="bilinear")
    return total


def synthesise(clear: Tensor, depth: Tensor, haze: HazeDraw, generator: torch.Generator) -> Pair:
    """Hazes a batch in one step on the device where it lies.

    Args:
        clear: (N, 3, h, w) float32 RGB in [0, 1].
        depth: (N, 1, h, w) float32.
        generator: of the same device, for the sensor's noise.
    """
    transmission = torch.exp(-haze.beta * depth)
    airlight = haze.airlight
    if haze.unevenness.any():
        size = clear.shape[-2:]
        airlight = airlight + F.interpolate(haze.unevenness, size, mode="bicubic")
    sky = depth > SKY_DEPTH
    if haze.sky.any():
        ranks = (depth.flatten(1).argsort(1).argsort(1) + 1) / depth[0].numel()
        sky |= ranks.view_as(depth) > 1 - haze.sky
    hazy_sky = sky & (haze.beta > 0)
    seen = airlight
    if haze.clouds.any():
        seen = airlight + F.interpolate(haze.clouds, clear.shape[-2:], mode="bicubic")
    clear = torch.where(hazy_sky, seen.clamp(0, 1), clear)
    hazy = torch.where(hazy_sky, clear, scatter(clear, transmission, airlight))
    if haze.noise.any():
        noise = torch.randn(hazy.shape, generator=generator, device=hazy.device)
        hazy = hazy + haze.noise * noise
    hazy = hazy.clamp(0, 1)
    compressed = haze.quality > 0
    if compressed.any():
        hazy[compressed] = jpeg(hazy[compressed], haze.quality[compressed])
    return Pair(hazy, clear, torch.where(hazy_sky, torch.nan, transmission))
