"""Adds to a finished Matroska file what PyAV cannot: the shape of a pixel and spheres.

FFmpeg's muxer takes them from fields of a stream that PyAV does not set. The header is written
anew in its place; the padding that the muxer was asked for takes up the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from .spherical import Sphere

__all__ = ["HEADER_PADDING", "complete_matroska"]

HEADER_PADDING = 512
"""Bytes that the muxer must leave free behind the header."""
_SEGMENT, _SEEK_HEAD, _TRACKS, _VOID, _CLUSTER = (
    0x18538067,
    0x114D9B74,
    0x1654AE6B,
    0xEC,
    0x1F43B675,
)
_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_TRACK_ENTRY, _VIDEO, _WIDTH, _HEIGHT = 0xAE, 0xE0, 0xB0, 0xBA
_DISPLAY_WIDTH, _DISPLAY_HEIGHT = 0x54B0, 0x54BA
_HEADER_BYTES = 1 << 24
"""More than any header; covers are attachments in it."""


def complete_matroska(path: Path, ratio: Fraction, sphere: Sphere | None) -> None:
    """Writes the display size and the projection of the first video track.

    Args:
        path: a finished file of FFmpeg's, with HEADER_PADDING bytes of padding.
        ratio: width by height of a pixel, times the share of the frame that one view of a
            stereoscopic video takes.
        sphere: None for a flat video.
    """
    with path.open("r+b") as file:
        data = file.read(_HEADER_BYTES)
        start = _start_of_segment(data)
        elements, end = _header(data, start)
        changed = [
            (name, _with_video(body, ratio, sphere) if name == _TRACKS else body)
            for name, body in elements
        ]
        written = _serialised(changed, dict(_positions(data, start)))
        free = end - start - len(written)
        if free < 2:
            return  # a header such as ours always has room
        width = 1 if free - 2 < 127 else 8
        padding = _number(_VOID) + _size(free - 1 - width, width)
        file.seek(start)
        file.write(written + padding + bytes(free - 1 - width))


def _start_of_segment(data: bytes) -> int:
    for name, _, body_start, body_end in _elements(data, 0, len(data)):
        if name == _SEGMENT:
            return body_start
        if body_end >= len(data):
            break
    return 0


def _header(data: bytes, start: int) -> tuple[list[tuple[int, bytes]], int]:
    """The elements before the first cluster, without padding, and where that begins."""
    found: list[tuple[int, bytes]] = []
    for name, begin, body_start, body_end in _elements(data, start, len(data)):
        if name == _CLUSTER:
            return found, begin
        if name != _VOID:
            found.append((name, data[body_start:body_end]))
    return [], start


def _positions(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """The entries of the SeekHead: element and position, from the segment's start."""
    for name, _, body_start, body_end in _elements(data, start, len(data)):
        if name == _CLUSTER:
            return
        if name != _SEEK_HEAD:
            continue
        for _, _, entry_start, entry_end in _elements(data, body_start, body_end):
            entry = {
                n: int.from_bytes(data[b:e], "big")
                for n, _, b, e in _elements(data, entry_start, entry_end)
            }
            if _SEEK_ID in entry:
                yield entry[_SEEK_ID], entry.get(_SEEK_POSITION, 0)


def _serialised(elements: list[tuple[int, bytes]], seek: dict[int, int]) -> bytes:
    """The header with a SeekHead that is true again; numbers of 8 bytes keep its size."""

    def seek_head(positions: dict[int, int]) -> bytes:
        return b"".join(
            _element(
                _SEEK,
                _element(_SEEK_ID, _number(name))
                + _element(_SEEK_POSITION, position.to_bytes(8, "big")),
            )
            for name, position in positions.items()
        )

    place, positions = 0, dict(seek)
    for name, body in elements:
        if name in positions:
            positions[name] = place
        place += len(_element(name, seek_head(seek) if name == _SEEK_HEAD else body))
    return b"".join(
        _element(name, seek_head(positions) if name == _SEEK_HEAD else body)
        for name, body in elements
    )


def _with_video(tracks: bytes, ratio: Fraction, sphere: Sphere | None) -> bytes:
    """The Tracks element's content with more in the first video track."""
    parts, is_done = [], False
    for name, begin, body_start, body_end in _elements(tracks, 0, len(tracks)):
        body = tracks[body_start:body_end]
        if name == _TRACK_ENTRY and not is_done:
            made = []
            for inner, start, inner_start, inner_end in _elements(body, 0, len(body)):
                if inner == _VIDEO and not is_done:
                    is_done = True
                    made.append(_element(_VIDEO, _more(body[inner_start:inner_end], ratio, sphere)))
                else:
                    made.append(body[start:inner_end])
            parts.append(_element(_TRACK_ENTRY, b"".join(made)))
        else:
            parts.append(tracks[begin:body_end])
    return b"".join(parts)


def _more(video: bytes, ratio: Fraction, sphere: Sphere | None) -> bytes:
    kept, sides = b"", {}
    for name, begin, start, end in _elements(video, 0, len(video)):
        sides[name] = int.from_bytes(video[start:end], "big")
        if name not in (_DISPLAY_WIDTH, _DISPLAY_HEIGHT):
            kept += video[begin:end]
    if _WIDTH in sides and _HEIGHT in sides:
        width = round(sides[_WIDTH] * ratio)
        kept += _element(_DISPLAY_WIDTH, width.to_bytes(4, "big"))
        kept += _element(_DISPLAY_HEIGHT, sides[_HEIGHT].to_bytes(4, "big"))
    return kept + (sphere.matroska_element() if sphere else b"")


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Name, begin, begin of the content and end of each element; stops at what makes no sense."""
    while start + 2 <= end:
        width = 9 - data[start].bit_length()
        if width > 4:
            return
        name = int.from_bytes(data[start : start + width], "big")
        position = start + width
        if position >= end:
            return
        size_width = 9 - data[position].bit_length()
        if size_width > 8:
            return
        bits = (1 << 7 * size_width) - 1
        size = int.from_bytes(data[position : position + size_width], "big") & bits
        body = position + size_width
        stop = end if size == bits else min(body + size, end)
        yield name, start, body, stop
        start = stop


def _element(name: int, body: bytes) -> bytes:
    return _number(name) + _size(len(body)) + body


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _size(length: int, width: int = 0) -> bytes:
    width = width or next(w for w in range(1, 9) if length < (1 << 7 * w) - 1)
    return (length | 1 << 7 * width).to_bytes(width, "big")
