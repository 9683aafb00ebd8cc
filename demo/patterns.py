"""Building blocks of procedural textures: surface points, box-filtered stripes, and noise.

The patterns take the width over which to average: at 100 m one ray covers several bricks, and
point samples of them would flicker.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from raycast import Floats, Ints


@dataclass(frozen=True)
class Surface:
    """N points of one material, as rays met them."""

    point: Floats
    """(3, N) metres."""
    direction: Floats
    """(3, N) unit ray directions."""
    normal: Floats
    """(3, N) unit, towards the viewer."""
    spread: Floats
    """(N,) width of the ray at the point, metres."""
    low: Floats
    """(3, N) lower corner of the solid's box, metres."""
    high: Floats
    """(3, N) upper corner."""
    colour: Floats
    """(3, N) linear RGB."""
    accent: Floats
    """(3, N) linear RGB."""
    bay: Floats
    """(N,) metres."""
    seed: Ints
    """(N,)"""

    def width(self, axis: int) -> Floats:
        """(N,) metres of an axis that the ray covers, longer where it grazes the surface."""
        facing = (self.direction * self.normal).sum(axis=0)
        width: Floats = self.spread * np.sqrt(1 + np.square(self.direction[axis] / facing))
        return width


def rgb(red: float, green: float, blue: float) -> Floats:
    """(3, 1) float32, to combine with (3, N)."""
    return np.array([[red], [green], [blue]], np.float32)


def span(x: Floats, low: float | Floats, high: float | Floats, width: Floats) -> Floats:
    """The part of a window of `width` around x that lies within [low, high], in [0, 1]."""
    inside = np.minimum(x + width / 2, high) - np.maximum(x - width / 2, low)
    share: Floats = np.clip(inside / width, 0, 1)
    return share


def pulse(x: Floats, duty: float, width: Floats) -> Floats:
    """The box-filtered square wave that is 1 where frac(x) < duty."""

    def integral(at: Floats) -> Floats:
        whole = np.floor(at)
        covered: Floats = whole * np.float32(duty) + np.minimum(at - whole, np.float32(duty))
        return covered

    share: Floats = (integral(x + width / 2) - integral(x - width / 2)) / width
    return share


def centred(x: Floats, duty: float, width: Floats) -> Floats:
    """`pulse` with the raised part in the middle of each period."""
    return pulse(x - np.float32(0.5 - duty / 2), duty, width)


def mix(
    low: Floats | float, high: Floats | float, weight: Floats | npt.NDArray[np.bool_]
) -> Floats:
    """`low` where the weight is 0, `high` where it is 1."""
    return low + (high - low) * weight


class Noise:
    """Tileable fractal noise with a pyramid of coarser copies, mean 0 and amplitude about 1."""

    SIDE = 1024

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        image = np.zeros((self.SIDE, self.SIDE), np.float32)
        for octave in range(3, 10):
            side = 2**octave
            grid = np.pad(rng.uniform(-1, 1, (side, side)).astype(np.float32), 2, mode="wrap")
            step = self.SIDE // side
            fine = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
            image += fine[2 * step : -2 * step, 2 * step : -2 * step] * np.float32(0.75**octave)
        image /= 2.2 * image.std()
        levels: list[Floats] = [image]
        while levels[-1].shape[0] > 1:
            half = cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            levels.append(half.astype(np.float32))
        self.texels = np.concatenate([level.ravel() for level in levels])
        self.start = np.cumsum([0] + [level.size for level in levels[:-1]])
        self.random = rng.random(1024).astype(np.float32)

    def __call__(self, u: Floats, v: Floats, tile: float, width: Floats) -> Floats:
        """(N,) noise at (u, v) metres, repeating every `tile` metres, blurred over `width`."""
        blur = np.log2(np.maximum(width * np.float32(self.SIDE / tile), 1))
        level = np.minimum(np.rint(blur), len(self.start) - 1).astype(np.int32)
        side = np.int32(self.SIDE) >> level
        start = self.start[level]
        column, row = (x / np.float32(tile) * side for x in (u, v))
        left, top = np.floor(column), np.floor(row)
        right_part, bottom_part = column - left, row - top
        c0, r0 = left.astype(np.int32) & (side - 1), top.astype(np.int32) & (side - 1)
        c1, r1 = (c0 + 1) & (side - 1), (r0 + 1) & (side - 1)
        upper = mix(
            self.texels[start + r0 * side + c0], self.texels[start + r0 * side + c1], right_part
        )
        lower = mix(
            self.texels[start + r1 * side + c0], self.texels[start + r1 * side + c1], right_part
        )
        return mix(upper, lower, bottom_part)

    def of_cell(self, column: Floats, row: Floats, seed: Ints | int = 0) -> Floats:
        """(N,) one random number in [0, 1] for each integer cell."""
        key = column.astype(np.int64) * 37 + row.astype(np.int64) * 101 + seed * 17
        chance: Floats = self.random[key & 1023]
        return chance


NOISE = Noise(7)
