from __future__ import annotations

import struct

import numpy as np
import pytest

from dehaze.runtime.media.pixels.orientation import orientation_of_matrix, upright

ONE = 1 << 16


def shown_by_matrix(stored: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """Every pixel where ISO 14496-12 puts it: x' = a x + c y, y' = b x + d y."""
    height, width = stored.shape
    places = {}
    for y in range(height):
        for x in range(width):
            places[a * x + c * y, b * x + d * y] = stored[y, x]
    left, top = (min(place[i] for place in places) for i in (0, 1))
    shape = (height, width) if a else (width, height)
    shown = np.zeros(shape, stored.dtype)
    for (x, y), value in places.items():
        shown[y - top, x - left] = value
    return shown


@pytest.mark.parametrize(
    "corner",
    [
        *((1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1)),
        *((0, 1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0)),
    ],
)
def test_the_eight_display_matrices(corner: tuple[int, int, int, int]) -> None:
    a, b, c, d = corner
    stored = np.arange(15).reshape(3, 5)
    matrix = struct.pack("=9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    orientation, exact = orientation_of_matrix(matrix)
    assert exact
    assert np.array_equal(upright(stored, orientation), shown_by_matrix(stored, *corner))


def test_an_angle_between_is_taken_for_the_nearest_quarter() -> None:
    sine, cosine = round(0.17 * ONE), round(0.98 * ONE)
    matrix = struct.pack("=9i", cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 30)
    assert orientation_of_matrix(matrix) == (1, False)
