"""Reads the `metadata_props` of an ONNX file without the onnx package.

A Jetson has only the runtime installed, and ONNX Runtime cannot load a model with the nodes of
TensorRT plugins. An ONNX file is one protocol buffer, of which two messages matter here:

    ModelProto               metadata_props = 14 (repeated StringStringEntryProto)
    StringStringEntryProto   key = 1, value = 2
"""

from __future__ import annotations

from collections.abc import Iterator

from .errors import ModelError

__all__ = ["metadata_from_onnx"]

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2

# Wire types of the encoding: what follows a field's tag.
_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5


def metadata_from_onnx(model: bytes, source: str) -> dict[str, str]:
    """The metadata of an ONNX file's bytes; `source` names it in messages.

    Raises:
        ModelError: not a protocol buffer, or cut short.
    """
    metadata: dict[str, str] = {}
    try:
        for number, entry in _submessages(memoryview(model)):
            if number == _METADATA_PROPS:
                fields = {field: str(text, "utf-8") for field, text in _submessages(entry)}
                metadata[fields.get(_KEY, "")] = fields.get(_VALUE, "")
    except (IndexError, ValueError) as error:
        raise ModelError(
            f"{source}: expected an ONNX model, but the file is damaged or something else "
            f"({error}); export the model again"
        ) from error
    return metadata


def _submessages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of every length-delimited field; skips the others."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            _, position = _varint(message, position)
        elif wire_type == _FIXED64:
            position += 8
        elif wire_type == _FIXED32:
            position += 4
        elif wire_type == _LENGTH_DELIMITED:
            length, start = _varint(message, position)
            position = start + length
            if position <= len(message):
                yield number, message[start:position]
        else:
            raise ValueError(f"field {number} has wire type {wire_type}")
    if position > len(message):
        raise ValueError(f"{position - len(message)} bytes are missing")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A base-128 number, lowest seven bits first, and the position after it."""
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
