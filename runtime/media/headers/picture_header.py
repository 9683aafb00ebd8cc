"""The size that a picture's header announces, read before any memory is set aside for its pixels.

A few flipped bits turn a small file into one of 60000x60000 pixels, for which OpenCV would take
more than 10 GB before it finds out.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from .box_sizes import size_of_heif, size_of_jpeg_xl
from .jpeg_segments import problem_of_jpeg
from .kinds import OPENCV_KINDS, PILLOW_KINDS, SEVERAL, kind_of
from .png_check import problem_of_png
from .tiff_pages import has_vast_exif, pages_of_tiff, problem_of_tiff

__all__ = ["MAXIMUM_PIXELS", "AnnouncedSize", "announced_size", "problem_of_picture"]

MAXIMUM_PIXELS = 2**28
"""16384x16384."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of a frame header (ITU-T T.81, table B.1)."""
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
_JPEG_REACH = 2**26
"""Bytes of a JPEG in which its frame header must stand; comments and profiles may come before."""
_JPEG_MARKERS = 2**16
"""The most markers before the frame header; a profile of 60 MB takes a thousand."""
_WEBP_BYTES = 8
"""Bytes a pixel that count for a WebP: its encoder, which the result needs, works with so many."""
_BOX_BYTES = 8
"""The same of a HEIC, AVIF or JPEG XL, whose decoders work with more than 8 bits."""
_WEBP_ANIMATION = 0x02
"""The flag of an animation in the chunk VP8X."""


class AnnouncedSize(NamedTuple):
    """The size of the decoded pixels."""

    width: int
    height: int
    bytes_per_pixel: int = 4

    @property
    def pixels(self) -> int:
        return self.width * self.height


def problem_of_picture(data: bytes) -> str:
    """What is wrong with it, which a decoder must not see; empty where nothing is.

    Chunks beyond the end, animations, several pages, vast tiles, countless parts.
    """
    if _is_webp(data, b"VP8X") and data[20] & _WEBP_ANIMATION:
        return SEVERAL
    if problem := problem_of_png(data) or problem_of_tiff(data) or problem_of_jpeg(data):
        return problem
    kind = kind_of(data)
    if (kind in OPENCV_KINDS or kind in PILLOW_KINDS) and announced_size(data) is None:
        return f"expected a picture, but this {kind} file is damaged or none at all"
    if kind in PILLOW_KINDS and has_vast_exif(data):
        return "expected EXIF of a camera, but its tags hold half a million numbers"
    return ""


def announced_size(data: bytes) -> AnnouncedSize | None:
    """The size; None where the format is another, or the header is damaged or not found."""
    try:
        if data[:8] == _PNG:
            width, height, depth = struct.unpack_from(">IIB", data, 16)
            return AnnouncedSize(width, height, 8 if depth == 16 else 4)
        if data[:2] == b"BM":
            return _size_of_bmp(data)
        if data[:2] == b"\xff\xd8":
            return _size_of_jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _size_of_webp(data)
        if (kind := kind_of(data[:64])) in PILLOW_KINDS:
            size = (size_of_jpeg_xl if kind == "JPEG XL" else size_of_heif)(data)
            return AnnouncedSize(*size, _BOX_BYTES) if size else None
    except (struct.error, IndexError):  # cut off
        return None
    page = next(iter(pages_of_tiff(data)), None)
    return AnnouncedSize(page.width, page.height, page.bytes_per_pixel) if page else None


def _size_of_bmp(data: bytes) -> AnnouncedSize:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # OS/2's header
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return AnnouncedSize(abs(width), abs(height))  # from top to bottom where negative


def _size_of_jpeg(data: bytes) -> AnnouncedSize | None:
    """Walks the segments up to the frame header."""
    position, end = 2, min(len(data), _JPEG_REACH)
    for _ in range(_JPEG_MARKERS):
        if position + 9 > end:
            return None
        if data[position] != 0xFF:
            position = data.find(b"\xff", position, end)  # libjpeg looks for the next marker too
            if position < 0:
                return None
            continue
        marker = data[position + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return AnnouncedSize(width, height, 3)
        if marker in (0xFF, 0x00) or marker in _JPEG_ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None


def _is_webp(data: bytes, chunk: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:16] == b"WEBP" + chunk and len(data) > 30


def _size_of_webp(data: bytes) -> AnnouncedSize | None:
    """The canvas, or the one frame without one (RFC 9649, sections 2.7, 3.4; RFC 6386, 9.1)."""
    if _is_webp(data, b"VP8X"):
        sides = data[24:27] + b"\0" + data[27:30] + b"\0"
        width, height = (side + 1 for side in struct.unpack("<II", sides))
    elif _is_webp(data, b"VP8L"):
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif _is_webp(data, b"VP8 "):
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return AnnouncedSize(width, height, _WEBP_BYTES)
