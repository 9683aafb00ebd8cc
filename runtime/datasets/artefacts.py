"""Contrast gained by dehazing, and what it may spoil; no clear picture is needed.

Both pictures are brought to a height of 480 and cut into blocks of 16x16. A block is flat where the
luma of the hazy picture hardly varies: fog, sky, walls. A method should gain contrast in the other
blocks and leave the flat ones as they are, for what it gains there is noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Artefacts", "measure_artefacts"]

HEIGHT = 480
"""Pixels; figures of pictures of any size can be compared, and the noise of a sensor averages out.
"""
BLOCK = 16
"""Pixels along each side of a block."""
FLAT = 3.0
"""Deviation of the luma, of 255, below which a block of the hazy picture is flat."""
LEAST_DEVIATION = 0.7
"""A flat block counts as at least this noisy before: rounding to 8 bits alone makes 0.3, and a
ratio to almost nothing would say little."""
FEWEST_FLAT = 8
"""Flat blocks that a picture must have for figures about them."""
BLACK, WHITE = 5, 250
"""A value below or above is crushed: next to no detail is left there."""


@dataclass(frozen=True)
class Artefacts:
    """Figures of one result against its hazy picture.

    A picture that is left as it is has contrast 1, noise 1 (below 1 where it has blocks without
    any) and 0 in the others.
    """

    contrast: float
    """Mean ratio of the deviation of luma, result to hazy, over the textured blocks; higher is
    better. NaN where there is no such block."""
    noise: float
    """The same over the flat blocks; lower is better. NaN where there are fewer than 8."""
    cast: float
    """Mean shift of the colour of flat blocks, as a distance in a and b of CIE Lab; lower is
    better. NaN as for noise."""
    dark: float
    """Mean loss of lightness of flat blocks, L of CIE Lab from 0 to 100; one that became lighter
    counts as 0. Lower is better. NaN as for noise."""
    crushed: float
    """Percentage of the pixels of which a colour is new below 5 or above 250; lower is better."""


def measure_artefacts(hazy: NDArray[np.uint8], result: NDArray[np.uint8]) -> Artefacts:
    """Measures what a method made of a hazy picture.

    Args:
        hazy: (H, W, 3) uint8 RGB.
        result: uint8 RGB of the same scene; of any size, as a network may enlarge.
    """
    width = max(1, int(hazy.shape[1] * HEIGHT / hazy.shape[0]))
    before, after = (_resized(pixels, width) for pixels in (hazy, result))
    deviation, new_deviation = (
        _blocks(_luma(pixels)).std(axis=1)[:, 0] for pixels in (before, after)
    )
    flat = deviation < FLAT
    contrast = noise = cast = dark = math.nan
    if not flat.all():
        contrast = float((new_deviation[~flat] / deviation[~flat]).mean())
    if flat.sum() >= FEWEST_FLAT:
        noise = float((new_deviation / np.maximum(deviation, LEAST_DEVIATION))[flat].mean())
        colour, new_colour = (
            _blocks(_lab(pixels)).mean(axis=1)[flat] for pixels in (before, after)
        )
        cast = float(np.hypot(*(new_colour - colour)[:, 1:].T).mean())
        dark = float(np.maximum(colour - new_colour, 0)[:, 0].mean())
    crushed = ((after < BLACK) & (before >= BLACK)) | ((after > WHITE) & (before <= WHITE))
    return Artefacts(contrast, noise, cast, dark, 100 * float(crushed.any(axis=2).mean()))


def _resized(pixels: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    resized = cv2.resize(pixels, (width, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def _luma(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 1) float32 in [0, 255]."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)[..., None]


def _lab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) float32: L in [0, 100], a and b about 0."""
    share = pixels.astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(share, cv2.COLOR_RGB2Lab), np.float32)


def _blocks(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(blocks, 256, channels) of the whole blocks; a rest at the right and below is left out."""
    rows, columns = pixels.shape[0] // BLOCK, pixels.shape[1] // BLOCK
    whole = pixels[: rows * BLOCK, : columns * BLOCK]
    grid = whole.reshape(rows, BLOCK, columns, BLOCK, -1).swapaxes(1, 2)
    return grid.reshape(rows * columns, BLOCK * BLOCK, pixels.shape[2])
