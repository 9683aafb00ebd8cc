"""Writes a video: dehazed frames encoded at their times, the other streams copied."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import av
from av.codec import Codec
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from ..errors import OutputError, UsageError, one_line
from ..timing import StageTimes
from .colour import YuvMatrix, yuv420_from_rgb, yuv444_from_rgb
from .formats import VIDEO_SUFFIXES
from .video_reader import TimedFrame

if TYPE_CHECKING:
    from av.container.core import Chapter  # in PyAV's stubs alone

__all__ = ["CODECS", "EncoderOptions", "VideoSource", "VideoWriter"]

CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
"""Common names and the encoders behind them."""
_SETTINGS = {
    # Fast presets: on a small computer the encoder must not be what one waits for.
    # At 1920x1080 superfast takes 75 ms of CPU time a frame, this 32, for files 29 % larger.
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"},
    "libsvtav1": {"preset": "10"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"},
}


@dataclass(frozen=True)
class EncoderOptions:
    """The codec and quality of the result."""

    codec: str | None = None
    """A key of CODECS or any video encoder in PyAV's FFmpeg; None takes H.264, VP9 in a .webm."""
    quality: int = 20
    """CRF, lower is better and larger; encoders outside CODECS keep their own setting."""

    def encoder(self, suffix: str) -> str:
        """The encoder for a file of this suffix.

        Raises:
            UsageError: no such video encoder.
        """
        codec = self.codec or ("vp9" if suffix == ".webm" else "h264")
        name = CODECS.get(codec, codec)
        try:
            if Codec(name, "w").type == "video":
                return name
        except ValueError:
            pass
        raise UsageError(f"no video encoder named {codec!r}; use one of {', '.join(CODECS)}")

    def settings(self, encoder: str, suffix: str) -> dict[str, str]:
        """The encoder's own options."""
        if encoder not in _SETTINGS:
            return {}
        no_reordering = {"bf": "0"} if suffix == ".avi" else {}  # AVI cannot hold it
        return {"crf": str(self.quality), **_SETTINGS[encoder], **no_reordering}


class VideoSource(Protocol):
    """The properties that a result takes over from a VideoReader or a camera."""

    @property
    def frame_rate(self) -> Fraction: ...
    @property
    def time_base(self) -> Fraction: ...
    @property
    def colour_matrix(self) -> YuvMatrix: ...
    @property
    def primaries(self) -> tuple[int, int]: ...
    @property
    def pixel_ratio(self) -> Fraction | None: ...
    @property
    def copied(self) -> list[Stream]: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    @property
    def chapters(self) -> list[Chapter]: ...


class VideoWriter:
    """An unfinished video file with the streams of `source`. A context manager.

    Raises:
        UsageError: no such encoder.
        OutputError: the container cannot hold a stream, or writing fails; also while writing.
    """

    def __init__(self, path: Path, source: VideoSource, options: EncoderOptions) -> None:
        self.encode_times = StageTimes()
        self._source = source
        self._suffix = path.suffix.lower()
        self._durations: dict[int, int] = {}
        self._started = False
        self._early: list[Packet[Any]] = []  # muxing opens the encoder, before its size is known
        if self._suffix not in VIDEO_SUFFIXES:
            raise OutputError(
                f"expected a video name such as NAME.mp4 or NAME.mkv, got one ending in "
                f"{self._suffix or 'nothing'}"
            )
        encoder = options.encoder(self._suffix)
        with self._failures():
            self._container = av.open(f"file:{path}", "w")
            self._container.metadata.update(source.metadata)
            self._container.set_chapters(source.chapters)
            stream = self._container.add_stream(
                encoder, rate=source.frame_rate, options=options.settings(encoder, self._suffix)
            )
            assert isinstance(stream, VideoStream)  # the encoder's kind was looked up
            self._stream = stream
            self._codec: VideoCodecContext = stream.codec_context
            self._copies = {stream.index: self._copy_of(stream) for stream in source.copied}

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """Turns what FFmpeg and PyAV raise into OutputError."""
        try:
            yield
        except (av.FFmpegError, ValueError, TypeError) as error:
            raise OutputError(
                f"the {self._suffix} video cannot be written ({one_line(error)})"
            ) from error

    def _copy_of(self, stream: Stream) -> Stream:
        try:
            copy = self._container.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(
                f"a {self._suffix} file cannot hold the {stream.type} stream "
                f"({one_line(error)[:80]}); name an .mkv output"
            ) from error
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
        return copy

    def write(self, item: TimedFrame | Packet[Any]) -> None:
        """Encodes a frame or copies a packet."""
        with self._failures():
            if isinstance(item, TimedFrame):
                with self.encode_times.measure():
                    self._encode(item)
                return
            item.stream = self._copies[item.stream.index]
            if self._started:
                self._container.mux(item)
            else:
                self._early.append(item)

    def _encode(self, item: TimedFrame) -> None:
        if not self._started:
            self._start(item)
        layout = _layout_of(item)
        convert = yuv420_from_rgb if layout == "yuv420p" else yuv444_from_rgb
        planes = convert(item.pixels, self._source.colour_matrix)
        frame = VideoFrame.from_ndarray(planes, format=layout)
        if self._codec.pix_fmt != layout:
            frame = frame.reformat(format=self._codec.pix_fmt)
        frame.pts, frame.time_base = item.pts, self._source.time_base
        self._durations[item.pts] = item.duration
        self._mux(self._stream.encode(frame))

    def _start(self, first: TimedFrame) -> None:
        """Size and colours are known with the first frame."""
        source, context = self._source, self._codec
        context.height, context.width = first.pixels.shape[:2]
        offered = [layout.name for layout in context.codec.video_formats or ()]
        wanted = _layout_of(first)
        context.pix_fmt = wanted if wanted in offered or not offered else offered[0]
        # An AVI file has a number for every frame and no times.
        time_base = 1 / source.frame_rate if self._suffix == ".avi" else source.time_base
        context.time_base = self._stream.time_base = time_base
        context.color_range = ColorRange.MPEG
        context.colorspace = source.colour_matrix.swscale
        context.color_primaries, context.color_trc = source.primaries
        if ratio := source.pixel_ratio:
            context.sample_aspect_ratio = ratio
        self._started = True
        self._container.mux(self._early)
        self._early.clear()

    def _mux(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            # x264 does not pass durations on, and with a variable rate the last one matters.
            if packet.pts is not None and packet.time_base == self._source.time_base:
                packet.duration = self._durations.pop(packet.pts, 0) or packet.duration
            self._container.mux(packet)

    def finish(self) -> None:
        """Encodes what the encoder still holds and completes the file."""
        with self._failures():
            self._mux(self._stream.encode(None))
            self._container.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.finish()
            return
        # The file is thrown away; the error on its way says why.
        with contextlib.suppress(av.FFmpegError, ValueError):
            self._container.close()


def _layout_of(frame: TimedFrame) -> str:
    """4:2:0 needs even sides; a frame of odd size keeps its size in 4:4:4."""
    height, width = frame.pixels.shape[:2]
    return "yuv444p" if width % 2 or height % 2 else "yuv420p"
