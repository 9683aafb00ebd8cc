"""EXIF blocks, changed in their place: orientation, sizes, thumbnail.

An EXIF block is a little TIFF file (TIFF 6.0, section 2; EXIF 2.3). It is patched, not written
anew, for notes of camera makers hold offsets into it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["read_orientation", "updated_exif", "with_upright_orientation"]

ORIENTATION = 274
_EXIF_DIRECTORY = 34665
_SIDES = (40962, 40963)
"""PixelXDimension and PixelYDimension."""
_THUMBNAIL, _THUMBNAIL_BYTES = 513, 514
_SHORT, _LONG = 3, 4
_ENTRY_BYTES = 12


class _Entry(NamedTuple):
    tag: int
    kind: int
    value_at: int
    """The position of the value in the block."""


class _Block:
    """An EXIF block that can be written to."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "")

    def number(self, at: int, letter: str) -> int:
        size = struct.calcsize(letter)
        if at + size > len(self.data):
            return 0
        value: int = struct.unpack_from(self.order + letter, self.data, at)[0]
        return value

    def value(self, entry: _Entry) -> int:
        return self.number(entry.value_at, "H" if entry.kind == _SHORT else "I")

    def write(self, entry: _Entry, value: int) -> None:
        letter = "H" if entry.kind == _SHORT else "I"
        if entry.kind in (_SHORT, _LONG) and value < 1 << (8 * struct.calcsize(letter)):
            struct.pack_into(self.order + letter, self.data, entry.value_at, value)

    def entries(self, directory: int) -> Iterator[_Entry]:
        """The entries of the directory that begins there; none where it makes no sense."""
        count = self.number(directory, "H")
        if not self.order or not directory or self.end(directory) > len(self.data):
            return
        for index in range(count):
            at = directory + 2 + _ENTRY_BYTES * index
            yield _Entry(self.number(at, "H"), self.number(at + 2, "H"), at + 8)

    def end(self, directory: int) -> int:
        """The end of the offset of the next directory."""
        return directory + 2 + _ENTRY_BYTES * self.number(directory, "H") + 4

    def find(self, directory: int, tag: int) -> _Entry | None:
        return next((entry for entry in self.entries(directory) if entry.tag == tag), None)


def read_orientation(exif: bytes) -> int:
    """EXIF orientation, 1 (upright) to 8; 1 where there is none or it makes no sense."""
    block = _Block(exif)
    entry = block.find(block.number(4, "I"), ORIENTATION) if block.order else None
    value = block.number(entry.value_at, "H") if entry else 1
    return value if 1 <= value <= 8 else 1


def with_upright_orientation(exif: bytes) -> bytes:
    """The same EXIF block saying that the pixels stand upright."""
    block = _Block(exif)
    entry = block.find(block.number(4, "I"), ORIENTATION) if block.order else None
    if entry:
        struct.pack_into(block.order + "H", block.data, entry.value_at, 1)
    return bytes(block.data)


def updated_exif(
    exif: bytes, width: int, height: int, thumbnail: Callable[[int], bytes | None]
) -> bytes:
    """The same EXIF block for pixels of this size.

    Args:
        thumbnail: makes a JPEG of at most so many bytes, None where that is too few; the old
            thumbnail, with its haze, is then left out.
    """
    block = _Block(exif)
    if not block.order:
        return exif
    first = block.number(4, "I")
    pointer = block.find(first, _EXIF_DIRECTORY)
    if pointer:
        for tag, side in zip(_SIDES, (width, height), strict=True):
            if entry := block.find(block.value(pointer), tag):
                block.write(entry, side)
    next_at = block.end(first) - 4
    second = block.number(next_at, "I") if next_at + 4 <= len(block.data) else 0
    if second:
        _replace_thumbnail(block, second, next_at, thumbnail)
    return bytes(block.data)


def _replace_thumbnail(
    block: _Block, directory: int, next_at: int, thumbnail: Callable[[int], bytes | None]
) -> None:
    start, length = block.find(directory, _THUMBNAIL), block.find(directory, _THUMBNAIL_BYTES)
    if orientation := block.find(directory, ORIENTATION):
        block.write(orientation, 1)
    if start and length:
        begin, room = block.value(start), block.value(length)
        is_inside = 0 < begin <= begin + room <= len(block.data)
        made = thumbnail(room) if is_inside else None
        if is_inside:
            block.data[begin : begin + room] = (made or b"").ljust(room, b"\0")
        if made:
            block.write(length, len(made))
            return
    struct.pack_into(block.order + "I", block.data, next_at, 0)
