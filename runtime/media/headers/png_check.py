"""Looks at the chunks of a PNG before a decoder does (PNG 3rd edition, section 5).

OpenCV's decoder of animations dies of some, and a chunk that claims 4 GB costs as much memory.
"""

from __future__ import annotations

import struct

from .kinds import SEVERAL

__all__ = ["problem_of_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_CHECKSUM_BYTES = 4
_MOST_CHUNKS = 10_000
"""The most chunks beside those of pixels. Libpng keeps 1000; 60 MB of empty ones took 1.3 GB."""
_OF_ANIMATIONS = frozenset({b"acTL", b"fcTL", b"fdAT"})


def problem_of_png(data: bytes) -> str:
    """What is wrong with a PNG; empty where nothing is, and for other formats."""
    if data[: len(_SIGNATURE)] != _SIGNATURE:
        return ""
    position, others = len(_SIGNATURE), 0
    while position + _CHUNK.size <= len(data):
        length, kind = _CHUNK.unpack_from(data, position)
        if kind in _OF_ANIMATIONS:
            return SEVERAL
        if not kind.isalpha():
            break
        others += kind != b"IDAT"
        if others > _MOST_CHUNKS:
            return f"expected at most {_MOST_CHUNKS} chunks beside the pixels; save it again"
        position += _CHUNK.size + length + _CHECKSUM_BYTES
        if position > len(data):
            break
        if kind == b"IEND":
            return ""
    return "expected a picture, but its content is damaged or cut off"
