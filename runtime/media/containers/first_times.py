"""Times for the frames that come before the first with a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

__all__ = ["with_first_times"]

_MOST_WAITING = 25
"""Frames without times that wait for one; a stream without any times begins at its start."""


def with_first_times(
    items: Iterable[VideoFrame | Packet[Any]], rate: Fraction
) -> Iterator[VideoFrame | Packet[Any]]:
    """The same, where frames before the first with a time have those before it.

    Matroska has no times for what begins before zero, and its sound may begin there, too.

    Args:
        items: frames of one stream in order of presentation, packets of others between.
        rate: frames in a unit of the stream's time base, for frames that do not say how long
            they last.
    """
    waiting: list[VideoFrame] = []
    waits = True
    for item in items:
        if not waits or isinstance(item, Packet):
            yield item
            continue
        waiting.append(item)
        if item.pts is None and len(waiting) < _MOST_WAITING:
            continue
        if item.pts is not None:
            step = item.duration or round(1 / rate)
            for back, frame in enumerate(reversed(waiting)):
                frame.pts = item.pts - back * step
        yield from waiting
        waiting, waits = [], False
    yield from waiting
