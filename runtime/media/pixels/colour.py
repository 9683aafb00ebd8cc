"""The colour coding of a video, and the matrices between its YUV codes and RGB."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["BT601", "UNSPECIFIED", "Colours", "colours_of"]

UNSPECIFIED = 2
BT709, BT601, BT2020 = 1, 5, 9
_HLG, _PQ = 18, 16
_HD_HEIGHT = 720
_YCGCO = 8
_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Weights of red and blue in luma, by matrix coefficients (ITU-T H.273, table 4)."""
_WEIGHTS_OF_PRIMARIES = {1: 1, 6: 7, 7: 7, 9: 9}
"""The matrix that follows from the primaries, for streams that say no more than that."""
_DERIVED = 12


@dataclass(frozen=True)
class Colours:
    """The meaning of the numbers in a stream's planes (ITU-T H.273)."""

    matrix: int = BT601
    """Matrix coefficients: one of those that `colours_of` returns."""
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool = False
    """True if black and white are the least and the greatest code, not 16 and 235 of 255."""

    def with_range(self, *, full: bool) -> Colours:
        return replace(self, full_range=full)

    def from_rgb(self, depth: int, white: int = 255) -> NDArray[np.float32]:
        """(3, 4) float32: RGB in 0..white and 1 to the codes Y, Cb, Cr of `depth` bits."""
        unit = 1 << (depth - 8)
        top = (1 << depth) - 1
        luma, chroma, black = (219 * unit, 224 * unit, 16 * unit)
        if self.full_range:
            luma, chroma, black = top, top, 0
        rows = _unit_matrix(self.matrix) * np.array([[luma], [chroma], [chroma]]) / white
        return np.column_stack((rows, (black, 128 * unit, 128 * unit))).astype(np.float32)

    def to_rgb(self, depth: int, white: int = 255) -> NDArray[np.float32]:
        """(3, 4) float32: the codes Y, Cb, Cr of `depth` bits and 1 to RGB in 0..white."""
        forward = self.from_rgb(depth, white).astype(np.float64)
        back = np.linalg.inv(forward[:, :3])
        return np.column_stack((back, -back @ forward[:, 3])).astype(np.float32)


def _unit_matrix(matrix: int) -> NDArray[np.float64]:
    """(3, 3): RGB in [0, 1] to Y in [0, 1], Cb and Cr in [-1/2, 1/2]."""
    if matrix == _YCGCO:
        return np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0, -0.5]])
    red, blue = _WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack((luma, cb, cr))


def colours_of(
    matrix: int, primaries: int, transfer: int, height: int, *, full_range: bool = False
) -> tuple[Colours, bool]:
    """The colours of a stream, and whether its matrix had to be guessed against what it says.

    A stream that says nothing of its matrix has that of its primaries, else BT.709 for HD and
    BT.601 below, as players take it; that counts as no guess. Matrices that are no matrices, such
    as ICtCp, are taken for that of the primaries.

    Args:
        matrix, primaries, transfer: the stream's numbers for them (ITU-T H.273).
        height: of its frames in pixels.
    """
    known = matrix in _WEIGHTS or matrix == _YCGCO
    said_nothing = matrix in (0, UNSPECIFIED, 3, _DERIVED)
    if not known:
        fallback = BT709 if height >= _HD_HEIGHT else BT601
        if transfer in (_PQ, _HLG):
            fallback = BT2020
        unusual = primaries not in (1, 6) or matrix == _DERIVED
        matrix = _WEIGHTS_OF_PRIMARIES.get(primaries, fallback) if unusual else fallback
    return Colours(matrix, primaries, transfer, full_range), not (known or said_nothing)
