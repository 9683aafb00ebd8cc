"""Pictures in and out, with everything but the haze kept: depth, alpha, EXIF, colour profile."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .dehazer import Dehazer
from .errors import InputError, OutputError, one_line
from .inputs import IMAGE_SUFFIXES
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
    "dehaze_picture",
    "encode_picture",
    "pictures_side_by_side",
    "read_picture",
    "side_by_side",
]


_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
_DEEP_SUFFIXES = _TIFF_SUFFIXES | {".png"}
_ALPHA_SUFFIXES = _DEEP_SUFFIXES | {".webp"}
_SINGLE_SUFFIXES = frozenset({".jpg", ".jpeg", ".bmp"})
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
    """Whether the file holds a single channel; `rgb` then has it three times."""
    metadata: tuple[tuple[int, bytes], ...] = ()
    """(OpenCV's kind, bytes): EXIF, XMP, ICC profile."""


def read_picture(path: Path) -> Picture:
    """Decodes JPEG, PNG (8 and 16 bit), WebP, BMP or TIFF.

    Raises:
        InputError: unreadable, not a picture, or of an unusual type.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
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
    if suffix not in _SINGLE_SUFFIXES and (count := cv2.imcount(str(path))) > 1:
        raise InputError(f"{path}: expected one picture, got {count} in one file; split it first")
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
    return Picture(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), None, False, metadata)


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undoes an EXIF orientation (EXIF 2.3, tag 274: which row and column come first)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def dehaze_picture(picture: Picture, dehazer: Dehazer) -> Picture:
    """Dehazes in the picture's own bit depth; alpha and metadata stay as they are.

    Raises:
        InputError: smaller than the model takes.
        ModelError: 16 bits a channel, and a model that gives no estimate.
    """
    if picture.rgb.dtype == np.uint8:
        clear: NDArray[Any] = dehazer(picture.rgb)
    elif dehazer.strength == 0:
        clear = picture.rgb
    else:
        clear = _dehaze_uint16(picture.rgb, dehazer)
    if picture.grey:
        mean = np.rint(clear.mean(axis=2, keepdims=True)).astype(clear.dtype)
        clear = np.repeat(mean, 3, axis=2)
    return replace(picture, rgb=clear)


def _dehaze_uint16(rgb: NDArray[np.uint16], dehazer: Dehazer) -> NDArray[np.uint16]:
    """The model estimates on 8 bits; its gain and bias are applied to all 16."""
    height, width = rgb.shape[:2]
    stride = dehazer.contract.grid_stride
    grid = dehazer.estimate(np.rint(rgb / 257).astype(np.uint8))[0]  # 65535 / 255 is 257
    full = cv2.resize(grid, (grid.shape[1] * stride, grid.shape[0] * stride))
    gain, bias = full[:height, :width, :1], full[:height, :width, 1:]
    clear: NDArray[np.uint16] = np.rint(np.clip(rgb * gain + bias * 65535, 0, 65535)).astype(
        np.uint16
    )
    return clear


def side_by_side(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """(H, W, ...) twice to (H, 2 W, ...), before on the left."""
    return np.concatenate((before, after), axis=1)


def pictures_side_by_side(before: Picture, after: Picture) -> Picture:
    """Both in one picture, before on the left."""
    alpha = None if after.alpha is None else side_by_side(after.alpha, after.alpha)
    return replace(after, rgb=side_by_side(before.rgb, after.rgb), alpha=alpha)


def encode_picture(picture: Picture, suffix: str) -> bytes:
    """Encodes to the format that a file name's suffix stands for, e.g. `.png`.

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
    pixels = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2BGR)
    if picture.grey:
        pixels = pixels[..., 0]
    elif picture.alpha is not None:
        pixels = np.dstack((pixels, picture.alpha))
    kinds = [kind for kind, _ in picture.metadata]
    blocks = [np.frombuffer(block, np.uint8) for _, block in picture.metadata]
    try:
        encoded, buffer = cv2.imencodeWithMetadata(
            suffix, pixels, kinds, blocks, _QUALITY.get(suffix, [])
        )
    except cv2.error as error:
        raise OutputError(f"OpenCV cannot encode {suffix} ({one_line(error)})") from error
    if not encoded:
        raise OutputError(
            f"{suffix} cannot hold this picture ({picture.rgb.shape[1]}x{picture.rgb.shape[0]}) "
            f"with its metadata; name an output of another format"
        )
    data: bytes = buffer.tobytes()
    profile = dict(picture.metadata).get(cv2.IMAGE_METADATA_ICCP)
    if suffix in _TIFF_SUFFIXES and profile:
        return with_profile(data, profile)
    return data
