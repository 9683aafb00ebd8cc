"""Finds video files that end before the sizes in their headers say."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

__all__ = ["bytes_missing"]

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp"})

_MOST_BOXES = 2**18
"""Fragments of a second for a day and a half. FFmpeg needs minutes for a gigabyte of empty ones."""


def bytes_missing(file: BinaryIO) -> int:
    """The number of bytes that an AVI, Matroska or MP4 file lacks; 0 for all others.

    The sizes of boxes and chunks say it; durations do not: streams may begin late or end early.

    Raises:
        ValueError: it is made of too many boxes, in words.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(64)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        end = int.from_bytes(head[4:8], "little")
        return max(0, end + 8 - size) if end not in (0, 0xFFFFFFFF) else 0
    if head[:4] == _EBML:
        return max(0, _end_of_segment(head) - size)
    position = 0
    for _ in range(_MOST_BOXES):
        if len(head) < 16 or head[4:8] not in _BOXES:
            break
        length, skipped = struct.unpack_from(">I", head)[0], 8
        if length == 1:
            length, skipped = struct.unpack_from(">Q", head, 8)[0], 16
        if length < skipped:  # 0: to the end of the file
            return 0
        position += length
        if position >= size:
            return int(position - size)
        file.seek(position)
        head = file.read(16)
    else:
        raise ValueError(f"more than {_MOST_BOXES} boxes")
    return 0


def _end_of_segment(head: bytes) -> int:
    """The end of the Matroska segment; 0 where its size is unknown, as in a live recording."""
    length, start = _vint(head, 4)
    position = start + length
    if head[position : position + 4] != _SEGMENT:
        return 0
    length, start = _vint(head, position + 4)
    return start + length if length >= 0 else 0


def _vint(data: bytes, position: int) -> tuple[int, int]:
    """A number of EBML's variable size and where it ends; -1 for an unknown size."""
    first = data[position] if position < len(data) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return 0, position
    bits = int.from_bytes(data[position : position + width], "big") & ((1 << 7 * width) - 1)
    return (-1 if bits == (1 << 7 * width) - 1 else bits), position + width
