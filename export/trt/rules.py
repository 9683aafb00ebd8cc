"""Rules for any node: operator, types, uint8 at the border, constants, shapes, attributes.

Each yields the problems that one node gives one version of TensorRT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import onnx
from onnx import NodeProto, TensorProto

from . import operators as limits
from .operators import JETPACK_6, TensorRtVersion
from .typed_graph import TypedGraph, type_name, type_names


class Problem(NamedTuple):
    rule: str
    severity: Literal["error", "warning"]
    """error: refused, or a wrong result; warning: works under the condition in the message."""
    message: str
    """Expected, got, what to do."""


Rule = Callable[[TypedGraph, NodeProto, TensorRtVersion], Iterator[Problem]]


def error(rule: str, message: str) -> Problem:
    return Problem(rule, "error", message)


def warning(rule: str, message: str) -> Problem:
    return Problem(rule, "warning", message)


def _operator(_graph: TypedGraph, node: NodeProto, version: TensorRtVersion) -> Iterator[Problem]:
    if node.op_type == limits.PLUGIN:
        return
    first = limits.FIRST_VERSION.get(node.op_type, JETPACK_6)
    if node.domain not in ("", "ai.onnx") or node.op_type not in limits.OPERATORS:
        yield error(
            "operator",
            f"expected an operator with an importer or the plugin {limits.PLUGIN}, got "
            f"{node.domain or 'ai.onnx'}.{node.op_type}; write it with other operators",
        )
    elif version < first:
        yield error(
            "operator",
            f"expected an operator of TensorRT {version}, got {node.op_type}, which came with "
            f"{first}; write it with other operators",
        )
    elif node.op_type in limits.CONTROL_FLOW:
        yield warning("subgraph", "its body was not looked into; flatten it to have it checked")


def _types(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    allowed = limits.OPERATORS.get(node.op_type)
    if allowed is None or node.op_type == "DeformConv":
        return
    indices = limits.DATA_INPUTS.get(node.op_type, (0,))
    given = [node.input[i] for i in indices if i < len(node.input) and node.input[i]]
    types = [graph.types[name] for name in given if name in graph.types]
    if node.op_type == "Cast":
        types.append(onnx.helper.get_node_attr_value(node, "to"))
    for wrong in sorted(set(types) - allowed):
        yield error(
            "type",
            f"expected {type_names(allowed)}, got {type_name(wrong)}; "
            f"{_REMEDIES.get(wrong, 'cast it before, or compute it in another type')}",
        )
    if len(set(types)) > 1 and node.op_type != "Cast" and set(types) <= allowed:
        yield error(
            "mixed-types",
            f"expected inputs of one type, got {type_names(types)}; put a Cast before one of them",
        )
    if len(given) > len(types):
        yield warning("unknown-type", "ONNX infers no type for an input; this was not checked")


_REMEDIES: dict[int, str] = {
    TensorProto.UINT8: "uint8 lives only at the border: Cast an input to float first, and Cast "
    "to the uint8 output last",
    TensorProto.DOUBLE: "use float",
    TensorProto.INT8: "dequantise it first",
    TensorProto.INT32: "cast it to float, or leave a quantised layer's bias in float",
}


def _uint8(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    if node.op_type != "Cast":
        return
    source = graph.types.get(node.input[0])
    target = onnx.helper.get_node_attr_value(node, "to")
    if TensorProto.UINT8 not in (source, target) or source == target:
        return
    other = source if target == TensorProto.UINT8 else target
    if other not in (TensorProto.FLOAT, TensorProto.FLOAT16, None):
        # NvInferRuntimeBase.h, DataType::kUINT8
        yield error(
            "uint8-cast",
            f"expected a Cast between UINT8 and FLOAT or FLOAT16, got {type_name(other)}; "
            f"go through FLOAT",
        )
        return
    if target != TensorProto.UINT8:
        return
    if node.output[0] not in graph.outputs:
        yield error(
            "uint8-border",
            "expected UINT8 as an output of the network, got it between two nodes; "
            + _REMEDIES[TensorProto.UINT8],
        )
    # Three: Clip to [0, 1] with a Mul by 255 will do, too.
    missing = {"Round", "Clip"} - set(graph.operators_before(node, 3))
    if missing:
        # kUINT8: towards zero, and undefined outside [0, 256). QuantizeLinear did both.
        yield warning(
            "uint8-rounding",
            f"expected Clip to [0, 255] and Round before the Cast, got no "
            f"{' and no '.join(sorted(missing))}; TensorRT truncates, and does not saturate",
        )


def _constants(graph: TypedGraph, node: NodeProto, version: TensorRtVersion) -> Iterator[Problem]:
    for index, name in enumerate(node.input):
        key = (node.op_type, index)
        if not name or key not in limits.CONSTANT_INPUTS or name in graph.constants:
            continue
        since = limits.CONSTANT_INPUTS[key]
        if since is None or version < since:
            yield error(
                "constant",
                f"expected input {index} to be an initializer or a Constant, got the computed "
                f"{name}; fold it at export",
            )


def _shapes(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    shapes = {name: graph.shapes[name] for name in node.input if name in graph.shapes}
    for name in (*shapes, *(name for name in node.output if name in graph.shapes)):
        if len(graph.shapes[name]) > limits.MAXIMUM_RANK:
            yield error(
                "rank",
                f"expected at most {limits.MAXIMUM_RANK} dimensions, got "
                f"{len(graph.shapes[name])} in {name}; merge some",
            )
    data = shapes.get(node.input[0]) if node.input else None
    ranks = limits.RANKS.get(node.op_type)
    if data is None or ranks is None:
        return
    if len(data) not in ranks:
        expected = " or ".join(map(str, ranks))
        yield error("rank", f"expected rank {expected}, got {len(data)}; reshape it before")
    elif node.op_type in ("Conv", "ConvTranspose", "DeformConv") and data[1] is None:
        yield warning(
            "channels",
            "expected a fixed number of channels, got one that ONNX cannot infer; "
            "Reshape to a constant number before",
        )


def _attributes(_graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    for attribute in node.attribute:
        allowed = limits.ATTRIBUTES.get((node.op_type, attribute.name))
        if allowed is None:
            continue
        value = onnx.helper.get_attribute_value(attribute)
        values = value if isinstance(value, list) else [value]
        plain = {item.decode() if isinstance(item, bytes) else item for item in values}
        if not plain <= allowed:
            expected = ", ".join(map(str, sorted(allowed)))
            yield error(
                "attribute",
                f"expected {attribute.name} to be {expected}, got {sorted(plain - allowed)}; "
                + _ATTRIBUTE_REMEDIES.get(node.op_type, "choose one of these"),
            )
    if node.op_type in limits.SINGLE_OUTPUT and any(node.output[1:]):
        yield error("outputs", "expected one output, got more; drop what is not used")


_ATTRIBUTE_REMEDIES: dict[str, str] = {
    "GridSample": "it would be computed as nearest: leave the attribute out for linear (the "
    "default of ONNX and of TensorRT), or use opset 19",
}


NODE_RULES: tuple[Rule, ...] = (_operator, _types, _uint8, _constants, _shapes, _attributes)
