"""Reads what a picture file holds beside its pixels, by Pillow, for the file made of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from .png_chunks import kept_chunks
from .tiff_tags import (
    ICC_PROFILE,
    IPTC,
    PHOTOSHOP,
    XMP,
    exif_of_tiff,
    raw_tag,
    tiff_alpha,
)

__all__ = ["PictureExtras", "extras_of"]

_MOST_DPI = 65_535
"""The most that a JPEG can say. What says more is damaged, and other formats cannot hold it."""
_COMMENT, _APP13 = 0xFE, 0xED
_LUMA_SUM, _CHROMA_SUM = 3688, 4645
"""Sums of libjpeg's quantisation tables of quality 50 (ITU-T T.81, K.1 and K.2)."""
_SPACES: dict[str, Literal["CIELab", "CMYK"]] = {"LAB": "CIELab", "CMYK": "CMYK"}


@dataclass(frozen=True)
class PictureExtras:
    """Resolution, texts and how the pixels were compressed."""

    dpi: tuple[float, float] | None = None
    """Dots to the inch, along x and y of the upright picture."""
    segments: tuple[tuple[int, bytes], ...] = ()
    """Marker and content of a JPEG's comment and IPTC."""
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    """Names and contents of a PNG's chunks that stay true."""
    tiff_blocks: tuple[tuple[int, bytes], ...] = ()
    """IPTC and Photoshop's data of a TIFF, by tag."""
    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""
    """The colour profile of a TIFF; OpenCV finds those of other formats."""
    tiff_alpha: Literal["associated", "unassociated"] | None = None
    space: Literal["CIELab", "CMYK"] | None = None
    """The colour space, where it is not RGB or grey."""
    jpeg_quality: int = 0
    """The quality as libjpeg counts it; 0 for other formats."""
    jpeg_sampling: tuple[int, int] | None = None
    """The number of times that chroma is halved along x and y; None where it is not, or in grey."""
    progressive: bool = False
    lossless: bool = False
    """True if a WebP was compressed without loss."""
    has_second: bool = False
    """True if a gain map or another picture stands behind the picture."""


def extras_of(data: bytes) -> PictureExtras:
    """Reads them; nothing where Pillow cannot make sense of the file."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _extras(image, data)
    except Exception:  # whatever Pillow raises at damaged data; the decoder judges the pixels
        return PictureExtras()


def _extras(image: Any, data: bytes) -> PictureExtras:
    dpi = _resolution(image.info.get("dpi"))
    if image.format in ("JPEG", "MPO"):
        named = {"COM": _COMMENT, "APP13": _APP13}
        segments = [(named[k], bytes(v)) for k, v in image.applist if k in named]
        return PictureExtras(
            dpi,
            tuple(segments),
            jpeg_quality=_quality(image.quantization),
            jpeg_sampling=_sampling(image.layer),
            space=_SPACES.get(image.mode),
            progressive=bool(image.info.get("progressive")),
            has_second=b"hdrgm:" in data[:262_144]
            or image.format == "MPO"
            or any(k == "APP2" and b"21496" in bytes(v)[:64] for k, v in image.applist),
        )
    if image.format == "PNG":
        return PictureExtras(dpi, chunks=kept_chunks(data))
    if image.format == "TIFF":
        blocks = {tag: raw_tag(image, tag) for tag in (IPTC, PHOTOSHOP)}
        return PictureExtras(
            dpi,
            tiff_blocks=tuple((tag, block) for tag, block in blocks.items() if block),
            exif=exif_of_tiff(image),
            xmp=raw_tag(image, XMP) or b"",
            profile=raw_tag(image, ICC_PROFILE) or b"",
            tiff_alpha=tiff_alpha(image),
            space=_SPACES.get(image.mode),
        )
    return PictureExtras(dpi, lossless=image.format == "WEBP" and b"VP8L" in data[12:4096])


def _resolution(said: Any) -> tuple[float, float] | None:
    """Dots to the inch along x and y; None where what the file says makes no sense."""
    if not said or not all(1 < value <= _MOST_DPI for value in said):
        return None
    x, y = said
    return float(x), float(y)


def _quality(tables: dict[int, list[int]]) -> int:
    """The quality, from 1 to 100, whose tables quantise no more than these."""
    sums = [float(np.sum(table)) for _, table in sorted(tables.items())]
    found = 1
    for have, standard in zip(sums, (_LUMA_SUM, _CHROMA_SUM, _CHROMA_SUM), strict=False):
        share = 100 * have / standard
        quality = (200 - share) / 2 if share <= 100 else 5000 / share
        found = max(found, min(100, int(np.ceil(quality))))
    return found


def _sampling(layers: list[tuple[int, int, int, int]]) -> tuple[int, int] | None:
    if len(layers) < 3:
        return None
    _, x, y, _ = layers[0]
    _, chroma_x, chroma_y, _ = layers[1]
    halves = ((x // chroma_x).bit_length() - 1, (y // chroma_y).bit_length() - 1)
    return halves if max(halves) <= 2 else None
