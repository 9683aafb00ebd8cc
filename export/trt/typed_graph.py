"""An ONNX graph with the type of every tensor and the node that makes it, for the linter."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import NodeProto, TensorProto, shape_inference


class TypedGraph:
    """The main graph of a model; bodies of control flow are not looked into."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes: list[NodeProto] = list(model.graph.node)
        self.inputs = {value.name for value in model.graph.input}
        self.constants = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        inferred = shape_inference.infer_shapes(model).graph
        values = (*inferred.input, *inferred.value_info, *inferred.output)
        self.types = {value.name: value.type.tensor_type.elem_type for value in values}
        self.types |= self.constants
        """Types by tensor; none is known behind an operator without a schema, such as our
        plugin."""

    def producer(self, name: str) -> str:
        """Operator that makes the tensor `name`; empty for inputs and initializers."""
        node = self.producers.get(name)
        return node.op_type if node else ""

    def operators_before(self, node: NodeProto, count: int) -> list[str]:
        """Up to `count` operators in the line of first inputs that ends in `node`."""
        found: list[str] = []
        while len(found) < count and (before := self.producers.get(next(iter(node.input), ""))):
            found.append(before.op_type)
            node = before
        return found

    def operators_that_make(self, name: str) -> set[str]:
        """The operators that a tensor is computed with, back to the inputs' shapes."""
        found: set[str] = set()
        pending, seen = [name], set()
        while pending:
            node = self.producers.get(pending.pop())
            if node is None or id(node) in seen:
                continue
            seen.add(id(node))
            found.add(node.op_type)
            if node.op_type != "Shape":
                pending += node.input
        return found


def type_names(kinds: Iterable[int]) -> str:
    """FLOAT, INT64 and so on, each once, in alphabetical order."""
    return ", ".join(sorted({TensorProto.DataType.Name(kind) for kind in kinds}))
