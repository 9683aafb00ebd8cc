"""The border that a clear picture may have around what its hazy one shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .pairs import HazyPair

__all__ = ["border_of", "without_border"]

MOST_BORDER = 20
"""Rows or columns that a clear picture may have more than its hazy one, in all: RESIDE cuts 10
pixels off each side of NYU's 640x480, in some releases from the hazy pictures alone."""

Pixels = TypeVar("Pixels", bound=np.generic)


def border_of(clear: Sequence[int], hazy: Sequence[int], pair: HazyPair) -> tuple[int, int]:
    """Rows above and columns beside the middle of the clear picture, which the hazy one shows.

    Args:
        clear, hazy: (H, W) or (H, W, 3) of the two.
        pair: their files, for the error.

    Raises:
        InputError: the sizes do not fit.
    """
    rows, columns = clear[0] - hazy[0], clear[1] - hazy[1]
    if any(extra % 2 or not 0 <= extra <= MOST_BORDER for extra in (rows, columns)):
        raise InputError(
            f"{pair.hazy}: expected the size of {pair.clear}, {clear[1]}x{clear[0]}, "
            f"got {hazy[1]}x{hazy[0]}"
        )
    return rows // 2, columns // 2


def without_border(clear: NDArray[Pixels], hazy: Sequence[int], pair: HazyPair) -> NDArray[Pixels]:
    """The middle of a clear picture, (H, W, 3), as large as the hazy one of shape `hazy`.

    Raises:
        InputError: the sizes do not fit.
    """
    top, left = border_of(clear.shape, hazy, pair)
    return clear[top : top + hazy[0], left : left + hazy[1]]
