from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import picture

from dehaze.runtime.errors import InputError
from dehaze.runtime.media.pictures import read_picture


def chunk(kind: bytes, content: bytes = b"", length: int | None = None) -> bytes:
    said = len(content) if length is None else length
    return struct.pack(">I", said) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(extra: bytes) -> bytes:
    """A good PNG with something before its pixels."""
    data = cv2.imencode(".png", picture(64, 64))[1].tobytes()
    start = data.index(b"IDAT") - 4
    return data[:start] + extra + data[start:]


ANIMATION = chunk(b"acTL", struct.pack(">II", 2, 0))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (ANIMATION, "expected one picture, got several"),
        (chunk(b"tEXt", b"Comment\0IDAT") + ANIMATION, "expected one picture, got several"),
        (chunk(b"fdAT", bytes(8)), "expected one picture, got several"),
        (chunk(b"tEXt", b"x", length=2**32 - 1), "damaged or cut off"),
    ],
)
def test_what_would_end_the_decoder_never_reaches_it(
    extra: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png_with(extra))
    with pytest.raises(InputError, match=words):
        read_picture(tmp_path / "a.png")


def test_other_chunks_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_with(chunk(b"tEXt", b"Comment\0hello")) + b"behind")
    assert np.array_equal(read_picture(tmp_path / "a.png").rgb, picture(64, 64)[..., ::-1])
