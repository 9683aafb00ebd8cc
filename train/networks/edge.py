"""`edge`, the student that ships: estimates at low resolution, applies at full resolution.

A thumbnail of 1/4 size goes through a three-level autoencoder (1/8, 1/16, 1/32) and becomes a grid
at 1/8: per cell a gain g and three biases b. At full resolution, clear = g * hazy + b, with g and b
interpolated bilinearly. With transmission t and airlight A that is the scattering model solved for
the clear image, J = (I - A) / t + A: g = 1 / t and b = A * (1 - g).

From AECR-Net (arXiv 2104.09367) come the block whose one set of weights is applied several times
(section 3.1), the adaptive mixup of encoder and decoder features (eq. 1) and the dynamic feature
enhancement by deformable convolution (section 3.2).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dehaze.runtime.haze.grid import FINEST_STRIDE, PIXELS_PER_CELL, THUMBNAIL_MULTIPLE

from .deform import DeformConv2d
from .network import Network, Prediction, padded

THUMBNAIL_STRIDE = FINEST_STRIDE
"""Pixels per thumbnail pixel, along each axis."""
GRID_STRIDE = PIXELS_PER_CELL * THUMBNAIL_STRIDE
"""Pixels per cell of the grid, along each axis."""
SIZE_MULTIPLE = THUMBNAIL_MULTIPLE * THUMBNAIL_STRIDE
"""Frames are padded to a multiple of this many pixels: the coarsest level is 1/32."""
MAXIMUM_LOG_GAIN = 3.0
"""A gain of 20; 1/t is 6 at the thickest haze of RESIDE (beta 1.8)."""
BLACK = 0.025
"""No colour of a cell may come out darker; photographs would else be crushed to black."""


class Estimate(NamedTuple):
    """The network's estimate, at 1/8 of the frame's size."""

    log_gain: Tensor
    """(N, 1, h, w), -log(transmission), at least 0."""
    airlight: Tensor
    """(N, 3, h, w) RGB; about 1 is white."""

    def grid(self) -> Tensor:
        """(N, 4, h, w): gain and biases of clear = gain * hazy + bias."""
        return _grid_of(self.log_gain.exp(), self.airlight)


def _grid_of(gain: Tensor, airlight: Tensor) -> Tensor:
    return torch.cat((gain, airlight * (1 - gain)), dim=1)


class ChannelAttention(nn.Module):
    """Scales channels by a function of their means: how the whole picture informs each cell."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = F.adaptive_avg_pool2d(x, 1)  # exports as GlobalAveragePool; a mean would not
        weight = self.excite(F.relu(self.squeeze(mean)))
        return x * (2 * weight.sigmoid())  # starts near 1


class SharedBlock(nn.Module):
    """Residual block whose convolutions serve several applications, each with its own norms."""

    def __init__(self, channels: int, applications: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.attention = ChannelAttention(channels)
        self.first_norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(applications))
        self.second_norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(applications))
        for norm in self.second_norms:
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.constant_(norm.weight, 0.3)  # near the identity: deep stacks start stable

    def forward(self, x: Tensor, applications: range) -> Tensor:
        for index in applications:
            y = F.relu(self.first_norms[index](self.first(x)))
            x = x + self.attention(self.second_norms[index](self.second(y)))
        return x


class AdaptiveMixup(nn.Module):
    """AECR-Net, eq. 1: a learnt share of the encoder's features, per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        share = self.factor.sigmoid()
        return share * encoded + (1 - share) * decoded


class DynamicFeatureEnhancement(nn.Module):
    """AECR-Net, section 3.2: a deformable convolution, here in a narrow residual branch."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.deform = DeformConv2d(inner)
        self.expand = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.expand(F.relu(self.deform(self.reduce(x))))


def colour_extremes(thumbnail: Tensor) -> list[Tensor]:
    """(N, 3, h, w) to (N, 6, h / s, w / s) for s = 2, 4, 8: each colour's darkest and brightest.

    The darkest is the dark channel of He et al. (CVPR 2009) before the minimum over colours.
    """
    levels = []
    negative, brightest = -thumbnail, thumbnail  # the darkest is the negative's maximum
    for _ in range(3):  # each level from the one before it
        negative, brightest = F.max_pool2d(negative, 2), F.max_pool2d(brightest, 2)
        levels.append(torch.cat((-negative, brightest), dim=1))
    return levels


class EdgeEstimator(nn.Module):
    """Thumbnail to estimate; the whole of the network that has weights.

    Widths are multiples of 16: ONNX Runtime's convolutions work on blocks of 16 channels, and on
    AVX-512 a width of 20 costs as much as 32.

    Args:
        fine: channels of the finest level; the middle one has twice, the coarsest four times that.
    """

    def __init__(self, fine: int = 16) -> None:
        super().__init__()
        middle, coarse = 2 * fine, 4 * fine
        self.stem = nn.Conv2d(3, fine, 6, stride=2, padding=2)
        self.to_middle = nn.Conv2d(fine, middle, 2, stride=2)
        self.to_coarse = nn.Conv2d(middle, coarse, 2, stride=2)
        # The darkest and brightest colours of a cell enter at every level.
        self.extremes = nn.ModuleList(nn.Conv2d(6, width, 1) for width in (fine, middle, coarse))
        self.fine_in = SharedBlock(fine, 1)
        self.fine_out = SharedBlock(fine, 1)
        self.middle = SharedBlock(middle, 3)
        self.coarse = SharedBlock(coarse, 4)
        self.enhance = DynamicFeatureEnhancement(coarse, fine)
        self.coarse_to_middle = nn.Conv2d(coarse, middle, 1)
        self.middle_to_fine = nn.Conv2d(middle, fine, 1)
        self.mix_middle = AdaptiveMixup(middle)
        self.mix_fine = AdaptiveMixup(fine)
        self.head = nn.Conv2d(fine, 4, 3, padding=1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # the bias exists

    def encode(self, thumbnail: Tensor) -> list[Tensor]:
        """(N, 3, h, w) RGB in [0, 1], h and w multiples of 8, to 1/2, 1/4 and 1/8 of that size."""
        levels = zip(self.extremes, colour_extremes(thumbnail), strict=True)
        extremes = [conv(colours - 0.5) for conv, colours in levels]
        fine = self.fine_in(self.stem(thumbnail - 0.5) + extremes[0], range(1))
        middle = self.middle(self.to_middle(fine) + extremes[1], range(1))
        coarse = self.to_coarse(middle) + extremes[2]
        return [fine, middle, self.enhance(self.coarse(coarse, range(4)))]

    def decode(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        """The three levels of `encode` to (N, fine, h / 2, w / 2)."""
        middle = self.mix_middle(middle, _doubled(self.coarse_to_middle(coarse)))
        middle = self.middle(middle, range(1, 3))
        fine = self.mix_fine(fine, _doubled(self.middle_to_fine(middle)))
        decoded: Tensor = self.fine_out(fine, range(1))
        return decoded

    def estimate(self, decoded: Tensor, thumbnail: Tensor) -> Estimate:
        """The last step, from the result of `decode`."""
        haze, airlight = self._haze_and_airlight(decoded)
        largest = _largest_gain(airlight, thumbnail).log()
        return Estimate(torch.minimum(F.softplus(haze), largest), airlight)

    def grid(self, thumbnail: Tensor) -> Tensor:
        """`forward(thumbnail).grid()` without logarithms, for exp(softplus(x)) is 1 + exp(x)."""
        haze, airlight = self._haze_and_airlight(self.decode(*self.encode(thumbnail)))
        gain = torch.minimum(1 + haze.exp(), _largest_gain(airlight, thumbnail))
        return _grid_of(gain, airlight)

    def _haze_and_airlight(self, decoded: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, h, w), whose softplus is the log gain, and (N, 3, h, w) RGB."""
        head = self.head(decoded)
        return head[:, :1], 1 - 0.2 * head[:, 1:]

    def forward(self, thumbnail: Tensor) -> Estimate:
        """(N, 3, h, w) RGB in [0, 1], h and w multiples of 8, to an estimate at half that size."""
        return self.estimate(self.decode(*self.encode(thumbnail)), thumbnail)


def _largest_gain(airlight: Tensor, thumbnail: Tensor) -> Tensor:
    """(N, 1, h / 2, w / 2): the gain of the most haze there can be: nothing is darker than black.

    J = A + gain (I - A) >= BLACK for the darkest I of each colour in a cell: what the dark channel
    of He et al. (CVPR 2009) says of the transmission, as a limit and not as the estimate.
    """
    darkest = -F.max_pool2d(-thumbnail, 2)
    room = (airlight - BLACK).clamp(min=BLACK)
    fall = torch.maximum(airlight - darkest, room * math.exp(-MAXIMUM_LOG_GAIN))
    return (room / fall).amin(dim=1, keepdim=True).clamp(min=1)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def apply_grid(image: Tensor, grid: Tensor, stride: int) -> Tensor:
    """clear = gain * hazy + bias, with the grid interpolated to the image's size.

    Args:
        image: (N, 3, H, W) RGB in [0, 1].
        grid: (N, 4, h, w) that covers at least the image.
        stride: pixels per cell.
    """
    full = F.interpolate(grid, scale_factor=float(stride), mode="bilinear", align_corners=False)
    full = full[..., : image.shape[-2], : image.shape[-1]]
    return image * full[:, :1] + full[:, 1:]


class Edge(Network):
    """The student. It is trained on thumbnails, since the estimator sees nothing else.

    Args:
        width: channels of the finest level: 16 in the student; a teacher of its form has more.
    """

    grid_stride = GRID_STRIDE
    size_multiple = SIZE_MULTIPLE

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.estimator = EdgeEstimator(width)

    def encode(self, thumbnail: Tensor) -> list[Tensor]:
        """(N, 3, h, w) RGB in [0, 1], any size, to the estimator's three levels."""
        return self.estimator.encode(padded(thumbnail, SIZE_MULTIPLE // THUMBNAIL_STRIDE))

    def predict(self, thumbnail: Tensor) -> Prediction:
        """(N, 3, h, w) RGB in [0, 1], any size: dehazed as the whole frame will be."""
        whole = padded(thumbnail, SIZE_MULTIPLE // THUMBNAIL_STRIDE)
        features = self.estimator.decode(*self.estimator.encode(whole))
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 has 3 digits
            estimate = self.estimator.estimate(features.float(), whole.float())
            clear = apply_grid(thumbnail, estimate.grid(), GRID_STRIDE // THUMBNAIL_STRIDE)
        return Prediction(clear, features, (-estimate.log_gain).exp())

    def estimate(self, image: Tensor) -> Estimate:
        """(N, 3, H, W) RGB in [0, 1], any size from 64x64, to the estimate at 1/8, rounded up."""
        thumbnail = F.avg_pool2d(padded(image, SIZE_MULTIPLE), THUMBNAIL_STRIDE)
        estimate: Estimate = self.estimator(thumbnail)
        return estimate

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same, clear; not clamped, so that gradients pass."""
        return apply_grid(image, self.estimate(image).grid(), GRID_STRIDE)
