"""Encodes frames for somebody who watches now: each comes out before the next goes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from .encoders import EncoderOptions
from .notices import Notices
from .video_writer import VideoSource, VideoWriter

__all__ = ["AT_ONCE", "StreamWriter"]

AT_ONCE = {"flush_packets": "1", "max_interleave_delta": "1"}
"""A muxer's options against waiting: for more bytes, or for the packets of another stream."""
_KEY_SECONDS = 2
"""Who joins waits so long for a picture, and a segment of HLS is cut at one."""


class StreamWriter(VideoWriter):
    """Frames and copied sound as NUT, a container without look ahead. A context manager.

    Args:
        file: is written at each frame.
        notices: takes what the stream cannot hold.

    Raises:
        UsageError: no such encoder.
        OutputError: the encoder does not take the frames; also while writing.
        OSError: `file` cannot be written.
    """

    _low_latency = True

    def __init__(
        self,
        file: BinaryIO,
        source: VideoSource,
        options: EncoderOptions,
        notices: Notices | None = None,
    ) -> None:
        self._file = file
        self._key_due = 0.0
        super().__init__(Path("stream.nut"), source, options, notices)

    def _opened(self, *, is_recording: bool) -> OutputContainer:  # noqa: ARG002  # as in VideoWriter
        return av.open(self._file, "w", format="nut", container_options=AT_ONCE)

    def _set_up(self, context: VideoCodecContext, size: tuple[int, int]) -> None:
        super()._set_up(context, size)
        context.gop_size = max(1, round(_KEY_SECONDS * self._source.frame_rate))
        context.max_b_frames = 0

    def _tell_lost_words(self) -> None:
        """A stream that is sent away cannot be opened again to look."""

    def ask_for_key_frame(self) -> None:
        """Makes the next frame one that can be shown without those before."""
        self._key_due = 0.0

    def write_sound(self, data: bytes, pts: int, duration: int) -> None:
        """Adds a packet of the source's sound, at a time in the source's unit."""
        assert self._stream is not None
        copies = self._container.streams.audio
        if copies:
            packet: Packet[Any] = Packet(data)
            packet.pts = packet.dts = pts
            packet.duration, packet.time_base = duration, self._source.time_base
            packet.stream = copies[0]
            with self._failures():
                self._container.mux(packet)

    def _mark(self, frame: VideoFrame) -> None:
        # By time, for a slow model leaves frames out, and the encoder counts frames.
        if frame.time is not None and frame.time >= self._key_due:
            frame.pict_type = PictureType.I

    def _mux(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            if packet.is_keyframe and packet.pts is not None:
                self._key_due = float(packet.pts * packet.time_base) + _KEY_SECONDS
        super()._mux(packets)
