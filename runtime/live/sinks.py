"""Takes dehazed live frames to a video file, a stream, standard output, or the preview alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ..errors import UsageError
from ..media.encoders import EncoderOptions
from ..timing import StageTimes
from .address import PIPE, is_stream
from .publish.publisher import Publisher, PublishOptions
from .raw import RawSink
from .recording import Recording
from .source import KEPT_TIMES, LiveFrame, LiveSource

__all__ = ["LiveSink", "open_sink", "sending_figures"]


class LiveSink(Protocol):
    """Takes frames in order of time."""

    encode_times: StageTimes

    def write(self, item: LiveFrame) -> None: ...


class _NoSink:
    """Discards frames, for a run that is only watched in the preview."""

    def __init__(self) -> None:
        self.encode_times = StageTimes(KEPT_TIMES)

    def write(self, item: LiveFrame) -> None:
        pass


def sending_figures(sink: LiveSink) -> dict[str, int]:
    """What `--json` adds where frames are sent: those that were not, returns of the receiver."""
    if not isinstance(sink, Publisher):
        return {}
    return {"unsent": sink.unsent, "output_reconnects": sink.reconnects}


@contextmanager
def open_sink(
    target: str | None,
    source: LiveSource,
    encoder: EncoderOptions,
    stop: threading.Event,
    *,
    tell: Callable[[str], None],
    overwrite: bool,
    segment_seconds: float | None = None,
    give_up_seconds: float | None = None,
) -> Iterator[LiveSink]:
    """Opens a video file, a stream, `-` for raw frames on standard output, or None for nothing.

    A file appears under its name when the block ends, also where that raises; without a frame there
    is none.

    Args:
        tell: called with one line for each loss and return of a receiver.
        segment_seconds: as of `Recording`.
        give_up_seconds: time to wait for the return of a lost receiver; None waits for ever.

    Raises:
        OutputError: the file exists or cannot be written, or the stream cannot be sent.
        UsageError: a container that has no times.
    """
    if target is None:
        yield _NoSink()
    elif target == PIPE:
        yield RawSink(stop)
    elif is_stream(target):
        options = PublishOptions(encoder, overwrite, give_up_seconds)
        with Publisher(target, source, options, stop, tell=tell) as publisher:
            yield publisher
    else:
        path = Path(target)
        if path.suffix.lower() == ".avi" and not source.lossless:
            raise UsageError("an .avi holds no times, and a camera has gaps; name an .mp4 or .mkv")
        recording = Recording(
            path, source, encoder, overwrite=overwrite, segment_seconds=segment_seconds
        )
        with recording as writer:
            yield writer
