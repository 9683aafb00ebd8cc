"""Reads a picture file, after its header has been judged: what a decoder then sees is bounded."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .headers.kinds import kind_of
from .headers.picture_header import (
    MAXIMUM_PIXELS,
    AnnouncedSize,
    announced_size,
    problem_of_picture,
)
from .limits import bytes_for_picture, free_bytes

__all__ = ["picture_content", "regular_file"]

_SMALL_FILE = 64 * 2**20
"""Bytes that are read before the header is judged."""
_BYTES_A_PIXEL = 16
"""Four channels of 32 bits: more bytes are no pixels, but a file with a hole, or something else."""
_LARGEST_UNKNOWN = 512 * 2**20
"""Bytes of a file whose header says no size."""
# O_NONBLOCK: a pipe into which nobody writes would wait for ever to be opened. Not all systems
# have the one or the other.
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def regular_file(path: Path) -> BinaryIO:
    """Opens a file to read; a pipe, of which nobody knows when it ends, is none.

    Raises:
        InputError: it cannot be read, or is a folder, pipe, socket or device.
    """
    try:
        descriptor = os.open(path, _READING)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path}: expected a file, got a folder, pipe, socket or device")
    return os.fdopen(descriptor, "rb")


def picture_content(path: Path) -> bytes:
    """The bytes of a picture file that announces no more than can be decoded.

    Raises:
        InputError: unreadable, no file, larger than its picture, too large a picture, too large
            for the memory that is left, or with more than one picture in it.
    """
    with regular_file(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if size > _SMALL_FILE:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                    _check_length(path, size, view)
            data = file.read(size)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    announced = announced_size(data)
    if announced:
        _check_pixels(path, announced)
    if problem := problem_of_picture(data):
        raise InputError(f"{path}: {problem}")
    return data


def _check_length(path: Path, size: int, view: mmap.mmap) -> None:
    """Refuses a large file before it is read: a sparse one may have more bytes than the memory."""
    data: bytes = view  # type: ignore[assignment]  # read by position alone, as bytes are
    announced = announced_size(data) if kind_of(view[:64]) else None
    if announced:
        _check_pixels(path, announced)
    most = _SMALL_FILE + _BYTES_A_PIXEL * announced.pixels if announced else _LARGEST_UNKNOWN
    if size > most:
        shown = f"{announced.width}x{announced.height} pixels" if announced else "a picture"
        raise InputError(
            f"{path}: expected at most {most >> 20} MiB for {shown}, the file has "
            f"{size >> 20} MiB; is it a picture?"
        )


def _check_pixels(path: Path, announced: AnnouncedSize) -> None:
    shown = f"{announced.width}x{announced.height}"
    if announced.pixels > MAXIMUM_PIXELS:
        raise InputError(
            f"{path}: expected at most {MAXIMUM_PIXELS / 1e6:.0f} million pixels, its header says "
            f"{shown}; split it, or copy it again if it should be smaller"
        )
    needed = bytes_for_picture(announced.pixels, announced.bytes_per_pixel)
    if needed > _SMALL_FILE:
        free = free_bytes()
        if free is not None and needed > free:
            raise InputError(
                f"{path}: {shown} pixels take about {needed >> 20} MiB of memory, and "
                f"{free >> 20} MiB are free; close other programs, or split it"
            )
