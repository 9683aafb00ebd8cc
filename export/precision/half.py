"""FP16: the network's arithmetic in half precision, what needs the digits in float32.

Types are in the graph (strongly typed), which is what TensorRT 10.3 to 11.4 take alike. In float32
stay the pixels and the final apply, what comes before the first layer and from the last one on,
1x1 layers on the picture itself, which tell a cell's brightest colour from its darkest (10 dB on a
smooth picture), and all that makes coordinates: at width 1920 half precision knows positions only
to half a pixel.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..graph.image import in_network
from ..graph.passes import LAYERS, constants, copied, remove_unused

COORDINATES = {"DeformConv": (2, 4), "GridSample": (1,)}
"""The inputs of an operator that are positions, or the weights of positions."""
MIXED: dict[str, tuple[int, ...]] = {"Resize": (1, 2)}
"""Operators that compute in half precision with some inputs in float32: Resize's scales."""


def half_precision(model: ModelProto, *, plugin: bool = False) -> ModelProto:
    """A copy of `model` whose network computes in float16; inputs and outputs keep their types.

    Args:
        plugin: whether DeformConv will be our TensorRT plugin, which takes data in float16 beside
            offsets and masks in float32. No ONNX operator does; until then the graph is not valid.

    Our own pass: onnxconverter-common 1.16 turns the default of `strength` and the output `grid`
    to float16 even where all nodes around them are blocked.
    """
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    halved = copied(model)
    mixed = {**MIXED, "DeformConv": COORDINATES["DeformConv"]} if plugin else MIXED
    _Halving(inferred.graph, halved.graph, mixed).run()
    remove_unused(halved)
    if not plugin:
        onnx.checker.check_model(halved, full_check=True)
    return halved


class _Halving:
    """Rewrites `graph` node by node, casting where one precision meets the other."""

    def __init__(
        self, inferred: GraphProto, graph: GraphProto, mixed: dict[str, tuple[int, ...]]
    ) -> None:
        self._graph = graph
        self._mixed = mixed
        self._constants = constants(graph)
        values = [*inferred.value_info, *inferred.input, *inferred.output]
        self._floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
        self._floats |= {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT}
        kept = [*_before_layers(graph), *_last_layers(graph), *coordinate_nodes(graph)]
        self._kept = {node.output[0] for node in kept}
        self._half: set[str] = set()
        """Tensors that are in float16 now."""
        self._made: dict[str, str] = {}
        """The name of each tensor's copy in the other precision, where there is one."""
        self._nodes: list[NodeProto] = []

    def run(self) -> None:
        for node in self._graph.node:
            half = self._computes_in_half(node)
            for index, tensor in enumerate(node.input):
                if tensor in self._floats:
                    single = index in self._mixed.get(node.op_type, ())
                    node.input[index] = self._as(tensor, half and not single)
            if half:
                self._half.update(self._floats.intersection(node.output))
            self._nodes.append(node)
        nodes = [NodeProto.FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(nodes)

    def _computes_in_half(self, node: NodeProto) -> bool:
        if not in_network(node) or node.output[0] in self._kept:
            return False
        if node.op_type in COORDINATES and node.op_type not in self._mixed:
            return False
        return not self._floats.isdisjoint(node.input)

    def _as(self, tensor: str, half: bool) -> str:
        """The name of `tensor` in this precision; it is made at its first use."""
        if (tensor in self._half) == half:
            return tensor
        if tensor not in self._made:
            other = f"{tensor}.{'half' if half else 'single'}"
            self._made[tensor] = other
            if tensor in self._constants:
                value = self._constants[tensor].astype(np.float16)
                self._graph.initializer.append(numpy_helper.from_array(value, other))
            else:
                to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                self._nodes.append(
                    helper.make_node("Cast", [tensor], [other], name=f"cast_{other}", to=to)
                )
        return self._made[tensor]


def _before_layers(graph: GraphProto) -> list[NodeProto]:
    """The nodes that no layer precedes: the picture itself, which some networks add at their end.

    And the 1x1 layers on it.
    """
    kernels = {name: value.shape[2:] for name, value in constants(graph).items() if value.ndim == 4}
    after: set[str] = set()
    first = []
    for node in filter(in_network, graph.node):
        begun = not after.isdisjoint(node.input)
        is_layer = node.op_type in LAYERS
        if is_layer or begun:
            after.update(node.output)
        if not begun and (not is_layer or kernels.get(node.input[1]) == (1, 1)):
            first.append(node)
    return first


def _last_layers(graph: GraphProto) -> list[NodeProto]:
    """The layers that no other layer follows, and all after them."""
    after: set[str] = set()
    last = []
    for node in reversed(graph.node):
        if not in_network(node):
            continue
        if after.isdisjoint(node.output):
            last.append(node)
        if node.op_type in LAYERS or not after.isdisjoint(node.output):
            after.update(node.input)
    return last


def coordinate_nodes(graph: GraphProto) -> list[NodeProto]:
    """The nodes that compute coordinates, back to the layer that they come from."""
    makers = {output: node for node in graph.node for output in node.output}
    wanted = [
        node.input[index]
        for node in graph.node
        for index in COORDINATES.get(node.op_type, ())
        if index < len(node.input)
    ]
    return list(_makers(wanted, makers))


def _makers(tensors: Iterable[str], makers: dict[str, NodeProto]) -> Iterable[NodeProto]:
    seen: set[str] = set()
    pending = [makers[tensor] for tensor in tensors if tensor in makers]
    while pending:
        node = pending.pop()
        if node.name in seen:
            continue
        seen.add(node.name)
        yield node
        if node.op_type not in LAYERS:
            pending += [makers[tensor] for tensor in node.input if tensor in makers]
