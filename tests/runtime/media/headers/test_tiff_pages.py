from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from conftest import picture
from PIL import Image

from dehaze.runtime.errors import InputError
from dehaze.runtime.media.headers.tiff_pages import (
    has_too_many_numbers,
    pages_of_tiff,
    problem_of_tiff,
)
from dehaze.runtime.media.pictures import read_picture

BYTE, SHORT, LONG, LONG8, FLOAT = 1, 3, 4, 16, 11
Entry = tuple[int, int, int]
"""Tag, type and value."""


def tiff(*pages: list[Entry], order: str = "<", big: bool = False) -> bytes:
    """Directories of entries of one value each, as they follow each other; no pixels."""
    offset, count = ("Q", "Q") if big else ("I", "H")
    room = struct.calcsize(offset)
    data = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    data += struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)
    for number, entries in enumerate(pages, 1):
        body, outside = struct.pack(order + count, len(entries)), b""
        end = len(data) + len(body) + len(entries) * (4 + 2 * room) + room
        for tag, kind, value in entries:
            letter = {BYTE: "B", SHORT: "H", LONG: "I", LONG8: "Q", FLOAT: "f"}[kind]
            packed = struct.pack(order + letter, value)
            if len(packed) > room:
                packed, outside = struct.pack(order + "I", end + len(outside)), outside + packed
            body += struct.pack(order + "HH" + offset, tag, kind, 1) + packed.ljust(room, b"\0")
        following = 0 if number == len(pages) else end + len(outside)
        data += body + struct.pack(order + offset, following) + outside
    return data


def sides(width: int, height: int, kind: int = LONG) -> list[Entry]:
    return [(256, kind, width), (257, kind, height)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", [BYTE, SHORT, LONG, LONG8])
def test_sides_of_every_kind_are_read(order: str, big: bool, kind: int) -> None:
    (page,) = pages_of_tiff(tiff(sides(200, 90, kind), order=order, big=big))
    assert page[:2] == (200, 90)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", [LONG, LONG8])
def test_a_vast_picture_is_refused_before_it_is_decoded(
    big: bool, kind: int, tmp_path: Path
) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(sides(30_000, 30_000, kind), big=big))
    with pytest.raises(InputError, match=r"expected at most 268 million pixels, .* 30000x30000"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([*sides(64, 64), (322, LONG, 16384), (323, LONG, 16384)], "tiles of 16384x16384"),
        ([*sides(8000, 8000), (277, SHORT, 200), (258, SHORT, 32)], "200 channels of 32 bits"),
        ([*sides(2**27, 1)], "134217728x1"),
        ([*sides(64, 64), *sides(2**20, 2**12)], "1048576x4096"),
        ([(256, FLOAT, 64), (257, LONG, 64)], "damaged"),
        ([(256, LONG, 64)], "damaged"),
    ],
)
def test_other_claims_are_refused(entries: list[Entry], words: str) -> None:
    assert words in problem_of_tiff(tiff(entries))


def test_every_page_is_found() -> None:
    assert "got several" in problem_of_tiff(tiff(sides(64, 64), sides(30_000, 30_000)))
    assert "got several" in problem_of_tiff(tiff(sides(64, 64), sides(64, 64), big=True))
    endless = bytearray(tiff(sides(64, 64)))
    endless[-4:] = struct.pack("<I", 8)  # the next directory is the same again
    assert "got several" in problem_of_tiff(bytes(endless))


@pytest.mark.parametrize("big", [False, True])
def test_a_good_file_is_read(big: bool, tmp_path: Path) -> None:
    rgb = picture(64, 80)
    Image.fromarray(rgb).save(tmp_path / "a.tif", big_tiff=big)
    assert np.array_equal(read_picture(tmp_path / "a.tif").rgb, rgb)


def test_a_directory_cut_off_anywhere_is_damaged() -> None:
    data = tiff([*sides(64, 64), (277, SHORT, 3)])
    assert problem_of_tiff(data) == ""
    for end in range(4, len(data) - 4):  # without the offset of the next one it can be read
        assert "damaged" in problem_of_tiff(data[:end])


@pytest.mark.parametrize("place", ["a tag", "EXIF", "EXIF of a BigTIFF"])
def test_tags_of_a_million_fractions_are_refused(place: str) -> None:
    """Pillow makes an object of each: 7 million took 1.2 GB and more than 90 s."""
    big = "BigTIFF" in place
    letter, count = ("Q", "Q") if big else ("I", "H")
    for number, is_refused in ((1_000_000, True), (1_000, False)):
        data = tiff([*sides(64, 64), (34665, LONG8 if big else LONG, 0)], big=big)
        where = len(data)
        vast = struct.pack(f"<{count}HH{letter}{letter}", 1, 37500, 5, number, where + 64)
        data = bytearray(data + vast.ljust(64, b"\0") + bytes(8 * number))
        if place == "a tag":
            data = bytearray(tiff([*sides(64, 64), (270, LONG, 0)]))
            at = len(data) - 4 - 12
            struct.pack_into("<HHII", data, at, 270, 5, number, len(data))
            data += bytes(8 * number)
        else:
            at = where - (8 if big else 4) - (8 if big else 4)
            struct.pack_into(f"<{letter}", data, at, where)
        assert ("numbers in its tags" in problem_of_tiff(bytes(data))) is is_refused
        assert has_too_many_numbers(bytes(data)) is is_refused


def test_an_avif_with_exif_of_a_million_fractions_is_refused(tmp_path: Path) -> None:
    """Pillow looks for the orientation while it opens the file, which took 50 s and 1.3 GB."""
    exif = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 318, 5, 1_000_000, 26)
    exif += bytes(4) + bytes(8_000_000)
    Image.fromarray(picture(48, 64)).save(tmp_path / "a.avif", exif=exif)
    with pytest.raises(InputError, match=r"a\.avif: expected EXIF of a camera"):
        read_picture(tmp_path / "a.avif")


def test_directories_that_lead_in_a_circle_end() -> None:
    data = tiff([*sides(64, 64), (34665, LONG, 8)])
    assert problem_of_tiff(data) == ""
