"""The sizes of HEIC, AVIF and JPEG XL, of files that the libraries themselves write."""

from __future__ import annotations

import io
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dehaze.runtime.errors import InputError
from dehaze.runtime.media.headers.picture_header import announced_size, problem_of_picture
from dehaze.runtime.media.picture_content import picture_content
from dehaze.runtime.media.pictures import read_picture

SIZES = [(64, 48), (256, 256), (130, 7), (1, 300), (1600, 900), (513, 8200)]
PACKAGES = {"HEIF": "pillow_heif", "JXL": "pillow_jxl", "AVIF": ""}


def encoded(kind: str, width: int, height: int) -> bytes:
    package = PACKAGES[kind]
    if package:
        module = pytest.importorskip(package)
        if kind == "HEIF":
            module.register_heif_opener()
    target = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(target, kind, quality=30)
    return target.getvalue()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "JXL"])
def test_the_size_is_that_of_the_library(kind: str, size: tuple[int, int]) -> None:
    if kind == "HEIF" and min(size) < 8:
        pytest.skip("x265 makes none so small")
    announced = announced_size(encoded(kind, *size))
    assert announced is not None
    block = 64 if kind == "HEIF" else 1  # HEVC's, of which the picture is cut
    width, height = size
    assert width <= announced.width < width + block
    assert height <= announced.height < height + block


def jpeg_xl(width: int, height: int) -> bytes:
    """The header of a JPEG XL of sides above 2**13."""
    bits, place = 0, 0
    for value, count in [(0, 1), (2, 2), (height - 1, 18), (0, 3), (2, 2), (width - 1, 18)]:
        bits |= value << place
        place += count
    return b"\xff\x0a" + bits.to_bytes(12, "little")


def boxed(*parts: bytes) -> bytes:
    signature = struct.pack(">I4sI", 12, b"JXL ", 0x0D0A870A)
    return signature + b"".join(
        struct.pack(">I4s", len(content) + 8, name) + content
        for name, content in zip(parts[::2], parts[1::2], strict=True)
    )


@pytest.mark.parametrize("form", ["bare", "jxlc", "jxlp", "HEIF", "AVIF", "small first"])
def test_sides_of_60000_are_refused_before_any_memory_is_taken(form: str, tmp_path: Path) -> None:
    head = jpeg_xl(60_000, 60_000)
    if form == "bare":
        data = head
    elif form == "jxlc":
        data = boxed(b"ftyp", b"jxl \0\0\0\0jxl ", b"jxlc", head)
    elif form == "jxlp":
        data = boxed(b"ftyp", b"jxl \0\0\0\0jxl ", b"jxlp", bytes(4) + head)
    else:
        kind = "AVIF" if form == "small first" else form
        sound = encoded(kind, 64, 64)
        true, vast = struct.pack(">II", 64, 64), struct.pack(">II", 60_000, 60_000)
        assert true in sound
        data = sound.replace(true, vast)
        if form == "small first":  # a second property, behind the true one
            data = with_second_size(sound, true, vast)
    path = tmp_path / "vast.avif"
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"at most 268 million pixels, its header says 60000x600"):
        picture_content(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def with_second_size(data: bytes, true: bytes, vast: bytes) -> bytes:
    """The same file with another `ispe`; offsets behind it are not right any more."""
    at = data.index(true) + len(true)
    ispe = struct.pack(">I4sI", 20, b"ispe", 0) + vast
    out = bytearray(data[:at] + ispe + data[at:])
    for name in (b"meta", b"iprp", b"ipco"):
        start = data.index(name) - 4
        struct.pack_into(">I", out, start, struct.unpack_from(">I", data, start)[0] + len(ispe))
    return bytes(out)


def test_what_says_no_size_is_refused_before_a_library_sees_it() -> None:
    avif = encoded("AVIF", 64, 48).replace(b"ispe", b"ispx")
    for data in (b"\xff\x0a", boxed(b"jbrd", b"x"), avif):
        assert "damaged or none at all" in problem_of_picture(data)


def test_a_refusal_by_pillow_shows_no_address(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    path.write_bytes(encoded("AVIF", 64, 48).replace(b"ftypavif", b"ftypxxxx"))
    with pytest.raises(InputError, match=r"a\.avif: this AVIF picture is damaged \(") as raised:
        read_picture(path)
    assert "cannot identify image file)" in str(raised.value)
    assert " at 0x" not in str(raised.value)


def test_a_damaged_jpeg_xl_gives_no_advice_to_developers(tmp_path: Path) -> None:
    data = bytearray(encoded("JXL", 640, 480))
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    path = tmp_path / "a.jxl"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.jxl: this JPEG XL picture is damaged \([\w ]+\)$"):
        read_picture(path)
