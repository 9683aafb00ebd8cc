"""The boxes of HEIC, AVIF and JPEG XL, and the sizes that their headers announce."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["boxes", "size_of_heif", "size_of_jpeg_xl"]

_CODESTREAM = b"\xff\x0a"
_HEADER_BYTES = 9
"""For 1 + 2 + 30 + 3 + 2 + 30 bits; no picture is shorter."""
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by JPEG XL's numbers from 1 (ISO/IEC 18181-1, table D.2)."""
_MOST_BOXES = 2**16
"""The most boxes in a box: 500 MB of empty ones would take minutes."""
_VERSION_BYTES = 4
"""Version and flags at the beginning of a full box."""


def size_of_heif(data: bytes) -> tuple[int, int] | None:
    """Width and height of the largest picture in a HEIC or AVIF; None where none is announced.

    Thumbnails, and the tiles of which a picture is put together, have sizes of their own (the
    property `ispe`, ISO/IEC 23008-12, section 6.5.3). A crop, as at the edge of HEVC's blocks,
    does not count.
    """
    sizes = [
        struct.unpack_from(">II", data, inner + _VERSION_BYTES)
        for meta, end in boxes(data, 0, len(data), b"meta")
        for properties, properties_end in boxes(data, meta + _VERSION_BYTES, end, b"iprp")
        for kept, kept_end in boxes(data, properties, properties_end, b"ipco")
        for inner, _ in boxes(data, kept, kept_end, b"ispe")
    ]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def size_of_jpeg_xl(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG XL, with or without boxes around it; None where it is damaged."""
    start = 0
    if data[:2] != _CODESTREAM:
        whole = (begin for begin, _ in boxes(data, 0, len(data), b"jxlc"))
        parts = (begin + 4 for begin, _ in boxes(data, 0, len(data), b"jxlp"))  # after a number
        start = next(whole, next(parts, -1))
    if start < 0 or data[start : start + 2] != _CODESTREAM:
        return None
    header = data[start + 2 : start + 2 + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES:
        return None
    bits = _Bits(header)
    is_small = bits.take(1)
    height = _side(bits, is_small)
    ratio = bits.take(3)
    if ratio == 0:
        return _side(bits, is_small), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


def _side(bits: _Bits, is_small: int) -> int:
    if is_small:
        return 8 * (bits.take(5) + 1)
    return bits.take(_SIDE_BITS[bits.take(2)]) + 1


class _Bits:
    """Numbers of any width from bytes, the lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        taken = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return taken


def boxes(data: bytes, begin: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of each box of a kind begins and ends (ISO/IEC 14496-12, section 4.2).

    Raises:
        struct.error: a box is cut off within its head, or there are too many.
    """
    for _ in range(_MOST_BOXES):
        if begin + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, begin)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, begin + 8)[0], 16
        if size == 0:
            size = end - begin
        if size < head:
            return
        if kind == wanted:
            yield begin + head, min(begin + size, end)
        begin += size
    raise struct.error("more boxes than any picture has")
