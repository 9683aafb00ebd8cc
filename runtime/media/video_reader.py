"""Reads a video: its frames as upright RGB, every other stream as packets to copy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ..errors import InputError, one_line
from ..timing import StageTimes
from .colour import YuvMatrix, matrix_of

if TYPE_CHECKING:
    from av.container.core import Chapter  # in PyAV's stubs alone

__all__ = ["TimedFrame", "VideoReader", "rgb_of"]

_COPIED_KINDS = frozenset({"audio", "subtitle"})
_MAXIMUM_PIXELS = 2**26
"""8192x8192: a damaged header may say more, and a dozen frames are held at a time."""
_LOST_SECONDS = 1.0
"""Seconds of video that may be missing in a file whose header gives only the file's length."""


@dataclass(frozen=True)
class TimedFrame:
    """A frame with its place in time."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) uint8 RGB, upright."""
    pts: int
    """Presentation time in units of the stream's `time_base`."""
    duration: int
    """The duration in the units of `pts`; 0 where the file does not say."""


class VideoReader:
    """An open video. A context manager.

    Raises:
        InputError: unreadable, no video in it, or cut off; also while reading.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decode_times = StageTimes()
        self.turns = 0
        """Quarter turns against the clock that set the frames upright; known with the first."""
        try:
            # Never av.logging.set_level: PyAV 17 then logs under the GIL, for which a decoder's
            # thread waits for ever while the decoder is freed (11 of 2300 damaged files hung).
            # file: lets names hold colons, replace takes titles that are not UTF-8.
            self.container: InputContainer = av.open(f"file:{path}", metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path}: expected a video ({one_line(error)})") from error
        self.stream = self._video_stream()
        self.codec: VideoCodecContext = self.stream.codec_context
        self.codec.thread_type = "AUTO"
        self.copied = [s for s in self.container.streams if s.type in _COPIED_KINDS]
        self._size: tuple[int, int] | None = None
        # AVI numbers its frames in coding order, which B-frames make another one; it begins at 0.
        self._numbered = self.container.format.name == "avi"

    def _video_stream(self) -> VideoStream:
        """The first stream of moving pictures: not a cover, not of an unknown codec."""
        for stream in self.container.streams.video:
            if stream.codec_context and not stream.disposition & Disposition.attached_pic:
                return stream
        self.container.close()
        raise InputError(f"{self.path}: expected a video, got a file without a video stream")

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second on average."""
        return self.stream.average_rate or self.stream.guessed_rate or Fraction(25)

    @property
    def expected_frames(self) -> int | None:
        """The number of frames, by the header or by duration and rate; None if not known."""
        if self.stream.frames:
            return self.stream.frames
        if self.container.duration:
            return round(self.container.duration / 1_000_000 * self.frame_rate)
        return None

    @property
    def colour_matrix(self) -> YuvMatrix:
        """The YUV matrix; where the file says nothing, BT.709 for HD and BT.601 below."""
        return matrix_of(int(self.codec.colorspace), self.codec.height)

    @property
    def time_base(self) -> Fraction:
        """Seconds that one unit of a frame's time is worth."""
        assert self.stream.time_base is not None  # every demuxer sets it
        return self.stream.time_base

    @property
    def primaries(self) -> tuple[int, int]:
        """Colour primaries and transfer characteristic (ITU-T H.273)."""
        return self.codec.color_primaries, self.codec.color_trc

    @property
    def pixel_ratio(self) -> Fraction | None:
        """Width by height of a pixel of an upright frame; known with the first."""
        ratio = self.stream.sample_aspect_ratio
        return 1 / ratio if ratio and self.turns % 2 else ratio

    @property
    def metadata(self) -> dict[str, str]:
        """Title, date and the like."""
        return self.container.metadata

    @property
    def chapters(self) -> list[Chapter]:
        return self.container.chapters()

    def read(self) -> Iterator[TimedFrame | Packet[Any]]:
        """Yields every frame in order of presentation, and the copied packets between."""
        packets, video_end, end = 0, 0.0, 0.0
        expected_pts = 0 if self._numbered else self.stream.start_time or 0
        earliest_pts = expected_pts
        try:
            for packet in self.container.demux():
                packet_end = _end_seconds(packet)
                end = max(end, packet_end)
                if packet.stream in self.copied and packet.dts is not None:
                    yield packet  # the empty packet that ends a stream has no dts
                if packet.stream != self.stream:
                    continue
                packets += packet.size > 0
                video_end = max(video_end, packet_end)
                started = time.perf_counter()
                # The last, empty packet flushes the decoder: without it the last frames are lost.
                for frame in self.codec.decode(packet):
                    timed = self._timed(frame, earliest_pts, expected_pts)
                    earliest_pts = timed.pts + 1
                    expected_pts = timed.pts + max(timed.duration, 1)
                    self.decode_times.add(time.perf_counter() - started)
                    yield timed
                    started = time.perf_counter()
        except av.FFmpegError as error:
            raise InputError(f"{self.path}: the video is damaged ({one_line(error)})") from error
        self._check_complete(packets, video_end, end)

    def samples(self, interval_seconds: float) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Frames about `interval_seconds` apart, with their times in seconds; instead of `read`.

        For a look ahead that need not be exact: half of the frames and the deblocking are left
        out where the codec allows it, and it ends without a word where the file is damaged.
        """
        assert self.stream.time_base is not None  # every demuxer sets it
        self.codec.skip_frame = "NONREF"
        self.codec.options = {"skip_loop_filter": "all"}
        seconds, due = 0.0, float("-inf")
        with suppress(av.FFmpegError):
            for frame in self.container.decode(self.stream):
                if frame.pts is None or self._numbered:
                    seconds += 1 / float(self.frame_rate)
                else:
                    jump = float(frame.pts * self.stream.time_base) - seconds
                    seconds += jump
                    due = seconds if jump < 0 else due  # as where files were joined
                if seconds >= due:
                    due = max(due, seconds - interval_seconds) + interval_seconds
                    yield seconds, self._upright(frame)

    def _timed(self, frame: VideoFrame, earliest_pts: int, expected_pts: int) -> TimedFrame:
        unknown = frame.pts is None or self._numbered
        pts = expected_pts if unknown else max(frame.pts or 0, earliest_pts)
        return TimedFrame(self._upright(frame), pts, int(frame.duration or 0))

    def _upright(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of the first frame's size."""
        if frame.width * frame.height > _MAXIMUM_PIXELS:
            raise InputError(
                f"{self.path}: expected frames of at most 8192x8192 pixels, "
                f"got {frame.width}x{frame.height}; is the file damaged?"
            )
        if self._size is None:
            self._size = (frame.width, frame.height)
            self.turns = round(frame.rotation / 90) % 4
        rgb = rgb_of(frame, self._size, self.colour_matrix)
        return np.ascontiguousarray(np.rot90(rgb, self.turns)) if self.turns else rgb

    def _check_complete(self, packets: int, video_end: float, end: float) -> None:
        """Raises InputError where the file ends before its header says."""
        if packets == 0:
            raise InputError(f"{self.path}: the video holds no frame; is it complete?")
        time_base = self.stream.time_base
        if self.stream.duration and time_base:
            header_end = float((self.stream.duration + (self.stream.start_time or 0)) * time_base)
            missing = header_end - video_end - 1 / float(self.frame_rate)
        else:
            # Matroska's duration is where the last stream ends, counted from 0.
            header_end = (self.container.duration or 0) / 1_000_000
            missing = header_end - end - _LOST_SECONDS
        if missing > 1e-3:
            raise InputError(
                f"{self.path}: the video is cut off: its header says {header_end:.2f} s, "
                f"{packets} frames until {video_end:.2f} s are there; copy the file again"
            )

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.container.close()


def rgb_of(frame: VideoFrame, size: tuple[int, int], matrix: YuvMatrix) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a decoded frame; one of another `size` (W, H) is scaled to it."""
    rgb: NDArray[Any] = frame.reformat(
        width=size[0],  # a stream that changes its size keeps the first
        height=size[1],
        format="rgb24",
        src_colorspace=matrix.swscale,
    ).to_ndarray()
    return rgb


def _end_seconds(packet: Packet[Any]) -> float:
    """The time, in seconds, at which a packet's presentation ends; 0 where nothing is known."""
    begin = packet.dts if packet.pts is None else packet.pts
    if begin is None or packet.time_base is None:
        return 0.0
    return float((begin + (packet.duration or 0)) * packet.time_base)
