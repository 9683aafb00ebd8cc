"""The loops of `plane_passes`, compiled. They work in memory that the caller gives.

A frame is worked on in tiles: the rows between the centres of two cells, 512 chroma samples wide.
What belongs to a tile stays in a core's first caches, and numba has few loops to compile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled, inlined

__all__ = ["TILE_CHUNKS", "WORK_FLOATS", "apply_rows", "average_rows"]

_F = np.float32
_CHUNK = 64
"""Chroma samples that are cut off together, or found to need no cut."""
TILE_CHUNKS = 8
"""Chunks of a row of a tile; shorter rows are read from memory more slowly."""
_TILE = TILE_CHUNKS * _CHUNK
# Places in `work`. Distances that the compiler knows spare it to check what lies upon what.
_LUMA = 0
"""Four lines of pixels: gain and bias of luma by the upper cells, and what the lower ones more."""
_CHROMA = _LUMA + 4 * 2 * _TILE
"""Eight of samples: gain and R, G, B beside luma by the upper cells, and what the lower more."""
_CLEAR = _CHROMA + 8 * _TILE
"""Two lines of pixels: dehazed luma."""
_OFFSETS = _CLEAR + 2 * 2 * _TILE
"""Three lines of a chunk's samples: what R, G and B have beside luma."""
_SUMS = _OFFSETS + 3 * _CHUNK
"""Six of its samples: R, G and B, cut off, of the left and of the right pixels of all rows."""
WORK_FLOATS = _SUMS + 6 * _CHUNK
"""The length of `work`."""


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
        sums: (2, w stride) of the columns of a row of blocks; the second row is for their pairs.
    """
    columns = width >> halves_x
    unit = _F(1.0 / (stride * stride))
    for row in range(first, last):
        line = sums[0]
        line[:columns] = 0
        y, end = row * stride, (row + 1) * stride
        while y < end:
            if y + 4 <= end:  # four rows at a time: the sums are read and written less often
                one = plane[min(y, height - 1) >> halves_y]
                two = plane[min(y + 1, height - 1) >> halves_y]
                three = plane[min(y + 2, height - 1) >> halves_y]
                four = plane[min(y + 3, height - 1) >> halves_y]
                for i in range(columns):
                    upper = np.uint32(one[i]) + np.uint32(two[i])
                    line[i] += upper + (np.uint32(three[i]) + np.uint32(four[i]))
                y += 4
            else:
                one = plane[min(y, height - 1) >> halves_y]
                for i in range(columns):
                    line[i] += np.uint32(one[i])
                y += 1
        if stride & halves_x:  # the last chroma sample of a block is half in the next one
            for column in range(means.shape[1]):
                total = np.uint32(0)
                for x in range(column * stride, (column + 1) * stride):
                    total += line[min(x, width - 1) >> halves_x]
                means[row, column] = total * unit
            continue
        samples = stride >> halves_x
        line[columns : means.shape[1] * samples] = line[columns - 1]
        other = 1
        while samples & 1 == 0:  # pairs are added by vectors, short sums are not
            samples >>= 1
            pairs = sums[other, : means.shape[1] * samples]
            for i in range(len(pairs)):
                pairs[i] = np.uint32(line[2 * i]) + np.uint32(line[2 * i + 1])
            line, other = pairs, 1 - other
        out = means[row]
        for column in range(len(out)):
            total = np.uint32(line[column * samples])
            for i in range(column * samples + 1, (column + 1) * samples):
                total += line[i]
            out[column] = (total << np.uint32(halves_x)) * unit


@inlined
def _widen(
    cells: NDArray[np.float32],
    below: NDArray[np.float32],
    one: int,
    two: int,
    cell: int,
    halves: int,
    first: int,
    last: int,
    lines: NDArray[np.float32],
    length: int,
) -> None:
    """Two numbers of the cells to those of each sample from `first` to `last`.

    Args:
        cells, below: (w + 2, 5) the upper and the lower row of cells.
        one, two: which numbers of theirs.
        halves: 1 for chroma that has half the samples.
        lines: four of this length: both numbers of the upper row, and what the lower has more.
    """
    half = cell // 2
    step = _F(1.0 / cell)
    block = 1 << halves
    begin = first
    while begin < last:
        c = ((begin << halves) + half) // cell
        end = min(last, ((c + 1) * cell - half + block - 1) >> halves)
        start = _F((begin << halves) + half - c * cell) + _F(0.5) * _F(block)
        a, b, a_below, b_below = cells[c, one], cells[c, two], below[c, one], below[c, two]
        a_more, b_more = cells[c + 1, one] - a, cells[c + 1, two] - b
        a_below_more, b_below_more = below[c + 1, one] - a_below, below[c + 1, two] - b_below
        upper_a = lines[begin - first : end - first]
        upper_b = lines[length + begin - first : length + end - first]
        more_a = lines[2 * length + begin - first : 2 * length + end - first]
        more_b = lines[3 * length + begin - first : 3 * length + end - first]
        for i in range(len(upper_a)):
            share = (start + _F(block) * _F(np.int32(i))) * step
            value, other = a + share * a_more, b + share * b_more
            upper_a[i] = value
            upper_b[i] = other
            more_a[i] = (a_below + share * a_below_more) - value
            more_b[i] = (b_below + share * b_below_more) - other
        begin = end


@inlined
def _blend(
    hazy: NDArray[Any], lines: NDArray[np.float32], share: Any, clear: NDArray[np.float32]
) -> tuple[Any, Any]:
    """The luma of a row, `share` of the way from the upper cells to the lower ones.

    Returns:
        Whole numbers of which the first is below all of its values, the second above.
    """
    low, high = np.int32(1 << 30), np.int32(-1 << 30)
    for x in range(len(hazy)):
        value = _F(hazy[x]) * (lines[x] + share * lines[4 * _TILE + x])
        value += lines[2 * _TILE + x] + share * lines[6 * _TILE + x]
        clear[x] = value
        low = min(low, np.int32(value))  # a minimum of whole numbers is found with vectors
        high = max(high, np.int32(value))
    return low - 1, high + 1


@inlined
def _spread(
    blue: NDArray[Any],
    red: NDArray[Any],
    middle: Any,
    to_rgb: NDArray[np.float32],
    lines: NDArray[np.float32],
    share: Any,
    offsets: NDArray[np.float32],
) -> tuple[Any, Any]:
    """What R, G and B have beside luma after dehazing; returns as `_blend`."""
    low, high = np.int32(1 << 30), np.int32(-1 << 30)
    r_blue, g_blue, b_blue = to_rgb[0, 0], to_rgb[1, 0], to_rgb[2, 0]
    r_red, g_red, b_red = to_rgb[0, 1], to_rgb[1, 1], to_rgb[2, 1]
    for i in range(len(blue)):
        cb, cr = _F(blue[i]) - middle, _F(red[i]) - middle
        gain = lines[i] + share * lines[2 * _TILE + i]
        r = lines[_TILE + i] + share * lines[3 * _TILE + i]
        g = lines[4 * _TILE + i] + share * lines[6 * _TILE + i]
        b = lines[5 * _TILE + i] + share * lines[7 * _TILE + i]
        r = gain * (r_blue * cb + r_red * cr) + r
        g = gain * (g_blue * cb + g_red * cr) + g
        b = gain * (b_blue * cb + b_red * cr) + b
        offsets[i], offsets[_CHUNK + i], offsets[2 * _CHUNK + i] = r, g, b
        low = min(low, min(np.int32(r), min(np.int32(g), np.int32(b))))
        high = max(high, max(np.int32(r), max(np.int32(g), np.int32(b))))
    return low - 1, high + 1


@inlined
def _cut(
    luma: NDArray[np.float32],
    offsets: NDArray[np.float32],
    sums: NDArray[np.float32],
    rows: int,
    samples: int,
    halves: int,
    black: Any,
    white: Any,
    weights: NDArray[np.float32],
) -> None:
    """Cuts off R, G and B at black and white; luma and what is beside it become those of that.

    Args:
        luma: two rows of pixels of a chunk, 2 _TILE apart.
        offsets, sums: as in `work`.
        rows, samples: of luma, and of chroma in a row.
        weights: (3,) of R, G and B in luma.
    """
    of_r, of_g, of_b = weights[0], weights[1], weights[2]
    for i in range(6 * _CHUNK):
        sums[i] = 0
    for row in range(rows):
        clear = luma[2 * row * _TILE :]
        if halves:
            for i in range(samples):
                r, g, b = offsets[i], offsets[_CHUNK + i], offsets[2 * _CHUNK + i]
                grey = clear[2 * i]
                red = min(max(grey + r, black), white)
                green = min(max(grey + g, black), white)
                blue = min(max(grey + b, black), white)
                sums[i] += red
                sums[_CHUNK + i] += green
                sums[2 * _CHUNK + i] += blue
                left = of_r * red + of_g * green + of_b * blue
                grey = clear[2 * i + 1]
                red = min(max(grey + r, black), white)
                green = min(max(grey + g, black), white)
                blue = min(max(grey + b, black), white)
                sums[3 * _CHUNK + i] += red
                sums[4 * _CHUNK + i] += green
                sums[5 * _CHUNK + i] += blue
                clear[2 * i] = left
                clear[2 * i + 1] = of_r * red + of_g * green + of_b * blue
        else:
            for i in range(samples):
                red = min(max(clear[i] + offsets[i], black), white)
                green = min(max(clear[i] + offsets[_CHUNK + i], black), white)
                blue = min(max(clear[i] + offsets[2 * _CHUNK + i], black), white)
                sums[i] += red
                sums[_CHUNK + i] += green
                sums[2 * _CHUNK + i] += blue
                clear[i] = of_r * red + of_g * green + of_b * blue
    share = _F(1) / _F(rows << halves)
    for i in range(3 * _CHUNK):
        offsets[i] = share * (sums[i] + sums[3 * _CHUNK + i])


@inlined
def _store_chroma(
    offsets: NDArray[np.float32],
    weights: NDArray[np.float32],
    middle: Any,
    limit: Any,
    blue: NDArray[Any],
    red: NDArray[Any],
) -> None:
    """Both planes' row from R, G and B."""
    blue_r, blue_g, blue_b = weights[1, 0], weights[1, 1], weights[1, 2]
    red_r, red_g, red_b = weights[2, 0], weights[2, 1], weights[2, 2]
    base = middle + _F(0.5)  # the conversion to whole numbers cuts off
    for i in range(len(blue)):
        r, g, b = offsets[i], offsets[_CHUNK + i], offsets[2 * _CHUNK + i]
        code = blue_r * r + blue_g * g + blue_b * b + base
        blue[i] = np.int32(min(max(code, _F(0)), limit))
        code = red_r * r + red_g * g + red_b * b + base
        red[i] = np.int32(min(max(code, _F(0)), limit))


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
    work: NDArray[np.float32],
    bounds: NDArray[np.int32],
    first: int,
    last: int,
) -> None:
    """Rows `first` to `last` of chroma, with their rows of luma.

    Where no colour of a chunk leaves RGB's range, luma and chroma are linear in their own codes.

    Args:
        cells: (h + 2, w + 2, 5), see `_Code.cells`.
        work: (WORK_FLOATS,)
        bounds: (2, TILE_CHUNKS): whole numbers around the dehazed luma of each chunk.
    """
    half = cell // 2
    step = _F(1.0 / cell)
    columns = width >> halves_x
    rows = 1 << halves_y
    offsets = work[_OFFSETS:]
    top = first
    while top < last:
        band = ((top << halves_y) + half) // cell
        bottom = min(last, ((band + 1) * cell - half + rows - 1) >> halves_y)
        for start in range(0, columns, _TILE):
            stop = min(columns, start + _TILE)
            for k in range(2):
                _widen(
                    cells[band], cells[band + 1], 3 * k, 2 + 2 * k, cell, halves_x, start, stop,
                    work[_CHROMA + 4 * k * _TILE :], _TILE,
                )  # fmt: skip
            at = -1
            for j in range(top, bottom):
                place = _F((j << halves_y) + half - band * cell)
                for r in range(rows):
                    y = (j << halves_y) + r
                    if (y + half) // cell != at:  # the second row may be of the next cells
                        at = (y + half) // cell
                        _widen(
                            cells[at], cells[at + 1], 0, 1, cell, 0, start << halves_x,
                            stop << halves_x, work, 2 * _TILE,
                        )  # fmt: skip
                    share = (_F(y + half - at * cell) + _F(0.5)) * step
                    for begin in range(start, stop, _CHUNK):
                        left, right = begin << halves_x, min(stop, begin + _CHUNK) << halves_x
                        x, n = (begin - start) << halves_x, (begin - start) // _CHUNK
                        low, high = _blend(
                            luma[y, left:right], work[x:], share,
                            work[_CLEAR + 2 * r * _TILE + x :],
                        )  # fmt: skip
                        bounds[0, n] = min(bounds[0, n], low) if r else low
                        bounds[1, n] = max(bounds[1, n], high) if r else high
                share = (place + _F(0.5) * _F(rows)) * step
                for begin in range(start, stop, _CHUNK):
                    end, n = min(stop, begin + _CHUNK), (begin - start) // _CHUNK
                    low, high = _spread(
                        blue[j, begin:end], red[j, begin:end], middle, to_rgb,
                        work[_CHROMA + begin - start :], share, offsets,
                    )  # fmt: skip
                    clear = work[_CLEAR + ((begin - start) << halves_x) :]
                    if low + bounds[0, n] < black or high + bounds[1, n] > white:
                        _cut(
                            clear, offsets, work[_SUMS:], rows, end - begin, halves_x, black,
                            white, from_rgb[0],
                        )  # fmt: skip
                    for r in range(rows):
                        values = clear[2 * r * _TILE :]
                        codes = clear_luma[(j << halves_y) + r, begin << halves_x : end << halves_x]
                        for x in range(len(codes)):
                            codes[x] = np.int32(values[x] + _F(0.5))
                    _store_chroma(
                        offsets, from_rgb, middle, limit, clear_blue[j, begin:end],
                        clear_red[j, begin:end],
                    )  # fmt: skip
        top = bottom
