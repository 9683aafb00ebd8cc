"""Applies baseline JPEG on the training device, as cameras and videos do to haze.

The steps of libjpeg with 4:2:0 subsampling, in its order and rounded where it rounds (ITU-T T.81;
JFIF 1.02 for the colours). About 50 dB from what libjpeg-turbo gives, whose DCT is in fixed
point.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# fmt: off
_LUMA_TABLE = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)
"""ITU-T T.81, table K.1, row by row."""
_CHROMA_TABLE = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    *[99] * 32,
)
"""ITU-T T.81, table K.2."""
# fmt: on


class _Constants(NamedTuple):
    dct: Tensor
    """(64, 64): row of 64 pixels @ dct = row of 64 coefficients; orthonormal."""
    tables: Tensor
    """(3, 1, 64) int64: Annex K for Y, Cb, Cr."""
    ycc: Tensor
    """(3, 3): YCbCr = ycc @ RGB, plus 128 for the colours."""
    rgb: Tensor
    """(3, 3): the inverse of `ycc`."""
    offset: Tensor
    """(3, 1, 1): what JFIF adds to Y, Cb and Cr."""
    bias: Tensor
    """(2,): libjpeg rounds halved colours down in even columns, up in odd ones."""


@torch.no_grad()
def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Applies baseline JPEG at 4:2:0 to pictures; no gradient passes.

    Args:
        images: (N, 3, h, w) float32 RGB in [0, 1], of any size.
        quality: (N,) 1 to 100, as libjpeg counts it.

    Returns:
        (N, 3, h, w) float32 RGB in [0, 1], multiples of 1/255.
    """
    height, width = images.shape[-2:]
    constants = _constants(images.device)
    pixels = F.pad((images * 255).round(), (0, -width % 16, 0, -height % 2), mode="replicate")
    ycc = (_mixed(pixels, constants.ycc) + constants.offset).round()
    tables = _quantisation(constants.tables, quality.to(images.device))
    luma = _coded(ycc[:, :1], tables[:, :1], constants.dct)[..., :height, :width]
    bias = constants.bias.repeat(pixels.shape[-1] // 4)
    halved = (F.avg_pool2d(ycc[:, 1:], 2) + bias).floor()
    chroma = _coded(halved, tables[:, 1:], constants.dct)
    chroma = chroma[..., : math.ceil(height / 2), : math.ceil(width / 2)]
    # libjpeg's "fancy upsampling" weighs neighbours by 3/4 and 1/4, as bilinear by 2 does
    doubled = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False).round()
    decoded = torch.cat((luma, doubled[..., :height, :width]), dim=1)
    return _mixed(decoded - constants.offset, constants.rgb).round().clamp(0, 255) / 255


def _coded(planes: Tensor, tables: Tensor, dct: Tensor) -> Tensor:
    """Levels after quantisation of their DCT.

    Args:
        planes: (N, C, h, w) levels, w a multiple of 8.
        tables: (N, C, 1, 64) steps of quantisation.

    Returns:
        (N, C, h rounded up to a multiple of 8, w) levels.
    """
    planes = F.pad(planes, (0, 0, 0, -planes.shape[2] % 8), mode="replicate")
    count, channels, height, width = planes.shape
    grid = (count, channels, height // 8, width // 8)
    blocks = planes.view(*grid[:3], 8, grid[3], 8).transpose(3, 4).reshape(*grid[:2], -1, 64)
    eighths = ((blocks - 128) @ dct * 8).round()  # libjpeg's DCT has three fractional bits
    steps = eighths / (8 * tables)
    steps = (steps + steps.sign() / 2).trunc()  # halves away from zero: there are many
    blocks = (steps * tables @ dct.T + 128).round().clamp(0, 255)
    return blocks.view(*grid, 8, 8).transpose(3, 4).reshape(planes.shape)


def _quantisation(tables: Tensor, quality: Tensor) -> Tensor:
    """(N, 3, 1, 64) quantisation steps, Annex K's scaled in whole numbers as libjpeg does."""
    quality = quality.long().view(-1, 1, 1, 1)
    percent = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return ((tables * percent + 50) // 100).clamp(1, 255).float()


def _mixed(images: Tensor, matrix: Tensor) -> Tensor:
    """(N, 3, h, w) with its channels combined by a (3, 3) matrix."""
    return (matrix @ images.flatten(2)).view(images.shape)


@cache
def _constants(device: torch.device) -> _Constants:
    place, frequency = torch.arange(8.0).view(8, 1), torch.arange(8.0)
    waves = torch.cos((2 * place + 1) * frequency * math.pi / 16) / 2
    waves[:, 0] = math.sqrt(1 / 8)
    ycc = torch.tensor(
        (
            (0.299, 0.587, 0.114),
            (-0.168736, -0.331264, 0.5),
            (0.5, -0.418688, -0.081312),
        )
    )
    tables = torch.tensor((_LUMA_TABLE, _CHROMA_TABLE, _CHROMA_TABLE)).view(3, 1, 64)
    offset, bias = torch.tensor((0.0, 128.0, 128.0)).view(3, 1, 1), torch.tensor((0.25, 0.5))
    constants = (torch.kron(waves, waves), tables, ycc, torch.linalg.inv(ycc), offset, bias)
    return _Constants(*(tensor.to(device) for tensor in constants))
