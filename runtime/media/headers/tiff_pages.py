"""The pages of a TIFF or BigTIFF file, read before a decoder sets memory aside for one.

TIFF 6.0, section 2, and libtiff's BigTIFF, in which numbers and offsets have 8 bytes. A width is a
number of any size in both, as libtiff takes it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from .kinds import SEVERAL

__all__ = ["TiffPage", "has_too_many_numbers", "has_vast_exif", "pages_of_tiff", "problem_of_tiff"]

_WIDTH, _HEIGHT, _BITS, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 277, 322, 323
_WANTED = frozenset({_WIDTH, _HEIGHT, _BITS, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT})
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}
"""Whole numbers by their type: BYTE, SHORT, LONG, their signed ones, LONG8 and SLONG8."""
_SIZES = {3: 2, 4: 4, 5: 8, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a number by its type; the others are bytes and texts."""
_TABLES = frozenset({273, 279, 324, 325})
"""Where strips and tiles begin, and their bytes."""
_DIRECTORIES = frozenset({34665, 34853, 40965})
"""EXIF, GPS and interoperability."""
_MOST_DIRECTORIES = 8
_HEAD = re.compile(rb"II\*\0|MM\0\*")
_MOST_HEADS = 16
"""In pixels such four bytes come by chance once in 2 GB."""
_MOST_NUMBERS = 2**19
"""The most numbers in tags: more than two tables for 16 bits (3 * 2**16 each). Pillow makes an
object of each: 7 million fractions took 1.2 GB and more than 90 s."""
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
    numbers, in_tables = _numbers_in_tags(data)
    if numbers > _MOST_NUMBERS or in_tables > max(_MOST_NUMBERS, _most_in_tables(page)):
        return f"expected at most {_MOST_NUMBERS} numbers in its tags; save it again without them"
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


def _most_in_tables(page: TiffPage) -> int:
    """Begin and length of strips of one row, or of the smallest tiles, a channel each."""
    tiles = (page.width // 16 + 1) * (page.height // 16 + 1)
    return 2 * page.samples * max(page.height, tiles)


def has_too_many_numbers(data: bytes) -> bool:
    """Returns whether the tags of a TIFF or EXIF block hold more numbers than a camera writes."""
    return _numbers_in_tags(data)[0] > _MOST_NUMBERS


def has_vast_exif(data: bytes) -> bool:
    """Returns whether any EXIF block in a file, wherever it lies, holds too many numbers.

    For AVIF, whose reader looks at the block's tags as soon as it opens the file.
    """
    heads = list(islice(_HEAD.finditer(data), _MOST_HEADS + 1))
    return len(heads) > _MOST_HEADS or any(
        has_too_many_numbers(data[head.start() :]) for head in heads
    )


def _numbers_in_tags(data: bytes) -> tuple[int, int]:
    """The numbers in the tags of the first page and of its EXIF and GPS, without bytes and texts,
    and those in the page's tables of strips and tiles; 0 for other formats."""
    layout = _LAYOUTS.get(data[:4])
    if layout is None:
        return 0, 0
    first = _number(data.ljust(16, b"\0"), layout.first, layout.order + layout.offset)
    total, in_tables, seen, waiting = 0, 0, set[int](), [first]
    while waiting and len(seen) < _MOST_DIRECTORIES:
        start = waiting.pop()
        if start in seen:
            continue
        seen.add(start)
        with suppress(struct.error, ValueError, OverflowError):
            for entry in _entries(data, start, layout)[0]:
                if entry.tag in _DIRECTORIES and (letter := _LETTERS.get(entry.kind)):
                    waiting.append(_number(data, entry.at, layout.order + letter))
                if entry.at + entry.values * _SIZES.get(entry.kind, 0) > len(data):
                    continue  # no reader takes what is not there
                if start == first and entry.tag in _TABLES:
                    in_tables += entry.values
                elif entry.kind in _SIZES:
                    total += entry.values
    return total, in_tables


class _Entry(NamedTuple):
    tag: int
    kind: int
    """The type of its values, by TIFF's number."""
    values: int
    """How many there are."""
    at: int
    """Where its values begin."""


def _entries(data: bytes, start: int, layout: _Layout) -> tuple[Iterator[_Entry], int]:
    """The entries of a directory, and where it ends.

    Raises:
        struct.error, ValueError: it is not all there, or has more entries than libtiff reads.
    """
    count = _number(data, start, layout.order + layout.entries)
    first = start + struct.calcsize(layout.entries)
    room = struct.calcsize(layout.offset)
    size = 4 + 2 * room
    end = first + count * size
    if end > len(data) or count > _MOST_ENTRIES:
        raise ValueError("a directory beyond the end, or beyond reason")

    def entries() -> Iterator[_Entry]:
        for at in range(first, end, size):
            tag, kind = struct.unpack_from(layout.order + "HH", data, at)
            values = _number(data, at + 4, layout.order + layout.offset)
            place = at + 4 + room
            if values * _SIZES.get(kind, 1) > room:
                place = _number(data, place, layout.order + layout.offset)
            yield _Entry(tag, kind, values, place)

    return entries(), end


def _page(data: bytes, start: int, layout: _Layout) -> tuple[TiffPage, int]:
    """The page of the directory at `start`, and where the next directory is."""
    entries, end = _entries(data, start, layout)
    found: dict[int, int] = {}
    for entry in entries:
        if entry.tag not in _WANTED:
            continue
        if entry.kind not in _LETTERS:
            raise ValueError("a size that is no whole number")
        value = _number(data, entry.at, layout.order + _LETTERS[entry.kind])
        found[entry.tag] = max(found.get(entry.tag, 0), value) if value >= 0 else value
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


def _number(data: bytes, at: int, letters: str) -> int:
    value: int = struct.unpack_from(letters, data, at)[0]
    return value
