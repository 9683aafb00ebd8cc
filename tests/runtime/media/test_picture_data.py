"""What a picture keeps beside its pixels; other readers than ours check it."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import picture
from PIL import Image, ImageCms, PngImagePlugin

from dehaze.runtime import FunctionSession, InputError
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.files.job import RunOptions, run_job
from dehaze.runtime.files.plan import Job
from dehaze.runtime.media.headers.xmp import has_promises, kept_xmp
from dehaze.runtime.media.notices import Notices
from dehaze.runtime.media.pictures import read_picture

EXIF, GPS = 0x8769, 0x8825


def run(source: Path, target: Path) -> list[str]:
    """Takes nothing away from the picture; returns the notices."""
    with Dehazer(FunctionSession(lambda frames: frames), strength=0) as dehazer:
        notices: list[str] = run_job(Job(source, target), dehazer, RunOptions(overwrite=True))[
            "notices"
        ]
    return notices


def save(path: Path, pixels: Any = None, **options: Any) -> Path:
    Image.fromarray(picture(72, 96) if pixels is None else pixels).save(path, **options)
    return path


def exif_block(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[0x0112], block[0x010F] = orientation, "Cam"
    block.get_ifd(EXIF).update({0x9003: "2024:05:06 07:08:09", 0xA002: 96, 0xA003: 72})
    block.get_ifd(GPS).update({1: "N", 2: (48.0, 6.0, 0.0)})
    return block


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
    b'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
    b'tiff:Orientation="6" dc:format="kept" hdrgm:Version="1.0"><Container:Directory><rdf:Seq>'
    b"<rdf:li>GainMap</rdf:li></rdf:Seq></Container:Directory></rdf:Description></rdf:RDF>"
    b"</x:xmpmeta>"
)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp", ".webp"])
@pytest.mark.parametrize("source", [".jpg", ".png", ".tif"])
def test_the_resolution_is_kept(source: str, suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"in{source}", dpi=(300, 150))
    run(path, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as image:
        found = image.info.get("dpi") or [float(image.getexif()[tag]) for tag in (282, 283)]
    assert found == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_a_tiff_keeps_what_cameras_write(suffix: str, tmp_path: Path) -> None:
    block = exif_block()
    block[0x013B] = "me"
    photo = save(tmp_path / "in.jpg", exif=block, xmp=XMP)
    path = tmp_path / "in.tif"
    run(photo, path)
    run(path, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert np.asarray(image).shape == (72, 96, 3)
        found = image.getexif()
        assert (found[0x010F], found[0x013B]) == ("Cam", "me")
        assert found.get_ifd(EXIF)[0x9003] == "2024:05:06 07:08:09"
        assert found.get_ifd(GPS)[2] == (48.0, 6.0, 0.0)
        xmp = image.info.get("xmp") or image.tag_v2[700]
        assert b"kept" in bytes(xmp)


def test_pixels_of_a_tiff_with_tags_are_those_before(tmp_path: Path) -> None:
    path = save(tmp_path / "in.tif", exif=exif_block(), dpi=(300, 300))
    run(path, tmp_path / "out.tif")
    with Image.open(path) as before, Image.open(tmp_path / "out.tif") as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_a_turned_picture_is_upright_in_exif_xmp_and_thumbnail(tmp_path: Path) -> None:
    path = save(tmp_path / "in.jpg", exif=_with_thumbnail(exif_block(6)), xmp=XMP)
    run(path, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.size == (72, 96)
        found = image.getexif()
        assert found[0x0112] == 1
        assert (found.get_ifd(EXIF)[0xA002], found.get_ifd(EXIF)[0xA003]) == (72, 96)
        assert b'tiff:Orientation="1"' in image.info["xmp"]
        exif = image.info["exif"]
    start = exif.rindex(b"\xff\xd8")
    with Image.open(io.BytesIO(exif[start:])) as thumbnail:
        assert thumbnail.size[0] < thumbnail.size[1]


def _with_thumbnail(block: Image.Exif) -> bytes:
    """The block with a wide thumbnail in a second directory."""
    small = io.BytesIO()
    Image.fromarray(picture(72, 96)).save(small, "JPEG")
    data = bytearray(block.tobytes())
    tiff = 6
    order = ">" if data[tiff : tiff + 2] == b"MM" else "<"
    first = tiff + struct.unpack_from(order + "I", data, tiff + 4)[0]
    count = struct.unpack_from(order + "H", data, first)[0]
    directory = len(data) - tiff
    struct.pack_into(order + "I", data, first + 2 + 12 * count, directory)
    image_at = directory + 2 + 24 + 4
    data += struct.pack(order + "H", 2)
    data += struct.pack(order + "HHII", 513, 4, 1, image_at)
    data += struct.pack(order + "HHII", 514, 4, 1, len(small.getvalue()))
    return bytes(data + bytes(4) + small.getvalue())


def test_a_gain_map_that_is_gone_is_promised_no_more(tmp_path: Path) -> None:
    path = save(tmp_path / "in.jpg", xmp=XMP)
    notices = run(path, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        xmp = image.info["xmp"]
    assert b"hdrgm:Version" not in xmp
    assert b"GainMap" not in xmp
    assert b"kept" in xmp
    assert any("gain map" in notice for notice in notices)


@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
@pytest.mark.parametrize("quality", [60, 95, 100])
def test_a_jpeg_keeps_its_subsampling_and_at_least_its_quality(
    subsampling: int, name: str, quality: int, tmp_path: Path
) -> None:
    path = save(tmp_path / "in.jpg", quality=quality, subsampling=subsampling)
    run(path, tmp_path / "out.jpg")
    with Image.open(path) as before, Image.open(tmp_path / "out.jpg") as after:
        assert [layer[:3] for layer in after.layer] == [layer[:3] for layer in before.layer], name
        for kind, table in before.quantization.items():
            assert sum(after.quantization[kind]) <= sum(table)


def test_comment_and_iptc_of_a_jpeg_are_kept_or_told(tmp_path: Path) -> None:
    path = save(tmp_path / "in.jpg", comment=b"fog")
    data = path.read_bytes()
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x19\0\x03fog"
    path.write_bytes(data[:2] + struct.pack(">HH", 0xFFED, len(body) + 2) + body + data[2:])
    run(path, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["comment"] == b"fog"
        assert 0x0404 in image.info["photoshop"]
    assert any("comment" in notice for notice in run(path, tmp_path / "out.png"))


def test_gamma_primaries_text_and_time_of_a_png_are_kept(tmp_path: Path) -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("Comment", "fog")
    about.add(b"tIME", struct.pack(">HBBBBB", 2024, 1, 2, 3, 4, 5))
    path = save(tmp_path / "in.png", pnginfo=about)
    gamma = b"gAMA" + struct.pack(">I", 100_000)
    primaries = b"cHRM" + struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    chunks = b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
        for c in (gamma, primaries)
    )
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunks + data[33:])
    run(path, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        image.load()
        assert image.info["gamma"] == 1.0
        assert image.info["chromaticity"][2] == pytest.approx(0.68)
        assert image.text["Comment"] == "fog"
    assert b"tIME" in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize("make", ["key", "alpha"])
def test_transparency_of_grey_stays_with_the_grey(make: str, tmp_path: Path) -> None:
    grey = picture(72, 96)[..., 0]
    path = tmp_path / "in.png"
    if make == "key":
        Image.fromarray(grey).save(path, transparency=int(grey[5, 5]))
    else:
        Image.fromarray(np.dstack((grey, grey // 2)), "LA").save(path)
    run(path, tmp_path / "out.png")
    with Image.open(path) as before, Image.open(tmp_path / "out.png") as after:
        assert after.mode == "LA"
        assert np.array_equal(np.asarray(before.convert("LA")), np.asarray(after))


def test_a_lossless_webp_stays_lossless(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    path = save(tmp_path / "in.webp", noise, lossless=True)
    run(path, tmp_path / "out.webp")
    with Image.open(tmp_path / "out.webp") as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), noise)


def test_the_second_picture_of_a_file_is_told(tmp_path: Path) -> None:
    picture = Image.new("RGB", (96, 72), (90, 120, 150))
    picture.save(tmp_path / "in.jpg", format="MPO", save_all=True, append_images=[picture])
    notices = Notices()
    read = read_picture(tmp_path / "in.jpg", notices)
    assert read.rgb.shape == (72, 96, 3)
    (notice,) = notices
    assert "further picture behind the picture is dropped" in notice


def test_a_CIELab_tiff_has_its_colours(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(50, 200, (9, 12, 3)).astype(np.uint8)
    rgb = rgb.repeat(8, 0).repeat(8, 1)
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    made = ImageCms.profileToProfile(Image.fromarray(rgb), srgb, lab, outputMode="LAB")
    assert made is not None
    made.save(tmp_path / "in.tif")
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as image:
        assert np.abs(np.asarray(image).astype(int) - rgb).mean() < 1.5


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPG"])
def test_other_names_of_jpeg(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"in{suffix}", format="JPEG")
    run(path, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.format == "JPEG"


@pytest.mark.parametrize("name", ["in.avif", "named-wrongly.jpg"])
def test_avif_is_read_and_written(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / name, format="AVIF", quality=95)
    run(path, tmp_path / "out.avif")
    with Image.open(tmp_path / "out.avif") as image:
        assert image.format == "AVIF"
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - picture(72, 96)).mean() < 4


PLAIN_XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a/></x:xmpmeta>"


@pytest.mark.parametrize(("suffix", "package"), [(".heic", "pillow_heif"), (".jxl", "pillow_jxl")])
def test_heic_and_jpeg_xl_are_read_and_written_with_their_data(
    suffix: str, package: str, tmp_path: Path
) -> None:
    pytest.importorskip(package)
    exif = Image.Exif()
    exif[271] = "Maker"
    exif[274] = 6
    path = save(tmp_path / "in.jpg", quality=97, exif=exif, xmp=PLAIN_XMP)
    run(path, tmp_path / f"there{suffix}")
    with Image.open(tmp_path / f"there{suffix}") as image:
        assert image.size == (72, 96)
    run(tmp_path / f"there{suffix}", tmp_path / "back.jpg")
    with Image.open(tmp_path / "back.jpg") as image:
        assert (image.getexif()[271], image.getexif()[274]) == ("Maker", 1)
        assert image.info["xmp"] == PLAIN_XMP
        turned = np.rot90(picture(72, 96), -1).astype(int)
        assert np.abs(np.asarray(image) - turned).mean() < 4


def test_jpeg_xl_is_written_in_srgb(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    wide = ImageCms.createProfile("sRGB")
    profile = bytearray(ImageCms.ImageCmsProfile(wide).tobytes())
    red, green = profile.find(b"rXYZ", 128), profile.find(b"gXYZ", 128)
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"  # of swapped colours
    colours = np.full((72, 96, 3), (200, 60, 90), np.uint8)
    run(save(tmp_path / "in.png", colours, icc_profile=bytes(profile)), tmp_path / "out.jxl")
    with Image.open(tmp_path / "out.jxl") as image:
        assert np.abs(np.asarray(image).astype(int) - (60, 200, 90)).max() <= 3


@pytest.mark.parametrize("source", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif", "avif"])
def test_an_xmp_packet_is_the_same_in_a_file_of_another_kind(
    source: str, target: str, tmp_path: Path
) -> None:
    save(tmp_path / "in.webp", xmp=PLAIN_XMP, lossless=True)
    run(tmp_path / "in.webp", tmp_path / f"in.{source}")
    run(tmp_path / f"in.{source}", tmp_path / f"out.{target}")
    with Image.open(tmp_path / f"out.{target}") as image:
        tags = getattr(image, "tag_v2", {})
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or tags.get(700)
    assert (found.encode() if isinstance(found, str) else found) == PLAIN_XMP


def test_a_kind_without_its_package_is_called_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    path = tmp_path / "named.jpg"
    boxes = bytes(4) + struct.pack(">II", 64, 64)  # of a size alone, which stands before pixels
    for name in (b"ispe", b"ipco", b"iprp", b"meta"):
        content = bytes(4) + boxes if name == b"meta" else boxes
        boxes = struct.pack(">I", len(content) + 8) + name + content
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + boxes)
    with pytest.raises(InputError, match=r"HEIC picture.*pip install 'dehaze-edge\[heif\]'"):
        run(path, tmp_path / "out.jpg")


def test_a_resolution_that_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "in.bmp", dpi=(300, 300))
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 38, 2**32 - 35_147)  # pixels per metre, from a damaged file
    path.write_bytes(data)
    for suffix in (".bmp", ".png", ".jpg", ".tif", ".webp"):
        run(path, tmp_path / f"out{suffix}")
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert max(image.info.get("dpi", (0,))) < 100


def test_exif_of_a_million_fractions_is_dropped_and_told(tmp_path: Path) -> None:
    head = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 318, 5, 1_000_000, 26)
    path = save(tmp_path / "in.webp", exif=b"Exif\0\0" + head + bytes(4) + bytes(8_000_000))
    notices = run(path, tmp_path / "out.tif")
    assert "EXIF is dropped: its tags hold more numbers than any camera writes" in notices


def test_xmp_that_opens_elements_and_closes_none_costs_no_time(tmp_path: Path) -> None:
    """160 KB of it took 15 s, and 2 MB would have taken an hour."""
    path = save(tmp_path / "in.webp", xmp=b"<Container:Directory " * 8_000)
    started = time.process_time()
    run(path, tmp_path / "out.webp")
    assert time.process_time() - started < 5


def test_promises_in_xmp_go_and_the_rest_stays() -> None:
    kept = b'<rdf:li stay="1"/>'
    xmp = (
        b'<a hdrgm:Version="1.0" keep="2">' + kept
        + b"<hdrgm:Max><rdf:Seq><hdrgm:Min>1</hdrgm:Min></rdf:Seq></hdrgm:Max>" + kept
        + b'<GContainer:Directory x="1"><hdrgm:Max/></GContainer:Directory>' + kept
        + b"<Camera:MotionPhoto>1</Camera:MotionPhoto></a>"
    )  # fmt: skip
    assert has_promises(xmp)
    left = kept_xmp(xmp, 9, 9)
    assert left == b'<a keep="2">' + kept * 3 + b"</a>"
    assert not has_promises(left)
