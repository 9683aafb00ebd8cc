"""Reads a video: its frames as upright RGB, every other stream as packets to copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .colour import YuvMatrix
from .errors import InputError, one_line
from .timing import StageTimes

__all__ = ["TimedFrame", "VideoReader", "colour_matrix"]

_SWSCALE_MATRIX = {YuvMatrix.BT601: Colorspace.ITU601, YuvMatrix.BT709: Colorspace.ITU709}
_COPIED_KINDS = frozenset({"audio", "subtitle"})
_UNSPECIFIED_COLOURS = 2
_HD_HEIGHT = 720
_LOST_SECONDS = 1.0
"""A file that ends this much before its header says was cut off."""


@dataclass(frozen=True)
class TimedFrame:
    """One frame with its place in time."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) uint8 RGB, upright."""
    pts: int
    """Presentation time in units of the stream's `time_base`."""
    duration: int
    """In the same units; 0 where the file does not say."""


def colour_matrix(frame_colours: int, height: int) -> YuvMatrix:
    """The matrix between YUV and RGB; where a file says nothing, BT.709 for HD and BT.601 below."""
    if frame_colours == 1 or (frame_colours == _UNSPECIFIED_COLOURS and height >= _HD_HEIGHT):
        return YuvMatrix.BT709
    return YuvMatrix.BT601


class VideoReader:
    """An open video. A context manager.

    Raises:
        InputError: unreadable, no video in it, or cut off; also while reading.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decode_times = StageTimes()
        try:
            self.container: InputContainer = av.open(str(path))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path}: expected a video ({_reason(error)})") from error
        stream = self.container.streams.best("video")
        if not isinstance(stream, VideoStream) or not stream.codec_context:
            self.container.close()
            raise InputError(f"{path}: expected a video, got a file without a video stream")
        self.stream = stream
        self.codec: VideoCodecContext = stream.codec_context
        self.codec.thread_type = "AUTO"
        self.copied = [s for s in self.container.streams if s.type in _COPIED_KINDS]

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second on average."""
        return self.stream.average_rate or self.stream.guessed_rate or Fraction(25)

    @property
    def expected_frames(self) -> int | None:
        """What the header says, else what duration and rate say; None where neither is known."""
        if self.stream.frames:
            return self.stream.frames
        if self.container.duration:
            return round(self.container.duration / 1_000_000 * self.frame_rate)
        return None

    def read(self) -> Iterator[TimedFrame | Packet[Any]]:
        """Every frame in order of presentation, and the packets of the copied streams between."""
        packets, end_seconds, pts = 0, 0.0, 0
        try:
            for packet in self.container.demux(self.stream, *self.copied):
                if packet.dts is not None and packet.time_base is not None:
                    end = (packet.pts or packet.dts) + (packet.duration or 0)
                    end_seconds = max(end_seconds, float(end * packet.time_base))
                if packet.stream != self.stream:
                    if packet.dts is not None:  # the empty packet that ends a stream has none
                        yield packet
                    continue
                packets += packet.dts is not None
                # The last, empty packet flushes the decoder: without it the last frames are lost.
                frames = self._decode(packet)
                while True:
                    with self.decode_times.measure():
                        timed = self._timed(next(frames, None), pts)
                    if timed is None:
                        break
                    pts = timed.pts + max(timed.duration, 1)
                    yield timed
        except av.FFmpegError as error:
            raise InputError(f"{self.path}: the video is damaged ({_reason(error)})") from error
        self._check_complete(packets, end_seconds)

    def _decode(self, packet: Packet[Any]) -> Iterator[VideoFrame]:
        yield from self.codec.decode(packet)

    def _timed(self, frame: VideoFrame | None, expected_pts: int) -> TimedFrame | None:
        if frame is None:
            return None
        matrix = colour_matrix(int(frame.colorspace), frame.height)
        rgb: NDArray[Any] = frame.reformat(
            width=self.codec.width,
            height=self.codec.height,
            format="rgb24",
            src_colorspace=_SWSCALE_MATRIX[matrix],
        ).to_ndarray()
        turns = round(frame.rotation / 90)
        upright = np.ascontiguousarray(np.rot90(rgb, turns)) if turns % 4 else rgb
        pts = expected_pts if frame.pts is None else frame.pts
        return TimedFrame(upright, pts, int(frame.duration or 0))

    def _check_complete(self, packets: int, end_seconds: float) -> None:
        """Raises InputError where the file ends before its header says."""
        if packets == 0:
            raise InputError(f"{self.path}: the video holds no frame; is it complete?")
        header_seconds = (self.container.duration or 0) / 1_000_000
        start_seconds = (self.container.start_time or 0) / 1_000_000
        missing = header_seconds + start_seconds - end_seconds
        if packets < self.stream.frames or missing > _LOST_SECONDS:
            raise InputError(
                f"{self.path}: the video is cut off: its header says {self.stream.frames or '?'} "
                f"frames in {header_seconds:.2f} s, {packets} are there; copy the file again"
            )

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.container.close()


def _reason(error: Exception) -> str:
    """FFmpeg's own words, without its error number."""
    return str(getattr(error, "strerror", None) or one_line(error))
