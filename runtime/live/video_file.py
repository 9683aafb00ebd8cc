"""Plays a video file in its own time, for an OUTPUT that is watched while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from av.packet import Packet

from ..media.video_reader import TimedFrame, VideoReader
from .source import CameraClock, LiveFrame, LiveSource

__all__ = ["VideoFileSource"]

_POLL_SECONDS = 0.1


class VideoFileSource(LiveSource):
    """A video file as a camera: frames come when they are due, as an SDR display shows them.

    Raises:
        InputError: it cannot be read; also while reading.
    """

    def __init__(self, path: Path, stop: threading.Event) -> None:
        super().__init__(str(path), stop)
        self._reader = VideoReader(path, deep=True, notices=self.notices)
        self.frame_rate = self._reader.frame_rate
        self.sound = next((s for s in self._reader.others if s.type == "audio"), None)

    def _frames(self) -> Iterator[LiveFrame]:
        """Yields the frames of the file, once."""
        for item in self._reader.read():
            if self._stop.is_set():
                return
            if isinstance(item, Packet):
                if self.sound and item.stream == self.sound:
                    self._hand_on_sound(item)
                continue
            assert isinstance(item, TimedFrame)  # planes come where they are asked for
            started = time.perf_counter()
            look = self._reader.look
            if not self.look.size[0]:
                height, width = item.pixels.shape[:2]
                self.look = look.of_display((width, height), self.notices)
                self.pixel_ratio = self._reader.pixel_ratio
            pixels = look.on_display(item.pixels)
            self.capture_times.add(time.perf_counter() - started)
            seconds = float(item.pts * self._reader.time_base)
            if self.begins and not self.begins.is_set():
                yield self._timed(pixels, seconds)
                while not self.begins.wait(_POLL_SECONDS) and not self._stop.is_set():
                    pass
                self._clock = CameraClock()
            self._wait_for_turn(seconds)
            yield self._timed(pixels, seconds)

    def _close(self) -> None:
        self._reader.container.close()
