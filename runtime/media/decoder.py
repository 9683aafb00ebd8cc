"""Decodes the packets of a video stream to whole frames at their times, damaged ones, too."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import InputError, UsageError, one_line
from .containers.gaps import Gaps
from .pixels.deinterlace import Deinterlacer

__all__ = ["Decoder", "expect_hardware"]

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders of codecs whose own ones in FFmpeg leave alpha out."""


class Decoder:
    """The decoder of a stream.

    Args:
        numbered: whether the packets are numbered in coding order, as AVI does, from 0; empty
            chunks, which repeat the frame before, count.
        pixels_at_most: larger frames are not decoded; the decoder reads their size first.
        on_damage: called with the error of a packet that cannot be decoded, and with None for a
            frame of which parts were lost; may raise.
        hardware: the kind of device that decodes, such as `cuda`; None for the processor. Its
            frames come as NV12 or P010, or what else the device has.

    Raises:
        InputError: there is no such device, or it does not decode this codec; while decoding, the
            frames are interlaced, which a device does not tell.
    """

    def __init__(
        self,
        stream: VideoStream,
        *,
        numbered: bool,
        pixels_at_most: int,
        on_damage: Callable[[Exception | None], None],
        hardware: str | None = None,
    ) -> None:
        self.codec = _codec_of(stream)
        self.codec.options = {"max_pixels": str(pixels_at_most)}
        self._undecodable = 0
        self._gaps = Gaps()
        self.example: VideoFrame | None = None
        """The first frame as the processor decodes it, where a device decodes: PyAV takes over the
        numbers of a device's frames alone, not their colours, turns and other marks."""
        self._device = _codec_on_device(self.codec, hardware) if hardware else None
        self._early: list[Packet[Any]] = []
        self._durations: dict[int | None, int] = {}
        self.damaged_frames = 0
        """Frames that came with gaps which the decoder filled."""
        assert stream.time_base is not None  # every demuxer sets it
        self._time_base = stream.time_base
        self._numbered = numbered
        self._numbers: list[int] = []
        self._on_damage = on_damage
        self._weave = Deinterlacer()

    @property
    def lost_frames(self) -> int:
        """The number of frames that could not be decoded or, near damage, are missing."""
        # What could not be decoded leaves a gap, too, where the rate is constant.
        return max(self._undecodable, self._gaps.missing)

    @property
    def has_interlaced(self) -> bool:
        """Whether a frame was interlaced; it came out whole."""
        return self._weave.is_active

    def whole_frames(self, packet: Packet[Any]) -> Iterator[VideoFrame]:
        """The frames that are ready with this packet, none of them interlaced."""
        for frame in self.frames(packet):
            for whole in self._weave(frame):
                yield self._in_stream_time(whole)

    def flush(self) -> Iterator[VideoFrame]:
        """The frames that are still to come after the last packet."""
        for whole in self._weave.flush():
            yield self._in_stream_time(whole)

    def frames(self, packet: Packet[Any]) -> list[VideoFrame]:
        """The same as they are stored, in order of presentation."""
        if self._numbered and packet.size and packet.dts is not None:
            heapq.heappush(self._numbers, packet.dts)
        if packet.is_corrupt:
            self._note_damage(packet)
        try:
            frames = self._on_device(packet) if self._device else self.codec.decode(packet)
        except av.FFmpegError as error:
            self._lose(packet)
            self._on_damage(error)
            return []
        for frame in frames:
            if frame.is_corrupt:
                self.damaged_frames += 1
                self._note_damage(frame)
                self._on_damage(None)
            if self._numbered:  # the k-th frame that is shown has the k-th number
                frame.pts = heapq.heappop(self._numbers) if self._numbers else None
            if frame.pts is not None:
                duration = int(frame.duration or 0)
                self._gaps.add_frame(*(float(n * self._time_base) for n in (frame.pts, duration)))
        return frames

    def _note_damage(self, item: Packet[Any] | VideoFrame) -> None:
        if item.pts is not None:
            self._gaps.add_damage(float(item.pts * self._time_base))

    def _on_device(self, packet: Packet[Any]) -> list[VideoFrame]:
        """Decodes on the device, beginning again with the first packet when `example` is there."""
        assert self._device is not None
        if self.example is None:
            self.example = next(iter(self.codec.decode(packet)), None)
        self._early.append(packet)
        self._durations[packet.pts] = packet.duration or 0
        if self.example is None:
            return []
        if self.example.interlaced_frame:
            raise InputError("interlaced frames are decoded without --hwaccel alone")
        packets, self._early = self._early, []
        frames = [frame for early in packets for frame in self._device.decode(early)]
        for frame in frames:
            frame.duration = self._durations.pop(frame.pts, 0)
        return frames

    def _lose(self, packet: Packet[Any]) -> None:
        if not packet.size:
            return
        self._undecodable += 1
        self._note_damage(packet)
        if packet.dts in self._numbers:
            self._numbers.remove(packet.dts)
            heapq.heapify(self._numbers)

    def _in_stream_time(self, frame: VideoFrame) -> VideoFrame:
        """The filter has a time base of its own."""
        if frame.pts is not None and frame.time_base and frame.time_base != self._time_base:
            unit = Fraction(frame.time_base) / self._time_base
            frame.pts = round(frame.pts * unit)
            frame.duration = round((frame.duration or 0) * unit)
        return frame


def _codec_of(stream: VideoStream) -> VideoCodecContext:
    codec = stream.codec_context
    name = _WITH_ALPHA.get(codec.name)
    if name and stream.metadata.get("alpha_mode") == "1":
        with_alpha = VideoCodecContext.create(name, "r")
        assert isinstance(with_alpha, VideoCodecContext)
        with_alpha.extradata = codec.extradata
        codec = with_alpha
    codec.thread_type = "AUTO"
    return codec


def expect_hardware(name: str) -> None:
    """Raises UsageError for a kind of device that PyAV's FFmpeg does not know."""
    known = hwdevices_available()
    if name not in known:
        raise UsageError(f"--hwaccel expects one of {', '.join(known) or 'none'} here, got {name}")


def _codec_on_device(codec: VideoCodecContext, name: str) -> VideoCodecContext:
    """The decoder of the same packets on a device; raises InputError where there is none."""
    kind = codec.codec.canonical_name
    try:
        accelerator = HWAccel(name, allow_software_fallback=False)
        made = VideoCodecContext.create(kind, "r", accelerator)
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"--hwaccel {name}: no such device can be opened ({one_line(error)}); leave it out"
        ) from error
    assert isinstance(made, VideoCodecContext)
    if not made.is_hwaccel:
        raise InputError(f"--hwaccel {name}: no such device decodes {kind}; leave it out")
    made.extradata = codec.extradata
    made.options = codec.options
    return made
