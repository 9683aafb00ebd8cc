"""Writes a video: dehazed frames encoded at their times, the other streams taken over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from ..errors import OutputError, one_line
from ..timing import StageTimes
from .containers.copied_streams import CopiedStreams, kept_tags
from .containers.held import StreamWords, tell_lost_words
from .containers.matroska_header import HEADER_PADDING, complete_matroska
from .containers.mp4_boxes import add_to_video_track
from .containers.spherical import STEREO_NAMES, stereo_box
from .encoders import (
    EncoderOptions,
    calm_threads,
    device_advice,
    encoder_pixels,
    encoder_rate,
    encoder_settings,
    encoder_time_base,
    planar_pixels,
    with_mastering,
)
from .formats import VIDEO_SUFFIXES
from .notices import Notices
from .pixels.frame_pixels import EncoderPixels, frame_of
from .video_look import VideoLook
from .video_reader import TimedFrame, TimedPlanes

if TYPE_CHECKING:
    from av.container.core import Chapter  # in PyAV's stubs alone

__all__ = ["VideoSource", "VideoWriter"]

_MATROSKA = frozenset({".mkv", ".webm"})
_MP4 = frozenset({".mp4", ".m4v", ".mov", ".3gp", ".3g2"})
_FORMATS = {".mts": "mpegts", ".m4v": "mp4"}
"""Formats of suffixes for which FFmpeg guesses another one, or none."""
_MATROSKA_OPTIONS = {
    "default_mode": "passthrough",  # which track is the default stays as it was
    "metadata_header_padding": str(HEADER_PADDING),  # for complete_matroska
    "write_crc32": "0",  # which that would make false
}
_VIEWS = {1: Fraction(1, 2), 2: Fraction(2)}
"""Factor on the frame's width that gives one view, by kind of stereoscopy."""
_FILE_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder")
# Two seconds at a time; a complete MP4 is an ordinary one again (FFmpeg 7.1).
_MP4_PIECES = {"movflags": "hybrid_fragmented", "frag_duration": "2000000", "flush_packets": "1"}
_MATROSKA_PIECES = {"cluster_time_limit": "2000", "flush_packets": "1"}
_IN_PIECES = {
    **dict.fromkeys((".mp4", ".m4v", ".mov"), _MP4_PIECES),
    **dict.fromkeys((".mkv", ".webm"), _MATROSKA_PIECES),
}
"""FFmpeg's options for a recording that can be read although its end was never written."""


class VideoSource(Protocol):
    """The properties that a result takes over from a VideoReader or a camera."""

    @property
    def frame_rate(self) -> Fraction: ...
    @property
    def time_base(self) -> Fraction: ...
    @property
    def look(self) -> VideoLook: ...
    @property
    def pixel_ratio(self) -> Fraction | None: ...
    @property
    def others(self) -> list[Stream]: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    @property
    def tags(self) -> dict[str, str]: ...
    @property
    def disposition(self) -> int: ...
    @property
    def chapters(self) -> list[Chapter]: ...


class VideoWriter:
    """An unfinished video file with the streams of `source`. A context manager.

    Args:
        notices: takes what the file cannot hold.
        is_recording: the file must be readable up to where it ends, whenever that is.

    Raises:
        UsageError: no such encoder.
        OutputError: the container cannot hold a stream, or writing fails; also while writing.
    """

    _low_latency = False

    def __init__(
        self,
        path: Path,
        source: VideoSource,
        options: EncoderOptions,
        notices: Notices | None = None,
        *,
        is_recording: bool = False,
    ) -> None:
        self.encode_times = StageTimes()
        self._path = path
        self._source = source
        self._options = options
        self._notices = notices if notices is not None else Notices()
        self._suffix = path.suffix.lower()
        self._durations: dict[int, int] = {}
        self._early: list[Packet[Any]] = []  # what comes before the first frame
        self._stream: VideoStream | None = None
        self._is_first = True
        self._muxed = False
        options.encoder(self._suffix)
        with self._failures():
            self._container = self._opened(is_recording=is_recording)

    def _opened(self, *, is_recording: bool) -> OutputContainer:
        if self._suffix not in VIDEO_SUFFIXES:
            raise OutputError(
                f"expected a video name such as NAME.mp4 or NAME.mkv, got one ending in "
                f"{self._suffix or 'nothing'}"
            )
        kept = _MATROSKA_OPTIONS if self._suffix in _MATROSKA else {}
        pieces = _IN_PIECES.get(self._suffix, {}) if is_recording else {}
        return av.open(
            f"file:{self._path}",
            "w",
            format=_FORMATS.get(self._suffix),
            container_options={**kept, **pieces},
        )

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """Turns what FFmpeg and PyAV raise into OutputError."""
        try:
            yield
        except (av.FFmpegError, ValueError, TypeError) as error:
            advice = device_advice(self._options.codec) if self._is_first else ""
            raise OutputError(
                f"the {self._suffix} video cannot be written ({one_line(error)}){advice}"
            ) from error

    def planar_format(self, look: VideoLook) -> EncoderPixels | None:
        """The format in which frames of this look need not become RGB; a `PlanarFormat`."""
        return planar_pixels(self._options.encoder(self._suffix, look), look)

    def write(self, item: TimedFrame | TimedPlanes | Packet[Any]) -> None:
        """Encodes a frame or copies a packet."""
        with self._failures():
            if isinstance(item, (TimedFrame, TimedPlanes)):
                with self.encode_times.measure():
                    self._encode(item)
            elif self._stream is None:
                self._early.append(item)
            else:
                self._copy(item)

    def _copy(self, packet: Packet[Any]) -> None:
        if (made := self._copies.packet(packet)) is None:
            return
        try:
            self._container.mux(made)
        except av.InvalidDataError:  # damaged sound that has to be taken apart, as for MP4
            self._notices.add(f"damaged {made.stream.type} packets are left out")

    def _encode(self, item: TimedFrame | TimedPlanes) -> None:
        if self._stream is None:
            if isinstance(item, TimedPlanes):
                self._start(item.planes.shape, alpha=False)
            else:
                self._start(item.pixels.shape, alpha=item.alpha is not None)
        assert self._stream is not None
        frame = self._frame(item)
        frame.pts, frame.time_base = item.pts, self._source.time_base
        self._mark(frame)
        self._durations[item.pts] = item.duration
        packets = self._stream.encode(frame)
        if self._is_first:
            self._is_first = False
            calm_threads()
        self._mux(packets)

    def _frame(self, item: TimedFrame | TimedPlanes) -> VideoFrame:
        if isinstance(item, TimedPlanes):
            return item.planes.for_encoder()
        pixels, curve = item.pixels, self._source.look.curve
        if curve and pixels.dtype == np.uint16:
            pixels = np.take(curve.codes, pixels)
        return frame_of(pixels, item.alpha, self._pixels)

    def _mark(self, frame: VideoFrame) -> None:
        """Sets what the encoder is to make of a frame."""

    def _start(self, shape: tuple[int, ...], *, alpha: bool) -> None:
        """Size, depth and colours are known with the first frame."""
        source, size = self._source, (shape[1], shape[0])
        encoder = self._options.encoder(self._suffix, source.look, alpha=alpha)
        self._pixels = encoder_pixels(
            encoder, source.look, size, alpha=alpha, notices=self._notices
        )
        settings = encoder_settings(
            self._options, encoder, self._suffix, self._pixels, low_latency=self._low_latency
        )
        settings = with_mastering(settings, source.look.mastering, encoder, self._notices)
        self._container.metadata.update(
            {k: v for k, v in source.metadata.items() if k.lower() not in _FILE_TAGS}
        )
        self._container.set_chapters(source.chapters)
        stream = self._container.add_stream(
            encoder, rate=encoder_rate(encoder, source.frame_rate), options=settings
        )
        assert isinstance(stream, VideoStream)  # the encoder's kind was looked up
        stream.codec_context.time_base = encoder_time_base(
            encoder, self._suffix, source.frame_rate, source.time_base
        )
        self._set_up(stream.codec_context, size)
        stream.time_base = stream.codec_context.time_base
        stream.metadata.update(kept_tags(source.tags, self._suffix))
        stream.disposition = Disposition(source.disposition & ~int(Disposition.attached_pic))
        if self._pixels.layout.alpha and self._suffix in _MATROSKA:
            stream.metadata["alpha_mode"] = "1"
        if source.look.stereo and self._suffix in _MATROSKA:
            stream.metadata["stereo_mode"] = STEREO_NAMES[source.look.stereo]
        self._copies = CopiedStreams(
            self._container, self._suffix, source.others, self._early, self._notices
        )
        self._stream = stream
        for packet in self._early:
            self._copy(packet)
        self._early.clear()

    def _set_up(self, context: VideoCodecContext, size: tuple[int, int]) -> None:
        """Sets what the encoder writes into its stream."""
        colours = self._pixels.colours
        context.width, context.height = size
        context.pix_fmt = self._pixels.name
        is_rgb = self._pixels.layout.is_rgb
        context.color_range = ColorRange.JPEG if colours.full_range else ColorRange.MPEG
        context.colorspace = 0 if is_rgb else colours.matrix
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        if ratio := self._source.pixel_ratio:
            context.sample_aspect_ratio = ratio
        if self._suffix in _MP4 and context.codec.canonical_name == "hevc":
            context.codec_tag = "hvc1"  # what players of Apple's ask for

    def _add_marks(self) -> None:
        """Sets fields that FFmpeg's muxers read and PyAV does not set."""
        look, ratio = self._source.look, self._source.pixel_ratio
        if self._suffix in _MATROSKA:
            # The size is that of one view where there are two side by side or on top.
            shape = (ratio or Fraction(1)) * _VIEWS.get(look.stereo or 0, 1)
            if look.sphere or look.stereo or shape != 1:
                complete_matroska(self._path, shape, look.sphere)
            return
        boxes = stereo_box(look.stereo) if look.stereo else b""
        boxes += look.sphere.mp4_box() if look.sphere else b""
        if boxes and not (self._suffix in _MP4 and add_to_video_track(self._path, boxes)):
            self._notices.add("the marks of a stereoscopic video or panorama are dropped")

    def _tell_lost_words(self) -> None:
        """Says which languages, titles, flags and chapters the finished file does not hold."""
        source, stream = self._source, self._stream
        assert stream is not None
        tags = kept_tags(source.tags, self._suffix)
        words = StreamWords(stream.index, tags, int(stream.disposition))
        tell_lost_words(
            self._path,
            [words, *self._copies.words],
            source.metadata,
            len(source.chapters),
            self._notices,
        )

    def _mux(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            # x265 gives the packet of a single frame no times, or some that no memory was set to.
            if not self._muxed and len(self._durations) == 1:
                packet.pts = packet.dts = min(self._durations)
                packet.time_base = self._source.time_base
            self._muxed = True
            if packet.pts is not None and (packet.dts is None or packet.dts > packet.pts):
                packet.dts = packet.pts
            # x264 does not pass durations on, and with a variable rate the last one matters.
            if packet.pts is not None and packet.time_base == self._source.time_base:
                packet.duration = self._durations.pop(packet.pts, 0) or packet.duration
            self._container.mux(packet)

    def finish(self) -> None:
        """Encodes what the encoder still holds and completes the file."""
        with self._failures():
            if self._stream is not None:
                self._mux(self._stream.encode(None))
            self._container.close()
            if self._stream is not None:
                self._add_marks()
                self._tell_lost_words()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.finish()
            return
        # The file is thrown away; the error on its way says why.
        with contextlib.suppress(av.FFmpegError, ValueError):
            self._container.close()
