"""The pages of a TIFF or BigTIFF file, read before a decoder sets memory aside for one.

TIFF 6.0, section 2, and libtiff's BigTIFF, in which numbers and offsets have 8 bytes. A width is a
number of any size in both, as libtiff takes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from .kinds import SEVERAL

__all__ = ["TiffPage", "pages_of_tiff", "problem_of_tiff"]

_WIDTH, _HEIGHT, _BITS, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 277, 322, 323
_WANTED = frozenset({_WIDTH, _HEIGHT, _BITS, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT})
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}
"""Whole numbers by their type: BYTE, SHORT, LONG, their signed ones, LONG8 and SLONG8."""
_LONGEST_SIDE = 2**20
"""OpenCV's limit, too; beyond it the tables of strips alone would fill the memory."""
_LARGEST_TILE = 2**24
"""4096x4096: tiles may be larger than a small picture, but not by as much as they claim."""
_MOST_BYTES = 2**31
"""16384x16384 with four channels of 16 bits."""


_MOST_ENTRIES = 2**16
"""Libtiff's limit, too, for a BigTIFF could say any number."""


class TiffPage(NamedTuple):
    """The sizes that a directory gives; of a tag that stands there twice, the larger."""

    width: int
    height: int
    tile_width: int = 0
    tile_height: int = 0
    bits: int = 1
    """Bits a channel."""
    samples: int = 1
    """Channels."""

    @property
    def bytes_per_pixel(self) -> int:
        return max(1, self.bits * self.samples // 8)


class _Layout(NamedTuple):
    """The numbers of bytes in a classic or a BigTIFF file."""

    order: str
    offset: str
    """The letter of an offset and of a count of values."""
    entries: str
    """The letter of the count of entries in a directory."""
    first: int
    """The position of the offset of the first directory."""


_LAYOUTS = {
    b"II*\0": _Layout("<", "I", "H", 4),
    b"MM\0*": _Layout(">", "I", "H", 4),
    b"II+\0": _Layout("<", "Q", "Q", 8),
    b"MM\0+": _Layout(">", "Q", "Q", 8),
}


def problem_of_tiff(data: bytes) -> str:
    """What is wrong with a TIFF; empty where nothing is, and for other formats."""
    if data[:4] not in _LAYOUTS:
        return ""
    pages = pages_of_tiff(data)
    if not pages:
        return "expected a picture, but its content is damaged or cut off"
    if len(pages) > 1:
        return SEVERAL
    page = pages[0]
    tile = page.tile_width * page.tile_height
    pixels = max(page.width * page.height, tile)
    if (
        min(page) < 0
        or max(page.width, page.height) > _LONGEST_SIDE
        or tile > max(_LARGEST_TILE, 4 * page.width * page.height)
        or pixels * page.bytes_per_pixel > _MOST_BYTES
    ):
        return (
            f"expected at most {_MOST_BYTES >> 20} MiB of pixels, its header says "
            f"{page.width}x{page.height} with {page.samples} channels of {page.bits} bits, in "
            f"tiles of {page.tile_width}x{page.tile_height}; copy it again if it should be smaller"
        )
    return ""


def pages_of_tiff(data: bytes) -> list[TiffPage]:
    """The pages up to the second, which is one too many; empty for a damaged or another file.

    A directory that makes no sense behind a good one is no page: libtiff does not read it either.
    """
    layout = _LAYOUTS.get(data[:4])
    pages: list[TiffPage] = []
    if layout is None:
        return pages
    try:
        start = _number(data, layout.first, layout.order + layout.offset)
        while start and len(pages) < 2:
            page, start = _page(data, start, layout)
            pages.append(page)
    except (struct.error, ValueError, OverflowError):
        pass
    return pages


def _page(data: bytes, start: int, layout: _Layout) -> tuple[TiffPage, int]:
    """The page of the directory at `start`, and where the next directory is."""
    count = _number(data, start, layout.order + layout.entries)
    first = start + struct.calcsize(layout.entries)
    size = 4 + 2 * struct.calcsize(layout.offset)
    end = first + count * size
    if end > len(data) or count > _MOST_ENTRIES:
        raise ValueError("a directory beyond the end, or beyond reason")
    found: dict[int, int] = {}
    for tag, value in _values(data[first:end], size, data, layout):
        found[tag] = max(found.get(tag, 0), value) if value >= 0 else value
    if _WIDTH not in found or _HEIGHT not in found:
        raise ValueError("a directory without sides")
    page = TiffPage(
        found[_WIDTH],
        found[_HEIGHT],
        found.get(_TILE_WIDTH, 0),
        found.get(_TILE_HEIGHT, 0),
        found.get(_BITS, 1),
        found.get(_SAMPLES, 1),
    )
    following = 0
    if end + struct.calcsize(layout.offset) <= len(data):
        following = _number(data, end, layout.order + layout.offset)
    return page, following


def _values(entries: bytes, size: int, data: bytes, layout: _Layout) -> Iterator[tuple[int, int]]:
    """Tag and first value of the entries of a directory that say a size."""
    room = struct.calcsize(layout.offset)
    for at in range(0, len(entries), size):
        tag, kind = struct.unpack_from(layout.order + "HH", entries, at)
        if tag not in _WANTED:
            continue
        letter = _LETTERS.get(kind)
        if letter is None:
            raise ValueError("a size that is no whole number")
        count = _number(entries, at + 4, layout.order + layout.offset)
        value_at = at + 4 + room
        if count * struct.calcsize(letter) <= room:
            yield tag, _number(entries, value_at, layout.order + letter)
        else:
            outside = _number(entries, value_at, layout.order + layout.offset)
            yield tag, _number(data, outside, layout.order + letter)


def _number(data: bytes, at: int, letters: str) -> int:
    value: int = struct.unpack_from(letters, data, at)[0]
    return value
