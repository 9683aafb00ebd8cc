"""Kinds of picture files, told by their content; a name may say another one."""

from __future__ import annotations

__all__ = ["OPENCV_KINDS", "PILLOW_KINDS", "SEVERAL", "kind_of"]

SEVERAL = "expected one picture, got several in one file; split it first"
"""The refusal of animations and of files of several pages."""

OPENCV_KINDS = frozenset({"JPEG", "PNG", "BMP", "TIFF", "WebP"})
"""Kinds that OpenCV is asked to read; it knows more, such as PAM and Radiance HDR, by content."""

PILLOW_KINDS = {"HEIC": "pillow_heif", "AVIF": "", "JPEG XL": "pillow_jxl"}
"""Kinds that Pillow reads, and the package that adds them to it."""
_BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF",
    b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"hevx": "HEIC", b"heim": "HEIC",
    b"heis": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC",
}  # fmt: skip
_STARTS = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
}


def kind_of(data: bytes) -> str:
    """The kind in words, such as `JPEG`; empty for none that is known."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        brands = [data[8:12], *(data[i : i + 4] for i in range(16, 64, 4))]
        return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), "")
    return next((kind for start, kind in _STARTS.items() if data[: len(start)] == start), "")
