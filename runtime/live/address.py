"""Reads the addresses of live INPUTs. Light, since `dehaze-run --help` imports it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import urlsplit, urlunsplit

from ..errors import UsageError

__all__ = ["LIVE_HELP", "PIPE", "FrameMode", "frame_mode", "is_live", "shown_address"]

PIPE = "-"
"""Raw frames on standard input or output."""
LIVE_HELP = (
    "0 or v4l2:///dev/video0 (webcam), csi://0 (Jetson camera), rtsp://…, http://…, gst:PIPELINE, "
    "or - for raw frames on standard input (needs --raw)"
)
"""The live inputs, as the help of dehaze-run lists them."""

_SCHEMES = ("v4l2://", "csi://", "rtsp://", "rtsps://", "http://", "https://", "gst:")
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


def is_live(address: str) -> bool:
    """Returns whether an INPUT is a camera, a stream or a pipe; a file named `0` is written ./0."""
    return address == PIPE or address.isdecimal() or address.startswith(_SCHEMES)


def shown_address(address: str) -> str:
    """The address without its password, for messages, figures and the preview."""
    if address == PIPE:
        return "standard input"
    parts = urlsplit(address)
    if not parts.password:
        return address
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{place}"))
