"""Dehazes a video: decoding, inference and encoding overlap, each in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from av.packet import Packet

from .dehazer import Dehazer
from .images import side_by_side
from .prefetch import Prefetch
from .timing import StageTimes
from .video_reader import TimedFrame, VideoReader
from .video_writer import EncoderOptions, VideoWriter

__all__ = ["VideoOptions", "VideoSummary", "dehaze_video"]


@dataclass(frozen=True)
class VideoOptions:
    """What to make of a video."""

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    side_by_side: bool = False
    """Whether to show the hazy frame to the left of the clear one."""


@dataclass(frozen=True)
class VideoSummary:
    """What was done, and how fast."""

    frames: int
    seconds: float
    width: int
    height: int
    decode_ms: dict[str, float]
    inference_ms: dict[str, float]
    encode_ms: dict[str, float]

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
) -> VideoSummary:
    """Dehazes every frame of `source` into the new file `target`.

    Args:
        on_frame: called after each frame, with the number of frames to expect where known.

    Raises:
        InputError: `source` is no video, is damaged or cut off.
        OutputError: `target` cannot be written.
    """
    options = options or VideoOptions()
    started = time.perf_counter()
    inference_times = StageTimes()
    frames, height, width = 0, 0, 0

    def dehazed(items: Iterable[TimedFrame | Packet[Any]]) -> Iterator[TimedFrame | Packet[Any]]:
        for item in items:
            if not isinstance(item, TimedFrame):
                yield item
                continue
            with inference_times.measure():
                clear = dehazer(item.pixels)
            pixels = side_by_side(item.pixels, clear) if options.side_by_side else clear
            yield replace(item, pixels=pixels)

    with (
        VideoReader(source) as reader,
        VideoWriter(target, reader, options.encoder) as writer,
        Prefetch(reader.read()) as decoded,
        Prefetch(dehazed(decoded)) as clear,
    ):
        for item in clear:
            writer.write(item)
            if isinstance(item, TimedFrame):
                frames += 1
                height, width = item.pixels.shape[:2]
                if on_frame:
                    on_frame(reader.expected_frames)
    return VideoSummary(
        frames=frames,
        seconds=time.perf_counter() - started,
        width=width,
        height=height,
        decode_ms=reader.decode_times.percentiles(),
        inference_ms=inference_times.percentiles(),
        encode_ms=writer.encode_times.percentiles(),
    )
