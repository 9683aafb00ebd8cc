"""Reads and writes raw RGB frames on standard input and output, to join programs by pipes."""

from __future__ import annotations

import errno
import os
import queue
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
_PIECE = 1 << 16
"""Bytes that are written at a time: what a pipe of Linux holds."""


class RawSource(LiveSource):
    """RGB24 frames without header or padding, from a file descriptor. Every one is answered.

    A thread of its own waits for them: it would not notice the end of the run, and is left behind
    then. (Windows can ask of no pipe whether there is something in it, as `select` does elsewhere.)
    """

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
        arrivals: queue.Queue[LiveFrame | InputError | None] = queue.Queue(1)
        threading.Thread(target=self._read_on, args=(arrivals,), daemon=True).start()
        while not self._stop.is_set():
            try:
                item = arrivals.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, InputError):
                raise item
            yield item

    def _read_on(self, arrivals: queue.Queue[LiveFrame | InputError | None]) -> None:
        """Reads frames to the end of the pipe."""
        index = 0
        try:
            while (pixels := self._frame(index)) is not None:
                arrivals.put(LiveFrame(pixels, index, 1, arrived=time.monotonic()))
                index += 1
            arrivals.put(None)
        except OSError as error:
            arrivals.put(InputError(f"{self.name} cannot be read ({error.strerror})"))
        except InputError as error:
            arrivals.put(error)

    def _frame(self, index: int) -> NDArray[np.uint8] | None:
        """Reads one frame; None at the end."""
        pixels = np.empty((self._mode.height, self._mode.width, 3), np.uint8)
        room = pixels.data.cast("B")
        got, started = 0, 0.0
        with open(self._descriptor, "rb", buffering=0, closefd=False) as pipe:
            while got < len(room):
                count = pipe.readinto(room[got:])
                if not count:
                    break
                started = started or time.perf_counter()  # waiting for a frame is not reading it
                got += count
        if got == len(room):
            self.capture_times.add(time.perf_counter() - started)
            return pixels
        if got:
            raise InputError(
                f"{self.name} ended within frame {index + 1}: expected {pixels.nbytes} bytes "
                f"({self._mode.width}x{self._mode.height} RGB24), got {got}; "
                f"is the size given with --raw that of the frames?"
            )
        return None


class RawSink:
    """RGB24 frames to a file descriptor, by a thread that may wait for a reader for ever.

    Raises:
        BrokenPipeError: nobody reads any more.
        OutputError: it cannot be written.
    """

    name = PIPE

    def __init__(self, stop: threading.Event, descriptor: int = _STDOUT) -> None:
        self.encode_times = StageTimes(KEPT_TIMES)
        self._stop = stop
        self._descriptor = descriptor
        self._is_stalled = False
        self._given: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[OSError | int] = queue.SimpleQueue()
        threading.Thread(target=self._write_on, daemon=True).start()

    def write(self, frame: TimedFrame) -> None:
        """Writes (H, W, 3) uint8 RGB; after `stop` what the reader does not take is lost."""
        with self.encode_times.measure():
            rest = np.ascontiguousarray(frame.pixels).data.cast("B")
            while rest and not self._is_stalled:
                self._given.put(rest[:_PIECE])
                rest = rest[self._answer() :]

    def _answer(self) -> int:
        """The bytes that were written; 0 and stalled where the run ends and nobody reads."""
        while True:
            try:
                answer = self._answers.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if self._stop.is_set():
                    self._is_stalled = True
                    return 0
                continue
            if isinstance(answer, int):
                return answer
            if isinstance(answer, BrokenPipeError) or answer.errno == errno.EINVAL:
                raise BrokenPipeError from answer  # Windows calls it an invalid argument
            raise OutputError(f"standard output cannot be written ({one_line(answer)})") from answer

    def _write_on(self) -> None:
        while True:
            piece = self._given.get()
            try:
                self._answers.put(os.write(self._descriptor, piece))
            except OSError as error:
                self._answers.put(error)
