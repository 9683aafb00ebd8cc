"""XMP packets that stay true when a picture is turned and its pixels are written anew."""

from __future__ import annotations

import re

__all__ = ["JPEG_START", "has_promises", "kept_xmp"]

JPEG_START = b"http://ns.adobe.com/xap/1.0/\0"
"""What tells the packet from EXIF in a JPEG's segments; other kinds of files hold it bare."""

_ORIENTATION = re.compile(
    rb"""(tiff:Orientation\s*=\s*["']|<tiff:Orientation>\s*)[2-8](?=\s*["'<])"""
)
_SIDES = re.compile(
    rb"""((?:tiff:Image|exif:Pixel[XY]Dim)(Width|Length|Height|ension)\s*(?:=\s*["']|>)\s*)\d+"""
)
_PROMISES = (
    # Gain maps of Ultra HDR and of Apple, and the videos of motion photos: what they speak of
    # lay behind the pixels and is gone.
    re.compile(rb"""<((?:G?Container):Directory)\b.*?</\1>""", re.DOTALL),
    re.compile(rb"""<((?:hdrgm|HDRGainMap):\w+)\b[^>]*(?:/>|>.*?</\1>)""", re.DOTALL),
    re.compile(rb"""\s(?:hdrgm|HDRGainMap):\w+\s*=\s*(?:"[^"]*"|'[^']*')"""),
    re.compile(rb"""\sG?Camera:(?:Motion|Micro)\w*\s*=\s*(?:"[^"]*"|'[^']*')"""),
    re.compile(rb"""<(G?Camera:(?:Motion|Micro)\w*)>.*?</\1>""", re.DOTALL),
)


def has_promises(xmp: bytes) -> bool:
    """Returns whether it speaks of a gain map or of a video behind the pixels."""
    return any(pattern.search(xmp) for pattern in _PROMISES)


def kept_xmp(xmp: bytes, width: int, height: int) -> bytes:
    """The bare packet for upright pixels of this size, without what is not written again."""
    xmp = xmp.removeprefix(JPEG_START).rstrip(b"\0")
    for pattern in _PROMISES:
        xmp = pattern.sub(b"", xmp)

    def side(found: re.Match[bytes]) -> bytes:
        is_width = found[2] == b"Width" or b"PixelX" in found[1]
        return found[1] + str(width if is_width else height).encode()

    return _SIDES.sub(side, _ORIENTATION.sub(rb"\g<1>1", xmp))
