"""Segments of JPEG files that OpenCV does not write: long profiles, IPTC, comments, resolution."""

from __future__ import annotations

import struct
from collections.abc import Iterable

__all__ = ["PROFILE_BYTES", "profile_segments", "with_density", "with_segments"]

PROFILE_BYTES = 65_519
"""Bytes of profile in a segment (ICC.1:2022, B.4): 65 535 less its length, mark and two numbers."""
_PROFILE_MARK = b"ICC_PROFILE\0"
_APP0, _APP2, _APP15 = 0xE0, 0xE2, 0xEF
_DENSITY = 13
"""The position of the resolution's unit in a JFIF file."""


def profile_segments(profile: bytes) -> list[tuple[int, bytes]]:
    """An ICC profile in as many segments as it takes."""
    parts = [profile[i : i + PROFILE_BYTES] for i in range(0, len(profile), PROFILE_BYTES)]
    return [
        (_APP2, _PROFILE_MARK + bytes((number, len(parts))) + part)
        for number, part in enumerate(parts, 1)
    ]


def with_segments(data: bytes, segments: Iterable[tuple[int, bytes]]) -> bytes:
    """A JPEG with more segments, (marker, content) each, behind JFIF and EXIF."""
    position = 2
    while data[position] == 0xFF and _APP0 <= data[position + 1] <= _APP15:
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    added = [
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
        if len(content) <= 65_533
    ]
    return data[:position] + b"".join(added) + data[position:]


def with_density(data: bytes, dpi: tuple[float, float]) -> bytes:
    """A JFIF file that says how many dots it has to the inch, along x and y."""
    if data[2:4] != b"\xff\xe0" or data[6:11] != b"JFIF\0":
        return data
    x, y = (min(max(round(value), 1), 65_535) for value in dpi)
    return data[:_DENSITY] + struct.pack(">BHH", 1, x, y) + data[_DENSITY + 5 :]
