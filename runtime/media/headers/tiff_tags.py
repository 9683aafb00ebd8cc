"""Tags of TIFF files that OpenCV does not keep: EXIF, GPS, XMP, IPTC, profile, resolution, names.

Pillow reads them and lays out what is added; pixels stay where OpenCV has put them.
"""

from __future__ import annotations

import struct
from typing import Any, Literal

from PIL import Image, TiffImagePlugin

__all__ = ["exif_of_tiff", "raw_tag", "tiff_alpha", "with_tags"]

_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965
XMP, IPTC, PHOTOSHOP, ICC_PROFILE = 700, 33723, 34377, 34675
_EXTRA_SAMPLES = 338
_ALPHAS: dict[int, Literal["associated", "unassociated"]] = {1: "associated", 2: "unassociated"}
_NAMES = (269, 270, 271, 272, 285, 305, 306, 315, 316, 318, 319, 33432)
"""Document, description, make, model, page, software, date, artist, computer, white point,
primaries and copyright."""
_RESOLUTION = (282, 283, 296)
_UNDEFINED, _BYTE = 7, 1
_ENTRY_BYTES = 12


def exif_of_tiff(image: Any) -> bytes:
    """An EXIF block of a TIFF that Pillow has opened; empty where there is nothing to tell."""
    source, block = image.getexif(), Image.Exif()
    for tag in (*_NAMES, *_RESOLUTION):
        if tag in source:
            block[tag] = source[tag]
    for directory in (_EXIF, _GPS):
        if found := source.get_ifd(directory):
            found.pop(_INTEROPERABILITY, None)
            block.get_ifd(directory).update(found)
    return bytes(block.tobytes()[6:]) if len(block) else b""


def raw_tag(image: Any, tag: int) -> bytes | None:
    """The bytes of a tag of a TIFF that Pillow has opened."""
    value = image.tag_v2.get(tag)
    if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
        # IPTC is often written as whole numbers of 32 bits.
        return b"".join(struct.pack("<I", item & 0xFFFFFFFF) for item in value)
    return bytes(value) if isinstance(value, bytes) else None


def tiff_alpha(image: Any) -> Literal["associated", "unassociated"] | None:
    """The kind of a TIFF's alpha: with an associated one, colours are premultiplied with it
    (TIFF 6.0, section 18); None without, and for one that does not say."""
    extra = image.tag_v2.get(_EXTRA_SAMPLES, ())
    kinds = extra if isinstance(extra, tuple) else (extra,)
    return _ALPHAS.get(kinds[0]) if kinds else None


def with_tags(
    data: bytes,
    exif: bytes,
    blocks: dict[int, bytes],
    dpi: tuple[float, float] | None,
    *,
    alpha: bool = False,
) -> bytes:
    """A little-endian TIFF, as OpenCV writes it, with more tags at its end.

    Args:
        exif: an EXIF block whose tags are spread over the file's directories.
        blocks: by tag, such as XMP and ICC_PROFILE.
        dpi: dots to the inch, along x and y; None where EXIF or nothing says it.
        alpha: whether the last channel is an alpha that colours are not premultiplied with.
    """
    if data[:4] != b"II*\0":
        return data
    padded = data + b"\0" * (len(data) % 2)  # offsets must be even
    added = _laid_out(exif, blocks, dpi, len(padded), alpha=alpha)
    if not added:
        return data
    own = _entries(data, struct.unpack_from("<I", data, 4)[0])
    new = _entries(added, 0)
    merged = {struct.unpack_from("<H", entry)[0]: entry for entry in (*own, *new)}
    blob = padded + added + b"\0" * (len(added) % 2)
    table = struct.pack("<H", len(merged)) + b"".join(merged[tag] for tag in sorted(merged))
    return blob[:4] + struct.pack("<I", len(blob)) + blob[8:] + table + bytes(4)


def _laid_out(
    exif: bytes,
    blocks: dict[int, bytes],
    dpi: tuple[float, float] | None,
    offset: int,
    *,
    alpha: bool,
) -> bytes:
    """A directory of these tags and their values, as they lie at `offset` in a file."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    source = Image.Exif()
    if exif:
        source.load(b"Exif\0\0" + exif)
    for tag in (*_NAMES, *_RESOLUTION):
        if tag in source:
            directory[tag] = source[tag]
    for tag in (_EXIF, _GPS):
        if found := source.get_ifd(tag):
            directory[tag] = {k: v for k, v in found.items() if k != _INTEROPERABILITY}
            directory.tagtype[tag] = 4
    if dpi:
        directory[282], directory[283] = (TiffImagePlugin.IFDRational(v) for v in dpi)
        directory[296] = 2
    if alpha:
        directory[_EXTRA_SAMPLES] = (2,)
    for tag, block in blocks.items():
        directory.tagtype[tag] = _BYTE if tag == XMP else _UNDEFINED
        directory[tag] = block
    return bytes(directory.tobytes(offset)) if len(directory) else b""


def _entries(data: bytes, start: int) -> list[bytes]:
    count = struct.unpack_from("<H", data, start)[0]
    first = start + 2
    return [
        data[i : i + _ENTRY_BYTES] for i in range(first, first + _ENTRY_BYTES * count, _ENTRY_BYTES)
    ]
