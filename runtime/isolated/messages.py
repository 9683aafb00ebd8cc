"""Messages between two processes over a pipe; arrays go without another copy."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any

import numpy as np

__all__ = ["received", "send"]

_LENGTH = struct.Struct("<Q")


def send(pipe: IO[bytes], message: Any) -> None:
    """Pickles a message; arrays go as they are.

    Args:
        pipe: without a buffer.

    Raises:
        OSError: nobody reads.
    """
    arrays: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=arrays.append)
    parts = [body, *(array.raw() for array in arrays)]
    _write(pipe, _LENGTH.pack(len(parts)))
    for part in parts:
        _write(pipe, _LENGTH.pack(len(part)), part)


def received(pipe: IO[bytes]) -> Any:
    """Waits for a message.

    Raises:
        EOFError: nobody writes any more.
    """

    def number() -> int:
        value: int = _LENGTH.unpack(_filled(pipe, _LENGTH.size))[0]
        return value

    body, *arrays = [_filled(pipe, number()) for _ in range(number())]
    return pickle.loads(body, buffers=arrays)


def _write(pipe: IO[bytes], *parts: Any) -> None:
    for part in parts:
        rest = memoryview(part).cast("B")
        while rest:
            rest = rest[pipe.write(rest) :]


def _filled(pipe: IO[bytes], length: int) -> memoryview:
    room = np.empty(length, np.uint8).data  # not a bytearray, which is filled with zeros
    rest = room
    while rest:
        count = pipe.readinto(rest)  # type: ignore[attr-defined]  # of a pipe without a buffer
        if not count:
            raise EOFError
        rest = rest[count:]
    return room
