"""Pictures that OpenCV does not read or write rightly, through Pillow: HEIC, AVIF, JPEG XL, Lab."""

from __future__ import annotations

import importlib
import io
import struct
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ...errors import InputError, OutputError, one_line
from .box_sizes import boxes
from .kinds import PILLOW_KINDS, SEVERAL

__all__ = [
    "WRITTEN_BY_PILLOW",
    "decoded_by_pillow",
    "encoded_by_pillow",
    "encoded_grey_alpha",
    "exif_of_resolution",
    "rgb_in_srgb",
    "rgb_in_srgb_of",
    "straight_rgba",
]

WRITTEN_BY_PILLOW = {
    ".heic": ("HEIC", "HEIF"),
    ".heif": ("HEIC", "HEIF"),
    ".avif": ("AVIF", "AVIF"),
    ".jxl": ("JPEG XL", "JXL"),
}
"""The kind by a name's suffix, and Pillow's word for it."""
_QUALITIES = {"HEIF": 90, "AVIF": 90, "JXL": 95}
"""At which each of them changes a photograph by less than two levels on average."""


def decoded_by_pillow(data: bytes, kind: str, pixels_at_most: int) -> tuple[Any, dict[str, bytes]]:
    """A (H, W) or (H, W, 3 or 4) uint8 array in OpenCV's order, upright as stored; and metadata.

    Returns:
        The pixels; and `exif`, `xmp` and `icc_profile`, where there are such.

    Raises:
        InputError: no reader for it, too large, several pictures, or damaged.
    """
    _add_to_pillow(kind, InputError)
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > pixels_at_most:
                raise InputError(
                    f"expected at most {pixels_at_most / 1e6:.0f} million pixels, "
                    f"its header says {width}x{height}"
                )
            if getattr(image, "n_frames", 1) > 1 and getattr(image, "is_animated", False):
                raise InputError(SEVERAL)
            found = {k: image.info.get(k) or b"" for k in ("exif", "xmp", "icc_profile")}
            found["xmp"] = found["xmp"] or _xmp_of_jpeg_xl(data)
            has_alpha = "A" in image.mode or "transparency" in image.info
            grey = image.mode in ("L", "1")
            pixels = np.asarray(image.convert("RGBA" if has_alpha else "L" if grey else "RGB"))
    except InputError:
        raise
    except Exception as error:
        words = one_line(error).partition(". Please build")[0]  # advice of libjxl's to developers
        raise InputError(f"this {kind} picture is damaged ({words})") from error
    if pixels.ndim == 3:
        order = (2, 1, 0, 3) if has_alpha else (2, 1, 0)
        pixels = np.ascontiguousarray(pixels[..., order])
    blocks = {k: v.encode() if isinstance(v, str) else bytes(v) for k, v in found.items() if v}
    if blocks.get("exif", b"").startswith(b"Exif\0\0"):
        blocks["exif"] = blocks["exif"][6:]
    return pixels, blocks


def encoded_by_pillow(
    pixels: NDArray[np.uint8], suffix: str, exif: bytes, xmp: bytes, profile: bytes
) -> bytes:
    """A file of (H, W, 3 or 4) uint8 RGB.

    Raises:
        OutputError: no writer for it.
    """
    kind, name = WRITTEN_BY_PILLOW[suffix]
    _add_to_pillow(kind, OutputError)
    blocks = {"exif": exif and b"Exif\0\0" + exif, "xmp": xmp, "icc_profile": profile}
    target = io.BytesIO()
    try:
        Image.fromarray(pixels).save(
            target, name, quality=_QUALITIES[name], **{k: v for k, v in blocks.items() if v}
        )
    except Exception as error:
        raise OutputError(f"{suffix} cannot be written ({one_line(error)})") from error
    return target.getvalue()


def encoded_grey_alpha(pixels: NDArray[np.uint8], exif: bytes, profile: bytes) -> bytes:
    """A PNG of (H, W, 2) uint8 grey and alpha, which OpenCV would write as colours."""
    target = io.BytesIO()
    blocks = {"exif": exif and b"Exif\0\0" + exif, "icc_profile": profile}
    Image.fromarray(pixels, "LA").save(target, "PNG", **{k: v for k, v in blocks.items() if v})
    return target.getvalue()


def exif_of_resolution(dpi: tuple[float, float]) -> bytes:
    """An EXIF block that says the resolution alone, for formats with no field for it."""
    block = Image.Exif()
    block[282], block[283], block[296] = *dpi, 2
    return bytes(block.tobytes()[6:])


def rgb_in_srgb(pixels: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """The (H, W, 3 or 4) uint8 colours of a profile as those of sRGB; alpha stays."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            Image.fromarray(pixels[..., :3]), source, ImageCms.createProfile("sRGB")
        )
    except ImageCms.PyCMSError:
        return pixels  # a damaged profile says nothing
    assert converted is not None  # not in place
    return np.dstack((np.asarray(converted), pixels[..., 3:]))


def _xmp_of_jpeg_xl(data: bytes) -> bytes:
    """The XMP box of a JPEG XL container, which Pillow's plugin does not read; empty without."""
    if data[4:8] != b"JXL ":
        return b""
    with suppress(struct.error):  # cut off
        return next((data[begin:end] for begin, end in boxes(data, 0, len(data), b"xml ")), b"")
    return b""


def rgb_in_srgb_of(data: bytes, profile: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB of a picture in CIELab, or in CMYK by its profile.

    Raises:
        ImageCms.PyCMSError, OSError, ValueError: it is damaged, or the profile is.
    """
    with Image.open(io.BytesIO(data)) as image:
        is_lab = image.mode == "LAB"  # with the white point D50
        own: Any = ImageCms.createProfile("LAB") if is_lab else io.BytesIO(profile)
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
    assert converted is not None  # not in place
    return np.asarray(converted)


def straight_rgba(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA of a picture, without premultiplication.

    Raises:
        OSError, ValueError: it is damaged.
    """
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))


def _add_to_pillow(kind: str, error_type: type[InputError] | type[OutputError]) -> None:
    package = PILLOW_KINDS[kind]
    try:
        module: Any = importlib.import_module(package) if package else None
    except ImportError as error:
        extra = "heif" if kind == "HEIC" else "jxl"
        raise error_type(
            f"this is a {kind} picture, which needs another package; "
            f"pip install 'dehaze-edge[{extra}]'"
        ) from error
    if kind == "HEIC":
        module.register_heif_opener()
