"""The process that sends a stream: FFmpeg connects and waits there, and not in the command's own.

FFmpeg's outputs know no time limit, and PyAV holds Python's lock while one connects (17.1): a
server that takes the connection and says nothing would stop the whole command, camera and Ctrl-C
included. Here a limit ends the process, and the command goes on.

Standard input: one line of JSON with "url", "format", "options" and "begin_seconds", then NUT.
Standard output: a line of JSON once it is connected, and one with the reason where it fails.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from ...errors import one_line
from ..srt.program import SCHEME, WRITE_BYTES, SrtSender

__all__ = ["CONNECT_SECONDS", "SEND_SECONDS"]

CONNECT_SECONDS, SEND_SECONDS = 10.0, 5.0
"""Seconds after which a silent server counts as lost."""
_AT_ONCE = {"probesize": "32", "analyzeduration": "0", "fpsprobesize": "0"}
"""The header says all; FFmpeg would look at 20 frames otherwise."""


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all of a command
    source = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  # standard input
    target = json.loads(source.readline())
    try:
        _send(source, target)
    except (av.FFmpegError, OSError, ValueError) as error:
        _say(error=one_line(error))
        os._exit(1)  # to close what failed may wait for ever
    return 0


def _send(file: BinaryIO, target: dict[str, Any]) -> None:
    with av.open(file, "r", format="nut", options=_AT_ONCE) as source:
        with _limit(CONNECT_SECONDS):
            url = target["url"]
            carrier = SrtSender(url) if url.startswith(SCHEME) else None
            container = _connected(source, carrier or url, target)
        _say(error=None)
        copies = {stream.index: stream for stream in container.streams}
        for packet in source.demux():
            # Those before are there for the header alone.
            if packet.size and _seconds(packet) >= target["begin_seconds"]:
                packet.stream = copies[packet.stream.index]
                with _limit(SEND_SECONDS):
                    container.mux(packet)
        with _limit(SEND_SECONDS):
            container.close()
        if carrier:
            with _limit(carrier.end_seconds + SEND_SECONDS):
                carrier.close()


def _seconds(packet: Packet[Any]) -> float:
    return 0.0 if packet.pts is None else float(packet.pts * packet.time_base)


def _connected(
    source: InputContainer, receiver: str | SrtSender, target: dict[str, Any]
) -> OutputContainer:
    container = av.open(
        receiver,
        "w",
        format=target["format"],
        container_options=target["options"],
        buffer_size=WRITE_BYTES,
    )
    for stream in source.streams:
        container.add_stream_from_template(stream)
    container.start_encoding()
    return container


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Ends the process after so long, also while FFmpeg holds Python's lock."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def _say(*, error: str | None) -> None:
    print(json.dumps({"error": error}), flush=True)
