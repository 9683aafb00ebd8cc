"""Rewrites of an exported graph that change nothing of what it computes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

LAYERS = ("Conv", "ConvTranspose", "DeformConv", "MatMul")
"""Operators with weights."""


def copied(model: ModelProto) -> ModelProto:
    """A copy to rewrite."""
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def constants(graph: GraphProto) -> dict[str, NDArray[Any]]:
    """The graph's initializers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def consumers(graph: GraphProto, tensor: str) -> list[NodeProto]:
    """The nodes that read a tensor."""
    return [node for node in graph.node if tensor in node.input]


def name_layers(model: ModelProto) -> None:
    """Names each layer as its module in torch: `estimator.coarse.first`, the next time `...#2`."""
    weights = {tensor.name for tensor in model.graph.initializer}
    times: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in LAYERS and node.input[1] in weights:
            name = node.input[1].removesuffix(".weight")
            times[name] += 1
            node.name = name if times[name] == 1 else f"{name}#{times[name]}"


def pool_globally(model: ModelProto) -> None:
    """A mean over height and width, as torch exports its pooling, to GlobalAveragePool.

    The same sum, but one that has an 8-bit form in ONNX Runtime.
    """
    values = constants(model.graph)
    for node in model.graph.node:
        if node.op_type == "ReduceMean" and len(node.input) == 2 and node.input[1] in values:
            flags = {attribute.name: attribute.i for attribute in node.attribute}
            axes = sorted(int(axis) % 4 for axis in values[node.input[1]])
            if axes == [2, 3] and flags.get("keepdims", 1):
                node.op_type = "GlobalAveragePool"
                del node.attribute[:]
                del node.input[1:]


def fold_norms(model: ModelProto) -> None:
    """Batch norms into the convolutions before them; a shared convolution gets copies."""
    graph = model.graph
    values = constants(graph)
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        conv = next((node for node in graph.node if node.output[0] == norm.input[0]), None)
        if conv is None or conv.op_type != "Conv" or len(consumers(graph, conv.output[0])) != 1:
            continue
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        scale, shift, mean, variance = (values[name] for name in norm.input[1:5])
        factor = scale / np.sqrt(variance + epsilon)
        bias = values[conv.input[2]] if len(conv.input) > 2 else np.zeros_like(mean)
        weight = values[conv.input[1]] * factor.reshape(-1, 1, 1, 1)
        folded = {
            f"{conv.name}.folded": weight,
            f"{conv.name}.shift": (bias - mean) * factor + shift,
        }
        graph.initializer.extend(
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in folded.items()
        )
        conv.input[:] = [conv.input[0], *folded]
        conv.output[0] = norm.output[0]
        graph.node.remove(norm)
    remove_unused(model)


def remove_unused(model: ModelProto) -> None:
    """Nodes and initializers that no output needs."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    inputs = {value.name for value in graph.input}
    left = [t for t in graph.initializer if t.name in needed or t.name in inputs]
    del graph.initializer[:]
    graph.initializer.extend(left)
