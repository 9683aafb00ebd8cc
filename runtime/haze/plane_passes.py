"""The two passes over a frame's pixels for frames that stay in their planes of Y, Cb and Cr.

A gain for all colours and a bias for each are linear, so they can be applied to the codes of a
video as they are to RGB: no conversion there and back, and half the numbers where chroma has a
quarter of the size. Colours that leave RGB's range are cut off where they would be in RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from .grid import Grid, Thumbnail, thumbnail_stride
from .pixel_passes import check_grid, thumbnail_sizes
from .plane_loops import TILE_CHUNKS, WORK_FLOATS, apply_rows, average_rows
from .strips import in_strips

__all__ = ["PlanarFrame", "apply_to_planes", "thumbnail_of_planes"]

_F = np.float32
_MOST = _F(1000)
"""The greatest gain: any model's numbers fit whole numbers of 32 bits, at any depth."""
P = TypeVar("P")


class PlanarFrame(Protocol):
    """A frame in planes; `media.pixels.planar_frame.CodedFrame` is one."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3), as that of the same frame in RGB."""
        ...

    @property
    def planes(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Y, Cb and Cr: (rows, columns and padding) uint8 or uint16 codes."""
        ...

    @property
    def halves(self) -> tuple[int, int]:
        """The number of times that chroma is halved along x and along y: 0 or 1, and whole."""
        ...

    @property
    def depth(self) -> int:
        """Bits of a code."""
        ...

    @property
    def matrix(self) -> NDArray[np.float32]:
        """(3, 4): RGB in [0, 1] and 1 to codes."""
        ...

    def blank(self: P) -> P:
        """A new frame of the same size and format, to be filled."""
        ...


def thumbnail_of_planes(frame: PlanarFrame, threads: int) -> Thumbnail:
    """Means of square blocks of pixels, which become RGB at the thumbnail's own size."""
    height, width, _ = frame.shape
    stride = thumbnail_stride(height, width)
    codes = np.empty((3, *thumbnail_sizes(height, width, stride)), np.float32)

    def work(first: int, last: int) -> None:
        sums = np.empty((2, codes.shape[2] * stride), np.uint32)
        halves = ((0, 0), frame.halves, frame.halves)
        for plane, means, (x, y) in zip(frame.planes, codes, halves, strict=True):
            average_rows(plane, height, width, x, y, means, stride, sums, first, last)

    in_strips(work, codes.shape[1], threads)
    matrix = frame.matrix.astype(np.float64)
    back = np.linalg.inv(matrix[:, :3])
    flat = codes.reshape(3, -1)
    rgb = back.astype(_F) @ flat - (back @ matrix[:, 3:]).astype(_F)
    values = np.clip(rgb, 0, 1, out=rgb).reshape(1, *codes.shape)
    return Thumbnail(values, stride)


def apply_to_planes(frame: PlanarFrame, grid: Grid, out: PlanarFrame, threads: int) -> None:
    """clear = gain * hazy + bias, rounded, with the grid interpolated bilinearly.

    Chroma is that of the dehazed pixels' mean, as it would be by way of RGB.

    Args:
        grid: the estimate for the frame, which covers it.
        out: the frame to fill, of the same size and format.

    Raises:
        ModelError: as `apply_grid`.
    """
    check_grid(grid, (1, *frame.shape))
    code = _Code.of(frame.matrix)
    values = np.clip(grid.values[0], -_MOST, _MOST)
    cells = code.cells(cv2.copyMakeBorder(values, 1, 1, 1, 1, cv2.BORDER_REPLICATE))
    height, width, _ = frame.shape
    rows = height >> frame.halves[1]
    limit = _F((1 << frame.depth) - 1)

    def work(first: int, last: int) -> None:
        apply_rows(
            *frame.planes,
            *out.planes,
            width,
            *frame.halves,
            cells,
            grid.cell,
            code.to_rgb,
            code.from_rgb,
            code.middle,
            code.black,
            code.white,
            limit,
            np.empty(WORK_FLOATS, np.float32),
            np.empty((2, TILE_CHUNKS), np.int32),
            first,
            last,
        )

    in_strips(work, rows, threads)


@dataclass(frozen=True)
class _Code:
    """The coding of RGB in units of the codes of luma."""

    to_rgb: NDArray[np.float32]
    """(3, 2): Cb and Cr, from their middle on, to R, G and B beside luma."""
    from_rgb: NDArray[np.float32]
    """(3, 3): R, G and B to luma, and to Cb and Cr from their middle on."""
    middle: Any
    """The code of Cb and Cr for grey."""
    black: Any
    """The code of luma for black."""
    white: Any
    """The code of luma for white."""

    @classmethod
    def of(cls, matrix: NDArray[np.float32]) -> _Code:
        """The code of a matrix as in `PlanarFrame`; a grey has its value as luma, and no chroma."""
        exact = matrix.astype(np.float64)
        span = exact[0, :3].sum()
        back = np.linalg.inv(exact[:, :3]) * span
        return cls(
            back[:, 1:].astype(_F),
            (exact[:, :3] / span).astype(_F),
            matrix[1, 3],
            matrix[0, 3],
            _F(exact[0, 3] + span),
        )

    def cells(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(h, w, 4) gain and biases to (h, w, 5): gain, luma's bias, those of R, G, B beside it."""
        span = self.white - self.black
        matrix = np.zeros((5, 5), np.float32)
        matrix[0, 0] = 1
        matrix[1] = (-self.black, *(span * self.from_rgb[0]), self.black)
        matrix[2:, 1:4] = span * (np.eye(3) - self.from_rgb[0])
        return np.asarray(cv2.transform(values, matrix), np.float32)  # NumPy takes 5 times as long
