"""Adds boxes to the first video track of a finished MP4 file, which PyAV cannot."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["add_to_video_track"]

_PATH = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_ENTRY_BYTES = 86
"""Bytes of a visual sample entry before its boxes (ISO 14496-12, 12.1.3)."""


def add_to_video_track(path: Path, boxes: bytes) -> bool:
    """Appends boxes to the sample description of the first track.

    Args:
        path: a file whose last box is `moov`, as FFmpeg leaves it: nothing behind it moves.

    Returns:
        Whether it was done.
    """
    with path.open("r+b") as file:
        position = moov = 0
        end = path.stat().st_size
        while position + 8 <= end:
            file.seek(position)
            head = file.read(16)
            length = struct.unpack_from(">I", head)[0]
            if length == 1:
                length = struct.unpack_from(">Q", head, 8)[0]
            if length < 8:
                return False
            moov, name = position, head[4:8]
            position += length
        if name != b"moov":
            return False
        file.seek(moov)
        data = bytearray(file.read())
        enclosing = [0]
        begin, stop = 8, len(data)
        for wanted in _PATH:
            found = _child(data, begin, stop, wanted)
            if found is None:
                return False
            enclosing.append(found)
            begin, stop = found + 8, found + struct.unpack_from(">I", data, found)[0]
        entry = begin + 8  # behind version, flags and count
        entry_length = struct.unpack_from(">I", data, entry)[0]
        if entry_length < _ENTRY_BYTES:
            return False
        enclosing.append(entry)
        place = entry + entry_length
        for box in enclosing:
            struct.pack_into(">I", data, box, struct.unpack_from(">I", data, box)[0] + len(boxes))
        data[place:place] = boxes
        file.seek(moov)
        file.write(data)
    return True


def _child(data: bytearray, begin: int, stop: int, name: bytes) -> int | None:
    while begin + 8 <= stop:
        length: int = struct.unpack_from(">I", data, begin)[0]
        if data[begin + 4 : begin + 8] == name:
            return begin
        if length < 8:
            return None
        begin += length
    return None
