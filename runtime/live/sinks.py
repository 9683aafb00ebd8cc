"""Takes dehazed live frames to a video file, to standard output, or nowhere but the preview."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ..errors import UsageError
from ..media.video_reader import TimedFrame
from ..media.video_writer import EncoderOptions, VideoWriter
from ..output_file import finished_output
from ..timing import StageTimes
from .address import PIPE
from .raw import RawSink
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
) -> Iterator[LiveSink]:
    """Opens a video file, `-` for raw frames on standard output, or None for nothing.

    A file appears under its name when the block ends; where that raises, there is none.

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
            raise UsageError(
                "expected an .mp4 or .mkv; an .avi holds no times, and a camera has gaps"
            )
        with (
            finished_output(path, overwrite=overwrite) as unfinished,
            VideoWriter(unfinished, source, encoder) as writer,
        ):
            writer.encode_times = StageTimes(KEPT_TIMES)
            yield writer
