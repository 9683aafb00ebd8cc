"""The frames of a video some seconds before their turn, without decoding them twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias

from av.packet import Packet

from ..media.pixels.planar_frame import CodedFrame
from ..media.video_reader import TimedFrame, TimedPlanes

__all__ = ["LookAhead", "VideoItem"]

VideoItem: TypeAlias = "TimedFrame | TimedPlanes | Packet[Any]"
"""Frames, and the packets of the other streams."""


class LookAhead:
    """The items of a video in their order, of which `samples` sees the frames before they come.

    Frames between the two are held: as many as the caller of `samples` is ahead.

    Args:
        items: what a VideoReader reads.
        interval_seconds: the least time between two samples.
    """

    def __init__(
        self, items: Iterable[VideoItem], time_base: Fraction, interval_seconds: float
    ) -> None:
        self._items = iter(items)
        self._time_base = time_base
        self._interval = interval_seconds
        self._held: deque[VideoItem] = deque()
        self._current: VideoItem | None = None
        """An item that came without being held, and which the samples did not see yet."""

    def __iter__(self) -> Iterator[VideoItem]:
        while True:
            if self._held:
                yield self._held.popleft()
                continue
            self._current = next(self._items, None)
            if self._current is None:
                return
            yield self._current

    def samples(self) -> Iterator[tuple[float, CodedFrame]]:
        """Frames in planes with their times in seconds."""
        due = float("-inf")
        while (item := self._next()) is not None:
            if not isinstance(item, TimedPlanes):
                continue
            seconds = float(item.pts * self._time_base)
            if seconds >= due:
                due = max(due, seconds - self._interval) + self._interval
                yield seconds, item.planes

    def _next(self) -> VideoItem | None:
        if self._current is not None:
            item, self._current = self._current, None
            return item
        following = next(self._items, None)
        if following is not None:
            self._held.append(following)
        return following
