"""The two passes over a frame's pixels in NumPy and OpenCV: for a few pictures.

Every operation is that of `compiled_passes`, in the same order and precision, so both give the same
pixels; they are some ten times slower, and ready at once. Change both together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["apply_bands", "average_rows"]

_F = np.float32
_CHUNK_NUMBERS = 1 << 16
"""So many are worked on at a time: what fits a core's own cache."""


def average_rows(
    frame: NDArray[Any], thumbnail: NDArray[np.float32], stride: int, first: int, last: int
) -> None:
    """Rows `first` to `last` of a (3, h, w) thumbnail of a (H, 3 W) frame."""
    height, length = frame.shape
    columns = thumbnail.shape[2]
    unit = float(_F(1.0 / (np.iinfo(frame.dtype).max * stride * stride)))
    # OpenCV sums 16 bits into nothing narrower that is exact.
    whole = frame.dtype == np.uint8
    kind = (cv2.CV_32S, np.int32) if whole else (cv2.CV_64F, np.float64)
    sums = np.empty((columns * stride, 3), kind[1])
    for row in range(first, last):
        rows = frame[row * stride : (row + 1) * stride]
        total: Any = (stride - len(rows)) * frame[height - 1].astype(kind[1])
        if len(rows):
            total += cv2.reduce(rows, 0, cv2.REDUCE_SUM, dtype=kind[0]).reshape(-1)
        sums[: length // 3] = total.reshape(-1, 3)[: len(sums)]
        sums[length // 3 :] = sums[length // 3 - 1]
        thumbnail[:, row] = (sums.reshape(columns, stride, 3).sum(axis=1) * unit).T


class _Lines(NamedTuple):
    """A row of cells widened to every number of a row of pixels."""

    gain: NDArray[np.float32]
    """(3 W,)"""
    bias: NDArray[np.float32]
    """(3 W,), with one half for the rounding."""


def apply_bands(
    frame: NDArray[Any],
    clear: NDArray[Any],
    cells: NDArray[np.float32],
    cell: int,
    limit: Any,
    first: int,
    last: int,
) -> None:
    """Bands `first` to `last` of a (H, 3 W) frame: the rows between the centres of two cells."""
    height, length = frame.shape
    half = cell // 2
    step = _F(1.0 / cell)
    places = np.arange(length // 3) + half
    column = places // cell
    share_x = ((places - column * cell).astype(_F) + _F(0.5)) * step
    chunk = max(1, _CHUNK_NUMBERS // length)
    upper = _widened(cells[first], column, share_x, limit)
    for band in range(first, last):
        lower = _widened(cells[band + 1], column, share_x, limit)
        begin = max(0, band * cell - half)
        end = min(height, (band + 1) * cell - half)
        for y in range(begin, end, chunk):
            rows = np.arange(y, min(y + chunk, end))
            share = ((rows + half - band * cell).astype(_F) + _F(0.5)) * step
            clear[rows[0] : rows[-1] + 1] = _blended(
                frame[rows[0] : rows[-1] + 1], upper, lower, share[:, None], limit
            )
        upper = lower


def _blended(
    hazy: NDArray[Any], upper: _Lines, lower: _Lines, share: NDArray[np.float32], limit: Any
) -> NDArray[Any]:
    """Some rows: `share` of the lower cells' gain and bias, the rest of the upper ones'."""
    result = share * (lower.gain - upper.gain)
    result += upper.gain
    bias = share * (lower.bias - upper.bias)
    bias += upper.bias
    np.multiply(result, hazy, out=result, dtype=_F)
    result += bias
    np.maximum(result, _F(0), out=result)
    np.minimum(result, limit, out=result)  # storing whole numbers cuts the rest off
    return result


def _widened(
    cells: NDArray[np.float32], column: NDArray[Any], share: NDArray[np.float32], limit: Any
) -> _Lines:
    """A row of w + 2 cells to a gain and a bias for each of the 3 W numbers of a row."""
    wide = cells[column] + share[:, None] * (cells[1:] - cells[:-1])[column]
    bias = limit * wide[:, 1:] + _F(0.5)
    return _Lines(np.repeat(wide[:, 0], 3), bias.reshape(-1))
