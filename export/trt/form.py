"""The last step for TensorRT: our plugin's node for DeformConv, and what else its parser needs."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from dehaze.runtime.errors import GateError

from ..graph.passes import constants, copied, remove_unused
from .lint import PLUGIN, PLUGIN_DOMAIN, lint, report

PLUGIN_VERSION = "1"


def for_tensorrt(model: ModelProto, *, plugin: bool) -> ModelProto:
    """A copy for TensorRT's parser; with the plugin's nodes it runs nowhere else.

    Raises:
        GateError: TensorRT would refuse it all the same, or compute something else.
    """
    result = copied(model)
    graph = result.graph
    # The parser takes an input with a default for a constant.
    defaults = {value.name for value in graph.input}
    kept = [tensor for tensor in graph.initializer if tensor.name not in defaults]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for node in graph.node:
        if node.op_type == "GridSample":
            _without_mode(node)
        elif node.op_type == "DeformConv" and plugin:
            node.CopyFrom(_plugin_node(node))
        elif node.op_type == "DeformConv":
            _with_bias(node, result)
    if any(node.op_type == PLUGIN for node in graph.node):
        result.opset_import.append(helper.make_opsetid(PLUGIN_DOMAIN, int(PLUGIN_VERSION)))
    remove_unused(result)
    errors = [finding for finding in lint(result) if finding.severity == "error"]
    if errors:
        raise GateError(f"TensorRT would not take the model: {report(errors)[0]}")
    return result


def _plugin_node(node: NodeProto) -> NodeProto:
    numbers = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    x, weight, offset, _, mask = node.input
    return helper.make_node(
        PLUGIN,
        [x, offset, mask, weight],
        list(node.output),
        name=node.name,
        domain=PLUGIN_DOMAIN,
        stride=numbers["strides"],
        padding=numbers["pads"][:2],
        dilation=numbers["dilations"],
        groups=numbers["group"],
        offset_groups=numbers["offset_group"],
        plugin_version=PLUGIN_VERSION,
        plugin_namespace=PLUGIN_DOMAIN,
    )


def _with_bias(node: NodeProto, model: ModelProto) -> None:
    """The parser asks the type of a bias that is not there."""
    filters = constants(model.graph)[node.input[1]].shape[0]
    name = f"{node.name}.no_bias"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(filters, np.float32), name))
    node.input[3] = name


def _without_mode(node: NodeProto) -> None:
    """TensorRT's parser knows `bilinear` alone and takes opset 20's `linear` for nearest."""
    modes = [a for a in node.attribute if a.name == "mode" and a.s == b"linear"]
    for mode in modes:
        node.attribute.remove(mode)
