"""Takes dehazed live frames to a video file, to standard output, or nowhere but the preview."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ..errors import UsageError
from ..media.encoders import EncoderOptions
from ..media.video_reader import TimedFrame
from ..timing import StageTimes
from .address import PIPE
from .raw import RawSink
from .recording import Recording
from .source import KEPT_TIMES, LiveSource

__all__ = ["LiveSink", "open_sink"]


class LiveSink(Protocol):
    """Takes frames in order of time."""

    encode_times: StageTimes

    def write(self, item: TimedFrame) -> None: ...


class _NoSink:
    """Discards frames, for a run that is only watched in the preview."""

    def __init__(self) -> None:
        self.encode_times = StageTimes(KEPT_TIMES)

    def write(self, item: TimedFrame) -> None:
        pass


@contextmanager
def open_sink(
    target: str | None,
    source: LiveSource,
    encoder: EncoderOptions,
    stop: threading.Event,
    *,
    overwrite: bool,
    segment_seconds: float | None = None,
) -> Iterator[LiveSink]:
    """Opens a video file, `-` for raw frames on standard output, or None for nothing.

    A file appears under its name when the block ends, also where that raises; without a frame there
    is none.

    Args:
        segment_seconds: as of `Recording`.

    Raises:
        OutputError: the file exists or cannot be written.
        UsageError: a container that has no times.
    """
    if target is None:
        yield _NoSink()
    elif target == PIPE:
        yield RawSink(stop)
    else:
        path = Path(target)
        if path.suffix.lower() == ".avi" and not source.lossless:
            raise UsageError("an .avi holds no times, and a camera has gaps; name an .mp4 or .mkv")
        recording = Recording(
            path, source, encoder, overwrite=overwrite, segment_seconds=segment_seconds
        )
        with recording as writer:
            yield writer
