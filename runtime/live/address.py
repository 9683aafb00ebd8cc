"""Reads the addresses of live INPUTs and OUTPUTs. Light, since `dehaze-run --help` imports it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..errors import UsageError, masked, one_line

__all__ = [
    "LIVE_HELP",
    "PIPE",
    "STREAM_HELP",
    "FrameMode",
    "frame_mode",
    "is_live",
    "is_stream",
    "read_address",
    "shown_address",
]

PIPE = "-"
"""Raw frames on standard input or output."""
LIVE_HELP = (
    "0 or v4l2:///dev/video0, csi://0, rtsp://..., http://..., srt://..., gst:PIPELINE, or - "
    "(with --raw); env:NAME or @FILE where the address is not for everybody who sees the list of "
    "processes"
)
STREAM_HELP = (
    "a stream: rtsp://..., rtmp://..., srt://... or udp://... (MPEG-TS), a playlist "
    "folder/live.m3u8 (HLS), or v4l2:///dev/video9, a virtual camera"
)

_ENVIRONMENT, _FILE = "env:", "@"
_SCHEMES = ("v4l2://", "csi://", "rtsp://", "rtsps://", "http://", "https://", "srt://", "gst:")
_STREAM_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "rtmps://", "srt://", "udp://", "v4l2://")
_PLAYLIST = ".m3u8"
_MAXIMUM_PIXELS = 2**26
_MODE = re.compile(r"(\d+)x(\d+)@(\d+(?:\.\d+)?|\d+/\d+)")


@dataclass(frozen=True)
class FrameMode:
    """Size and frame rate of raw frames; for a camera, those to request."""

    width: int
    height: int
    fps: Fraction

    def __str__(self) -> str:
        return f"{self.width}x{self.height}@{float(self.fps):g}"


def frame_mode(text: str) -> FrameMode:
    """Reads `WIDTHxHEIGHT@FPS`, as in 1280x720@30, 640x480@29.97 or 640x480@30000/1001.

    Raises:
        UsageError: anything else, or a zero in it.
    """
    found = _MODE.fullmatch(text)
    parts = [Fraction(part) for part in found.groups() if not part.endswith("/0")] if found else []
    if len(parts) != 3 or not all(parts):
        raise UsageError(f"expected WIDTHxHEIGHT@FPS such as 1280x720@30, got {text!r}")
    if parts[0] * parts[1] > _MAXIMUM_PIXELS:
        raise UsageError(f"expected frames of at most 8192x8192 pixels, got {text!r}")
    return FrameMode(int(parts[0]), int(parts[1]), parts[2])


def read_address(text: str) -> str:
    """The address that an INPUT or OUTPUT stands for: env:NAME and @FILE say where it is, others
    are it.

    The scheme comes out in lower case. A file whose name begins so is written ./@name.

    Raises:
        UsageError: no such variable or file, or what it holds is no camera or stream.
    """
    address = text
    if text.startswith(_ENVIRONMENT):
        name = text.removeprefix(_ENVIRONMENT)
        address = os.environ.get(name, "").strip()
        if not address:
            raise UsageError(f"{text}: expected an address in the variable {name}, got none")
    elif text.startswith(_FILE):
        try:
            address = Path(text.removeprefix(_FILE)).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise UsageError(f"{text}: no address can be read there ({one_line(error)})") from error
    scheme, mark, rest = address.partition(":")
    if mark and f"{scheme.lower()}:{rest}".startswith(_SCHEMES + _STREAM_SCHEMES):
        address = f"{scheme.lower()}:{rest}"
    elsewhere = text.startswith((_ENVIRONMENT, _FILE))
    known = is_live(address) or is_stream(address)
    if elsewhere and not (known and address.isprintable()):
        raise UsageError(f"{text}: expected one address of a camera or stream in it")
    return address


def is_live(address: str) -> bool:
    """Returns whether an INPUT is a camera, a stream or a pipe; a file named `0` is written ./0."""
    return address == PIPE or address.isdecimal() or address.startswith(_SCHEMES)


def is_stream(address: str) -> bool:
    """Returns whether an OUTPUT is sent somewhere and no file that is complete one day."""
    scheme, mark, rest = address.partition(":")
    if mark and f"{scheme.lower()}:{rest}".startswith(_STREAM_SCHEMES):
        return True
    return address.lower().endswith(_PLAYLIST)


def shown_address(address: str) -> str:
    """The address without its password, for messages, figures and the preview."""
    if address == PIPE:
        return "standard input"
    return masked(address, is_address=is_live(address) or is_stream(address))
