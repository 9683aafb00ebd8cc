"""Dehazes a video: decoding, inference and encoding overlap, each in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from ..dehazer import Dehazer
from ..haze.airlight import WINDOW_SECONDS, Airlight, Sample, WindowAirlight
from ..haze.motion import luminance_of
from ..media.decoder import expect_hardware
from ..media.encoders import EncoderOptions
from ..media.limits import free_bytes
from ..media.notices import Notices
from ..media.pixels.planar_frame import CodedFrame
from ..media.video_reader import TimedFrame, TimedPlanes, VideoReader
from ..media.video_writer import VideoWriter
from ..prefetch import Prefetch
from ..stream import Stream, StreamOptions
from ..timing import StageTimes
from .look_ahead import LookAhead, VideoItem

__all__ = ["VideoOptions", "VideoSummary", "dehaze_video", "file_airlight"]

_SAMPLE_SECONDS = 1 / 6
"""Seconds between the frames that the airlight is taken from, ahead of the dehazed ones."""
_LOOK_AHEAD_BYTES = 300 << 20
"""Frames of so many bytes may always wait for their turn: three seconds of 1920x1080 at 30 per
second."""
_LOOK_AHEAD_SHARE = 4
"""So may those that take at most a fourth of the free memory: three seconds of 3840x2160 at 30 per
second are 1.04 GiB. Of larger videos a second reader decodes what lies ahead."""
_LARGE_PIXELS = 3840 * 2160


@dataclass(frozen=True)
class VideoOptions:
    """The options for a video."""

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    side_by_side: bool = False
    """True to show the hazy frame to the left of the clear one."""
    stream: StreamOptions = field(default_factory=StreamOptions)
    strict: bool = False
    """True to refuse a damaged video; False to dehaze what can be decoded."""
    hardware: str | None = None
    """The kind of device that decodes, such as `cuda`; None for the processor."""

    def __post_init__(self) -> None:
        if self.hardware is not None:
            expect_hardware(self.hardware)


@dataclass(frozen=True)
class VideoSummary:
    """The figures of a finished video."""

    frames: int
    seconds: float
    width: int
    height: int
    decode_ms: dict[str, float]
    inference_ms: dict[str, float]
    encode_ms: dict[str, float]
    haze: float | None
    """Mean of the haze meter; None for a model that gives no estimate."""
    haze_frames: list[float]
    """The haze meter of each frame; empty for a model that gives no estimate."""
    lost_frames: int
    """Frames that could not be decoded or, near damage, are missing; see `containers.gaps`."""
    damaged_frames: int
    """Frames of which parts were lost, and filled in by the decoder."""

    @property
    def fps(self) -> float:
        return self.frames / self.seconds

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "fps": round(self.fps, 2), "seconds": round(self.seconds, 3)}


def dehaze_video(
    source: Path,
    target: Path,
    dehazer: Dehazer,
    options: VideoOptions | None = None,
    on_frame: Callable[[int | None], None] | None = None,
    notices: Notices | None = None,
) -> VideoSummary:
    """Dehazes every frame of `source` into the new file `target`.

    Args:
        on_frame: called after each frame, with the number of frames to expect where known.
        notices: takes what is dropped, changed or guessed.

    Raises:
        InputError: `source` is no video, is damaged or cut off.
        OutputError: `target` cannot be written.
    """
    options = options or VideoOptions()
    notices = notices if notices is not None else Notices()
    deep = dehazer.contract.has_grid or dehazer.strength == 0
    stays_planar = dehazer.takes_planes and not options.side_by_side
    started = time.perf_counter()
    frames, height, width = 0, 0, 0
    with (
        VideoReader(
            source,
            deep=deep,
            strict=options.strict,
            notices=notices,
            hardware=options.hardware,
        ) as reader,
        VideoWriter(target, reader, options.encoder, notices) as writer,
        ExitStack() as stack,
        Prefetch(
            reader.read(writer.planar_format if stays_planar else None), _frames_ahead(reader)
        ) as decoded,
    ):
        items = LookAhead(decoded, reader.time_base, _SAMPLE_SECONDS)

        def stream_for(first: TimedFrame | TimedPlanes) -> Stream:
            view, depth = reader.look.view if deep else None, reader.look.layout.depth
            if depth > 8 and not deep:
                notices.add(f"{depth} bits become 8: the model takes no more")
            airlight: Airlight | None = None
            if _can_hold_window(first, reader.frame_rate):
                if options.stream.temporal:
                    airlight = WindowAirlight(_samples(items.samples(), reader, dehazer))
            else:
                airlight = stack.enter_context(file_airlight(source, dehazer, options.stream))
            return Stream(dehazer, options.stream, airlight, view=view)

        inference = _Inference(stream_for, reader.time_base, options.side_by_side)
        # The network runs in one thread alone.
        with Prefetch(inference.dehazed(items), _frames_ahead(reader)) as clear:
            for item in clear:
                writer.write(item)
                if not isinstance(item, Packet):
                    frames += 1
                    shape = item.pixels.shape if isinstance(item, TimedFrame) else item.planes.shape
                    height, width = shape[:2]
                    if on_frame:
                        on_frame(reader.expected_frames)
    return VideoSummary(
        frames=frames,
        seconds=time.perf_counter() - started,
        width=width,
        height=height,
        decode_ms=reader.decode_times.percentiles(),
        inference_ms=inference.times.percentiles(),
        encode_ms=writer.encode_times.percentiles(),
        haze=round(float(np.mean(inference.haze)), 4) if inference.haze else None,
        haze_frames=inference.haze,
        lost_frames=reader.decoder.lost_frames,
        damaged_frames=reader.decoder.damaged_frames,
    )


class _Inference:
    """The middle stage, and what it measures.

    Args:
        open_stream: called with the first frame, when the look of the video is known.
    """

    def __init__(
        self,
        open_stream: Callable[[TimedFrame | TimedPlanes], Stream],
        time_base: Fraction,
        shows_both: bool,
    ) -> None:
        self._open_stream = open_stream
        self._stream: Stream | None = None
        self._time_base = time_base
        self._shows_both = shows_both
        self.times = StageTimes()
        self.haze: list[float] = []

    def dehazed(self, items: Iterable[VideoItem]) -> Iterator[VideoItem]:
        """The same items with their frames dehazed."""
        for item in items:
            if isinstance(item, Packet):
                yield item
                continue
            if self._stream is None:
                self._stream = self._open_stream(item)
            seconds = float(item.pts * self._time_base)
            if isinstance(item, TimedPlanes):
                with self.times.measure():
                    planes, haze = self._stream.dehaze_planes(item.planes, seconds)
                self.haze.append(round(haze, 4))
                yield replace(item, planes=planes)
            else:
                yield self._dehazed_rgb(self._stream, item, seconds)

    def _dehazed_rgb(self, stream: Stream, item: TimedFrame, seconds: float) -> TimedFrame:
        with self.times.measure():
            clear = stream(item.pixels, seconds)
        if clear.haze is not None:
            self.haze.append(round(clear.haze, 4))
        if not self._shows_both:
            return replace(item, pixels=clear.pixels)
        from ..media.pictures import side_by_side  # with Pillow

        alpha = None if item.alpha is None else side_by_side(item.alpha, item.alpha)
        return replace(item, pixels=side_by_side(item.pixels, clear.pixels), alpha=alpha)


def _frames_ahead(reader: VideoReader) -> int:
    """Frames that wait between two stages: four, and two of large ones, of which each is 12 MB."""
    return 4 if reader.codec.width * reader.codec.height < _LARGE_PIXELS else 2


def _can_hold_window(first: TimedFrame | TimedPlanes, frame_rate: Fraction) -> bool:
    """True if the frames that the airlight looks ahead at fit into memory until their turn."""
    if not isinstance(first, TimedPlanes):
        return False
    frame_bytes = sum(plane.nbytes for plane in first.planes.planes)
    at_most = max(_LOOK_AHEAD_BYTES, (free_bytes() or 0) // _LOOK_AHEAD_SHARE)
    return frame_bytes * float(frame_rate) * WINDOW_SECONDS <= at_most


@contextmanager
def file_airlight(
    source: Path, dehazer: Dehazer, options: StreamOptions
) -> Iterator[Airlight | None]:
    """The airlight of the file `source`, from a reader that runs ahead of the one that is dehazed.

    Yields None where nothing asks for it, and for a pipe, which can be read only once.

    Raises:
        InputError: the file cannot be read.
    """
    if not (options.temporal and dehazer.contract.has_grid and source.is_file()):
        yield None
        return
    with (
        VideoReader(source, deep=True) as ahead,
        Prefetch(ahead.samples(_SAMPLE_SECONDS, planar=dehazer.takes_planes)) as frames,
    ):
        yield WindowAirlight(_samples(frames, ahead, dehazer))


def _samples(
    frames: Iterable[tuple[float, NDArray[Any] | CodedFrame]],
    reader: VideoReader,
    dehazer: Dehazer,
) -> Iterator[Sample]:
    for seconds, pixels in frames:
        if isinstance(pixels, CodedFrame):
            frame, thumbnail = None, dehazer.thumbnail_of_planes(pixels)
        else:
            view = reader.look.view
            frame = view(pixels) if view else pixels
            thumbnail = dehazer.thumbnail(frame)
        grid = dehazer.estimate(frame, thumbnail)
        yield Sample(seconds, grid, luminance_of(thumbnail.values[0]))
