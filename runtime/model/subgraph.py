"""Cuts the estimator, thumbnail to grid, out of a model file, without the onnx package.

The file holds the whole way from pixels to pixels, which is what other runtimes want. On a CPU the
full-resolution part of it takes most of the time, and our own passes are five times as fast; so
they are put around the very nodes that the file has between its tensors `thumbnail` and `grid`.

    ModelProto       graph = 7
    GraphProto       node = 1, initializer = 5, input = 11, output = 12, value_info = 13
    NodeProto        input = 1, output = 2
    TensorProto      name = 8
    ValueInfoProto   name = 1, type = 2
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ModelError
from .protobuf import Field, encoded, fields, varint

__all__ = ["GRID", "THUMBNAIL", "estimator_from_model"]

THUMBNAIL = "thumbnail"
"""(N, 3, h, w) float32 RGB in [0, 1]; the tensor where the estimator begins."""
GRID = "grid"
"""(N, h / 2, w / 2, 4) float32, see `Grid`; the output where it ends."""

_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_TENSOR_NAME, _VALUE_NAME = 8, 1
_FLOAT = 1


def estimator_from_model(model: bytes, source: str) -> bytes:
    """A model from the tensor `thumbnail` to the output `grid`.

    Args:
        model: the bytes of an ONNX file of ours that gives a grid.
        source: names it in messages.

    Raises:
        ModelError: it has no such tensors, or is damaged.
    """
    try:
        parts = []
        for field in fields(memoryview(model)):
            whole = bytes(field.whole)
            if field.number == _GRAPH and field.content is not None:
                whole = encoded(_GRAPH, _cut(list(fields(field.content))))
            parts.append(whole)
        return b"".join(parts)
    except (IndexError, ValueError) as error:
        raise ModelError(
            f"{source}: expected a model with an estimator from {THUMBNAIL!r} to {GRID!r} "
            f"({error}); export the model again"
        ) from error


def _cut(graph: list[Field]) -> bytes:
    """The content of a graph that computes only the grid, from the thumbnail."""
    needed = {GRID}
    kept: set[int] = set()
    # Nodes are in the order of execution: backwards, everything is needed before it is made.
    for index in range(len(graph) - 1, -1, -1):
        if graph[index].number != _NODE:
            continue
        if needed & set(_names(graph[index], _NODE_OUTPUT)) - {THUMBNAIL}:
            kept.add(index)
            needed |= set(_names(graph[index], _NODE_INPUT))
    if THUMBNAIL not in needed:
        raise ValueError(f"no way from {THUMBNAIL!r} to {GRID!r}")
    parts = [encoded(_INPUT, _thumbnail_value())]
    for index, field in enumerate(graph):
        if field.number in (_NODE, _INITIALIZER, _OUTPUT):
            named = {_INITIALIZER: _TENSOR_NAME, _OUTPUT: _VALUE_NAME}.get(field.number)
            unneeded = named is not None and needed.isdisjoint(_names(field, named))
            if unneeded or (field.number == _NODE and index not in kept):
                continue
        elif field.number in (_INPUT, _VALUE_INFO):
            continue
        parts.append(bytes(field.whole))
    return b"".join(parts)


def _names(message: Field, number: int) -> Iterator[str]:
    """The strings that a message has in the field of this number."""
    if message.content is not None:
        for field in fields(message.content):
            if field.number == number and field.content is not None:
                yield str(field.content, "utf-8")


def _thumbnail_value() -> bytes:
    """A ValueInfoProto: float32 (batch, 3, rows, columns)."""
    shape = b"".join(
        encoded(1, encoded(2, size) if isinstance(size, bytes) else b"\x08" + varint(size))
        for size in (b"batch", 3, b"rows", b"columns")
    )
    tensor = b"\x08" + varint(_FLOAT) + encoded(2, shape)
    return encoded(1, THUMBNAIL.encode()) + encoded(2, encoded(1, tensor))
