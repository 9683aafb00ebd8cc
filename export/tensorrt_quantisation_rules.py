"""Rules for QuantizeLinear, DequantizeLinear and deformable convolution.

Quantisation is int8 and symmetric: IQuantizeLayer and IDequantizeLayer in NvInfer.h of v10.3.0 and
v11.1, QuantDequantLinearHelper in onnx-tensorrt 10.1 and 11.0.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import NodeProto, TensorProto

from . import tensorrt_operators as limits
from .tensorrt_operators import TensorRtVersion
from .tensorrt_rules import Problem, Rule, error
from .typed_graph import TypedGraph, type_name, type_names

_PAIR = ("QuantizeLinear", "DequantizeLinear")


def _attribute(node: NodeProto, name: str) -> object:
    """The attribute of a node, or None where it is missing."""
    return next(
        (onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), None
    )


def _scales(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    if node.op_type not in _PAIR:
        return
    scale = graph.constants.get(node.input[1])
    zero = graph.constants.get(node.input[2]) if len(node.input) > 2 else None
    if scale is not None and not (scale > 0).all():
        yield error("scale", f"expected positive scales, got {scale.min()}; calibrate again")
    if zero is not None and zero.any():
        yield error(
            "zero-point",
            f"expected zero-points of 0, got {zero.ravel()[0]}; quantise symmetrically",
        )
    made = graph.types.get(node.output[0])
    if node.op_type == "QuantizeLinear" and made == TensorProto.UINT8:
        yield error(
            "quantised-type",
            "expected a zero-point of type INT8, got UINT8, for which TensorRT takes INT8 and "
            "saturates at 127; give an INT8 zero-point, or for pixels use Clip, Round and Cast",
        )


def _placement(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    source = node.input[0] if node.input else ""
    if node.op_type == "QuantizeLinear":
        takers = {taker.op_type for taker, _index in graph.consumers(node.output[0])}
        if graph.types.get(node.output[0]) == TensorProto.UINT8:
            return
        if takers != {"DequantizeLinear"} or node.output[0] in graph.outputs:
            yield error(
                "pair",
                f"expected only DequantizeLinear behind it, got "
                f"{', '.join(sorted(takers)) or 'none'}; put one there for each consumer",
            )
    if node.op_type == "DequantizeLinear" and not (
        source in graph.constants or graph.producer(source) == "QuantizeLinear"
    ):
        yield error(
            "pair",
            f"expected a constant or QuantizeLinear before it, got "
            f"{graph.producer(source) or 'an input'}; quantise what it takes",
        )
    # Offsets are pixels: int8 steps of a scale for 16 pixels are an eighth of one.
    offset_and_mask = {"DeformConv": (2, 4), limits.PLUGIN: (1, 2)}.get(node.op_type, ())
    for index in offset_and_mask:
        if index < len(node.input) and graph.producer(node.input[index]) == "DequantizeLinear":
            yield error(
                "quantised-offset",
                f"expected input {index} in float, got it from DequantizeLinear; exclude the "
                f"convolution that makes it from quantisation",
            )


def _channels(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    shape = graph.shapes.get(node.input[1], ()) if node.op_type in _PAIR else ()
    if shape in ((), (1,)):
        return
    source = node.input[0]
    before = graph.producers.get(source)
    if before is not None and before.op_type == "QuantizeLinear":
        source = before.input[0]
    if source not in graph.constants:
        yield error(
            "per-channel",
            f"expected one scale for activations, got {shape[0]}; only weights have one a channel",
        )
        return
    axis = _attribute(node, "axis")
    if not isinstance(axis, int):
        yield error(
            "axis",
            "expected the attribute axis, got none; TensorRT 10.3 takes 0 and ONNX 1: write it",
        )
        return
    rank = len(graph.shapes[source])
    for taker, index in graph.consumers(node.output[0]):
        expected = _weight_axis(taker, rank)
        if index == 1 and expected is not None and axis % rank != expected:
            yield error(
                "axis",
                f"expected scales along axis {expected}, the output channels of {taker.op_type}, "
                f"got {axis}; quantise the weight along that axis",
            )


def _weight_axis(taker: NodeProto, rank: int) -> int | None:
    if taker.op_type == "Gemm":
        return 0 if _attribute(taker, "transB") else 1
    return rank - 1 if taker.op_type == "MatMul" else limits.WEIGHT_AXIS.get(taker.op_type)


def _deform_conv(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    if node.op_type != "DeformConv":
        return
    given = {i: graph.types[n] for i, n in enumerate(node.input) if n in graph.types}
    if len(set(given.values())) > 1 or not limits.OPERATORS["DeformConv"] >= set(given.values()):
        yield error(
            "mixed-types",
            f"expected inputs all FLOAT or all FLOAT16, got {type_names(given.values())}; cast",
        )
    if len(node.input) > 3 and not node.input[3]:
        # importer of DeformConv, 10.1 and 11.0: asks the type of input 3 without looking for it
        yield error(
            "deform-conv-bias",
            "expected a bias wherever there is a mask, got an empty name; give a bias of zeros",
        )
    for name in ("strides", "pads", "dilations"):
        values = _attribute(node, name)
        if isinstance(values, list) and len(set(values)) > 1:
            yield error(
                "deform-conv-asymmetric",
                f"expected {name} the same for both axes, got {values}; the stock plugin swaps "
                f"them: use {limits.PLUGIN}",
            )
    half = TensorProto.FLOAT16 in given.values()
    message = (
        f"expected {limits.PLUGIN}, got the stock plugin in {'FLOAT16' if half else 'FLOAT'}; it "
        f"is not in the lean runtime, and in FLOAT16 it rounds absolute coordinates, half a pixel "
        f"at width 1920: keep it in FLOAT"
    )
    yield Problem("deform-conv", "error" if half else "warning", message)


def _plugin(graph: TypedGraph, node: NodeProto, _: TensorRtVersion) -> Iterator[Problem]:
    if node.op_type != limits.PLUGIN:
        return
    for name, length in limits.PLUGIN_ATTRIBUTES.items():
        value = _attribute(node, name)
        got = len(value) if isinstance(value, list) else None
        if value is None or got != length:
            yield error(
                "plugin-attribute",
                f"expected the attribute {name} with "
                f"{'one value' if length is None else f'{length} values'}, got "
                f"{'none' if value is None else value}; write it as the plugin's creator reads it",
            )
    if len(node.input) != 4:
        yield error(
            "plugin-inputs",
            f"expected x, offset, mask and weight, got {len(node.input)} inputs; add the bias "
            f"behind the node",
        )
        return
    x, offset, mask, weight = (graph.types.get(name) for name in node.input)
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    for what, kind, allowed in (
        ("x", x, floats),
        ("offset", offset, floats[:1]),
        ("mask", mask, floats[:1]),
        ("weight", weight, (x,) if x in floats else floats),
    ):
        if kind is not None and kind not in allowed:
            names = type_names(item for item in allowed if item is not None)
            yield error(
                "plugin-type", f"expected {what} in {names}, got {type_name(kind)}; cast it before"
            )


QUANTISATION_RULES: tuple[Rule, ...] = (_scales, _placement, _channels, _deform_conv, _plugin)
