"""The program ffmpeg as a carrier: bytes of a transport stream from or to an SRT address.

It looks at none of the bytes, so the encoder, the times and the delay stay ours. Written against
ffmpeg 5.1; its progress report, which says that it is connected, has been the same since 4.0.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from ...errors import DehazeError, masked

__all__ = ["SCHEME", "WRITE_BYTES", "SrtReceiver", "SrtSender", "check_srt"]

SCHEME = "srt://"
WRITE_BYTES = 174 * 188
"""The size of writes that keeps packets of a transport stream (188 bytes) whole."""
_PACKET_BYTES, _MESSAGE = 188, "1316"
"""Bytes of a packet of a transport stream, and of an SRT message: seven packets."""
_NULL_PACKET = b"\x47\x1f\xff\x10" + bytes(184)
"""A packet that every receiver ignores: ffmpeg reports no progress before the first byte."""
_SILENCE = "5000000"
"""Microseconds after which a silent sender counts as lost."""
_END_SECONDS, _LAST_WORDS_SECONDS = 5.0, 2.0
_ARRIVAL_SECONDS, _LATENCY = 1.5, 120_000
"""What the last bytes need to a receiver, and SRT's own latency in microseconds."""
_FFMPEG = ("ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error")
_CARRIED = ("-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "data")
"""Output options: the bytes of the input, each piece at once."""


def check_srt(name: str, error: type[DehazeError]) -> None:
    """Checks that there is a program ffmpeg, and that it knows SRT.

    Args:
        name: the address, for the message.
        error: the class of the error to raise.
    """
    program = shutil.which(_FFMPEG[0])
    found = "no ffmpeg on PATH"
    if program:
        listed = subprocess.run([program, "-hide_banner", "-protocols"], capture_output=True)
        if b"srt" in listed.stdout.split():
            return
        found = f"{program} without SRT"
    raise error(
        f"{name}: SRT needs an ffmpeg program with SRT, got {found}; "
        f"apt install ffmpeg, or brew install ffmpeg"
    )


class _Program:
    """A running ffmpeg, and the folder with its messages."""

    def __init__(self, *arguments: str, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._folder = folder
        self._words = Path(folder.name, "messages")
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                [*_FFMPEG, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                bufsize=0,
                start_new_session=True,  # a terminal sends Ctrl-C to all of a command
            )
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def loss(self) -> str | None:
        """Says why it has ended, without the address before it; None if it still runs."""
        try:
            self._process.wait(_LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        lines = self._words.read_text("utf-8", "replace").splitlines()
        return masked(lines[-1].rpartition(": ")[2]) if lines else "the stream ended"

    def close(self) -> None:
        """Ends the program, and waits until what was written is sent."""
        self._stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


class SrtReceiver(_Program):
    """A file of bytes that come from an SRT address.

    ffmpeg takes the address of an input from its command line alone: a passphrase in it can be seen
    in the list of processes.
    """

    def __init__(self, address: str) -> None:
        source = ("-timeout", _SILENCE, "-f", "data", "-raw_packet_size", _MESSAGE, "-i", address)
        folder = tempfile.TemporaryDirectory(prefix="dehaze-srt-")
        super().__init__(*source, *_CARRIED, "pipe:1", folder=folder)

    def read(self, size: int) -> bytes:
        """Returns what has come, at most `size` bytes; none where there is no connection any more,
        and `loss` says why."""
        data: bytes = self._stdout.read(size)
        return data

    def close(self) -> None:
        self._process.kill()
        super().close()


class SrtSender(_Program):
    """A file whose bytes go to an SRT address.

    The options after the address's `?` are those of FFmpeg. They go by a file that only this user
    can read, for among them are passphrases.

    Raises:
        OSError: nobody answers, or not with this passphrase; in words why.
    """

    def __init__(self, address: str) -> None:
        # A streamid begins with #, behind which there is no fragment here.
        parts = urlsplit(address, allow_fragments=False)
        folder = tempfile.TemporaryDirectory(prefix="dehaze-srt-")
        options = Path(folder.name, "options.ffpreset")
        named = {"payload_size": _MESSAGE} | dict(parse_qsl(parts.query))
        self._written = 0
        self._arrival_seconds = _ARRIVAL_SECONDS + _latency_seconds(named)
        self.end_seconds = self._arrival_seconds + _END_SECONDS
        """The most that `close` takes."""
        options.write_text("".join(f"{name}={value}\n" for name, value in named.items()), "utf-8")
        source = ("-blocksize", _MESSAGE, "-f", "data", "-raw_packet_size", _MESSAGE)
        report = ("-progress", "pipe:1", "-stats_period", "0.2")
        target = (*_CARRIED, "-fpre", str(options), f"{SCHEME}{parts.netloc}")
        super().__init__(*report, *source, "-i", "pipe:0", *target, folder=folder)
        self.write(_NULL_PACKET)
        if not self._stdout.read(1):
            raise self._lost()
        # Read on, for a full pipe would stop the program.
        threading.Thread(target=deque, args=(self._stdout, 0), daemon=True).start()

    def write(self, data: bytes) -> int:
        """Sends whole packets of a transport stream.

        Raises:
            OSError: the connection is gone; in words why.
        """
        try:
            self._stdin.write(data)
        except OSError as error:
            raise self._lost() from error
        self._written += len(data)
        return len(data)

    def close(self) -> None:
        """Waits until what was written has arrived, and ends the program.

        ffmpeg does not wait: it leaves at once, whatever its option `linger` says, and a receiver
        drops what it still holds back for its latency then. A message that is not full stays with
        ffmpeg until the end, so that this one is filled.
        """
        missing = -self._written % int(_MESSAGE) // _PACKET_BYTES
        with suppress(subprocess.TimeoutExpired, OSError):
            self._stdin.write(_NULL_PACKET * missing)
            self._process.wait(self._arrival_seconds)
        super().close()

    def _lost(self) -> OSError:
        reason = self.loss()
        self.close()
        return OSError(reason)


def _latency_seconds(options: dict[str, str]) -> float:
    """How long the receiver holds back what has arrived, as far as the address says it."""
    said = [options.get(name, "") for name in ("latency", "rcvlatency", "peerlatency")]
    return max([_LATENCY, *(int(value) for value in said if value.isdecimal())]) / 1e6
