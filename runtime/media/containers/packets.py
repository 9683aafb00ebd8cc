"""The packets of an open file or stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from ..notices import Notices

__all__ = ["packets_of"]


def packets_of(
    container: InputContainer, streams: tuple[Stream, ...], notices: Notices
) -> Iterator[Packet[Any]]:
    """The packets as they come, and an empty one at the end of each stream.

    Args:
        streams: those to read; none for all.
        notices: takes that a stream is left out.

    Raises:
        av.FFmpegError: it cannot be read on.
    """
    try:
        yield from container.demux(*streams)
    except IndexError:
        # FFmpeg finds further streams while it reads MPEG-TS, MPEG-PS and FLV, such as sound that
        # begins behind the 5 MB it looks at first. PyAV 17.1 leaves their packets out and stumbles
        # over them at the end, behind the last packet of the streams that it knows.
        notices.add("a stream that begins long after the others is left out")
