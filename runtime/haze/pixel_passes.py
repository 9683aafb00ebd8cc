"""The two passes over a frame's pixels: the thumbnail before the estimator, the apply after it.

A few pictures are done with NumPy. For a video the passes are compiled by numba (some seconds,
once) for the machine's own vector units, x86 or Arm: the apply takes 2 ms at 1920x1080 on two
threads, with OpenCV's functions 35, with ONNX Runtime's about as much. Both give the same pixels.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from . import numpy_passes
from .grid import FINEST_STRIDE, THUMBNAIL_MULTIPLE, Grid, Thumbnail, thumbnail_stride
from .strips import in_strips

__all__ = [
    "apply_grid",
    "check_grid",
    "reduced",
    "thumbnail_of",
    "thumbnail_sizes",
    "use_compiled_passes",
]

_F = np.float32
_passes: Any = numpy_passes
"""The module that does the work: `numpy_passes` or `compiled_passes`."""


def use_compiled_passes() -> None:
    """Takes the compiled passes for all that this process does from now on.

    Each is compiled or loaded at its first use: a video in planes needs none of these.
    """
    global _passes
    from . import compiled_passes

    _passes = compiled_passes


def thumbnail_of(frames: NDArray[Any], threads: int) -> Thumbnail:
    """Means of square blocks of pixels.

    Args:
        frames: (N, H, W, 3) uint8 or uint16 RGB, contiguous.
    """
    count, height, width, _ = frames.shape
    stride = thumbnail_stride(height, width)
    result = np.empty((count, 3, *thumbnail_sizes(height, width, stride)), np.float32)
    for frame, small in zip(_flat_rows(frames), result, strict=True):
        in_strips(partial(_passes.average_rows, frame, small, stride), small.shape[1], threads)
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

    Raises:
        ModelError: the grid is of another type, does not cover the frames or is not finite. The
            model file that gave it may be anybody's, and the loops look at no bound.
    """
    check_grid(grid, frames.shape)
    result = np.empty_like(frames) if out is None else out
    padded = np.pad(grid.values, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    limit = _F(np.iinfo(frames.dtype).max)
    bands = math.ceil((frames.shape[1] + grid.cell // 2) / grid.cell)
    for frame, cells, clear in zip(_flat_rows(frames), padded, _flat_rows(result), strict=True):
        in_strips(
            partial(_passes.apply_bands, frame, clear, cells, grid.cell, limit), bands, threads
        )
    return result


def check_grid(grid: Grid, shape: tuple[int, ...]) -> None:
    """Raises ModelError for a grid that frames of this shape, (N, H, W, 3), cannot be given."""
    values, count = grid.values, shape[0]
    if values.dtype != np.float32 or values.ndim != 4 or values.shape[3] != 4 or grid.cell < 1:
        raise ModelError(
            f"expected a grid of (N, h, w, 4) float32, the model gave {values.shape} {values.dtype}"
        )
    covered = tuple(grid.cell * size for size in values.shape[1:3])
    if len(values) != count or covered[0] < shape[1] or covered[1] < shape[2]:
        raise ModelError(
            f"expected a grid that covers {count} frames of {shape[1:3]}, the model gave one of "
            f"{len(values)} and {covered}"
        )
    if not np.isfinite(values).all():
        raise ModelError("expected finite numbers in the model's estimate, got NaN or infinity")


def thumbnail_sizes(height: int, width: int, stride: int) -> tuple[int, int]:
    """Rows and columns of the thumbnail, with those that repeat the last one."""
    rows, columns = (
        math.ceil(size / (stride * THUMBNAIL_MULTIPLE)) * THUMBNAIL_MULTIPLE
        for size in (height, width)
    )
    return rows, columns


def _flat_rows(frames: NDArray[Any]) -> NDArray[Any]:
    """(N, H, W, 3) as (N, H, 3 W): the loops run over numbers, not over pixels."""
    return frames.reshape(*frames.shape[:2], -1)
