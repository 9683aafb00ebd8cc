"""Reads and writes raw RGB frames on standard input and output, to join programs by pipes."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, OutputError, one_line
from ..media.pixels.colour import UNSPECIFIED, colours_of
from ..media.video_look import VideoLook
from ..media.video_reader import TimedFrame
from ..timing import StageTimes
from .address import PIPE, FrameMode, shown_address
from .source import KEPT_TIMES, LiveFrame, LiveSource

__all__ = ["RawSink", "RawSource"]

_POLL_SECONDS = 0.1
_STDIN, _STDOUT = 0, 1


class RawSource(LiveSource):
    """RGB24 frames without header or padding, from a file descriptor. Every one is answered."""

    lossless = True

    def __init__(self, mode: FrameMode, stop: threading.Event, descriptor: int = _STDIN) -> None:
        super().__init__(shown_address(PIPE), stop)
        self.frame_rate = mode.fps
        self.time_base = 1 / mode.fps
        unsaid = (UNSPECIFIED,) * 3
        self.look = VideoLook(colours=colours_of(*unsaid, mode.height)[0])
        self._mode = mode
        self._descriptor = descriptor

    def _frames(self) -> Iterator[LiveFrame]:
        """Yields frames until the pipe is closed; their times come from the frame rate alone."""
        index = 0
        while True:
            pixels = np.empty((self._mode.height, self._mode.width, 3), np.uint8)
            got = self._fill(pixels)
            if got < pixels.nbytes:
                break
            yield LiveFrame(pixels, index, 1, arrived=time.monotonic())
            index += 1
        if got and not self._stop.is_set():
            raise InputError(
                f"{self.name} ended within frame {index + 1}: expected {pixels.nbytes} bytes "
                f"({self._mode.width}x{self._mode.height} RGB24), got {got}; "
                f"is the size given with --raw that of the frames?"
            )

    def _fill(self, pixels: NDArray[np.uint8]) -> int:
        """Reads one frame; the number of bytes that came."""
        room = pixels.data.cast("B")
        got, started = 0, 0.0
        while got < len(room) and not self._stop.is_set():
            try:
                # Asks before it reads: a read that waits would not notice the end of the run.
                if not select.select([self._descriptor], [], [], _POLL_SECONDS)[0]:
                    continue
                started = started or time.perf_counter()  # waiting for a frame is not reading it
                count = os.readv(self._descriptor, [room[got:]])
            except OSError as error:
                raise InputError(f"{self.name} cannot be read ({error.strerror})") from error
            if not count:
                return got
            got += count
        if got == len(room):
            self.capture_times.add(time.perf_counter() - started)
        return got


class RawSink:
    """RGB24 frames to a file descriptor.

    Raises:
        BrokenPipeError: nobody reads any more.
        OutputError: it cannot be written.
    """

    name = PIPE

    def __init__(self, stop: threading.Event, descriptor: int = _STDOUT) -> None:
        self.encode_times = StageTimes(KEPT_TIMES)
        self._stop = stop
        self._descriptor = descriptor

    def write(self, frame: TimedFrame) -> None:
        """Writes (H, W, 3) uint8 RGB; after `stop` what the reader does not take is lost."""
        with self.encode_times.measure():
            rest = np.ascontiguousarray(frame.pixels).data.cast("B")
            try:
                while rest:
                    # A write that waits for the reader would not notice the end of the run, and
                    # of a pipe select promises room for so many bytes alone.
                    if select.select([], [self._descriptor], [], _POLL_SECONDS)[1]:
                        written = os.write(self._descriptor, rest[: select.PIPE_BUF])
                        rest = rest[written:]
                    elif self._stop.is_set():
                        return
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OutputError(
                    f"standard output cannot be written ({one_line(error)})"
                ) from error
