"""The base of all live sources: frames with the time of their arrival."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from av.packet import Packet
from av.stream import Stream
from numpy.typing import NDArray

from ..media.notices import Notices
from ..media.video_look import VideoLook
from ..media.video_reader import TimedFrame
from ..timing import StageTimes

if TYPE_CHECKING:
    from av.container.core import Chapter  # in PyAV's stubs alone

__all__ = ["KEPT_TIMES", "CameraClock", "LiveFrame", "LiveSource", "Sound"]

KEPT_TIMES = 3000
"""Percentiles of a run of days are those of its last 3000 frames."""
_TICKS_PER_SECOND = 90_000
_JUMP_SECONDS = 10.0


@dataclass(frozen=True)
class LiveFrame(TimedFrame):
    """A frame of a camera; `pts` counts from its first one."""

    arrived: float = 0.0
    """When it was here, by time.monotonic(), in seconds."""


@dataclass(frozen=True)
class Sound:
    """A packet of sound as it came; it outlives the connection that it came by."""

    data: bytes
    pts: int
    """Its place in time, in the unit of the frames' and by the same clock."""
    duration: int


class LiveSource:
    """An open camera, stream or pipe. A context manager.

    `read` runs in a thread of its own and ends soon after `stop` is set. What a recording takes
    over of it is that of `video_writer.VideoSource`.
    """

    lossless = False
    """True if every frame is dehazed, however late; False if the newest one wins."""

    def __init__(self, name: str, stop: threading.Event) -> None:
        self.name = name
        """The address without its password."""
        self.frame_rate = Fraction(25)
        self.time_base = Fraction(1, _TICKS_PER_SECOND)
        self.look = VideoLook()
        self.pixel_ratio: Fraction | None = None
        self.others: list[Stream] = []
        self.sound: Stream | None = None
        """Its first stream of sound."""
        self.on_sound: Callable[[Sound], None] | None = None
        """Takes the packets of sound, by the thread that reads."""
        self.begins: threading.Event | None = None
        """Where set, a source that can wait does so after a first frame, which it gives again."""
        self.metadata: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.disposition = 0
        self.chapters: list[Chapter] = []
        self.notices = Notices()
        """What is dropped, changed or guessed, by the sink as well."""
        self.capture_times = StageTimes(KEPT_TIMES)
        self.reconnects = 0
        self.connected = True
        self._stop = stop
        self._clock = CameraClock()
        self._is_read = False

    def read(self) -> Iterator[LiveFrame]:
        """Yields frames as they come.

        Raises:
            InputError: the camera vanished, or the stream stayed away for too long.
        """
        self._is_read = True
        try:
            yield from self._frames()
        finally:
            self._is_read = False

    def _frames(self) -> Iterator[LiveFrame]:
        raise NotImplementedError

    def _timed(self, pixels: NDArray[np.uint8], camera_seconds: float | None) -> LiveFrame:
        """The frame that arrived just now: (H, W, 3) uint8 RGB."""
        now = time.monotonic()
        return LiveFrame(pixels, self._clock.ticks(camera_seconds, now), 0, arrived=now)

    def _wait_for_turn(self, seconds: float) -> None:
        """Waits until a frame of a source that comes ahead of time is due."""
        ahead = self._clock.ahead(seconds, time.monotonic())
        while ahead > 0 and not self._stop.wait(min(ahead, 0.1)):
            ahead = self._clock.ahead(seconds, time.monotonic())

    def _hand_on_sound(self, packet: Packet[Any]) -> None:
        """Gives a packet of `sound` to `on_sound`."""
        if self.on_sound is None or not packet.size or packet.pts is None:
            return
        place = self._clock.place(float(packet.pts * packet.time_base))
        if place is not None:
            duration = round((packet.duration or 0) * packet.time_base / self.time_base)
            self.on_sound(Sound(bytes(packet), place, duration))

    def _close(self) -> None:
        """Gives the device or connection back."""

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *error: object) -> None:
        # One that hangs in its driver is left to its thread: closed under it, it would crash.
        if not self._is_read:
            self._close()


class CameraClock:
    """Makes of a camera's times steadily rising ones that begin at 0.

    The camera's own clock is what spaces its frames, also where the network delivers them in
    bursts. Where it jumps, as with the first RTCP report of an RTSP camera, the clock of this
    computer measures the step. After `restart` the frames go on where that clock is: a camera that
    begins every connection with what it saw last would else gain those seconds each time.
    """

    def __init__(self) -> None:
        self._first_now: float | None = None
        self._last_now = 0.0
        self._last_camera: float | None = None
        self._seconds = 0.0
        self._last_ticks = -1
        self._lead = 0.0
        """Seconds that the frames of the first connection were ahead of this computer's clock."""
        self._is_first = True

    def _next(self, camera_seconds: float | None, now: float) -> float:
        """The place in time of a frame that follows, in seconds."""
        if self._first_now is None:
            return 0.0
        wall, here = now - self._last_now, now - self._first_now
        if camera_seconds is None or self._last_camera is None:
            seconds = max(self._seconds, here)
        else:
            step = camera_seconds - self._last_camera
            seconds = self._seconds + (step if 0 < step < wall + _JUMP_SECONDS else wall)
        if self._is_first:
            return seconds
        return min(seconds, max(here + self._lead, self._seconds))

    def ahead(self, camera_seconds: float, now: float) -> float:
        """The seconds by which a frame arrived too early, counted from the first one."""
        if self._first_now is None:
            return 0.0
        return self._next(camera_seconds, now) - (now - self._first_now)

    def place(self, camera_seconds: float) -> int | None:
        """The place of sound between the frames, in 1/90000 s; None where no frame has come."""
        if self._last_camera is None:
            return None
        return round((self._seconds + camera_seconds - self._last_camera) * _TICKS_PER_SECOND)

    def ticks(self, camera_seconds: float | None, now: float) -> int:
        """The frame's place in time, in 1/90000 s, larger than that of every frame before."""
        self._seconds = self._next(camera_seconds, now)
        if self._first_now is None:
            self._first_now = now
        if self._is_first:
            self._lead = max(self._lead, self._seconds - (now - self._first_now))
        self._last_now, self._last_camera = now, camera_seconds
        self._last_ticks = max(round(self._seconds * _TICKS_PER_SECOND), self._last_ticks + 1)
        return self._last_ticks

    def restart(self) -> None:
        """Starts anew, since another connection has another clock."""
        self._last_camera = None
        self._is_first = False
