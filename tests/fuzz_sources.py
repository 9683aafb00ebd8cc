"""Small sound files of every kind that dehaze-run reads, and of some that it refuses."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from conftest import picture, write_video
from fuzz_structures import inline_for_big, tiff_entries, tiff_with
from numpy.typing import NDArray
from PIL import Image

from dehaze.runtime import FunctionSession
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.files.video import VideoOptions, dehaze_video
from dehaze.runtime.media.encoders import EncoderOptions
from dehaze.runtime.media.pictures import Picture, encode_picture

__all__ = ["REFUSED", "sound_files"]

REFUSED = frozenset({"animated.png", "animated.webp", "animated.avif", "pages.tif"})
"""Files of several pictures, which are refused before a decoder sees them."""
_EXIF = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
_WIDTH, _HEIGHT = 80, 64


def sound_files(folder: Path) -> dict[str, bytes]:
    """Contents by name, made by our own encoders, OpenCV, Pillow and FFmpeg.

    HEIC and JPEG XL are missing where their packages are.
    """
    return _pictures() | _videos(folder)


def _pictures() -> dict[str, bytes]:
    rgb = picture(_HEIGHT, _WIDTH)
    metadata = ((int(cv2.IMAGE_METADATA_EXIF), _EXIF),)
    plain, tagged = Picture(rgb), Picture(rgb, metadata=metadata)
    deep = Picture(rgb.astype(np.uint16) * 257)
    alpha = Picture(rgb, np.ascontiguousarray(rgb[..., 0]))
    made = {
        "photo.jpg": tagged,
        "grey.jpg": Picture(rgb, grey=True),
        "eight.png": tagged,
        "sixteen.png": deep,
        "alpha.png": alpha,
        "photo.webp": tagged,
        "alpha.webp": alpha,
        "eight.tif": plain,
        "sixteen.tif": deep,
        "alpha.tif": alpha,
        "photo.bmp": plain,
        "tags.tif": tagged,
        "photo.avif": tagged,
        "alpha.avif": alpha,
        "grey-alpha.png": Picture(rgb, alpha.alpha, grey=True),
    }
    if _has("pillow_heif"):
        made |= {"photo.heic": tagged, "alpha.heif": alpha}
    if _has("pillow_jxl"):
        made |= {"photo.jxl": tagged, "alpha.jxl": alpha, "bare.jxl": plain}
    files = {name: bytes(encode_picture(it, Path(name).suffix)) for name, it in made.items()}
    return files | _by_opencv(rgb) | _by_pillow(rgb)


def _has(package: str) -> bool:
    try:
        import_module(package)
    except ImportError:
        return False
    return True


def _by_opencv(rgb: NDArray[np.uint8]) -> dict[str, bytes]:
    parameters = {
        "progressive.jpg": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "packed.tif": (cv2.IMWRITE_TIFF_COMPRESSION, 32773),
        "deflated.tif": (cv2.IMWRITE_TIFF_COMPRESSION, 8),
        "lossless.webp": (cv2.IMWRITE_WEBP_QUALITY, 101),
    }
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    return {
        name: bytes(cv2.imencode(Path(name).suffix, bgr, pair)[1].tobytes())
        for name, pair in parameters.items()
    }


def _by_pillow(rgb: NDArray[np.uint8]) -> dict[str, bytes]:
    colours = Image.fromarray(rgb)
    moved = [Image.fromarray(np.roll(rgb, 9 * step, axis=1)) for step in (1, 2)]
    several = {"save_all": True, "append_images": moved}
    uncompressed = _saved(colours, "TIFF", compression=None)
    return {
        "big.tif": _saved(colours, "TIFF", big_tiff=True, compression="tiff_lzw"),
        "jpeg.tif": _saved(colours, "TIFF", compression="jpeg"),
        "fax.tif": _saved(colours.convert("1"), "TIFF", compression="group4"),
        "tiles.tif": _in_tiles(uncompressed, is_big=False),
        "big-tiles.tif": _in_tiles(uncompressed, is_big=True),
        "other-end.tif": _other_end(),
        "pages.tif": _saved(colours, "TIFF", **several),
        "cmyk.jpg": _saved(colours.convert("CMYK"), "JPEG"),
        "palette.png": _saved(colours.quantize(16), "PNG"),
        "bits.png": _saved(colours.convert("1"), "PNG"),
        "palette.bmp": _saved(colours.quantize(16), "BMP"),
        "animated.png": _saved(colours, "PNG", **several),
        "animated.webp": _saved(colours, "WEBP", **several),
        "animated.avif": _saved(colours, "AVIF", **several),
    }


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def _in_tiles(uncompressed: bytes, *, is_big: bool) -> bytes:
    """The same TIFF of a single strip, which is called a tile: its sides are multiples of 16."""
    entries = tiff_entries(uncompressed)
    assert entries is not None
    names = {273: 324, 279: 325}  # strips to tiles: where they begin, and their bytes
    for entry in entries:
        entry[0] = names.get(entry[0], entry[0])
    entries = [entry for entry in entries if entry[0] != 278]  # rows of a strip
    if is_big:
        inline_for_big(uncompressed, entries)
    entries += [[322, 4, 1, _WIDTH], [323, 4, 1, _HEIGHT]]
    return tiff_with(uncompressed, entries, is_big=is_big)


def _other_end() -> bytes:
    """A grey TIFF with its highest bytes first."""
    grey = picture(_HEIGHT, _WIDTH)[..., 0].tobytes()
    tags = {256: _WIDTH, 257: _HEIGHT, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: _HEIGHT}
    tags[279] = len(grey)
    table = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack(">2sHI", b"MM", 42, 8 + len(grey))
    return head + grey + struct.pack(">H", len(tags)) + table + bytes(4)


_REWRITTEN = {"own.mp4": "h264", "clip.mkv": "h264", "clip.avi": "h264", "clip.ts": "h264"}
_REWRITTEN |= {"motion.avi": "mpeg4", "clip.flv": "h264", "deep.mov": "prores"}
"""Codecs of our own videos."""
_FOREIGN = {
    "fragments.mp4": ("libx264", "yuv420p"),
    "hevc.mp4": ("libx265", "yuv420p10le"),
    "clip.webm": ("libvpx-vp9", "yuv420p"),
    "vp8.mkv": ("libvpx", "yuv420p"),
    "lossless.mkv": ("ffv1", "yuv444p"),
    "old.mpg": ("mpeg2video", "yuv420p"),
    "old.wmv": ("wmv2", "yuv420p"),
    "photos.avi": ("mjpeg", "yuvj420p"),
    "alpha.mov": ("qtrle", "argb"),
    "clip.m2ts": ("libx264", "yuv420p"),
}
"""Codecs and pixels of videos by FFmpeg."""


def _videos(folder: Path) -> dict[str, bytes]:
    first = write_video(folder / "clip.mp4", frames=6, size=(_WIDTH, _HEIGHT), audio=True)
    files = {"clip.mp4": first.read_bytes()}
    for name, codec in _REWRITTEN.items():
        with Dehazer(FunctionSession(lambda frames: frames)) as dehazer:
            options = VideoOptions(encoder=EncoderOptions(codec))
            dehaze_video(first, folder / name, dehazer, options)
        files[name] = (folder / name).read_bytes()
    for name, (codec, layout) in _FOREIGN.items():
        _write_foreign(folder / name, codec, layout)
        files[name] = (folder / name).read_bytes()
    return files


def _write_foreign(path: Path, codec: str, layout: str) -> None:
    flags = {"movflags": "frag_keyframe+empty_moov"} if path.stem == "fragments" else {}
    with av.open(str(path), "w", options=flags) as container:
        video = container.add_stream(codec, rate=25)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = _WIDTH, _HEIGHT, layout
        video.time_base = video.codec_context.time_base = Fraction(1, 25)
        if codec == "libx265":
            video.options = {"x265-params": "log-level=none"}
        for index in range(6):
            shown = picture(_HEIGHT, _WIDTH, index / 4)
            frame = av.VideoFrame.from_ndarray(shown, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
