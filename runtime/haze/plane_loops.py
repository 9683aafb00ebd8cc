"""The loops of `plane_passes`, compiled. They work in memory that the caller gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled, inlined

__all__ = ["CHUNK", "apply_rows", "average_rows"]

_F = np.float32
CHUNK = 64
"""Chroma samples that are cut off together, or found to need no cut."""


@compiled
def average_rows(
    plane: NDArray[Any],
    height: int,
    width: int,
    halves_x: int,
    halves_y: int,
    means: NDArray[np.float32],
    stride: int,
    sums: NDArray[np.uint32],
    first: int,
    last: int,
) -> None:
    """Rows `first` to `last` of the (h, w) means of a plane, by blocks of the frame's pixels.

    Args:
        sums: (W',) of a row of the plane.
    """
    columns = width >> halves_x
    unit = _F(1.0 / (stride * stride))
    for row in range(first, last):
        sums[:] = 0
        y = row * stride
        while y < (row + 1) * stride:
            line = min(y, height - 1) >> halves_y
            times = np.uint32(0)
            while y < (row + 1) * stride and min(y, height - 1) >> halves_y == line:
                times += np.uint32(1)
                y += 1
            codes = plane[line]
            for i in range(columns):
                sums[i] += times * codes[i]
        for column in range(means.shape[1]):
            begin, end = column * stride, (column + 1) * stride
            total = np.uint32(0)
            if end <= width and stride & halves_x == 0:
                for i in range(begin >> halves_x, end >> halves_x):
                    total += sums[i]
                total <<= np.uint32(halves_x)
            else:  # the last chroma sample of a block may be half in the next one
                for x in range(begin, end):
                    total += sums[min(x, width - 1) >> halves_x]
            means[row, column] = total * unit


@inlined
def _ramp(
    left: Any, right: Any, start: Any, pace: Any, step: Any, line: NDArray[np.float32]
) -> None:
    """Numbers between those of two cells, from `start` pixels after the left one on."""
    more = right - left
    for i in range(len(line)):
        line[i] = left + (start + pace * _F(np.int32(i))) * step * more


@inlined
def _widen(
    cells: NDArray[np.float32],
    cell: int,
    halves: int,
    lines: NDArray[np.float32],
    chroma: NDArray[np.float32],
) -> None:
    """A row of w + 2 cells to the values of each pixel (2, W) and each chroma sample (4, W')."""
    half = cell // 2
    width = lines.shape[1]
    step = _F(1.0 / cell)
    block = 1 << halves
    for c in range(len(cells) - 1):
        begin, end = max(0, c * cell - half), min(width, (c + 1) * cell - half)
        for k in range(2):
            _ramp(
                cells[c, k],
                cells[c + 1, k],
                _F(begin + half - c * cell) + _F(0.5),
                _F(1),
                step,
                lines[k, begin:end],
            )
        begin, end = (begin + block - 1) >> halves, (end + block - 1) >> halves
        centre = _F((begin << halves) + half - c * cell) + _F(0.5) * _F(block)
        for k in range(4):
            m = k + min(k, 1)  # the gain and the last three
            _ramp(cells[c, m], cells[c + 1, m], centre, _F(block), step, chroma[k, begin:end])


@inlined
def _subtract(upper: NDArray[np.float32], lower: NDArray[np.float32]) -> None:
    """Leaves in `lower` what it has more than `upper`."""
    for k in range(len(upper)):
        above, below = upper[k], lower[k]
        for x in range(len(above)):
            below[x] -= above[x]


@inlined
def _spread(
    blue: NDArray[Any],
    red: NDArray[Any],
    middle: Any,
    of_blue: Any,
    of_red: Any,
    gain: NDArray[np.float32],
    more_gain: NDArray[np.float32],
    bias: NDArray[np.float32],
    more_bias: NDArray[np.float32],
    share: Any,
    offset: NDArray[np.float32],
) -> None:
    """What one colour has beside luma after dehazing, for every chroma sample of a row."""
    for i in range(len(offset)):
        code = of_blue * (_F(blue[i]) - middle) + of_red * (_F(red[i]) - middle)
        offset[i] = (gain[i] + share * more_gain[i]) * code + (bias[i] + share * more_bias[i])


@inlined
def _blend(
    hazy: NDArray[Any],
    upper: NDArray[np.float32],
    more: NDArray[np.float32],
    share: Any,
    clear: NDArray[np.float32],
) -> None:
    """The luma of a row, `share` of the way from the upper cells to the lower ones."""
    gain, bias, more_gain, more_bias = upper[0], upper[1], more[0], more[1]
    for x in range(len(clear)):
        value = _F(hazy[x]) * (gain[x] + share * more_gain[x])
        clear[x] = value + (bias[x] + share * more_bias[x])


@inlined
def _extent(values: NDArray[np.float32]) -> tuple[Any, Any]:
    """Whole numbers around all values."""
    low = high = np.int32(values[0])  # a minimum of whole numbers is found with vectors
    for x in range(len(values)):
        low = min(low, np.int32(values[x]))
        high = max(high, np.int32(values[x]))
    return low - 1, high + 1


@inlined
def _clip(
    luma: NDArray[np.float32],
    offset: NDArray[np.float32],
    black: Any,
    white: Any,
    weight: Any,
    total: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Adds one colour, cut off at black and white, to its row's luma and to its own sums."""
    for x in range(len(luma)):
        value = min(max(luma[x] + offset[x], black), white)
        total[x] += weight * value
        sums[x] += value


@inlined
def _store(values: NDArray[np.float32], codes: NDArray[Any]) -> None:
    for x in range(len(values)):
        codes[x] = np.int32(values[x] + _F(0.5))  # the conversion to whole numbers cuts off


@inlined
def _store_chroma(
    r: NDArray[np.float32],
    g: NDArray[np.float32],
    b: NDArray[np.float32],
    weights: NDArray[np.float32],
    middle: Any,
    limit: Any,
    codes: NDArray[Any],
) -> None:
    """One plane's row from R, G and B."""
    of_r, of_g, of_b = weights[0], weights[1], weights[2]
    base = middle + _F(0.5)
    for i in range(len(codes)):
        code = of_r * r[i] + of_g * g[i] + of_b * b[i] + base
        codes[i] = np.int32(min(max(code, _F(0)), limit))


@inlined
def _copy(values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for x in range(len(values)):
        out[x] = values[x]


@inlined
def _repeat(values: NDArray[np.float32], halves: int, wide: NDArray[np.float32]) -> None:
    """Chroma samples to pixels."""
    if halves:
        for i in range(len(values)):
            wide[2 * i] = values[i]
            wide[2 * i + 1] = values[i]
    else:
        _copy(values, wide)


@inlined
def _gather(wide: NDArray[np.float32], halves: int, share: Any, means: NDArray[np.float32]) -> None:
    """Sums of pixels to means of chroma samples."""
    if halves:
        for i in range(len(means)):
            means[i] = share * (wide[2 * i] + wide[2 * i + 1])
    else:
        for i in range(len(means)):
            means[i] = share * wide[i]


@compiled
def apply_rows(
    luma: NDArray[Any],
    blue: NDArray[Any],
    red: NDArray[Any],
    clear_luma: NDArray[Any],
    clear_blue: NDArray[Any],
    clear_red: NDArray[Any],
    width: int,
    halves_x: int,
    halves_y: int,
    cells: NDArray[np.float32],
    cell: int,
    to_rgb: NDArray[np.float32],
    from_rgb: NDArray[np.float32],
    middle: Any,
    black: Any,
    white: Any,
    limit: Any,
    lines: NDArray[np.float32],
    chroma: NDArray[np.float32],
    clear: NDArray[np.float32],
    offsets: NDArray[np.float32],
    work: NDArray[np.float32],
    first: int,
    last: int,
) -> None:
    """Rows `first` to `last` of chroma, with their rows of luma.

    Where no colour of a chunk leaves RGB's range, luma and chroma are linear in their own codes.

    Args:
        lines: (2, 2, W) gain and bias of luma: those of the upper cells, and what the lower more.
        chroma: (2, 4, W') the same for gain and R, G, B beside luma.
        clear: (rows of a row of chroma, W) dehazed luma.
        offsets: (3, W') what R, G and B have beside luma.
        work: (7, pixels of a chunk) R, G, B beside luma, their sums, and luma.
    """
    half = cell // 2
    step = _F(1.0 / cell)
    columns = width >> halves_x
    rows = 1 << halves_y
    band = -1
    for j in range(first, last):
        for y in range(j << halves_y, (j + 1) << halves_y):
            if (y + half) // cell != band:
                band = (y + half) // cell
                _widen(cells[band], cell, halves_x, lines[0], chroma[0])
                _widen(cells[band + 1], cell, halves_x, lines[1], chroma[1])
                _subtract(lines[0], lines[1])
                _subtract(chroma[0], chroma[1])
            place = _F(y + half - band * cell)
            if y == j << halves_y:
                share = (place + _F(0.5) * _F(rows)) * step
                for k in range(3):
                    _spread(
                        blue[j], red[j], middle, to_rgb[k, 0], to_rgb[k, 1], chroma[0, 0],
                        chroma[1, 0], chroma[0, k + 1], chroma[1, k + 1], share, offsets[k],
                    )  # fmt: skip
            row = clear[y - (j << halves_y)]
            _blend(luma[y], lines[0], lines[1], (place + _F(0.5)) * step, row)
        for begin in range(0, columns, CHUNK):
            end = min(columns, begin + CHUNK)
            left, right = begin << halves_x, end << halves_x
            low, high = _extent(clear[0, left:right])
            if rows == 2:
                lower, higher = _extent(clear[1, left:right])
                low, high = min(low, lower), max(high, higher)
            is_inside = True
            for k in range(3):
                least, most = _extent(offsets[k, begin:end])
                is_inside = is_inside and low + least >= black and high + most <= white
            if not is_inside:
                for k in range(3):
                    _repeat(offsets[k, begin:end], halves_x, work[k, : right - left])
                work[3:] = 0
                for r in range(rows):
                    total = work[6, : right - left]
                    total[:] = 0
                    for k in range(3):
                        _clip(
                            clear[r, left:right], work[k], black, white, from_rgb[0, k], total,
                            work[3 + k],
                        )  # fmt: skip
                    _copy(total, clear[r, left:right])
                share = _F(1) / _F(rows << halves_x)
                for k in range(3):
                    _gather(work[3 + k], halves_x, share, offsets[k, begin:end])
            for r in range(rows):
                _store(clear[r, left:right], clear_luma[(j << halves_y) + r, left:right])
            red_part, green_part = offsets[0, begin:end], offsets[1, begin:end]
            blue_part = offsets[2, begin:end]
            for plane, k in ((clear_blue, 1), (clear_red, 2)):
                _store_chroma(
                    red_part, green_part, blue_part, from_rgb[k], middle, limit,
                    plane[j, begin:end],
                )  # fmt: skip
