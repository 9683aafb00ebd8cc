"""Pictures in and out, with everything but the haze kept: depth, alpha, EXIF, colour profile."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

from ..errors import InputError, OutputError
from .formats import IMAGE_SUFFIXES
from .headers.deep_lab import bgr_of_deep_lab, deep_lab_as_rgb
from .headers.exif import read_orientation, with_upright_orientation
from .headers.extras import PictureExtras, extras_of
from .headers.kinds import OPENCV_KINDS, PILLOW_KINDS, kind_of
from .headers.other_kinds import WRITTEN_BY_PILLOW, decoded_by_pillow, rgb_in_srgb_of, straight_rgba
from .headers.picture_header import MAXIMUM_PIXELS
from .headers.png_chunks import transparent_grey
from .headers.tiff_pages import has_too_many_numbers
from .headers.xmp import has_promises, kept_xmp
from .notices import Notices
from .picture_content import picture_content
from .picture_files import encoded_picture
from .pixels.orientation import swaps_sides, upright

with contextlib.suppress(AttributeError):  # a system's OpenCV of 4.6 has no such function
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are ours to tell

__all__ = [
    "Picture",
    "decoded_picture",
    "encode_picture",
    "pictures_side_by_side",
    "read_picture",
    "side_by_side",
]


_DEEP_SUFFIXES = frozenset({".tif", ".tiff", ".png"})
_ALPHA_SUFFIXES = _DEEP_SUFFIXES | {".webp", *WRITTEN_BY_PILLOW}
_EXIF, _XMP, _PROFILE = (
    int(cv2.IMAGE_METADATA_EXIF),
    int(cv2.IMAGE_METADATA_XMP),
    int(cv2.IMAGE_METADATA_ICCP),
)


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
    extras: PictureExtras = PictureExtras()  # noqa: RUF009  # frozen
    """Resolution, texts and how the pixels were compressed."""


def read_picture(path: Path, notices: Notices | None = None) -> Picture:
    """Decodes JPEG, PNG (8 and 16 bit), WebP, BMP, TIFF, AVIF; HEIC and JPEG XL with an extra.

    Args:
        notices: takes what is dropped or changed.

    Raises:
        InputError: unreadable, not a picture, of an unusual type, or too large.
    """
    notices = notices if notices is not None else Notices()
    return decoded_picture(path, picture_content(path), notices)


def decoded_picture(path: Path, data: bytes, notices: Notices) -> Picture:
    """The same of a file's content, as `picture_content` has let it pass.

    Args:
        path: for the messages.
    """
    kind = kind_of(data)
    if kind in PILLOW_KINDS:
        return _read_by_pillow(path, data, kind, notices)
    if deep_lab := deep_lab_as_rgb(data):
        data = deep_lab
    decoded, metadata = _decoded(path, data, kind)
    extras = extras_of(data)
    if kind == "TIFF":
        found = {_EXIF: extras.exif, _XMP: extras.xmp, _PROFILE: extras.profile}
        metadata.update({k: block for k, block in found.items() if block})
    if deep_lab:
        notices.add("CIELab becomes RGB")
        decoded = bgr_of_deep_lab(np.ascontiguousarray(decoded))
        metadata.pop(_PROFILE, None)
    elif extras.space:
        notices.add(f"{extras.space} becomes RGB")
        decoded = _from_other_space(data, decoded, metadata)
    elif extras.tiff_alpha:
        decoded = _with_straight_alpha(data, decoded, extras)
    is_grey = kind == "PNG" and data[25:26] in (b"\0", b"\4")  # colour types without colours
    if is_grey and decoded.ndim == 2 and (key := transparent_grey(data)) is not None:
        decoded = _with_key(decoded, key)
    if (profile := metadata.get(_PROFILE)) and not _fits_profile(profile, decoded):
        del metadata[_PROFILE]
        notices.add("the colour profile is dropped: its colour space was converted to RGB")
    if extras.has_second or has_promises(metadata.get(_XMP, b"")):
        notices.add(
            "the gain map, video or further picture behind the picture is dropped; the picture "
            "itself stays"
        )
    _drop_vast_exif(metadata, notices)
    return _upright_picture(decoded, metadata, extras, is_grey=is_grey)


def _decoded(path: Path, data: bytes, kind: str) -> tuple[NDArray[Any], dict[int, bytes]]:
    """Pixels in OpenCV's order, and what it finds of EXIF, XMP and profile."""
    if kind and kind not in OPENCV_KINDS:
        raise InputError(
            f"{path}: expected a JPEG, PNG, WebP, BMP or TIFF picture, got {kind}; convert it first"
        )
    decoded = None
    if kind:
        try:
            decoded, kinds, blocks = cv2.imdecodeWithMetadata(
                np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED
            )
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise MemoryError from error
    if decoded is None:
        known = f"this {kind} file" if kind else "its content"
        raise InputError(f"{path}: expected a picture, but {known} is damaged or none at all")
    if decoded.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: expected 8 or 16 bits a channel, got {decoded.dtype}")
    metadata = {int(k): np.asarray(b).tobytes() for k, b in zip(kinds, blocks, strict=True)}
    if metadata.get(_PROFILE, b"")[36:40] != b"acsp":  # OpenCV takes a JPEG's index for one, too
        metadata.pop(_PROFILE, None)
    return decoded, metadata


def _from_other_space(
    data: bytes, decoded: NDArray[Any], metadata: dict[int, bytes]
) -> NDArray[Any]:
    """BGR of a picture in CIELab or CMYK: by its profile, or as OpenCV has converted it."""
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
        rgb = rgb_in_srgb_of(data, metadata.get(_PROFILE, b""))
        metadata.pop(_PROFILE, None)  # the pixels are sRGB now
        return np.ascontiguousarray(rgb[..., ::-1])
    return np.ascontiguousarray(decoded[..., :3])  # OpenCV makes a fourth channel of a TIFF's


def _with_key(grey: NDArray[Any], key: int) -> NDArray[Any]:
    """BGRA of a grey picture whose pixels of one value are transparent."""
    alpha = np.where(grey == key, 0, np.iinfo(grey.dtype).max).astype(grey.dtype)
    return np.dstack((grey, grey, grey, alpha))


def _drop_vast_exif(metadata: dict[int, bytes], notices: Notices) -> None:
    if has_too_many_numbers(metadata.get(_EXIF, b"")):
        del metadata[_EXIF]
        notices.add("EXIF is dropped: its tags hold more numbers than any camera writes")


def _read_by_pillow(path: Path, data: bytes, kind: str, notices: Notices) -> Picture:
    try:
        pixels, found = decoded_by_pillow(data, kind, MAXIMUM_PIXELS)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    names = {"exif": _EXIF, "xmp": _XMP, "icc_profile": _PROFILE}
    metadata = {names[k]: block for k, block in found.items()}
    _drop_vast_exif(metadata, notices)
    return _upright_picture(pixels, metadata, extras_of(data))


def _upright_picture(
    pixels: NDArray[Any],
    metadata: dict[int, bytes],
    extras: PictureExtras,
    *,
    is_grey: bool = False,
) -> Picture:
    orientation = read_orientation(metadata.get(_EXIF, b""))
    pixels = upright(pixels, orientation)
    if _EXIF in metadata:
        metadata[_EXIF] = with_upright_orientation(metadata[_EXIF])
    if _XMP in metadata:
        metadata[_XMP] = kept_xmp(metadata[_XMP], pixels.shape[1], pixels.shape[0])
    if swaps_sides(orientation):
        dpi = extras.dpi and (extras.dpi[1], extras.dpi[0])
        halves = extras.jpeg_sampling and (extras.jpeg_sampling[1], extras.jpeg_sampling[0])
        extras = replace(extras, dpi=dpi, jpeg_sampling=halves)
    picture = _picture(pixels, tuple(metadata.items()), is_grey=is_grey)
    return replace(picture, extras=extras)


def _fits_profile(profile: bytes, pixels: NDArray[Any]) -> bool:
    """False for a profile of a colour space that the decoder has converted away, such as CMYK."""
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    return profile[16:20] == (b"GRAY" if grey else b"RGB ")


def _with_straight_alpha(data: bytes, decoded: NDArray[Any], extras: PictureExtras) -> NDArray[Any]:
    """BGRA of a TIFF whose colours are not premultiplied, whatever the file's are."""
    if decoded.dtype == np.uint8:  # libtiff premultiplies, so that a little alpha leaves steps
        with contextlib.suppress(OSError, ValueError):
            return np.ascontiguousarray(straight_rgba(data)[..., [2, 1, 0, 3]])
    if extras.tiff_alpha == "unassociated" and decoded.dtype != np.uint8:
        return decoded
    if decoded.ndim != 3 or decoded.shape[2] != 4:
        return decoded
    most = int(np.iinfo(decoded.dtype).max)
    alpha = np.maximum(decoded[..., 3:], 1)
    colours = np.minimum(np.rint(decoded[..., :3] * (most / alpha)), most)
    return np.dstack((colours.astype(decoded.dtype), decoded[..., 3]))


def _picture(
    pixels: NDArray[Any], metadata: tuple[tuple[int, bytes], ...], *, is_grey: bool = False
) -> Picture:
    """Splits OpenCV's grey, grey-alpha, BGR or BGRA array."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        grey = pixels.reshape(pixels.shape[:2])
        return Picture(np.repeat(grey[..., None], 3, axis=2), None, True, metadata)
    if pixels.shape[2] == 4:
        rgb = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
        return Picture(rgb, np.ascontiguousarray(pixels[..., 3]), is_grey, metadata)
    _swap_red_and_blue(pixels)
    return Picture(pixels, None, False, metadata)


def _swap_red_and_blue(pixels: NDArray[Any]) -> None:
    """Swaps the channels in place, some rows at a time, so that no second copy is in memory."""
    for rows in np.array_split(pixels, max(1, pixels.nbytes >> 20)):
        rows[:] = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)


def side_by_side(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """(H, W, ...) twice to (H, 2 W, ...), before on the left."""
    return np.concatenate((before, after), axis=1)


def pictures_side_by_side(before: Picture, after: Picture) -> Picture:
    """Puts both into one picture, before on the left."""
    alpha = None if after.alpha is None else side_by_side(after.alpha, after.alpha)
    return replace(after, rgb=side_by_side(before.rgb, after.rgb), alpha=alpha)


def encode_picture(
    picture: Picture, suffix: str, *, in_place: bool = False, notices: Notices | None = None
) -> memoryview:
    """Encodes to the format that a file name's suffix stands for, e.g. `.png`.

    Args:
        in_place: the picture is not needed any more: its red and blue may be left swapped, which
            saves as much memory as its pixels take.
        notices: takes what the format cannot hold.

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
    metadata = dict(picture.metadata)
    blocks = {k: metadata.get(k, b"") for k in (_EXIF, _XMP, _PROFILE)}
    if picture.grey and (picture.alpha is None or suffix == ".png"):
        pixels: NDArray[Any] = np.ascontiguousarray(picture.rgb[..., 0])
        if picture.alpha is not None:
            pixels = np.dstack((pixels, picture.alpha))
    else:
        pixels = picture.rgb if in_place else picture.rgb.copy()
        _swap_red_and_blue(pixels)
        if picture.alpha is not None:
            pixels = np.dstack((pixels, picture.alpha))
    told = notices if notices is not None else Notices()
    return encoded_picture(pixels, suffix, blocks, picture.extras, told)
