"""The few TIFF tags that must survive dehazing: orientation and colour profile.

EXIF blocks are little TIFF files, so the same reader serves the EXIF block of a JPEG, PNG or WebP
(TIFF 6.0, section 2). OpenCV carries those blocks but neither turns the pixels nor keeps the
profile of a .tif; these functions do the rest.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = [
    "ICC_PROFILE",
    "ORIENTATION",
    "has_unassociated_alpha",
    "profile_of_tiff",
    "read_orientation",
    "size_of_tiff",
    "with_profile",
    "with_upright_orientation",
]

ORIENTATION = 274
ICC_PROFILE = 34675
EXTRA_SAMPLES = 338
_WIDTH, _HEIGHT = 256, 257
_UNASSOCIATED = 2
_UNDEFINED, _SHORT = 7, 3
_ENTRY_BYTES = 12


class _Directory(NamedTuple):
    """The first image file directory of a TIFF."""

    order: str
    """`<` or `>` for struct."""
    pointer: int
    """The position at which the offset of the directory is stored."""
    start: int
    """Offset of the first entry."""
    entries: int


def _directory(data: bytes) -> _Directory | None:
    """Finds the first directory; None for anything that is not a classic TIFF."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return None
    offset = struct.unpack_from(order + "I", data, 4)[0]
    if offset + 2 > len(data):
        return None
    count = struct.unpack_from(order + "H", data, offset)[0]
    if offset + 2 + _ENTRY_BYTES * count + 4 > len(data):
        return None
    return _Directory(order, 4, offset + 2, count)


def _entry(data: bytes, directory: _Directory, tag: int) -> int | None:
    """Offset of the entry with this tag."""
    for index in range(directory.entries):
        offset = directory.start + _ENTRY_BYTES * index
        if struct.unpack_from(directory.order + "H", data, offset)[0] == tag:
            return offset
    return None


def read_orientation(exif: bytes) -> int:
    """EXIF orientation, 1 (upright) to 8; 1 where there is none or it makes no sense."""
    directory = _directory(exif)
    entry = _entry(exif, directory, ORIENTATION) if directory else None
    if directory is None or entry is None:
        return 1
    value: int = struct.unpack_from(directory.order + "H", exif, entry + 8)[0]
    return value if 1 <= value <= 8 else 1


def with_upright_orientation(exif: bytes) -> bytes:
    """The same EXIF block saying that the pixels stand upright."""
    directory = _directory(exif)
    entry = _entry(exif, directory, ORIENTATION) if directory else None
    if directory is None or entry is None:
        return exif
    patched = bytearray(exif)
    struct.pack_into(directory.order + "H", patched, entry + 8, 1)
    return bytes(patched)


def has_unassociated_alpha(data: bytes) -> bool:
    """Returns whether a TIFF's colours are not premultiplied with alpha (TIFF 6.0, 18)."""
    directory = _directory(data)
    entry = _entry(data, directory, EXTRA_SAMPLES) if directory else None
    if directory is None or entry is None:
        return False
    value: int = struct.unpack_from(directory.order + "H", data, entry + 8)[0]
    return value == _UNASSOCIATED


def size_of_tiff(data: bytes) -> tuple[int, int] | None:
    """Width and height by the first directory; None where there is none."""
    directory = _directory(data)
    if directory is None:
        return None
    sides = []
    for tag in (_WIDTH, _HEIGHT):
        entry = _entry(data, directory, tag)
        if entry is None:
            return None
        kind = struct.unpack_from(directory.order + "H", data, entry + 2)[0]
        letter = "H" if kind == _SHORT else "I"
        sides.append(struct.unpack_from(directory.order + letter, data, entry + 8)[0])
    return sides[0], sides[1]


def profile_of_tiff(data: bytes) -> bytes | None:
    """The ICC profile of a TIFF file; None where it has none."""
    directory = _directory(data)
    entry = _entry(data, directory, ICC_PROFILE) if directory else None
    if directory is None or entry is None:
        return None
    size, offset = struct.unpack_from(directory.order + "II", data, entry + 4)
    return data[offset : offset + size] if size > 4 else None


def with_profile(data: bytes, profile: bytes) -> bytes:
    """A TIFF file with an ICC profile added: profile and a new directory go to the end."""
    directory = _directory(data)
    if directory is None:
        return data
    order = directory.order
    stop = directory.start + _ENTRY_BYTES * directory.entries
    entries = [data[i : i + _ENTRY_BYTES] for i in range(directory.start, stop, _ENTRY_BYTES)]
    padded = data + b"\0" * (len(data) % 2)  # offsets must be even
    entry = struct.pack(order + "HHII", ICC_PROFILE, _UNDEFINED, len(profile), len(padded))
    entries = sorted([*entries, entry], key=lambda e: struct.unpack_from(order + "H", e)[0])
    blob = padded + profile + b"\0" * (len(profile) % 2)
    table = struct.pack(order + "H", len(entries)) + b"".join(entries) + data[stop : stop + 4]
    return blob[:4] + struct.pack(order + "I", len(blob)) + blob[8:] + table
