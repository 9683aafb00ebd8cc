"""One connection to where frames are sent: an encoder here, and the process that sends."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, BinaryIO, cast

from ...errors import OutputError
from ...isolated.program import python_program
from ...media.encoders import EncoderOptions
from ...media.stream_writer import AT_ONCE, StreamWriter
from ...timing import StageTimes
from ..source import LiveFrame, LiveSource, Sound
from .target import StreamTarget

__all__ = ["Connection", "ConnectionLostError"]

_SENDER = "dehaze.runtime.live.publish.sender"
_HEADER_PTS = (0, 1)
"""The times of the frame that makes the header; beside sound a muxer keeps one back."""
FINISH_SECONDS = 30.0
"""For what lies in the pipe at the end, on however busy a machine: the process ends by itself where
the receiver takes nothing for SEND_SECONDS."""


class ConnectionLostError(Exception):
    """The connection cannot be made, or is gone; in words why."""


class Connection:
    """Sends frames and sound as they come.

    A stream's times count from the moment that it is connected, for FFmpeg says that moment to the
    receiver (RTCP's reports, HLS's dates): each frame has the time of its arrival here.

    Args:
        first: a frame that says size and colours; it is not sent.

    Raises:
        ConnectionLostError: there is none; also while sending.
        OutputError: the encoder does not take the frames.
    """

    def __init__(
        self,
        target: StreamTarget,
        source: LiveSource,
        encoder: EncoderOptions,
        encode_times: StageTimes,
        first: LiveFrame,
    ) -> None:
        self.unsent = 0
        self._keeps_all = source.lossless
        self._time_base = source.time_base
        self._base: int | None = None
        self._last_sound = 0
        self._process = subprocess.Popen(
            python_program(_SENDER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin and self._process.stdout
        self._answers = self._process.stdout
        pipe = _AtOnce(self._process.stdin)
        try:
            with self._losses():
                pipe.write(_order(target, source))
                self._writer = StreamWriter(cast(BinaryIO, pipe), source, encoder, source.notices)
                self._writer.encode_times = encode_times
                for pts in _HEADER_PTS:
                    self._writer.write(replace(first, pts=pts))
            if lost := self._answer():
                raise lost
        except BaseException:
            self.cut()
            raise
        self._connected = time.monotonic()
        self._writer.ask_for_key_frame()

    @contextmanager
    def _losses(self) -> Iterator[None]:
        """Turns the end of the process into what it says of it."""
        try:
            yield
        except (OutputError, OSError) as error:
            if not isinstance(error.__cause__ or error, OSError):
                raise  # of the encoder
            raise self._loss() from error

    def _loss(self) -> ConnectionLostError:
        return self._answer() or ConnectionLostError("the connection ended")

    def _answer(self) -> ConnectionLostError | None:
        """Waits for the next line of the process; None where that says that it is connected."""
        line = self._answers.readline()
        if not line:  # its limit has ended it
            return ConnectionLostError("the receiver does not answer")
        answer = json.loads(line)
        if answer["error"] is None:
            return None
        return ConnectionLostError(answer["error"])

    def send(self, item: LiveFrame | Sound) -> None:
        """Sends a frame or a packet of sound."""
        with self._losses():
            if isinstance(item, Sound):
                self._send_sound(item)
            else:
                self._send_frame(item)

    def _send_frame(self, frame: LiveFrame) -> None:
        if self._base is None:
            waited = frame.arrived - self._connected
            if waited <= 0 and not self._keeps_all:  # it came while the connection was made
                self.unsent += 1
                return
            begin = len(_HEADER_PTS)
            self._base = frame.pts - max(begin, round(waited / self._time_base))
        self._writer.write(replace(frame, pts=frame.pts - self._base))

    def _send_sound(self, sound: Sound) -> None:
        if self._base is None or sound.pts - self._base <= self._last_sound:
            return
        self._last_sound = sound.pts - self._base
        self._writer.write_sound(sound.data, self._last_sound, sound.duration)

    def finish(self) -> None:
        """Sends what is left and takes leave.

        Raises:
            ConnectionLostError: it was gone before.
        """
        assert self._process.stdin
        try:
            with self._losses():
                self._writer.finish()
                self._process.stdin.close()
            if self._process.wait(FINISH_SECONDS):
                raise self._loss()
        except subprocess.TimeoutExpired as error:
            raise ConnectionLostError("the receiver does not take the end") from error
        finally:
            self.cut()

    def cut(self) -> None:
        """Ends the process at once; a connection that is gone has no other end."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin
        with suppress(OSError):
            self._process.stdin.close()


def _order(target: StreamTarget, source: LiveSource) -> bytes:
    """The line that the process reads first."""
    told = {
        "url": target.url,
        "format": target.format,
        "options": AT_ONCE | target.options,
        "begin_seconds": float((len(_HEADER_PTS) - 0.5) * source.time_base),
    }
    return json.dumps(told).encode() + b"\n"


class _AtOnce:
    """Writes to a pipe without delay, for PyAV asks a file for `write` alone."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def write(self, data: bytes) -> int:
        self._pipe.write(data)
        self._pipe.flush()
        return len(data)
