"""The eight ways in which a picture can lie, as EXIF numbers them, and their undoing."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UPRIGHT", "orientation_of_matrix", "swaps_sides", "upright"]

UPRIGHT = 1
_OF_CORNERS: dict[tuple[int, ...], int] = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""Orientation by a, b, c, d of a display matrix: x' = a x + c y, y' = b x + d y."""


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undoes an orientation (EXIF 2.3, tag 274: which row and column come first)."""
    if orientation == UPRIGHT:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def swaps_sides(orientation: int) -> bool:
    """True if width and height change places."""
    return orientation >= 5


def orientation_of_matrix(matrix: bytes) -> tuple[int, bool]:
    """The orientation nearest to a display matrix, and whether it is that exactly.

    Args:
        matrix: nine int32, a b u c d v x y w, as in ISO 14496-12, 6.2.2.
    """
    if len(matrix) < 36:
        return UPRIGHT, True
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    if a * d - b * c == 0:
        return UPRIGHT, not any((a, b, c, d))
    straight = abs(a) + abs(d) >= abs(b) + abs(c)
    corner = (a, 0, 0, d) if straight else (0, b, c, 0)
    signs = tuple((value > 0) - (value < 0) for value in corner)
    found = _OF_CORNERS.get(signs, UPRIGHT)
    exact = corner == (a, b, c, d) and signs in _OF_CORNERS
    return found, exact
