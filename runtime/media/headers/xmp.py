"""XMP packets that stay true when a picture is turned and its pixels are written anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["JPEG_START", "has_promises", "kept_xmp"]

JPEG_START = b"http://ns.adobe.com/xap/1.0/\0"
"""What tells the packet from EXIF in a JPEG's segments; other kinds of files hold it bare."""

_ORIENTATION = re.compile(
    rb"""(tiff:Orientation\s*=\s*["']|<tiff:Orientation>\s*)[2-8](?=\s*["'<])"""
)
_SIDES = re.compile(
    rb"""((?:tiff:Image|exif:Pixel[XY]Dim)(Width|Length|Height|ension)\s*(?:=\s*["']|>)\s*)\d+"""
)
# Gain maps of Ultra HDR and of Apple, and the videos of motion photos: what they speak of lay
# behind the pixels and is gone.
_TAG = re.compile(
    rb"""<(/?)(G?Container:Directory|(?:hdrgm|HDRGainMap):\w+|G?Camera:(?:Motion|Micro)\w*)\b"""
    rb"""[^<>]*?(/?)>"""
)
_ATTRIBUTE = re.compile(
    rb"""\s(?:(?:hdrgm|HDRGainMap):\w+|G?Camera:(?:Motion|Micro)\w*)\s*=\s*(?:"[^"]*"|'[^']*')"""
)


def has_promises(xmp: bytes) -> bool:
    """Returns whether it speaks of a gain map or of a video behind the pixels."""
    return bool(_ATTRIBUTE.search(xmp)) or next(_promises(xmp), None) is not None


def _promises(xmp: bytes) -> Iterator[tuple[int, int]]:
    """Where each element that speaks of such begins and ends, by its end.

    One pass over the tags: a search for each element's end would take hours where half a megabyte
    of a file made for that opens elements and closes none.
    """
    opened: dict[bytes, int] = {}
    for tag in _TAG.finditer(xmp):
        closes, name, is_empty = tag.groups()
        if closes:
            if name in opened:
                yield opened.pop(name), tag.end()
        elif is_empty:
            yield tag.span()
        else:
            opened.setdefault(name, tag.start())


def _without_promises(xmp: bytes) -> bytes:
    kept, end = [], len(xmp)
    for begin, stop in reversed(list(_promises(xmp))):
        if begin < end:  # else it lies in one that is gone
            kept.append(xmp[stop:end] if stop < end else b"")
            end = begin
    kept.append(xmp[:end])
    return _ATTRIBUTE.sub(b"", b"".join(reversed(kept)))


def kept_xmp(xmp: bytes, width: int, height: int) -> bytes:
    """The bare packet for upright pixels of this size, without what is not written again."""
    xmp = xmp.removeprefix(JPEG_START).rstrip(b"\0")
    xmp = _without_promises(xmp)

    def side(found: re.Match[bytes]) -> bytes:
        is_width = found[2] == b"Width" or b"PixelX" in found[1]
        return found[1] + str(width if is_width else height).encode()

    return _SIDES.sub(side, _ORIENTATION.sub(rb"\g<1>1", xmp))
