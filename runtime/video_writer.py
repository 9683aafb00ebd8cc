"""Writes a video: dehazed frames encoded at their times, the other streams copied."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from .colour import yuv420_from_rgb, yuv444_from_rgb
from .errors import OutputError, UsageError, one_line
from .timing import StageTimes
from .video_reader import TimedFrame, VideoReader, colour_matrix

__all__ = ["CODECS", "EncoderOptions", "VideoWriter"]

CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
"""Common names and the encoders behind them."""


@dataclass(frozen=True)
class EncoderOptions:
    """How the result is encoded."""

    codec: str = "h264"
    """A key of CODECS, or any encoder of the FFmpeg inside PyAV."""
    quality: int = 20
    """The encoder's CRF: lower is better and larger."""

    @property
    def encoder(self) -> str:
        return CODECS.get(self.codec, self.codec)

    def encoder_settings(self) -> dict[str, str]:
        """Fast presets: on a small computer the encoder must not be what one waits for."""
        speed = {
            "libx264": {"preset": "superfast"},
            "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"},
            "libsvtav1": {"preset": "10"},
            "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"},
        }
        return {"crf": str(self.quality), **speed.get(self.encoder, {})}


class VideoWriter:
    """An unfinished video file with the streams of `reader`. A context manager.

    Raises:
        UsageError: no such encoder.
        OutputError: the container cannot hold a stream, or writing fails; also while writing.
    """

    def __init__(self, path: Path, reader: VideoReader, options: EncoderOptions) -> None:
        self.encode_times = StageTimes()
        self._reader = reader
        self._options = options
        self._durations: dict[int, int] = {}
        self._started = False
        self._early: list[Packet[Any]] = []  # muxing opens the encoder, before its size is known
        if options.encoder not in av.codecs_available:
            raise UsageError(f"no encoder named {options.codec!r}; use one of {', '.join(CODECS)}")
        try:
            self._container = av.open(str(path), "w")
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(
                f"expected a video name such as NAME.mp4 or NAME.mkv, got one ending in "
                f"{path.suffix or 'nothing'} ({one_line(error)[:80]})"
            ) from error
        self._container.metadata.update(reader.container.metadata)
        stream = self._container.add_stream(
            options.encoder, rate=reader.frame_rate, options=options.encoder_settings()
        )
        if not isinstance(stream, VideoStream):
            raise UsageError(f"{options.codec} encodes no video; use one of {', '.join(CODECS)}")
        self._stream = stream
        self._codec: VideoCodecContext = stream.codec_context
        self._copies = {stream.index: self._copy_of(stream) for stream in reader.copied}

    def _copy_of(self, stream: Stream) -> Stream:
        try:
            copy = self._container.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(
                f"a .{self._container.format.name} file cannot hold the {stream.type} stream "
                f"({one_line(error)[:80]}); name an .mkv output"
            ) from error
        copy.metadata.update(stream.metadata)
        return copy

    def write(self, item: TimedFrame | Packet[Any]) -> None:
        """Encodes a frame or copies a packet."""
        try:
            if isinstance(item, TimedFrame):
                with self.encode_times.measure():
                    self._encode(item)
            else:
                item.stream = self._copies[item.stream.index]
                if self._started:
                    self._container.mux(item)
                else:
                    self._early.append(item)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"the video cannot be written ({one_line(error)[:120]})") from error

    def _encode(self, item: TimedFrame) -> None:
        if not self._started:
            self._start(item)
        source, layout = self._reader.codec, _layout_of(item)
        convert = yuv420_from_rgb if layout == "yuv420p" else yuv444_from_rgb
        planes = convert(item.pixels, colour_matrix(int(source.colorspace), source.height))
        frame = VideoFrame.from_ndarray(planes, format=layout)
        frame.pts, frame.time_base = item.pts, self._reader.stream.time_base
        self._durations[item.pts] = item.duration
        self._mux(self._stream.encode(frame))

    def _start(self, first: TimedFrame) -> None:
        """Size and colours are known with the first frame."""
        source, context = self._reader.codec, self._codec
        height, width = first.pixels.shape[:2]
        context.width, context.height = width, height
        context.pix_fmt = _layout_of(first)
        assert self._reader.stream.time_base is not None  # every demuxer sets it
        context.time_base = self._stream.time_base = self._reader.stream.time_base
        context.color_range = ColorRange.MPEG
        context.colorspace = source.colorspace
        context.color_primaries, context.color_trc = source.color_primaries, source.color_trc
        if source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        self._started = True
        self._container.mux(self._early)
        self._early.clear()

    def _mux(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            # x264 does not pass durations on, and with a variable rate the last one matters.
            if packet.pts is not None and (duration := self._durations.pop(packet.pts, 0)):
                packet.duration = duration
            self._container.mux(packet)

    def finish(self) -> None:
        """Encodes what the encoder still holds and completes the file."""
        try:
            with self.encode_times.measure():
                self._mux(self._stream.encode(None))
            self._container.close()
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"the video cannot be written ({one_line(error)[:120]})") from error

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
