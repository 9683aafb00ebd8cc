from __future__ import annotations

import os
import socket
import struct
import time
import zlib
from pathlib import Path

import cv2
import pytest
from conftest import picture

from dehaze.runtime.errors import InputError
from dehaze.runtime.media import picture_content as module
from dehaze.runtime.media.picture_content import picture_content


def png_header(width: int, height: int, depth: int = 8) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    checked = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + checked


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "loop", "missing"])
def test_what_is_no_file_is_refused_and_never_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    with pytest.raises(InputError, match=r"a\.png: (expected a file, got|cannot be read \()"):
        picture_content(path)


@pytest.mark.parametrize("start", [b"", b"\xff\xd8\xff\xe0", png_header(64, 64), b"BM"])
def test_a_file_with_a_vast_hole_is_refused_unread(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(start)
    os.truncate(path, 2**40)
    with pytest.raises(InputError, match="the file has 1048576 MiB"):
        picture_content(path)


def test_a_picture_that_does_not_fit_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    end = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
    path.write_bytes(png_header(16_000, 16_000, 16) + end)
    monkeypatch.setattr(module, "free_bytes", lambda: 2**30)
    with pytest.raises(InputError, match=r"16000x16000 pixels take about 5859 MiB.* 1024 MiB are"):
        picture_content(path)
    monkeypatch.setattr(module, "free_bytes", lambda: None)  # a system that does not say
    assert picture_content(path) == path.read_bytes()


def test_a_long_search_for_a_jpeg_s_header_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(
        b"\xff\xd8" + bytes(2**25) + cv2.imencode(".jpg", picture(64, 80))[1].tobytes()
    )
    assert len(picture_content(path)) > 2**25


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name))


def many_parts(kind: str) -> bytes:
    """A file of 20 MB, or more entries than a directory may have, that is made of tiny parts."""
    if kind == "fill bytes":
        return b"\xff\xd8" + b"\xff" * 20_000_000
    if kind == "markers":
        return b"\xff\xd8" + b"\xff\xd0" * 10_000_000
    if kind == "texts":
        return png_header(64, 64) + chunk(b"tEXt") * 1_700_000 + chunk(b"IEND")
    if kind == "boxes":
        head = struct.pack(">I4sI", 12, b"JXL ", 0x0D0A870A)
        return head + struct.pack(">I4s", 8, b"free") * 2_500_000
    entries = struct.pack("<HHQQ", 256, 4, 1, 64) * 1_000_000  # of a BigTIFF
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1_000_000) + entries


@pytest.mark.parametrize("kind", ["fill bytes", "markers", "texts", "boxes", "entries"])
def test_a_file_of_countless_tiny_parts_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    """60 MB of them took half a minute or more than a gigabyte."""
    path = tmp_path / "a.png"
    path.write_bytes(many_parts(kind))
    started = time.process_time()
    with pytest.raises(InputError, match=r"10000 chunks beside the pixels|is damaged"):
        picture_content(path)
    assert time.process_time() - started < 1


def test_a_jpeg_of_countless_scans_is_refused(tmp_path: Path) -> None:
    """5000 scans of some bytes each over 8000x8000 pixels took 35 s."""
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    data = cv2.imencode(".jpg", picture(64, 80), flags)[1].tobytes()
    scan = data[data.rindex(b"\xff\xda") : -2]
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:-2] + 90 * scan + data[-2:] + 200 * scan)  # as of a video behind it
    assert picture_content(path)
    path.write_bytes(data[:-2] + 100 * scan + data[-2:])
    with pytest.raises(InputError, match=r"a\.jpg: expected at most 100 scans over the picture"):
        picture_content(path)


def test_an_animated_webp_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    frames = [Image.fromarray(picture(64, 80, phase)) for phase in (0.0, 1.0)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="got several"):
        picture_content(tmp_path / "a.webp")
