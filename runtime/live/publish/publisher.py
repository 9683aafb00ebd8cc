"""The sink that sends frames away, and goes on by itself when the receiver is lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import DehazeError, OutputError
from ...media.encoders import EncoderOptions
from ...timing import StageTimes
from ..address import shown_address
from ..reconnection import Reconnection
from ..source import KEPT_TIMES, LiveFrame, LiveSource, Sound
from .connection import FINISH_SECONDS, Connection, ConnectionLostError
from .sender import CONNECT_SECONDS, SEND_SECONDS
from .target import stream_target

__all__ = ["PublishOptions", "Publisher"]

_WAITING_FRAMES = 3
"""Frames that an encoder may be late by; older ones are dropped."""
_POLL_SECONDS = 0.1
_LEAVE_SECONDS = CONNECT_SECONDS + FINISH_SECONDS + SEND_SECONDS


@dataclass(frozen=True)
class PublishOptions:
    """How frames are sent."""

    encoder: EncoderOptions
    overwrite: bool = False
    """True to take over a playlist that exists."""
    give_up_seconds: float | None = None
    """Seconds to wait for the return of a lost receiver; None waits for ever."""


class Publisher:
    """Sends live frames, and their sound, to an address. A context manager.

    A thread of its own encodes and sends: whoever writes never waits for the network. Frames that
    come while the receiver is away, or too fast for the encoder, are dropped and counted.

    Args:
        address: an address for which `address.is_stream` holds.
        stop: is set when sending has failed for good, and ends the waiting for a receiver.
        tell: called with one line for each loss and return.

    Raises:
        OutputError: it cannot be connected at the start, or stayed away for too long; where a
            frame is written or at the end.
        UsageError: an address or an encoder that makes no sense.
    """

    def __init__(
        self,
        address: str,
        source: LiveSource,
        options: PublishOptions,
        stop: threading.Event,
        *,
        tell: Callable[[str], None],
    ) -> None:
        self.encode_times = StageTimes(KEPT_TIMES)
        self.unsent = 0
        """The number of frames that were dropped here."""
        self._name = shown_address(address)
        self._target = stream_target(address, overwrite=options.overwrite)
        self._encoder = _encoder(options.encoder, self._target.codec)
        self._source = source
        self._stop = stop
        self._tell = tell
        self._reconnection = Reconnection(
            self._name,
            stop,
            tell=tell,
            give_up=OutputError,
            advice="check the receiver and the network",
            give_up_seconds=options.give_up_seconds,
        )
        self._connection: Connection | None = None
        self._connected = threading.Event()
        """Set with the first connection."""
        self._waiting: deque[LiveFrame | Sound] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    @property
    def reconnects(self) -> int:
        return self._reconnection.count

    def __enter__(self) -> Publisher:
        if self._holds_sound():
            self._source.on_sound = self._put_sound
        self._source.begins = self._connected
        self._thread.start()
        return self

    def _holds_sound(self) -> bool:
        sound = self._source.sound
        if sound is None or sound.codec_context is None:
            return False
        codec = sound.codec_context.name
        if codec not in self._target.sound:
            self._tell(f"{self._name}: the sound is left out, for {codec} cannot be sent there")
            return False
        return True

    def write(self, item: LiveFrame) -> None:
        """Has a frame sent soon. Waits behind a pipe, of which no frame is dropped while it is
        connected."""
        with self._changed:
            while self._source.lossless and self._is_behind():
                self._changed.wait(_POLL_SECONDS)
            if self._error:
                raise self._error
            if self._frames_waiting() >= _WAITING_FRAMES:
                self._waiting.remove(next(i for i in self._waiting if isinstance(i, LiveFrame)))
                self.unsent += 1
            self._waiting.append(item)
            self._changed.notify_all()

    def _is_behind(self) -> bool:
        gone = self._error or self._reconnection.is_lost or self._stop.is_set()
        return not gone and self._frames_waiting() >= _WAITING_FRAMES

    def _frames_waiting(self) -> int:
        return sum(isinstance(item, LiveFrame) for item in self._waiting)

    def _put_sound(self, sound: Sound) -> None:
        with self._changed:
            if self._connection:
                self._waiting.append(sound)
                self._changed.notify_all()

    def _take(self) -> LiveFrame | Sound | None:
        """The next item; None at the end."""
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait()
            item = self._waiting.popleft() if self._waiting else None
            self._changed.notify_all()
            return item

    def _run(self) -> None:
        try:
            while (item := self._take()) is not None:
                self._send(item)
            if self._connection:
                self._connection.finish()
        except ConnectionLostError as error:  # at the very end
            self._error = OutputError(f"{self._name}: the end was not sent ({error})")
        except BaseException as error:
            self._error = error
        finally:
            if self._connection:
                self._connection.cut()
            with self._changed:
                if self._error:
                    self._stop.set()
                self._changed.notify_all()

    def _send(self, item: LiveFrame | Sound) -> None:
        try:
            if self._connection:
                self._connection.send(item)
            elif isinstance(item, LiveFrame):
                if self._reconnection.is_lost and self._stop.is_set():
                    self.unsent += 1  # the run ends before the receiver is back
                else:
                    self._connect(item)
        except ConnectionLostError as error:
            self._lose(error)

    def _connect(self, first: LiveFrame) -> None:
        sound = self._source.sound if self._source.on_sound else None
        self._source.others = [sound] if sound else []
        self._connection = Connection(
            self._target, self._source, self._encoder, self.encode_times, first
        )
        self._connected.set()
        self._reconnection.note_return()
        self._connection.send(first)

    def _lose(self, error: ConnectionLostError) -> None:
        """Waits for the next try.

        Raises:
            OutputError: there is none.
        """
        if self._connection:
            self.unsent += self._connection.unsent
            self._connection.cut()
        self.unsent += 1  # the frame that it was noticed with
        self._connection = None
        if not self._connected.is_set():
            raise OutputError(f"{self._name}: {self._explained(error)}")
        if self._target.is_local:
            raise OutputError(f"{self._name}: cannot be written ({error})")
        self._reconnection.note_loss(str(error))
        with self._changed:
            self._changed.notify_all()
        self._reconnection.wait(str(error))

    def _explained(self, error: ConnectionLostError) -> str:
        if self._target.format == "v4l2":
            return f"cannot be written ({error}); make a virtual camera: modprobe v4l2loopback"
        if self._target.is_local:
            return f"cannot be written ({error})"
        return f"no connection ({error}); check the address, the password and that the server is on"

    def __exit__(self, kind: object, raised: object, trace: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(0 if isinstance(raised, KeyboardInterrupt) else _LEAVE_SECONDS)
        if self._connection:
            self.unsent += self._connection.unsent
        own = isinstance(raised, DehazeError) or raised is None
        if self._error and own and raised is not self._error:
            raise self._error


def _encoder(options: EncoderOptions, codec: str | None) -> EncoderOptions:
    if codec:
        options = EncoderOptions(codec=codec)
    options.encoder(".ts")  # a wrong name is told at once
    return options
