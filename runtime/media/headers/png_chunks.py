"""Chunks of PNG files that OpenCV does not keep: resolution, gamma, text, time."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

__all__ = ["density_chunk", "kept_chunks", "transparent_grey", "with_chunks", "xmp_chunk"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 33
"""The end of IHDR, which comes first."""
_KEPT = frozenset(
    {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"pHYs", b"oFFs", b"sCAL", b"tIME"}
    | {b"tEXt", b"zTXt", b"iTXt"}
)
_XMP = b"XML:com.adobe.xmp\0"
_INCHES_PER_METRE = 39.370_078_74


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents, up to where the file makes no sense."""
    position = len(_SIGNATURE)
    while data.startswith(_SIGNATURE) and position + 12 <= len(data):
        length = struct.unpack_from(">I", data, position)[0]
        if position + 12 + length > len(data):
            return
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def kept_chunks(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Names and contents of the chunks that stay true when the pixels change."""
    return tuple(
        (name, body)
        for name, body in _chunks(data)
        if name in _KEPT and not (name == b"iTXt" and body.startswith(_XMP))
    )


def transparent_grey(data: bytes) -> int | None:
    """The grey that a grey PNG calls transparent, in as many bits as OpenCV decodes it to."""
    if len(data) < _HEADER_END or data[25] != 0:
        return None
    depth = data[24]
    for name, body in _chunks(data):
        if name == b"tRNS" and len(body) >= 2:
            value = int.from_bytes(body[:2], "big") & ((1 << depth) - 1)
            return value * 255 // ((1 << depth) - 1) if depth < 8 else value
        if name == b"IDAT":
            break
    return None


def density_chunk(dpi: tuple[float, float]) -> tuple[bytes, bytes]:
    """The pHYs chunk of a resolution in dots to the inch, along x and y."""
    x, y = (round(value * _INCHES_PER_METRE) for value in dpi)
    return b"pHYs", struct.pack(">IIB", x, y, 1)


def xmp_chunk(xmp: bytes) -> tuple[bytes, bytes]:
    """The iTXt chunk that holds an XMP packet, neither compressed nor in a named language."""
    return b"iTXt", _XMP + bytes(4) + xmp


def with_chunks(data: bytes, chunks: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """A PNG with more chunks, before its pixels."""
    added = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return data[:_HEADER_END] + b"".join(added) + data[_HEADER_END:]
