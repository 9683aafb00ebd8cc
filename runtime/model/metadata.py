"""Reads the `metadata_props` of an ONNX file without the onnx package.

A Jetson has only the runtime installed, and ONNX Runtime cannot load a model with the nodes of
TensorRT plugins. Two messages of onnx.proto matter here:

    ModelProto               metadata_props = 14 (repeated StringStringEntryProto)
    StringStringEntryProto   key = 1, value = 2
"""

from __future__ import annotations

from ..errors import ModelError
from .protobuf import fields

__all__ = ["metadata_from_onnx"]

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2


def metadata_from_onnx(model: bytes, source: str) -> dict[str, str]:
    """The metadata of an ONNX file's bytes; `source` names it in messages.

    Raises:
        ModelError: not a protocol buffer, or cut short.
    """
    metadata: dict[str, str] = {}
    try:
        for field in fields(memoryview(model)):
            if field.number == _METADATA_PROPS and field.content is not None:
                entry = {
                    part.number: str(part.content, "utf-8")
                    for part in fields(field.content)
                    if part.content is not None
                }
                metadata[entry.get(_KEY, "")] = entry.get(_VALUE, "")
    except (IndexError, ValueError) as error:
        raise ModelError(
            f"{source}: expected an ONNX model, but the file is damaged or something else "
            f"({error}); export the model again"
        ) from error
    return metadata
