"""Makes haze on the fly by the scattering model, I = J t + A (1 - t) with t = exp(-beta d).

RESIDE draws beta from [0.6, 1.8] on depth as a share of the scene's largest, and A from [0.7, 1.0]
(arXiv 1712.04143, section 3). Real haze has more: airlights from 0.25 on, blue and yellow ones,
dark and noisy scenes behind it and JPEG after it (RIDCP, arXiv 2304.03994, section 3.2), smoke and
patches. Each sample of a batch draws all of that from the `Haze` of its part of the mixture, and
the whole batch is hazed in one step on the training device.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .jpeg import jpeg
from .store import Crops

UNEVEN_CELLS = 4
"""The airlight varies over the picture as smoothly as a grid of this many cells a side."""
PATCH_CELLS = 8
"""Smoke and patches have details down to the picture's size over this."""
GLARE_FROM = 0.85
"""Where the darkest colour of a pixel is above this, the camera may have cut its light off."""
BLUE = (-0.6, 0.0, 0.4)
"""Direction of a blue airlight in RGB; the opposite is yellow."""


@dataclass(frozen=True)
class Haze:
    """The haze of a part of the mixture and how it is drawn; the defaults are RESIDE's alone.

    A `share` is the part of the samples, 0 to 1, that have what it names.
    """

    scenes: Literal["rooms", "roads", "streets", "photographs", "pairs"] = "rooms"
    """The kind of pictures that it is made of."""
    share: float = 1.0
    """Share of a batch, against the other parts of the mixture."""
    scattering: tuple[float, float] = (0.6, 1.8)
    """Range of beta, per unit of depth: a share of the scene's largest, or a metre."""
    thin: float = 1.0
    """Exponent on the uniform number that draws beta: at 2, half of the haze is in the lowest
    quarter of the range."""
    floor: float = 0.01
    """The transmission below which a scene is beyond recovery: it is taught to come out as lighter
    fog instead of black. Above 0; rendered roads, whose truth lies there, want it low."""
    clear_share: float = 0.0
    """Share of samples without haze: the network must learn to do no harm."""
    ahead: tuple[float, float] = (0.0, 0.0)
    """Range of the depth that lies before a picture's nearest thing, in the unit of `scattering`.
    It makes haze even: machines fill a room with it, and O-HAZE and I-HAZE have little else."""
    airlight: tuple[float, float] = (0.7, 1.0)
    white_share: float = 0.0
    """Share of samples with A = 1, the airlight of SOTS-indoor."""
    tint: float = 0.0
    """Largest deviation of a colour of A from its mean."""
    cast: float = 0.0
    """Largest share by which A turns blue or yellow; the target is white-balanced."""
    tinted_share: float = 0.0
    uneven: float = 0.0
    """Standard deviation of A over the picture."""
    uneven_share: float = 0.0
    patches: float = 0.0
    """Largest standard deviation of the logarithm of beta over the picture: smoke, patches."""
    patchy_share: float = 0.0
    glare: float = 1.0
    """Largest factor by which windows, lamps and skies that the camera shows as white are brighter
    than white: the haze before them does not dim them, and they are no measure of the airlight."""
    gamma: float = 1.0
    """Largest power by which a scene is darkened before the haze."""
    dark_share: float = 0.0
    scene_noise: float = 0.0
    """Largest standard deviation of the noise before the haze, of [0, 1]."""
    sensor_noise: float = 0.0
    """Largest standard deviation of the noise after the haze."""
    noisy_share: float = 0.0
    jpeg_quality: tuple[float, float] = (40.0, 95.0)
    jpeg_share: float = 0.0
    lighter_share: float = 0.0
    """Share of real pairs whose hazy picture is mixed with the clear one, as lighter haze."""
    exposure: float = 0.0
    """Largest share by which both pictures are made brighter or darker, as by the camera; a third
    of it for each colour alone, as by its white balance."""


Values = dict[str, Tensor]
"""The numbers of `Haze` for every sample: (N, 1, 1, 1) float32, or (N, 2, 1, 1) for a range."""


def table_from_mixture(mixture: list[Haze]) -> Values:
    """The numbers of all parts of a mixture, (C, K), to be looked up by the part of each sample."""
    table = {}
    for entry in fields(Haze):
        values = [getattr(part, entry.name) for part in mixture]
        if entry.name not in ("scenes", "share"):
            table[entry.name] = torch.tensor(values, dtype=torch.float32).view(len(mixture), -1)
    return table


class HazeDraw(NamedTuple):
    """The chosen haze of each sample of a batch, on any device."""

    beta: Tensor
    """(N, 1, 1, 1) scattering coefficient per unit of depth."""
    floor: Tensor
    """(N, 1, 1, 1) transmission at which the gain stops."""
    airlight: Tensor
    """(N, 3, 1, 1) RGB."""
    uneven: Tensor
    """(N, 1, 4, 4) deviation of A."""
    patches: Tensor
    """(N, 1, 8, 8) logarithm of the factor on beta."""
    glare: Tensor
    """(N, 1, 1, 1) factor on what is white, 1 or more."""
    gamma: Tensor
    """(N, 1, 1, 1) power on the scene, 1 or more."""
    scene_noise: Tensor
    """(N, 1, 1, 1) standard deviation, before the haze."""
    sensor_noise: Tensor
    """(N, 1, 1, 1) standard deviation, after the haze."""
    quality: Tensor
    """(N,) of JPEG, 1 to 100; 0 for none."""
    ahead: Tensor
    """(N, 1, 1, 1) depth before a picture's nearest thing."""
    rise: Tensor
    """(N, 1, 1, 1) how much deeper the top of a picture is whose depth is not known."""
    lighter: Tensor
    """(N, 1, 1, 1) share of the clear picture in the hazy one of a pair."""
    exposure: Tensor
    """(N, 3, 1, 1) factor on both pictures, about the same for all colours."""

    def part(self, samples: slice) -> HazeDraw:
        """The haze of some of the samples."""
        return HazeDraw(*(tensor[samples] for tensor in self))

    def to(self, device: torch.device) -> HazeDraw:
        """A copy on another device."""
        return HazeDraw(*(tensor.to(device, non_blocking=True) for tensor in self))


class Pair(NamedTuple):
    """A batch to train on."""

    hazy: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]: what goes in."""
    clear: Tensor
    """(N, 3, h, w) float32 RGB in [0, 1]: what should come out."""
    transmission: Tensor
    """(N, 1, h, w) float32 in (0, 1]; NaN where it is not known: in pairs of files."""


def scatter(clear: Tensor, transmission: Tensor, airlight: Tensor | float) -> Tensor:
    """I = J t + A (1 - t)."""
    return clear * transmission + airlight * (1 - transmission)


def draw_haze(values: Values, generator: torch.Generator) -> HazeDraw:
    """Draws the haze of a batch; the same generator state gives the same.

    Args:
        values: the numbers of each sample's part of the mixture, (N, K) each.
    """
    count = len(values["gamma"])

    def uniform() -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator)

    def value(name: str) -> Tensor:
        return values[name].view(count, -1, 1, 1)

    def chosen(name: str) -> Tensor:
        return (uniform() < value(name)).float()

    def within(name: str, exponent: Tensor | float = 1.0) -> Tensor:
        low, high = value(name).split(1, dim=1)
        return low + (high - low) * uniform() ** exponent

    def up_to(name: str, share: str) -> Tensor:
        return value(name) * uniform() * chosen(share)

    there = 1 - chosen("clear_share")  # without haze a picture is as it is, and stays so
    beta = within("scattering", value("thin")) * there
    white = chosen("white_share")
    grey = within("airlight") * (1 - white) + white
    tinted = chosen("tinted_share")
    tint = value("tint") * (2 * torch.rand(count, 3, 1, 1, generator=generator) - 1)
    cast = value("cast") * (2 * uniform() - 1) * torch.tensor(BLUE).view(1, 3, 1, 1)
    colour = (grey * (1 + cast * tinted) + tint * tinted).clamp(0, 1)
    cells = (count, 1, UNEVEN_CELLS, UNEVEN_CELLS)
    uneven = value("uneven") * torch.randn(cells, generator=generator) * chosen("uneven_share")
    noisy = chosen("noisy_share") * there
    balance = 0.3 * (2 * torch.rand(count, 3, 1, 1, generator=generator) - 1)
    return HazeDraw(
        beta=beta,
        floor=value("floor"),
        airlight=colour,
        uneven=uneven,
        patches=up_to("patches", "patchy_share") * _cloud(count, generator),
        glare=1 + (value("glare") - 1) * uniform() * there,
        gamma=1 + (value("gamma") - 1) * uniform() * chosen("dark_share") * there,
        scene_noise=value("scene_noise") * uniform() * noisy,
        sensor_noise=value("sensor_noise") * uniform() * noisy,
        quality=(within("jpeg_quality") * chosen("jpeg_share")).flatten(),
        ahead=within("ahead"),
        rise=uniform(),
        lighter=uniform() * chosen("lighter_share"),
        exposure=1 + value("exposure") * (2 * uniform() - 1 + balance),
    )


def _cloud(count: int, generator: torch.Generator) -> Tensor:
    """(count, 1, 8, 8) of a standard deviation of about 1: large shapes, smaller ones on them."""
    total = torch.zeros(count, 1, PATCH_CELLS, PATCH_CELLS)
    for cells, weight in ((2, 1.1), (4, 0.7), (8, 0.3)):
        noise = torch.randn(count, 1, cells, cells, generator=generator)
        total += weight * F.interpolate(noise, total.shape[-2:], mode="bilinear")
    return total


def pair_from_crops(crops: Crops, haze: HazeDraw, noise: Tensor) -> Pair:
    """Hazes a batch in one step on the device where it lies.

    Scenes whose depth is not known are given one: a ramp from the foot of the picture to its top,
    and patches on it. Given pairs keep their haze, or a share of it.

    Args:
        crops: the windows, with depth or with their own hazy pictures.
        noise: (2, N, 3, h, w) standard normal, on the same device: of the scene and of the sensor.
    """
    clear, size = crops.clear, crops.clear.shape[-2:]
    depth = haze.ahead + torch.where(crops.deep, crops.depth, ramp(haze.rise, size))
    patches = F.interpolate(haze.patches, size, mode="bicubic")
    transmission = torch.exp(-haze.beta * depth * patches.exp())
    airlight = haze.airlight + F.interpolate(haze.uneven, size, mode="bicubic")
    scene = (clear**haze.gamma + haze.scene_noise * noise[0]).clamp(0, 1)
    white = (clear.amin(1, keepdim=True) - GLARE_FROM).clamp(min=0) / (1 - GLARE_FROM)
    scene = scene * (1 + (haze.glare - 1) * white)
    hazy = scatter(scene, transmission, airlight)
    # What the scattering model gives back when the gain stops at 1 / floor.
    rest = (transmission / haze.floor).clamp(max=1)
    target = scatter(clear, rest, haze.airlight.mean(1, keepdim=True))
    if len(crops.hazy):
        given = torch.lerp(crops.hazy, clear, haze.lighter)
        hazy = torch.where(crops.paired, given, hazy)
        target = torch.where(crops.paired, clear, target)
        transmission = torch.where(crops.paired, torch.nan, transmission)
    hazy, target = hazy * haze.exposure, (target * haze.exposure).clamp(0, 1)
    hazy = (hazy + haze.sensor_noise * noise[1]).clamp(0, 1)
    return Pair(_compressed(hazy, haze.quality), target, transmission)


def _compressed(images: Tensor, quality: Tensor) -> Tensor:
    """Those of the pictures that have a quality, through JPEG."""
    some = quality > 0
    if images.is_cuda:  # choosing some would wait for the GPU, and no CUDA graph could hold it
        every = jpeg(images, quality.clamp(min=1))
        return torch.where(some.view(-1, 1, 1, 1), every, images)
    if some.any():
        images[some] = jpeg(images[some], quality[some])
    return images


def ramp(rise: Tensor, size: torch.Size) -> Tensor:
    """(N, 1, h, w) depth of pictures whose own is not known: from 0 at the foot to `rise`.

    Args:
        rise: (N, 1, 1, 1) depth at the top.
        size: h and w.
    """
    height = torch.linspace(1, 0, size[0], device=rise.device).view(1, 1, -1, 1)
    return (rise * height).expand(-1, 1, *size)
