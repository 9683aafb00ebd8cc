"""Pictures in and out, with everything but the haze kept: depth, alpha, EXIF, colour profile."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, OutputError, one_line
from . import jpeg_profile
from .formats import IMAGE_SUFFIXES
from .picture_header import MAXIMUM_PIXELS, announced_size, frames_of_png
from .tiff_tags import (
    has_unassociated_alpha,
    profile_of_tiff,
    read_orientation,
    with_profile,
    with_upright_orientation,
)

with contextlib.suppress(AttributeError):  # a system's OpenCV of 4.6 has no such function
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are ours to tell

__all__ = [
    "Picture",
    "encode_picture",
    "pictures_side_by_side",
    "read_picture",
    "side_by_side",
]


_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
_DEEP_SUFFIXES = _TIFF_SUFFIXES | {".png"}
_ALPHA_SUFFIXES = _DEEP_SUFFIXES | {".webp"}
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})
_SINGLE_SUFFIXES = _JPEG_SUFFIXES | {".bmp"}
"""Formats of one picture a file; the others may hold several."""
_QUALITY = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
}


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright, in its own bit depth."""

    rgb: NDArray[Any]
    """(H, W, 3) uint8 or uint16 RGB."""
    alpha: NDArray[Any] | None = None
    """(H, W), of the same type."""
    grey: bool = False
    """True if the file holds a single channel, which `rgb` then holds three times."""
    metadata: tuple[tuple[int, bytes], ...] = ()
    """(OpenCV's kind, bytes): EXIF, XMP, ICC profile."""


def read_picture(path: Path) -> Picture:
    """Decodes JPEG, PNG (8 and 16 bit), WebP, BMP or TIFF.

    Raises:
        InputError: unreadable, not a picture, of an unusual type, or too large.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if (size := announced_size(data)) and size[0] * size[1] > MAXIMUM_PIXELS:
        raise InputError(
            f"{path}: expected at most {MAXIMUM_PIXELS / 1e6:.0f} million pixels, its header says "
            f"{size[0]}x{size[1]}; split it, or copy it again if it should be smaller"
        )
    try:
        decoded, kinds, blocks = cv2.imdecodeWithMetadata(
            np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED
        )
    except cv2.error:
        decoded = None
    if decoded is None:
        raise InputError(f"{path}: expected a picture, but its content is damaged or none at all")
    if decoded.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: expected 8 or 16 bits a channel, got {decoded.dtype}")
    suffix = path.suffix.lower()
    if suffix not in _SINGLE_SUFFIXES and _has_a_second(data):
        raise InputError(f"{path}: expected one picture, got several in one file; split it first")
    metadata = {int(k): np.asarray(b).tobytes() for k, b in zip(kinds, blocks, strict=True)}
    if suffix in _TIFF_SUFFIXES:
        if profile := profile_of_tiff(data):
            metadata[cv2.IMAGE_METADATA_ICCP] = profile
        if has_unassociated_alpha(data):
            decoded = _without_premultiplication(decoded)
    if not _fits_profile(metadata.get(cv2.IMAGE_METADATA_ICCP, b""), decoded):
        metadata.pop(cv2.IMAGE_METADATA_ICCP, None)
    if exif := metadata.get(cv2.IMAGE_METADATA_EXIF):
        decoded = _turned(decoded, read_orientation(exif))
        metadata[cv2.IMAGE_METADATA_EXIF] = with_upright_orientation(exif)
    return _picture(decoded, tuple(metadata.items()))


def _has_a_second(data: bytes) -> bool:
    """Returns whether another page or frame follows, or seems to in a damaged file."""
    if (frames := frames_of_png(data)) is not None:
        return frames > 1  # without decoding it once more
    # Not cv2.imcount: it takes a name, and crashes on one that is not UTF-8 (OpenCV 5.0).
    pages = np.frombuffer(data, np.uint8)
    try:
        found: bool = cv2.imdecodemulti(pages, flags=cv2.IMREAD_UNCHANGED, range=(1, 2))[0]
    except cv2.error:
        return True
    return found


def _fits_profile(profile: bytes, pixels: NDArray[Any]) -> bool:
    """False for a profile of a colour space that the decoder has converted away, such as CMYK."""
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    return profile[16:20] == (b"GRAY" if grey else b"RGB ")


def _without_premultiplication(pixels: NDArray[Any]) -> NDArray[Any]:
    """Undoes what libtiff does to 8-bit colours with alpha; where alpha is small, steps remain."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 4:
        return pixels
    alpha = np.maximum(pixels[..., 3:], 1)
    colours = np.minimum(np.rint(pixels[..., :3] * (255.0 / alpha)), 255).astype(np.uint8)
    return np.dstack((colours, pixels[..., 3]))


def _picture(pixels: NDArray[Any], metadata: tuple[tuple[int, bytes], ...]) -> Picture:
    """Splits OpenCV's grey, grey-alpha, BGR or BGRA array."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        grey = pixels.reshape(pixels.shape[:2])
        return Picture(np.repeat(grey[..., None], 3, axis=2), None, True, metadata)
    if pixels.shape[2] == 4:
        rgb = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
        return Picture(rgb, np.ascontiguousarray(pixels[..., 3]), False, metadata)
    _swap_red_and_blue(pixels)
    return Picture(pixels, None, False, metadata)


def _swap_red_and_blue(pixels: NDArray[Any]) -> None:
    """Swaps the channels in place, some rows at a time, so that no second copy is in memory."""
    for rows in np.array_split(pixels, max(1, pixels.nbytes >> 20)):
        rows[:] = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undoes an EXIF orientation (EXIF 2.3, tag 274: which row and column come first)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def side_by_side(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """(H, W, ...) twice to (H, 2 W, ...), before on the left."""
    return np.concatenate((before, after), axis=1)


def pictures_side_by_side(before: Picture, after: Picture) -> Picture:
    """Puts both into one picture, before on the left."""
    alpha = None if after.alpha is None else side_by_side(after.alpha, after.alpha)
    return replace(after, rgb=side_by_side(before.rgb, after.rgb), alpha=alpha)


def encode_picture(picture: Picture, suffix: str, *, in_place: bool = False) -> memoryview:
    """Encodes to the format that a file name's suffix stands for, e.g. `.png`.

    Args:
        in_place: the picture is not needed any more: its red and blue may be left swapped, which
            saves as much memory as its pixels take.

    Raises:
        OutputError: the format is unknown or cannot hold the picture's depth or alpha.
    """
    suffix = suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise OutputError(
            f"expected a picture name ending in {', '.join(sorted(IMAGE_SUFFIXES))}, "
            f"got {suffix or 'no ending'}"
        )
    if picture.rgb.dtype == np.uint16 and suffix not in _DEEP_SUFFIXES:
        raise OutputError(f"{suffix} cannot hold 16 bits a channel; name a .png or .tif output")
    if picture.alpha is not None and suffix not in _ALPHA_SUFFIXES:
        raise OutputError(f"{suffix} cannot hold transparency; name a .png, .webp or .tif output")
    if picture.grey:
        pixels: NDArray[Any] = np.ascontiguousarray(picture.rgb[..., 0])
    else:
        pixels = picture.rgb if in_place else picture.rgb.copy()
        _swap_red_and_blue(pixels)
        if picture.alpha is not None:
            pixels = np.dstack((pixels, picture.alpha))
    metadata = dict(picture.metadata)
    profile = metadata.get(cv2.IMAGE_METADATA_ICCP, b"")
    split = suffix in _JPEG_SUFFIXES and len(profile) > jpeg_profile.SEGMENT_BYTES
    if split:
        del metadata[cv2.IMAGE_METADATA_ICCP]
    blocks = [np.frombuffer(block, np.uint8) for block in metadata.values()]
    try:
        encoded, buffer = cv2.imencodeWithMetadata(
            suffix, pixels, list(metadata), blocks, _QUALITY.get(suffix, [])
        )
    except cv2.error as error:
        raise OutputError(f"OpenCV cannot encode {suffix} ({one_line(error)})") from error
    if not encoded:
        raise OutputError(
            f"{suffix} cannot hold this picture ({picture.rgb.shape[1]}x{picture.rgb.shape[0]}) "
            f"with its metadata; name an output of another format"
        )
    if split:
        return memoryview(jpeg_profile.with_profile(buffer.tobytes(), profile))
    if suffix in _TIFF_SUFFIXES and profile:
        return memoryview(with_profile(buffer.tobytes(), profile))
    return buffer.data  # not bytes, which would be a copy
