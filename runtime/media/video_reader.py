"""Reads a video: its frames as upright RGB, every other stream as packets to copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ..errors import InputError, one_line
from ..timing import StageTimes
from .containers.first_times import with_first_times
from .containers.opened import opened_video
from .containers.packets import packets_of
from .containers.timeline import Timeline
from .decoder import Decoder
from .limits import frame_pixels_at_most, frame_problem
from .notices import Notices
from .pixels.frame_pixels import EncoderPixels, alpha_of, rgb_of
from .pixels.orientation import swaps_sides, upright
from .pixels.pixel_layout import planar_name
from .pixels.planar_frame import CodedFrame, coded_frame
from .video_look import VideoLook, look_of

if TYPE_CHECKING:
    from av.container.core import Chapter  # in PyAV's stubs alone

__all__ = ["PlanarFormat", "TimedFrame", "TimedPlanes", "VideoReader"]

PlanarFormat: TypeAlias = Callable[[VideoLook], EncoderPixels | None]
"""Chooses by a video's look the format in which its frames stay in planes; None for RGB."""

_EARLY_SECONDS = 1.0
"""Seconds without packets at the end of a Matroska file that are worth a word."""


@dataclass(frozen=True)
class TimedFrame:
    """A frame with its place in time."""

    pixels: NDArray[Any]
    """(H, W, 3) uint8 or uint16 RGB, upright; of an HDR video, values of `HdrCurve.shown`."""
    pts: int
    """Presentation time in units of the stream's `time_base`."""
    duration: int
    """In the same units; 0 where the file does not say."""
    alpha: NDArray[Any] | None = None
    """(H, W) of any of the two types."""


@dataclass(frozen=True)
class TimedPlanes:
    """The same for a frame that stays in its planes."""

    planes: CodedFrame
    pts: int
    duration: int


class VideoReader:
    """An open video. A context manager.

    Args:
        deep: whether more than 8 bits come as uint16; else everything comes as uint8.
        strict: whether damage is an error; else what can be decoded comes, and is counted.
        notices: takes what is dropped, changed or guessed.
        hardware: the kind of device that decodes, see `Decoder`.

    Raises:
        InputError: unreadable, no video in it, or cut off; also while reading. Or there is no such
            device.
    """

    def __init__(
        self,
        path: Path,
        *,
        deep: bool = False,
        strict: bool = False,
        notices: Notices | None = None,
        hardware: str | None = None,
    ) -> None:
        self.path = path
        self.decode_times = StageTimes()
        self._deep = deep
        self._strict = strict
        self._notices = notices if notices is not None else Notices()
        self._look: VideoLook | None = None
        self._planar: EncoderPixels | None = None
        self._pixels_at_most = frame_pixels_at_most()
        self._end_seconds = 0.0
        self.container: InputContainer = opened_video(path, self._pixels_at_most)
        self.stream = self._video_stream()
        # AVI numbers its chunks in coding order.
        self._numbered = self.container.format.name == "avi"
        self.decoder = Decoder(
            self.stream,
            numbered=self._numbered,
            pixels_at_most=self._pixels_at_most,
            on_damage=self._note_damage,
            hardware=hardware,
        )
        self.codec = self.decoder.codec
        self.others: list[Stream] = [s for s in self.container.streams if s != self.stream]

    def _video_stream(self) -> VideoStream:
        """The first stream of moving pictures: not a cover, not of an unknown codec."""
        for stream in self.container.streams.video:
            if stream.codec_context and not stream.disposition & Disposition.attached_pic:
                codec = stream.codec_context
                width = max(codec.width, codec.coded_width)
                self._check_size(width, max(codec.height, codec.coded_height))
                return stream
        self.container.close()
        raise InputError(f"{self.path}: expected a video, got a file without a video stream")

    def _check_size(self, width: int, height: int) -> None:
        if problem := frame_problem(width, height, self._pixels_at_most):
            raise InputError(f"{self.path}: {problem}")

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
    def look(self) -> VideoLook:
        """Colours, layout and orientation; known with the first frame."""
        assert self._look is not None
        return self._look

    @property
    def time_base(self) -> Fraction:
        """Seconds that one unit of a frame's time is worth."""
        assert self.stream.time_base is not None  # every demuxer sets it
        return self.stream.time_base

    @property
    def pixel_ratio(self) -> Fraction | None:
        """Width by height of a pixel of an upright frame; known with the first."""
        ratio = self.stream.sample_aspect_ratio
        return 1 / ratio if ratio and swaps_sides(self.look.orientation) else ratio

    @property
    def metadata(self) -> dict[str, str]:
        """Title, date and the like."""
        return self.container.metadata

    @property
    def tags(self) -> dict[str, str]:
        """Language, title and the like of the video stream."""
        return self.stream.metadata

    @property
    def disposition(self) -> int:
        """FFmpeg's flags of the video stream, such as that it is the default."""
        return int(self.stream.disposition)

    @property
    def chapters(self) -> list[Chapter]:
        return self.container.chapters()

    def read(
        self, planar: PlanarFormat | None = None
    ) -> Iterator[TimedFrame | TimedPlanes | Packet[Any]]:
        """Yields every frame in order of presentation, and the packets of the other streams
        between.

        Args:
            planar: None for RGB always.
        """
        expected_pts = 0 if self._numbered else self.stream.start_time or 0
        earliest_pts: int | None = None
        started = time.perf_counter()
        for item in with_first_times(self._decoded(), self.frame_rate * self.time_base):
            if isinstance(item, Packet):
                yield item
            else:
                pts = expected_pts if item.pts is None else item.pts
                pts = pts if earliest_pts is None else max(pts, earliest_pts)
                timed = self._timed(item, pts, planar)
                earliest_pts, expected_pts = pts + 1, pts + max(timed.duration, 1)
                self.decode_times.add(time.perf_counter() - started)
                yield timed
            started = time.perf_counter()
        if self._look is None:
            if self.decoder.example is not None:
                raise InputError(f"{self.path}: the device decodes no frame; leave --hwaccel out")
            raise InputError(f"{self.path}: the video holds no frame; is it complete?")
        self._note_early_end()
        if self.decoder.has_interlaced:
            self._notices.add("interlaced frames are deinterlaced")

    def _note_early_end(self) -> None:
        """Matroska's reader goes on behind damaged bytes, and says nothing where it finds no more.

        No error: a header may say what its writer planned.
        """
        said = (self.container.duration or 0) / av.time_base
        if "matroska" in self.container.format.name and self._end_seconds < said - _EARLY_SECONDS:
            self._notices.add(
                f"the last packet ends at {self._end_seconds:.1f} s, though the header says "
                f"{said:.1f} s; the file may be damaged"
            )

    def _decoded(self) -> Iterator[VideoFrame | Packet[Any]]:
        """Whole frames with their times, and the packets of the other streams."""
        for packet in self._packets():
            if packet.stream != self.stream:
                yield packet
                continue
            yield from self.decoder.whole_frames(packet)
        yield from self.decoder.flush()

    def _packets(self, *streams: Stream) -> Iterator[Packet[Any]]:
        """Packets at their times; the empty one that ends a stream comes for the video alone.

        Args:
            streams: none for all.
        """
        timeline = Timeline(self.container)
        packets = packets_of(self.container, streams, self._notices)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._note_damage(error)
                self._notices.add(f"the file cannot be read to its end ({one_line(error)})")
                yield from self._ends()
                return
            timeline.place(packet)
            if packet.pts is not None:
                end = packet.pts + (packet.duration or 0)
                self._end_seconds = max(self._end_seconds, float(end * packet.time_base))
            if packet.stream == self.stream or packet.size:
                yield packet

    def _ends(self) -> Iterator[Packet[Any]]:
        """The empty packet that makes the decoder give its last frames."""
        end: Packet[Any] = Packet()
        end.stream, end.time_base = self.stream, self.time_base
        yield end

    def _note_damage(self, error: Exception | None) -> None:
        if self._strict:
            why = one_line(error) if error else "parts of a frame are missing"
            raise InputError(
                f"{self.path}: the video is damaged ({why}); copy the file again, or leave out "
                f"--strict to keep what can be decoded"
            ) from error

    def samples(
        self, interval_seconds: float, *, planar: bool = False
    ) -> Iterator[tuple[float, NDArray[Any] | CodedFrame]]:
        """Frames about `interval_seconds` apart, with their times in seconds; instead of `read`.

        Args:
            planar: leave frames in planes that can be dehazed so.

        For a look ahead that need not be exact: half of the frames and the deblocking are left
        out where the codec allows it.
        """
        self.codec.skip_frame = "NONREF"
        seconds, due = 0.0, float("-inf")
        format_of = _own_planes if planar else None
        for packet in self._packets(self.stream):
            for frame in self.decoder.frames(packet):
                if frame.pts is None:
                    seconds += 1 / float(self.frame_rate)
                else:
                    seconds = float(frame.pts * self.time_base)
                if seconds >= due:
                    due = max(due, seconds - interval_seconds) + interval_seconds
                    timed = self._timed(frame, 0, format_of)
                    yield seconds, timed.planes if isinstance(timed, TimedPlanes) else timed.pixels

    def _timed(
        self, frame: VideoFrame, pts: int, planar: PlanarFormat | None
    ) -> TimedFrame | TimedPlanes:
        """Upright RGB, or planes, of the first frame's size."""
        self._check_size(frame.width, frame.height)
        if self._look is None:
            self._look = look_of(self.decoder.example or frame, self.codec.name, self._notices)
            self._planar = planar(self._look) if planar else None
        look = self._look
        duration = int(frame.duration or 0)
        deep = self._deep and (look.layout.depth > 8 or look.curve is not None)
        try:
            if self._planar:
                return TimedPlanes(coded_frame(frame, look.size, self._planar), pts, duration)
            rgb = rgb_of(frame, look.size, look.colours, deep=deep)
            alpha = alpha_of(frame, look.size)
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f"{self.path}: frames of {frame.format.name} cannot be read ({one_line(error)})"
            ) from error
        if look.curve and deep:
            rgb = np.take(look.curve.shown, rgb)
        if alpha is not None:
            alpha = upright(alpha, look.orientation)
        return TimedFrame(upright(rgb, look.orientation), pts, duration, alpha)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.container.close()


def _own_planes(look: VideoLook) -> EncoderPixels | None:
    """The source's own format, where nothing but its planes is looked at."""
    if not look.may_stay_planar:
        return None
    return EncoderPixels(planar_name(look.layout), look.layout, look.colours)
