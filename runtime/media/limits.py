"""Limits on the size of pictures and frames, which follow the memory that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = [
    "MAXIMUM_FRAME_PIXELS",
    "address_space_bytes",
    "bytes_for_picture",
    "frame_pixels_at_most",
    "frame_problem",
    "free_bytes",
]

MAXIMUM_FRAME_PIXELS = 2**26
"""8192x8192."""
_COPIES = 3
"""Copies of a picture's pixels in memory at the most: decoded, turned or dehazed, and encoded."""
_BYTES_A_FRAME_PIXEL = 48
"""A dozen frames are held at a time: as they are decoded, as RGB, and to be encoded."""
_SMALL = 2**20
"""Pixels of a frame for which no memory is counted."""
_GROUP_FILES = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": (
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}
"""Folder, limit, usage and cache of control groups, version 2 and 1, by what stands in
/proc/self/cgroup."""


def bytes_for_picture(pixels: int, bytes_per_pixel: int) -> int:
    """The memory that dehazing a picture takes at the most, from decoding to encoding."""
    return pixels * bytes_per_pixel * _COPIES


def frame_pixels_at_most() -> int:
    """The largest frame of a video or camera that this machine can take, in pixels."""
    free = free_bytes()
    if free is None:
        return MAXIMUM_FRAME_PIXELS
    return max(_SMALL, min(MAXIMUM_FRAME_PIXELS, free // _BYTES_A_FRAME_PIXEL))


def frame_problem(width: int, height: int, pixels_at_most: int) -> str:
    """What is wrong with frames of this size; empty where nothing is."""
    if width * height <= pixels_at_most:
        return ""
    most = "8192x8192 pixels"
    if pixels_at_most < MAXIMUM_FRAME_PIXELS:
        most = f"{pixels_at_most / 1e6:.1f} million pixels, for which the free memory is enough"
    return f"expected frames of at most {most}, got {width}x{height}; is the file damaged?"


def free_bytes(root: Path = Path("/")) -> int | None:
    """The memory that this process may still take; None where the system does not say.

    The least of what the machine has left, the control groups (containers) around the process
    allow, and its own limit of address space does.

    Args:
        root: the folder that holds `proc` and `sys`; another one in tests.
    """
    known: list[int] = []
    with suppress(OSError, ValueError, StopIteration):
        lines = (root / "proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        known.append(int(line.split()[1]) * 1024)
    known += _free_in_groups(root)
    known += _free_addresses()
    return max(0, min(known)) if known else None


def _free_in_groups(root: Path) -> Iterator[int]:
    """What the control groups of this process and those around them have left."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            kind = next((k for k in controllers.split(",") if k in _GROUP_FILES), None)
            if kind is None:
                continue
            folder, *names = _GROUP_FILES[kind]
            top = root / "sys/fs/cgroup" / folder
            group = top / path.lstrip("/")
            for around in (group, *group.parents):
                with suppress(OSError, ValueError):  # no such file at the top, or "max"
                    yield _free_in_group(around, *names)
                if around == top:
                    break


def _free_in_group(group: Path, limit: str, usage: str, cache: str) -> int:
    left = int((group / limit).read_text()) - int((group / usage).read_text())
    statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return left + int(statistics.get(cache, 0))  # read from files: the kernel takes it back


def _free_addresses() -> Iterator[int]:
    """What RLIMIT_AS leaves of address space."""
    with suppress(OSError, ValueError, ImportError):
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit - address_space_bytes()


def address_space_bytes() -> int:
    """The bytes of address space that this process takes; OSError where the system has no /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")
