"""Segments of JPEG files that OpenCV does not write: long profiles, IPTC, comments, resolution."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

__all__ = [
    "PROFILE_BYTES",
    "problem_of_jpeg",
    "profile_segments",
    "with_density",
    "with_segments",
]

PROFILE_BYTES = 65_519
"""Bytes of profile in a segment (ICC.1:2022, B.4): 65 535 less its length, mark and two numbers."""
_PROFILE_MARK = b"ICC_PROFILE\0"
_APP0, _APP2, _APP15 = 0xE0, 0xE2, 0xEF
_DENSITY = 13
"""The position of the resolution's unit in a JFIF file."""
_MOST_SCANS = 100
"""cjpeg writes no more (rdswitch.c). Each goes over the whole picture: 5000 of a few bytes each, of
8000x8000 pixels, took 35 s."""
_SCAN, _END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+[^\x00\x01\xd0-\xd7\xff]")
"""A marker that ends the pixels of a scan."""


def problem_of_jpeg(data: bytes) -> str:
    """What is wrong with a JPEG; empty where nothing is, and for other formats."""
    if data[:2] != b"\xff\xd8" or data.count(b"\xff\xda") <= _MOST_SCANS:
        return ""
    # Thumbnails, and a video behind the picture, hold these two bytes, too.
    scans, position = 0, 2
    while (found := _MARKER.search(data, position)) and data[found.end() - 1] != _END:
        scans += data[found.end() - 1] == _SCAN
        if scans > _MOST_SCANS:
            return f"expected at most {_MOST_SCANS} scans over the picture; save it again"
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        position = found.end() + max(2, length)
    return ""


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
