from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dehaze.runtime import FunctionSession, InputError, OutputError, open_dehazer
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.files.job import dehaze_picture
from dehaze.runtime.media.headers.exif import read_orientation
from dehaze.runtime.media.headers.extras import extras_of
from dehaze.runtime.media.notices import Notices
from dehaze.runtime.media.pictures import (
    Picture,
    encode_picture,
    pictures_side_by_side,
    read_picture,
)

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int) -> bytes:
    """A big-endian EXIF block with an orientation and a camera maker."""
    head = b"MM\0*\0\0\0\x08\0\x02"
    maker = b"\x01\x0f\0\x02\0\0\0\x04Cam\0"
    turn = b"\x01\x12\0\x03\0\0\0\x01" + bytes([0, orientation, 0, 0])
    return head + maker + turn + b"\0\0\0\0"


def identity() -> Dehazer:
    return Dehazer(FunctionSession(lambda frames: frames))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".jpg"])
def test_every_format_round_trips(suffix: str, tmp_path: Path, frame: NDArray[np.uint8]) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode_picture(Picture(frame), suffix))
    back = read_picture(path)
    tolerance = 30 if suffix in (".jpg", ".webp") else 0
    assert back.rgb.shape == frame.shape
    assert np.abs(back.rgb.astype(int) - frame).max() <= tolerance


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_the_colour_profile_is_kept(suffix: str, tmp_path: Path, frame: NDArray[np.uint8]) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode_picture(Picture(frame, metadata=((2, PROFILE),)), suffix))
    hazy = read_picture(path)
    assert dict(hazy.metadata)[cv2.IMAGE_METADATA_ICCP] == PROFILE
    path.write_bytes(encode_picture(dehaze_picture(hazy, identity())[0], suffix))
    assert dict(read_picture(path).metadata)[cv2.IMAGE_METADATA_ICCP] == PROFILE


def test_a_profile_of_several_segments_is_kept_in_a_jpeg(
    tmp_path: Path, frame: NDArray[np.uint8]
) -> None:
    vast = PROFILE + bytes(200_000)
    metadata = ((cv2.IMAGE_METADATA_ICCP, vast), (cv2.IMAGE_METADATA_EXIF, exif(1)))
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_picture(Picture(frame, metadata=metadata), ".jpg"))
    assert dict(read_picture(path).metadata) == dict(metadata)
    with Image.open(path) as other:  # by another reader
        assert other.info["icc_profile"] == vast


def test_a_tiff_with_a_profile_still_decodes(frame: NDArray[np.uint8]) -> None:
    data = encode_picture(Picture(frame, metadata=((cv2.IMAGE_METADATA_ICCP, PROFILE),)), ".tif")
    assert extras_of(bytes(data)).profile == PROFILE
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(decoded, frame)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_EXIF_orientation_is_undone_and_set_upright(
    orientation: int, suffix: str, tmp_path: Path
) -> None:
    upright = np.zeros((80, 120, 3), np.uint8)
    upright[:40, :60] = (250, 0, 0)  # red at the top left
    path = tmp_path / f"turned{suffix}"
    stored = _as_a_camera_stores(upright, orientation)
    kinds, blocks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif(orientation), np.uint8)]
    _, data = cv2.imencodeWithMetadata(suffix, stored[..., ::-1].copy(), kinds, blocks)
    path.write_bytes(data.tobytes())
    read = read_picture(path)
    assert read.rgb.shape == upright.shape
    assert np.abs(read.rgb.astype(int) - upright).mean() < 3
    block = dict(read.metadata)[cv2.IMAGE_METADATA_EXIF]
    assert read_orientation(block) == 1
    assert b"Cam" in block


def _as_a_camera_stores(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turns a picture as EXIF defines it: by the visual sides of its first row and column."""
    row_is, column_is = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    stored = upright
    if "bottom" in (row_is, column_is):
        stored = stored[::-1]
    if "right" in (row_is, column_is):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored.swapaxes(0, 1) if row_is in ("left", "right") else stored)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_is_kept(suffix: str, tmp_path: Path, frame: NDArray[np.uint8]) -> None:
    alpha = np.full(frame.shape[:2], 255, np.uint8)
    alpha[:20] = 90
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode_picture(Picture(frame, alpha), suffix))
    with open_dehazer() as dehazer:
        clear, _ = dehaze_picture(read_picture(path), dehazer)
    assert clear.alpha is not None
    assert np.array_equal(clear.alpha, alpha)
    both = pictures_side_by_side(read_picture(path), clear)
    assert both.alpha is not None
    assert both.alpha.shape == both.rgb.shape[:2] == (70, 198)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_are_dehazed_in_16_bits(
    suffix: str, tmp_path: Path, frame: NDArray[np.uint8]
) -> None:
    deep = frame.astype(np.uint16) * 257 + np.arange(99, dtype=np.uint16)[None, :, None]
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(encode_picture(Picture(deep), suffix))
    read = read_picture(path)
    assert np.array_equal(read.rgb, deep)
    with open_dehazer() as dehazer:
        clear, _ = dehaze_picture(read, dehazer)
        shallow = dehazer(frame)
    assert clear.rgb.dtype == np.uint16
    assert np.abs(clear.rgb / 257 - shallow).mean() < 1
    assert len(np.unique(clear.rgb)) > 256
    with open_dehazer(strength=0) as dehazer:
        assert np.array_equal(dehaze_picture(read, dehazer)[0].rgb, deep)


def test_a_grey_picture_stays_grey(tmp_path: Path, frame: NDArray[np.uint8]) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), frame[..., 0])
    with open_dehazer() as dehazer:
        path.write_bytes(encode_picture(dehaze_picture(read_picture(path), dehazer)[0], ".png"))
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).ndim == 2


def test_what_a_format_cannot_hold_is_told(frame: NDArray[np.uint8]) -> None:
    with pytest.raises(OutputError, match="16 bits"):
        encode_picture(Picture(frame.astype(np.uint16)), ".jpg")
    with pytest.raises(OutputError, match="transparency"):
        encode_picture(Picture(frame, frame[..., 0]), ".jpg")
    with pytest.raises(OutputError, match="expected a picture name"):
        encode_picture(Picture(frame), ".xyz")


def test_a_damaged_picture_is_told(tmp_path: Path, frame: NDArray[np.uint8]) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(encode_picture(Picture(frame), ".png")[:60])
    with pytest.raises(InputError, match="damaged"):
        read_picture(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_the_alpha_of_a_tiff_leaves_the_colours(kind: str, dtype: Any, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    most = np.iinfo(dtype).max
    alpha = np.linspace(most / 64, most, 64).astype(dtype) * np.ones((64, 1), dtype)
    rgb = (np.array([170, 210, 90]) / 255 * most).astype(dtype) * np.ones((64, 64, 1), dtype)
    stored = rgb if kind == "unassalpha" else np.rint(rgb * (alpha / most)[..., None]).astype(dtype)
    path, again = tmp_path / "a.tif", tmp_path / "b.tif"
    rgba = np.dstack([stored, alpha])
    tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=[kind])
    read = read_picture(path)
    assert read.alpha is not None and np.array_equal(read.alpha, alpha)
    wrong = np.abs(read.rgb.astype(int) - rgb)
    # What was premultiplied has steps where alpha is small.
    assert wrong.max() == 0 if kind == "unassalpha" else wrong[:, 32:].max() <= 2
    again.write_bytes(encode_picture(read, ".tif"))
    with tifffile.TiffFile(again) as file:
        assert file.pages[0].extrasamples == (2,)
    assert np.array_equal(read_picture(again).rgb, read.rgb)


def test_a_cielab_tiff_of_16_bits_has_its_colours(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    # White, and sRGB's red relative to D50 (colormath and ICC's sRGB profile agree on it).
    lab = np.array([[100, 0, 0], [54.29, 80.81, 69.89]])
    codes = np.rint(lab * (655.35, 256, 256)).astype(np.int32).astype(np.uint16)
    numbers = codes[:, None].repeat(32, 1).repeat(64, 0).reshape(64, 64, 3)
    tifffile.imwrite(tmp_path / "a.tif", numbers, photometric="cielab")
    notices = Notices()
    rgb = read_picture(tmp_path / "a.tif", notices).rgb / 257
    assert rgb.dtype == float and list(notices) == ["CIELab becomes RGB"]
    assert np.abs(rgb[0, 0] - 255).max() < 0.5
    assert np.abs(rgb[-1, -1] - (255, 0, 0)).max() < 1


def test_cmyk_becomes_the_rgb_of_its_profile(tmp_path: Path) -> None:
    """The profile makes grey of every ink: L* is 100 less 100 times black, and nothing else."""
    grid = b"".join(bytes([255 * (index % 2 == 0), 128, 128]) for index in range(16))
    curve = bytes(range(256))
    table = struct.pack(">4s4xBBBx9i", b"mft1", 4, 3, 2, *[65536, 0, 0, 0, 65536, 0, 0, 0, 65536])
    table += curve * 4 + grid + curve * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"a\0" + bytes(79)
    body, entries = b"", b""
    for name, data in ((b"A2B0", table), (b"wtpt", white), (b"desc", text), (b"cprt", text)):
        entries += struct.pack(">4sII", name, 128 + 4 + 48 + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + 4 + 48 + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    profile = head + bytes(128 - len(head)) + struct.pack(">I", 4) + entries + body
    picture = Image.new("CMYK", (64, 64), (200, 0, 100, 0))
    picture.save(tmp_path / "a.jpg", icc_profile=profile, quality=100)
    notices = Notices()
    read = read_picture(tmp_path / "a.jpg", notices)
    assert read.rgb.min() >= 252  # without the profile it is green
    assert not dict(read.metadata)
    assert list(notices) == ["CMYK becomes RGB"]


def test_a_file_of_several_pictures_is_told(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, np.zeros((3, 64, 64), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match="expected one picture, got several"):
        read_picture(path)


def test_the_profile_of_a_colour_space_that_is_gone_is_dropped(
    tmp_path: Path, frame: NDArray[np.uint8]
) -> None:
    path = tmp_path / "a.tif"
    cmyk = PROFILE[:16] + b"CMYK" + PROFILE[20:]
    picture = Picture(frame, metadata=((cv2.IMAGE_METADATA_ICCP, cmyk),))
    path.write_bytes(encode_picture(picture, ".tif"))
    assert read_picture(path).metadata == ()


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_an_animation_is_told(suffix: str, tmp_path: Path) -> None:
    animation, path = cv2.Animation(), tmp_path / f"moving{suffix}"
    noise = np.random.default_rng(0)
    animation.frames = [noise.integers(0, 255, (64, 64, 4), np.uint8) for _ in range(3)]
    animation.durations = np.array([100, 100, 100])
    assert cv2.imwriteanimation(str(path), animation)
    with pytest.raises(InputError, match="expected one picture, got several"):
        read_picture(path)


@pytest.mark.parametrize(
    ("suffix", "mark", "offset", "layout"),
    [
        (".png", b"IHDR", 4, ">II"),
        (".jpg", b"\xff\xc0", 5, ">HH"),
        (".bmp", b"BM", 18, "<ii"),
    ],
)
def test_a_header_that_announces_too_much_is_told_before_memory_is_taken(
    suffix: str, mark: bytes, offset: int, layout: str, tmp_path: Path, frame: NDArray[np.uint8]
) -> None:
    data = bytearray(encode_picture(Picture(frame), suffix))
    struct.pack_into(layout, data, data.index(mark) + offset, 60000, 60000)
    path = tmp_path / f"vast{suffix}"
    path.write_bytes(data)
    with pytest.raises(InputError, match="at most 268 million pixels, its header says 60000x60000"):
        read_picture(path)


def test_a_tiff_that_announces_too_much_is_told(tmp_path: Path, frame: NDArray[np.uint8]) -> None:
    data = bytearray(encode_picture(Picture(frame), ".tif"))
    for tag in (256, 257):
        entry = data.index(struct.pack("<HH", tag, 3))
        struct.pack_into("<HHII", data, entry, tag, 4, 1, 60000)
    path = tmp_path / "vast.tif"
    path.write_bytes(data)
    with pytest.raises(InputError, match="its header says 60000x60000"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_a_name_need_not_be_UTF_8(suffix: str, tmp_path: Path, frame: NDArray[np.uint8]) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9" + suffix.encode())
    path.write_bytes(encode_picture(Picture(frame), suffix))
    assert read_picture(path).rgb.shape == frame.shape


def test_what_opencv_would_read_under_any_name_is_no_picture_of_ours(tmp_path: Path) -> None:
    """A PAM file with two channels ended a batch with an exception of OpenCV's."""
    path = tmp_path / "named.webp"
    header = b"P7\nWIDTH 8\nHEIGHT 8\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n"
    path.write_bytes(header + bytes(128))
    with pytest.raises(InputError, match=r"named\.webp: expected a picture, but its content is"):
        read_picture(path)
    path.write_bytes(b"GIF89a" + bytes(40))
    with pytest.raises(InputError, match=r"expected a JPEG, PNG, .* picture, got GIF"):
        read_picture(path)
