"""Just enough of the protocol buffer encoding to take an ONNX file apart without the onnx package.

A message is a sequence of fields, each a tag (its number and how it is encoded) and its content.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Field", "encoded", "fields", "varint"]

# Wire types: what follows a field's tag.
_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """A field of a message."""

    number: int
    whole: memoryview
    """The field with its tag, ready to be copied into another message."""
    content: memoryview | None
    """A string's or a message's bytes; None for a number."""


def fields(message: memoryview) -> Iterator[Field]:
    """Yields every field of a message.

    Raises:
        IndexError, ValueError: not a message, or cut short.
    """
    start = 0
    while start < len(message):
        tag, position = _read_varint(message, start)
        number, wire_type = tag >> 3, tag & 7
        content = None
        if wire_type == _VARINT:
            _, position = _read_varint(message, position)
        elif wire_type == _FIXED64:
            position += 8
        elif wire_type == _FIXED32:
            position += 4
        elif wire_type == _LENGTH_DELIMITED:
            length, position = _read_varint(message, position)
            content = message[position : position + length]
            position += length
        else:
            raise ValueError(f"field {number} has wire type {wire_type}")
        if position > len(message):
            raise ValueError(f"{position - len(message)} bytes are missing")
        yield Field(number, message[start:position], content)
        start = position


def encoded(number: int, content: bytes) -> bytes:
    """A field that holds a string or a message."""
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A number in base 128, lowest seven bits first."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number and the position after it."""
    if (byte := message[position]) < 0x80:  # almost all of them
        return byte, position + 1
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
