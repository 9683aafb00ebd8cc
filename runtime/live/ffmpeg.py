"""Cameras that FFmpeg reads: RTSP, HTTP and SRT streams, which come back after a loss, and V4L2."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ..errors import InputError, one_line
from ..media.containers.packets import packets_of
from ..media.limits import frame_pixels_at_most
from ..media.pixels.colour import BT601
from ..media.pixels.frame_pixels import rgb_of
from ..media.pixels.orientation import swaps_sides, upright
from ..media.video_look import VideoLook, look_of
from .reconnection import Reconnection
from .source import LiveFrame, LiveSource
from .srt.program import SCHEME, SrtReceiver

__all__ = ["AvAddress", "AvSource"]

_OPEN_SECONDS, _READ_SECONDS = 10.0, 5.0
"""Seconds after which a silent camera counts as lost."""
_BLIND_SECONDS = 20.0
"""Seconds of packets that cannot be decoded after which a stream counts as lost; cameras send a
whole picture at least every 10 s."""
_END_SECONDS = 1.0
_UNTIMED_FORMATS = frozenset({"mpjpeg", "mjpeg", "image2pipe", "jpeg_pipe"})
"""Formats without times, for which FFmpeg makes up 25 frames per second."""
_PLAUSIBLE_RATES = range(1, 241)


@dataclass(frozen=True)
class AvAddress:
    """The address and options by which FFmpeg opens a camera."""

    url: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    is_device: bool = False
    """A camera on this computer: gone when it is gone, and nothing is buffered before it."""
    is_paced: bool = False
    """True if the server sends ahead of time, as HTTP does: frames then wait for their turn."""


class AvSource(LiveSource):
    """A camera or stream opened by PyAV; a stream that is lost is opened again.

    Args:
        tell: called with one line for each loss and return.
        explain: makes a message of the error of the first attempt.
        give_up_seconds: time to wait for the return of a lost stream; None waits for ever.

    Raises:
        InputError: it cannot be opened at the start.
    """

    def __init__(
        self,
        name: str,
        address: AvAddress,
        stop: threading.Event,
        *,
        tell: Callable[[str], None],
        explain: Callable[[str], str],
        give_up_seconds: float | None = None,
    ) -> None:
        super().__init__(name, stop)
        self._source_look: VideoLook | None = None
        self._address = address
        self._carrier: SrtReceiver | None = None
        self._explain = explain
        self._reconnection = Reconnection(
            name,
            stop,
            tell=tell,
            give_up=InputError,
            advice="check the camera and the network",
            give_up_seconds=give_up_seconds,
        )
        try:
            self._open()
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = self._loss(error)
            self._end_carrier()
            raise InputError(f"{name}: {explain(reason)}") from error
        self._describe()

    def _open(self) -> None:
        # FFmpeg reads the size of a frame before it sets memory aside for it.
        limit = {"max_pixels": str(frame_pixels_at_most())}
        url = self._address.url
        self._end_carrier()
        self._carrier = SrtReceiver(url) if url.startswith(SCHEME) else None
        self._container: InputContainer = av.open(
            self._carrier or url,
            "r",
            format=self._address.format,
            options=self._address.options | limit,
            timeout=(_OPEN_SECONDS, _READ_SECONDS),
            metadata_errors="replace",
        )
        if not self._container.streams.video:
            self._container.close()
            raise ValueError("it has no video stream")
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.codec_context.options = limit
        # Threads that decode several frames at once would hold each back by as many.
        self._stream.codec_context.thread_type = "SLICE"
        self._stream.codec_context.flags |= Flags.low_delay
        self._timed_by_camera = self._container.format.name not in _UNTIMED_FORMATS
        self.sound = next(iter(self._container.streams.audio), None)

    def _describe(self) -> None:
        """Notes the properties that a recording takes over, from the first connection."""
        codec = self._stream.codec_context
        self.size = (codec.width, codec.height)
        rate = self._stream.average_rate or self._stream.guessed_rate
        if rate and round(rate) in _PLAUSIBLE_RATES:
            self.frame_rate = rate
        self.pixel_ratio = self._stream.sample_aspect_ratio

    def _frames(self) -> Iterator[LiveFrame]:
        """Yields frames, and waits for a stream that is lost."""
        had_frames = False
        while True:
            try:
                for frame in self._connection():
                    had_frames = True
                    self._note_return()
                    yield frame
                reason = self._loss(None)
            except (av.FFmpegError, OSError) as error:
                reason = self._loss(error)
            if self._stop.is_set() or (had_frames and self._is_played_out()):
                return
            if not had_frames:
                raise InputError(f"{self.name}: {self._explain(reason)}")
            if self._address.is_device:
                self.connected = False
                raise InputError(f"{self.name}: the camera vanished ({reason}); plug it in again")
            if not self._reopened(reason):
                return

    def _connection(self) -> Iterator[LiveFrame]:
        """The frames of one connection."""
        self._played_seconds = 0.0
        self._last_good = time.monotonic()
        heard = (self.sound,) if self.sound and self.on_sound else ()
        for packet in packets_of(self._container, (self._stream, *heard), self.notices):
            started = time.perf_counter()
            if packet.stream != self._stream:
                self._hand_on_sound(packet)
                continue
            for frame in self._decoded(packet):
                pixels = self._on_display(frame)
                self.capture_times.add(time.perf_counter() - started)
                seconds = frame.time if self._timed_by_camera else None
                if seconds is not None:
                    self._played_seconds = seconds
                    if self._address.is_paced:
                        self._wait_for_turn(seconds)
                if self._stop.is_set():
                    return
                yield self._timed(pixels, seconds)
                started = time.perf_counter()

    def _on_display(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of a decoded frame, upright, as an SDR display shows it."""
        look = self._source_look = self._source_look or self._look_of(frame)
        rgb = rgb_of(frame, self.size, look.colours, deep=look.view is not None)
        if look.curve:
            rgb = np.take(look.curve.shown, rgb)
        return upright(look.on_display(rgb), look.orientation)

    def _look_of(self, frame: VideoFrame) -> VideoLook:
        """The look of the first frame; notes that of the frames that are handed on."""
        look = look_of(frame, self._stream.codec_context.name, self.notices)
        if self._address.is_device and self._stream.codec_context.name == "rawvideo":
            # Drivers of webcams mean BT.601 whatever the size, unless they say otherwise
            # (V4L2_COLORSPACE_SRGB maps to V4L2_YCBCR_ENC_601); FFmpeg hands nothing on.
            look = replace(look, colours=replace(look.colours, matrix=BT601))
        if frame.interlaced_frame:
            self.notices.add("interlaced frames stay as they are, each of two moments")
        width, height = self.size
        if swaps_sides(look.orientation):
            width, height = height, width
            self.pixel_ratio = 1 / self.pixel_ratio if self.pixel_ratio else None
        self.look = look.of_display((width, height), self.notices)
        return look

    def _decoded(self, packet: Packet[Any]) -> list[VideoFrame]:
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.InvalidDataError:  # what a network loses; the next whole picture mends it
            if time.monotonic() - self._last_good > _BLIND_SECONDS:
                raise
            return []
        self._last_good = time.monotonic()
        return frames

    def _is_played_out(self) -> bool:
        """Returns whether a stream of known length is at its end, such as a file on a server."""
        if not self._container.duration:
            return False
        end = ((self._container.start_time or 0) + self._container.duration) / av.time_base
        return self._played_seconds >= end - _END_SECONDS

    def _reopened(self, reason: str) -> bool:
        """Opens a lost stream again, ever more slowly; False when the run is stopped meanwhile.

        Raises:
            InputError: no frame came for `give_up_seconds`.
        """
        self._reconnection.note_loss(reason)
        self.connected, self.sound = False, None
        self._container.close()
        self._clock.restart()
        while self._reconnection.wait(reason):
            try:
                self._open()
            except (av.FFmpegError, OSError, ValueError) as error:
                reason = self._loss(error)
            else:
                return True
        return False

    def _loss(self, error: Exception | None) -> str:
        """Says why there are no frames, or no more: the program that carries SRT knows best."""
        carried = self._carrier.loss() if self._carrier else None
        return carried or (one_line(error) if error else "the stream ended")

    def _note_return(self) -> None:
        """Reports a stream's return at its first frame: a server may answer without a picture."""
        self._reconnection.note_return()
        self.connected, self.reconnects = True, self._reconnection.count

    def _end_carrier(self) -> None:
        if self._carrier:
            self._carrier.close()

    def _close(self) -> None:
        self._container.close()
        self._end_carrier()
