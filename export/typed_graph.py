"""An ONNX graph with the type and shape of every tensor, for rules to look into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper, shape_inference

Shape = tuple[int | None, ...]
"""A tensor's shape; None for a size that is not fixed."""


class TypedGraph:
    """The main graph of a model; bodies of control flow are not looked into.

    Args:
        plugin: operator without a schema whose output has its first input's type and its last
            input's number of channels, so that inference goes on behind it.
    """

    def __init__(self, model: onnx.ModelProto, plugin: str = "") -> None:
        self.nodes: list[NodeProto] = list(model.graph.node)
        self.inputs = {value.name for value in model.graph.input}
        self.outputs = {value.name for value in model.graph.output}
        self.constants = _constants(model.graph)
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self.inference_error = ""
        self.types: dict[str, int] = {}
        self.shapes: dict[str, Shape] = {}
        self._infer(model, plugin)

    def _infer(self, model: onnx.ModelProto, plugin: str) -> None:
        known = onnx.ModelProto()
        known.CopyFrom(model)
        unknown = [node for node in self.nodes if node.op_type == plugin]
        while True:
            try:
                inferred = shape_inference.infer_shapes(known, strict_mode=True, data_prop=True)
            except shape_inference.InferenceError as failure:
                self.inference_error = " ".join(str(failure).split())[:300]
                inferred = shape_inference.infer_shapes(known, data_prop=True)
            self._read(inferred.graph)
            ready = [node for node in unknown if node.input[0] in self.types]
            if not ready:
                return
            for node in ready:
                known.graph.value_info.append(self._plugin_output(node))
                unknown.remove(node)

    def _read(self, graph: onnx.GraphProto) -> None:
        for value in (*graph.input, *graph.value_info, *graph.output):
            if (kind := value.type.tensor_type).elem_type:
                self.types[value.name] = kind.elem_type
            if kind.HasField("shape"):
                self.shapes[value.name] = tuple(
                    dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim
                )
        for name, array in self.constants.items():
            self.types[name] = helper.np_dtype_to_tensor_dtype(array.dtype)
            self.shapes[name] = array.shape

    def _plugin_output(self, node: NodeProto) -> ValueInfoProto:
        batch, *_, height, width = self.shapes.get(node.input[0], (None,) * 4)
        channels = self.shapes.get(node.input[-1], (None,))[0]
        shape = (batch, channels, height, width)
        return helper.make_tensor_value_info(node.output[0], self.types[node.input[0]], shape)

    def producer(self, name: str) -> str:
        """Operator that makes the tensor `name`; empty for inputs and initializers."""
        node = self.producers.get(name)
        return node.op_type if node else ""

    def consumers(self, name: str) -> Iterator[tuple[NodeProto, int]]:
        """Nodes that take the tensor `name`, and as which input."""
        for node in self.nodes:
            for index, given in enumerate(node.input):
                if given == name:
                    yield node, index

    def operators_before(self, node: NodeProto, count: int) -> list[str]:
        """Up to `count` operators in the line of first inputs that ends in `node`."""
        found: list[str] = []
        while len(found) < count and (before := self.producers.get(next(iter(node.input), ""))):
            found.append(before.op_type)
            node = before
        return found


def _constants(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            value = helper.get_attribute_value(attribute)
            if isinstance(value, TensorProto):
                constants[node.output[0]] = numpy_helper.to_array(value)
            elif attribute.name.startswith("value_int"):
                constants[node.output[0]] = np.array(value, np.int64)
            elif attribute.name.startswith("value_float"):
                constants[node.output[0]] = np.array(value, np.float32)
    return constants


def type_name(kind: int) -> str:
    """FLOAT, INT64 and so on."""
    return TensorProto.DataType.Name(kind)


def type_names(kinds: Iterable[int]) -> str:
    """The names of the types, each once, in alphabetical order."""
    return ", ".join(sorted({type_name(kind) for kind in kinds}))
