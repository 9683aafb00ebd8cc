"""Colour profiles of more than one JPEG segment, which OpenCV reads but does not write."""

from __future__ import annotations

import struct

__all__ = ["SEGMENT_BYTES", "with_profile"]

SEGMENT_BYTES = 65_519
"""Bytes of a profile in a segment (ICC.1:2022, B.4): 65 535 less length, mark and two numbers."""
_MARK = b"ICC_PROFILE\0"
_APP0, _APP1, _APP2 = 0xE0, 0xE1, 0xE2


def with_profile(data: bytes, profile: bytes) -> bytes:
    """A JPEG with an ICC profile in as many segments as it takes, behind JFIF and EXIF."""
    position = 2
    while data[position] == 0xFF and data[position + 1] in (_APP0, _APP1):
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    parts = [profile[i : i + SEGMENT_BYTES] for i in range(0, len(profile), SEGMENT_BYTES)]
    segments = []
    for number, part in enumerate(parts, 1):
        content = _MARK + bytes((number, len(parts))) + part
        segments.append(struct.pack(">BBH", 0xFF, _APP2, len(content) + 2) + content)
    return data[:position] + b"".join(segments) + data[position:]
