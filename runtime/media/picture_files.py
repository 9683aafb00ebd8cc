"""Encodes pixels into picture files, with the data that lay beside them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, one_line
from .headers.exif import updated_exif
from .headers.extras import PictureExtras
from .headers.jpeg_segments import (
    PROFILE_BYTES,
    profile_segments,
    with_density,
    with_segments,
)
from .headers.other_kinds import (
    WRITTEN_BY_PILLOW,
    encoded_by_pillow,
    encoded_grey_alpha,
    exif_of_resolution,
    rgb_in_srgb,
)
from .headers.png_chunks import density_chunk, with_chunks, xmp_chunk
from .headers.tiff_tags import ICC_PROFILE, XMP, with_tags
from .headers.xmp import JPEG_START
from .notices import Notices

__all__ = ["encoded_picture"]

_EXIF, _XMP, _PROFILE = (
    int(cv2.IMAGE_METADATA_EXIF),
    int(cv2.IMAGE_METADATA_XMP),
    int(cv2.IMAGE_METADATA_ICCP),
)
_SAME = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}
_JPEG_QUALITY, _WEBP_QUALITY, _LOSSLESS = 95, 95, 101
_SAMPLINGS = {
    (0, 0): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    (1, 0): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    (0, 1): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    (1, 1): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    (2, 0): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}
_THUMBNAIL_SIDE = 160
_BMP_DENSITY = 38
"""The position of a BMP's pixels per metre, along x and y."""


def encoded_picture(
    pixels: NDArray[Any],
    suffix: str,
    metadata: dict[int, bytes],
    extras: PictureExtras,
    notices: Notices,
) -> memoryview:
    """A file of the format that a suffix in lower case stands for.

    Args:
        pixels: (H, W), (H, W, 2), (H, W, 3) or (H, W, 4) in OpenCV's order: grey, grey and alpha,
            BGR, or BGRA.
        metadata: EXIF, XMP and profile, by OpenCV's kinds; empty where there is none.
        notices: takes what the format cannot hold.

    Raises:
        OutputError: the format cannot hold the picture.
    """
    suffix = _SAME.get(suffix, suffix)
    metadata = {k: block for k, block in metadata.items() if block}
    if exif := metadata.get(_EXIF):
        height, width = pixels.shape[:2]
        metadata[_EXIF] = updated_exif(exif, width, height, lambda room: _thumbnail(pixels, room))
    if extras.dpi and not exif and (suffix == ".webp" or suffix in WRITTEN_BY_PILLOW):
        metadata[_EXIF] = exif_of_resolution(extras.dpi)
    _tell_dropped(suffix, extras, notices)
    if suffix in WRITTEN_BY_PILLOW:
        return memoryview(_by_pillow(pixels, suffix, metadata, notices))
    if suffix == ".png":
        return _png(pixels, metadata, extras)
    if suffix == ".jpg":
        return _jpeg(pixels, metadata, extras)
    if suffix == ".tif":
        return _tiff(pixels, metadata, extras)
    parameters: list[int] = []
    if suffix == ".webp":
        parameters = [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS if extras.lossless else _WEBP_QUALITY]
    data = _by_opencv(pixels, suffix, metadata, parameters)
    if suffix == ".bmp" and extras.dpi:
        per_metre = [round(value / 0.0254) for value in extras.dpi]
        whole = bytearray(data)
        whole[_BMP_DENSITY : _BMP_DENSITY + 8] = np.array(per_metre, "<i4").tobytes()
        return memoryview(whole)
    return data


def _tell_dropped(suffix: str, extras: PictureExtras, notices: Notices) -> None:
    lost = []
    if extras.segments and suffix != ".jpg":
        lost.append("the comment and IPTC data")
    if extras.tiff_blocks and suffix != ".tif":
        lost.append("IPTC data")
    if suffix != ".png" and any(name != b"pHYs" for name, _ in extras.chunks):
        lost.append("gamma, primaries and texts")
    for what in lost:
        notices.add(f"{what} of the picture are dropped: {suffix} holds none of that kind")


def _by_opencv(
    pixels: NDArray[Any], suffix: str, metadata: dict[int, bytes], parameters: list[int]
) -> memoryview:
    blocks = [np.frombuffer(block, np.uint8) for block in metadata.values()]
    try:
        encoded, buffer = cv2.imencodeWithMetadata(
            suffix, pixels, list(metadata), blocks, parameters
        )
    except cv2.error as error:
        raise OutputError(f"OpenCV cannot encode {suffix} ({one_line(error)})") from error
    if not encoded:
        raise OutputError(
            f"{suffix} cannot hold this picture ({pixels.shape[1]}x{pixels.shape[0]}) "
            f"with its metadata; name an output of another format"
        )
    return memoryview(buffer.data)  # not bytes, which would be a copy


def _jpeg(pixels: NDArray[Any], metadata: dict[int, bytes], extras: PictureExtras) -> memoryview:
    parameters = [cv2.IMWRITE_JPEG_QUALITY, max(_JPEG_QUALITY, extras.jpeg_quality)]
    if extras.jpeg_sampling in _SAMPLINGS:
        parameters += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLINGS[extras.jpeg_sampling]]
    if extras.progressive:
        parameters += [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    if xmp := metadata.get(_XMP):
        metadata[_XMP] = JPEG_START + xmp
    profile = metadata.get(_PROFILE, b"")
    segments = [*extras.segments]
    if len(profile) > PROFILE_BYTES:
        del metadata[_PROFILE]
        segments = [*profile_segments(profile), *segments]
    data = _by_opencv(pixels, ".jpg", metadata, parameters)
    if not segments and not extras.dpi:
        return data
    whole = with_density(bytes(data), extras.dpi) if extras.dpi else bytes(data)
    return memoryview(with_segments(whole, segments))


def _png(pixels: NDArray[Any], metadata: dict[int, bytes], extras: PictureExtras) -> memoryview:
    # OpenCV would write a packet as text of another kind, and memory behind it.
    xmp = metadata.pop(_XMP, b"")
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        if pixels.dtype == np.uint8:
            exif, profile = metadata.get(_EXIF, b""), metadata.get(_PROFILE, b"")
            data = memoryview(encoded_grey_alpha(pixels, exif, profile))
        else:
            grey, alpha = pixels[..., 0], pixels[..., 1]
            data = _by_opencv(np.dstack((grey, grey, grey, alpha)), ".png", metadata, [])
    else:
        data = _by_opencv(pixels, ".png", metadata, [])
    chunks = extras.chunks
    if extras.dpi and not any(name == b"pHYs" for name, _ in chunks):
        chunks = (*chunks, density_chunk(extras.dpi))
    if xmp:
        chunks = (*chunks, xmp_chunk(xmp))
    return memoryview(with_chunks(bytes(data), chunks)) if chunks else data


def _tiff(pixels: NDArray[Any], metadata: dict[int, bytes], extras: PictureExtras) -> memoryview:
    data = _by_opencv(pixels, ".tif", {}, [])
    blocks = {XMP: metadata.get(_XMP, b""), ICC_PROFILE: metadata.get(_PROFILE, b"")}
    blocks |= dict(extras.tiff_blocks)
    blocks = {tag: block for tag, block in blocks.items() if block}
    exif = metadata.get(_EXIF, b"")
    alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    if not (blocks or exif or extras.dpi or alpha):
        return data
    return memoryview(with_tags(bytes(data), exif, blocks, extras.dpi, alpha=alpha))


def _by_pillow(
    pixels: NDArray[Any], suffix: str, metadata: dict[int, bytes], notices: Notices
) -> bytes:
    if pixels.ndim == 3:
        order = (2, 1, 0, 3) if pixels.shape[2] == 4 else (2, 1, 0)
        pixels = np.ascontiguousarray(pixels[..., order])
    exif, xmp, profile = (metadata.get(kind, b"") for kind in (_EXIF, _XMP, _PROFILE))
    if suffix == ".jxl" and profile and pixels.ndim == 3:
        pixels, profile, before = rgb_in_srgb(pixels, profile), b"", pixels
        if np.abs(pixels.astype(np.int16) - before).max() > 1:
            notices.add("the colours are converted to sRGB: .jxl is written without a profile")
    return encoded_by_pillow(pixels, suffix, exif, xmp, profile)


def _thumbnail(pixels: NDArray[Any], room: int) -> bytes | None:
    """A small JPEG of at most `room` bytes; None where that is too few."""
    height, width = pixels.shape[:2]
    share = min(1, _THUMBNAIL_SIDE / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    colours = pixels[..., :3] if pixels.ndim == 3 and pixels.shape[2] > 2 else pixels
    if colours.ndim == 3 and colours.shape[2] == 2:
        colours = colours[..., 0]
    small = cv2.resize(np.ascontiguousarray(colours), size, interpolation=cv2.INTER_AREA)
    if small.dtype == np.uint16:
        small = cv2.convertScaleAbs(small, alpha=1 / 257)
    for scale, quality in ((1, 90), (1, 75), (1, 50), (2, 75), (2, 50), (4, 50)):
        fewer = small[::scale, ::scale].copy()
        made = cv2.imencode(".jpg", fewer, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(made) <= room:
            return bytes(made)
    return None
