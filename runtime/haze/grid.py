"""The low-resolution estimate of the haze, and the sizes that it has for a frame of any size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FINEST_STRIDE",
    "PIXELS_PER_CELL",
    "THUMBNAIL_MULTIPLE",
    "Grid",
    "Thumbnail",
    "thumbnail_stride",
]

PIXELS_PER_CELL = 2
"""Thumbnail pixels per cell of the grid, along each axis."""
THUMBNAIL_MULTIPLE = 8
"""The estimator takes thumbnails whose sides are multiples of this: its coarsest level is 1/8."""
FINEST_STRIDE = 4
"""Least pixels per thumbnail pixel, along each axis."""
MAXIMUM_THUMBNAIL_PIXELS = 160 * 120
"""About what the estimator was trained on: 160x120 at 640x480, 175x99 at 1920x1080.

A finer one is slower and no better: see docs/experiments.md, "How fine a thumbnail".
"""


class Thumbnail(NamedTuple):
    """The estimator's input: frames at low resolution."""

    values: NDArray[np.float32]
    """(N, 3, h, w) float32 RGB in [0, 1], means of square blocks of pixels; h and w are rounded up
    to multiples of 8 by repeating the frame's last row and column."""
    stride: int
    """Pixels per thumbnail pixel, along each axis."""


@dataclass(frozen=True)
class Grid:
    """The estimate at low resolution: for every pixel clear = gain * hazy + bias, both in [0, 1].

    In terms of I = J t + A (1 - t), solved for J: gain = 1 / t and bias = A (1 - gain).
    """

    values: NDArray[np.float32]
    """(N, h, w, 4) float32: the gain and the biases of R, G, B, to be interpolated bilinearly."""
    cell: int
    """Pixels per cell, along each axis. The cells may reach beyond the last row and column."""

    def scaled(self, strength: float) -> Grid:
        """The grid between the identity (strength 0) and this one (strength 1)."""
        if strength == 1:
            return self
        identity = np.array([1, 0, 0, 0], np.float32)
        return replace(self, values=identity + np.float32(strength) * (self.values - identity))

    def with_white(self, white: float) -> Grid:
        """The same for frames whose white is `white`, not 1."""
        if white == 1:
            return self
        return replace(self, values=self.values * np.array([1, white, white, white], np.float32))

    def haze(self) -> float:
        """The haze meter: the mean of 1 - t, from 0 (clear) to 1."""
        return float(1 - np.mean(1 / np.maximum(self.values[..., 0], 1)))


def thumbnail_stride(height: int, width: int) -> int:
    """Pixels per thumbnail pixel, along each axis, for a frame of this size."""
    stride = max(FINEST_STRIDE, math.isqrt(height * width // MAXIMUM_THUMBNAIL_PIXELS))
    while math.ceil(height / stride) * math.ceil(width / stride) > MAXIMUM_THUMBNAIL_PIXELS:
        stride += 1
    return stride
