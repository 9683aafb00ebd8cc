"""Opens the camera, stream or pipe that an INPUT names."""

from __future__ import annotations

import glob
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from ..errors import InputError, UsageError
from .address import PIPE, FrameMode, is_live, shown_address
from .source import LiveSource
from .srt.program import SCHEME, check_srt

__all__ = ["open_source"]

# Over UDP one lost packet smears the picture until the next whole one. No `fflags=nobuffer`: it
# throws away the whole picture that the start looked at, and then shows nothing until the next
# one, 2.8 s later with a camera that sends one in 5 s; reading at once leaves no delay either.
_RTSP_OPTIONS = {"rtsp_transport": "tcp"}


def open_source(
    address: str,
    mode: FrameMode | None,
    stop: threading.Event,
    *,
    tell: Callable[[str], None],
    give_up_seconds: float | None = None,
) -> LiveSource:
    """Opens a live input, see `address.is_live`; a video file is played in its own time.

    Args:
        mode: size and frame rate of raw frames; for a camera, those to request.
        stop: ends the reading when set.
        tell: called with one line for each loss and return of a stream.
        give_up_seconds: time to wait for the return of a lost stream; None waits for ever.

    Raises:
        InputError: no such camera, or it cannot be opened.
        UsageError: an address that makes no sense.
    """
    name = shown_address(address)
    if not is_live(address):
        from .video_file import VideoFileSource

        return VideoFileSource(Path(address), stop)
    if address == PIPE:
        from .raw import RawSource

        if mode is None:
            raise UsageError("raw frames have no header; say their size: --raw WIDTHxHEIGHT@FPS")
        return RawSource(mode, stop)
    if address.startswith(("csi://", "gst:")):
        from .gstreamer import GStreamerSource, csi_pipeline

        if address.startswith("gst:"):
            return GStreamerSource(name, address.removeprefix("gst:"), stop)
        return GStreamerSource(name, csi_pipeline(_csi_sensor(address), mode), stop)
    from .ffmpeg import AvAddress, AvSource

    if address.startswith("v4l2://") or address.isdecimal():
        device, options = _v4l2(address, mode)
        source = AvSource(
            name,
            AvAddress(device, "v4l2", options, is_device=True),
            stop,
            tell=tell,
            explain=lambda reason: _explain_device(device, reason),
        )
        _tell_other_size(source.size, mode, name, tell)
        return source
    if address.startswith(SCHEME):
        check_srt(name, InputError)
        found = AvAddress(address, "mpegts")
    elif address.startswith("http"):
        found = AvAddress(address, is_paced=True)
    else:
        found = AvAddress(address, options=_RTSP_OPTIONS)
    return AvSource(
        name, found, stop, tell=tell, explain=_explain_stream, give_up_seconds=give_up_seconds
    )


def _csi_sensor(address: str) -> int:
    sensor = address.removeprefix("csi://")
    if not sensor.isdecimal():
        raise UsageError(f"expected a sensor's number as in csi://0, got {shown_address(address)}")
    return int(sensor)


def _v4l2(address: str, mode: FrameMode | None) -> tuple[str, dict[str, str]]:
    """The device, and the options of FFmpeg's v4l2 reader.

    `v4l2:///dev/video0?input_format=mjpeg` hands more of them on: over USB 2 many cameras reach
    their full size and rate as MJPEG alone.
    """
    if address.isdecimal():
        device, query = f"/dev/video{int(address)}", ""
    else:
        parts = urlsplit(address)
        device, query = parts.path, parts.query
        if parts.netloc or not device.startswith("/"):
            raise UsageError(
                f"expected three slashes as in v4l2:///dev/video0, got {shown_address(address)}"
            )
    options = dict(parse_qsl(query))
    if mode:
        options |= {"video_size": f"{mode.width}x{mode.height}", "framerate": str(mode.fps)}
    return device, options


def _explain_device(device: str, reason: str) -> str:
    there = ", ".join(sorted(glob.glob("/dev/video*"))) or "no /dev/video*"  # noqa: PTH207  # devices
    if sys.platform != "linux":
        return f"cameras by number are for Linux ({reason}); see docs/platforms.md for other ways"
    if "ermission" in reason:
        return f"not allowed to open {device}; add yourself to the group video and log in again"
    if device not in there.split(", "):
        return (
            f"no camera at {device}; found {there}; connect a camera, or give a file or a stream "
            f"such as rtsp://CAMERA/PATH"
        )
    return f"{device} cannot be opened as a camera ({reason}); is another program using it?"


def _explain_stream(reason: str) -> str:
    return f"no stream ({reason}); check the address, the password and that the camera is on"


def _tell_other_size(
    size: tuple[int, int], mode: FrameMode | None, name: str, tell: Callable[[str], None]
) -> None:
    if mode and size != (mode.width, mode.height):
        tell(f"{name}: asked for {mode}, the camera gives {size[0]}x{size[1]}")
