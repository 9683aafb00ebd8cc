"""The two passes over a frame's pixels: the thumbnail before the estimator, the apply after it.

Compiled by numba at the first call (some seconds, then kept in its cache) for the machine's own
vector units, x86 or Arm. With OpenCV's functions the apply takes 35 ms at 1920x1080 on two threads,
as ONNX Runtime's operators about as much; this takes 2.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from .grid import FINEST_STRIDE, THUMBNAIL_MULTIPLE, Grid, Thumbnail, thumbnail_stride

__all__ = ["apply_grid", "reduced", "thumbnail_of"]

_F = np.float32


def thumbnail_of(frames: NDArray[Any], threads: int) -> Thumbnail:
    """Means of square blocks of pixels.

    Args:
        frames: (N, H, W, 3) uint8 or uint16 RGB, contiguous.
    """
    count, height, width, _ = frames.shape
    stride = thumbnail_stride(height, width)
    sizes = (_rounded_up(math.ceil(size / stride)) for size in (height, width))
    result = np.empty((count, 3, *sizes), np.float32)
    for frame, small in zip(_flat_rows(frames), result, strict=True):
        _in_strips(partial(_average, frame, small, stride), small.shape[1], threads)
    return Thumbnail(result, stride)


def reduced(frames: NDArray[Any]) -> tuple[NDArray[np.uint8], int]:
    """Frames as small as the estimator wants them, for a model whose thumbnail is 1/4 of its input.

    Args:
        frames: (N, H, W, 3) uint8 or uint16 RGB.

    Returns:
        (N, H / factor, W / factor, 3) uint8, sizes rounded up; and the factor, from 1.
    """
    height, width = frames.shape[1:3]
    factor = math.ceil(thumbnail_stride(height, width) / FINEST_STRIDE)
    if factor == 1 and frames.dtype == np.uint8:
        return frames, 1
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    result = np.empty((len(frames), rows, columns, 3), np.uint8)
    for frame, small in zip(frames, result, strict=True):
        below, right = rows * factor - height, columns * factor - width
        whole = cv2.copyMakeBorder(frame, 0, below, 0, right, cv2.BORDER_REPLICATE)
        mean = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        small[:] = mean if frame.dtype == np.uint8 else cv2.convertScaleAbs(mean, alpha=1 / 257)
    return result, factor


def apply_grid(
    frames: NDArray[Any], grid: Grid, threads: int, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """clear = gain * hazy + bias, rounded, with the grid interpolated bilinearly.

    Args:
        frames: (N, H, W, 3) uint8 or uint16 RGB, contiguous.
        grid: the estimates for the same N frames, each covering at least its frame.
        out: array for the result, shaped as `frames`, or `frames` itself. None makes one.

    Returns:
        (N, H, W, 3) of the type of `frames`.
    """
    result = np.empty_like(frames) if out is None else out
    padded = np.pad(grid.values, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    limit = _F(np.iinfo(frames.dtype).max)
    bands = math.ceil((frames.shape[1] + grid.cell // 2) / grid.cell)
    for frame, cells, clear in zip(_flat_rows(frames), padded, _flat_rows(result), strict=True):
        _in_strips(partial(_apply, frame, clear, cells, grid.cell, limit), bands, threads)
    return result


def _rounded_up(size: int) -> int:
    return math.ceil(size / THUMBNAIL_MULTIPLE) * THUMBNAIL_MULTIPLE


def _flat_rows(frames: NDArray[Any]) -> NDArray[Any]:
    """(N, H, W, 3) as (N, H, 3 W): the loops run over numbers, not over pixels."""
    return frames.reshape(*frames.shape[:2], -1)


def _in_strips(work: Callable[[int, int], None], length: int, threads: int) -> None:
    """Calls work(first, last) for as many parts of range(length) as there are threads."""
    ends = [length * part // threads for part in range(threads + 1)]
    others = [_pool().submit(work, *ends[part : part + 2]) for part in range(1, threads)]
    work(*ends[:2])
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that wait without spinning; numba's own would need libgomp or TBB."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="pixels")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of the threads


_OPTIONS = {"nogil": True, "fastmath": True}
"""Outside of Python's lock; fused multiply-adds, and a minimum that need not care for NaN."""


def _inner(function: Callable[..., None]) -> Any:
    """A function that a compiled one calls."""
    return numba.njit(function, **_OPTIONS)


class _Compiled:
    """A function that numba compiles at its first call and keeps on disk where that is possible."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._is_kept = True
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> None:
        try:
            if self._dispatcher is None:
                self._dispatcher = numba.njit(self._function, cache=True, **_OPTIONS)
            self._dispatcher(*arguments)
        except Exception:  # what the disk, pickle and numba raise, before the function has run
            # The cache cannot be written, its disk is full, or a power cut has damaged it.
            if not self._is_kept:
                raise
            self._is_kept = False
            self._dispatcher = numba.njit(self._function, **_OPTIONS)
            self._dispatcher(*arguments)


@_Compiled
def _average(
    frame: NDArray[Any], thumbnail: NDArray[np.float32], stride: int, first: int, last: int
) -> None:
    """Rows `first` to `last` of a (3, h, w) thumbnail of a (H, 3 W) frame."""
    height, length = frame.shape
    width = length // 3
    unit = _F(1.0 / (np.iinfo(frame.dtype).max * stride * stride))
    sums = np.empty(length, np.uint32)
    for row in range(first, last):
        sums[:] = 0
        for y in range(row * stride, (row + 1) * stride):
            pixels = frame[min(y, height - 1)]
            for i in range(length):
                sums[i] += pixels[i]
        for column in range(thumbnail.shape[2]):
            red = green = blue = np.uint32(0)
            for x in range(column * stride, (column + 1) * stride):
                i = 3 * min(x, width - 1)
                red += sums[i]
                green += sums[i + 1]
                blue += sums[i + 2]
            thumbnail[0, row, column] = red * unit
            thumbnail[1, row, column] = green * unit
            thumbnail[2, row, column] = blue * unit


@_inner
def _widen(
    cells: NDArray[np.float32], cell: int, limit: Any, gain: NDArray[Any], bias: NDArray[Any]
) -> None:
    """A row of w + 2 cells to a gain and a bias for each of its 3 W numbers."""
    half = cell // 2
    width = len(gain) // 3
    step = _F(1.0 / cell)
    for c in range(len(cells) - 1):
        g, red, green, blue = cells[c]
        g_more, red_more, green_more, blue_more = cells[c + 1] - cells[c]
        for x in range(max(0, c * cell - half), min(width, (c + 1) * cell - half)):
            share = (_F(x + half - c * cell) + _F(0.5)) * step
            i = 3 * x
            gain[i] = gain[i + 1] = gain[i + 2] = g + share * g_more
            # One half: the conversion to whole numbers below cuts off.
            bias[i] = limit * (red + share * red_more) + _F(0.5)
            bias[i + 1] = limit * (green + share * green_more) + _F(0.5)
            bias[i + 2] = limit * (blue + share * blue_more) + _F(0.5)


@_inner
def _blend(
    hazy: NDArray[Any],
    gains: NDArray[np.float32],
    biases: NDArray[np.float32],
    upper: int,
    share: Any,
    limit: Any,
    clear: NDArray[Any],
) -> None:
    """Dehazes a row between two rows of cells, with `share` of the lower one."""
    gain0, gain1 = gains[upper], gains[1 - upper]
    bias0, bias1 = biases[upper], biases[1 - upper]
    for i in range(len(hazy)):
        gain = gain0[i] + share * (gain1[i] - gain0[i])
        bias = bias0[i] + share * (bias1[i] - bias0[i])
        clear[i] = np.int32(min(max(_F(hazy[i]) * gain + bias, _F(0)), limit))


@_Compiled
def _apply(
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
    gains = np.empty((2, length), np.float32)
    biases = np.empty((2, length), np.float32)
    upper = 0
    _widen(cells[first], cell, limit, gains[upper], biases[upper])
    for band in range(first, last):
        _widen(cells[band + 1], cell, limit, gains[1 - upper], biases[1 - upper])
        for y in range(max(0, band * cell - half), min(height, (band + 1) * cell - half)):
            share = (_F(y + half - band * cell) + _F(0.5)) * step
            _blend(frame[y], gains, biases, upper, share, limit, clear[y])
        upper = 1 - upper
