"""Writes what a camera sees to a video file, or to one after another, and loses nothing of it.

The file can be read while it grows and after the power is cut. A full disk, a model that fails or a
second Ctrl-C end it where it is; it is kept under its name.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..media.encoders import EncoderOptions
from ..media.video_reader import TimedFrame
from ..media.video_writer import VideoWriter
from ..output_file import finished_output
from ..timing import StageTimes
from .source import KEPT_TIMES, LiveSource

__all__ = ["Recording"]

_BOX = struct.Struct(">I4s")
"""Size and kind of a box (ISO/IEC 14496-12, section 4.2); FFmpeg's fragments are below 4 GB."""


class Recording:
    """A video file of a live source. A context manager.

    Args:
        segment_seconds: begins another file after so long, `NAME-20261126T215600Z.mp4` by the time
            of its first frame; None writes one file.

    Raises:
        OutputError: the file exists or cannot be written; also while writing.
    """

    def __init__(
        self,
        path: Path,
        source: LiveSource,
        encoder: EncoderOptions,
        *,
        overwrite: bool,
        segment_seconds: float | None = None,
    ) -> None:
        self.encode_times = StageTimes(KEPT_TIMES)
        self._path = path
        self._source = source
        self._encoder = encoder
        self._overwrite = overwrite
        seconds = segment_seconds
        self._segment_ticks = None if seconds is None else round(seconds / source.time_base)

    def __enter__(self) -> Recording:
        self._begin(0)
        return self

    def write(self, item: TimedFrame) -> None:
        """Adds a frame, to a new file where this one is long enough."""
        ticks = self._segment_ticks
        if ticks is not None and self._frames and item.pts - self._first >= ticks:
            self._end(None)
            self._begin(item.pts)
        self._writer.write(replace(item, pts=item.pts - self._first))
        self._frames += 1

    def _begin(self, first: int) -> None:
        self._first, self._frames = first, 0
        self._target = self._path if self._segment_ticks is None else self._named_by_time()
        self._output = finished_output(self._target, overwrite=self._overwrite, is_recording=True)
        self._unfinished = self._output.__enter__()
        try:
            self._writer = VideoWriter(
                self._unfinished,
                self._source,
                self._encoder,
                self._source.notices,
                is_recording=True,
            )
        except BaseException as error:
            self._output.__exit__(type(error), error, error.__traceback__)
            raise
        self._writer.encode_times = self.encode_times

    def _named_by_time(self) -> Path:
        moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        return self._path.with_stem(f"{self._path.stem}-{moment}")

    def _end(self, error: BaseException | None) -> None:
        """Completes the file as far as that is possible; without a frame there is none."""
        failure = error
        on_disk = error if isinstance(error, OutputError) else None
        try:
            self._writer.__exit__(on_disk and type(on_disk), on_disk, None)
        except OutputError as raised:
            failure = on_disk = raised
        if on_disk:
            _cut_to_whole_fragments(self._unfinished)
        if not self._frames:
            failure = failure or OutputError(f"{self._target}: no frame came")
            self._output.__exit__(type(failure), failure, failure.__traceback__)
            raise failure
        self._output.__exit__(None, None, None)
        if on_disk:
            raise OutputError(
                f"{on_disk}; {self._target} holds what was recorded before"
            ) from on_disk

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._end(error)


def _cut_to_whole_fragments(path: Path) -> None:
    """Takes from an MP4 file what a full disk has left of its last fragment."""
    if path.suffix.lower() not in (".mp4", ".m4v", ".mov"):
        return  # Matroska's readers leave such a piece out by themselves
    with suppress(OSError), path.open("r+b") as file:
        end, whole, begun, length = 0, 0, False, path.stat().st_size
        while end + _BOX.size <= length:
            file.seek(end)
            size, kind = _BOX.unpack(file.read(_BOX.size))
            if size < _BOX.size or end + size > length:
                break
            end += size
            begun = begun or kind == b"moof"
            if begun and kind == b"mdat":
                whole = end
        if whole:
            file.truncate(whole)
