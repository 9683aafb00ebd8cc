"""The size that a picture's header announces, read before any memory is set aside for its pixels.

A few flipped bits turn a small file into one of 60000x60000 pixels, for which OpenCV would take
more than 10 GB before it finds out.
"""

from __future__ import annotations

import struct

__all__ = ["MAXIMUM_PIXELS", "announced_size", "frames_of_png"]

MAXIMUM_PIXELS = 2**28
"""16384x16384."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of a frame header (ITU-T T.81, table B.1)."""
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
_WIDTH, _HEIGHT, _SHORT = 256, 257, 3
"""Tags of a TIFF's directory, and the kind of 16 bits."""


def announced_size(data: bytes) -> tuple[int, int] | None:
    """Width and height; None where the format is another or the header makes no sense."""
    try:
        if data.startswith(_PNG):
            return struct.unpack_from(">II", data, 16)
        if data[:2] == b"BM":
            return _size_of_bmp(data)
        if data[:2] == b"\xff\xd8":
            return _size_of_jpeg(data)
        if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":  # others end at 16384 by themselves
            width, height = data[24:27], data[27:30]
            return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
        return _size_of_tiff(data)
    except struct.error:  # cut off: the decoder will say so
        return None


def frames_of_png(data: bytes) -> int | None:
    """The number of frames in a PNG: an animated one announces it in acTL, before the first IDAT.

    None for other formats.
    """
    if not data.startswith(_PNG):
        return None
    start = data.find(b"acTL", 0, data.find(b"IDAT"))
    return int.from_bytes(data[start + 4 : start + 8], "big") if start > 0 else 1


def _size_of_bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # OS/2's header
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # from top to bottom where negative


def _size_of_jpeg(data: bytes) -> tuple[int, int] | None:
    """Walks the segments up to the frame header."""
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            position += 1  # libjpeg looks for the next marker too
            continue
        marker = data[position + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        if marker in (0xFF, 0x00) or marker in _JPEG_ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None


def _size_of_tiff(data: bytes) -> tuple[int, int] | None:
    """The size of a TIFF, from its first directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    start = struct.unpack_from(order + "I", data, 4)[0]
    sides = {}
    for index in range(struct.unpack_from(order + "H", data, start)[0]):
        tag, kind = struct.unpack_from(order + "HH", data, start + 2 + 12 * index)
        if tag in (_WIDTH, _HEIGHT):
            letter = "H" if kind == _SHORT else "I"
            sides[tag] = struct.unpack_from(order + letter, data, start + 10 + 12 * index)[0]
    return (sides[_WIDTH], sides[_HEIGHT]) if len(sides) == 2 else None
