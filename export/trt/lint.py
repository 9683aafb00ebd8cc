"""Says before the device does what TensorRT would take from an ONNX graph and compute wrongly.

What a parser or builder refuses in words is not repeated here: where TensorRT-RTX is installed,
`--lint` asks it, and so do the tests for every form that dehaze-export writes. Left are the things
that it takes in silence, those that only other versions refuse, and our plugin, which it lacks.

Sources: onnx/onnx-tensorrt (importers of 10.1 and 11.0, docs/operators.md), NvInfer.h of v10.3.0
and v11.1, and what TensorRT-RTX 1.7.1 said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import onnx
from onnx import NodeProto, TensorProto

from .typed_graph import TypedGraph, type_names

PLUGIN_DOMAIN = "dehaze"
PLUGIN = "HazeDeformConv2d"
OPSETS: Mapping[str, range] = {"10.3": range(9, 21), "11.1": range(9, 25)}
"""TensorRT's version (that of JetPack 6, the newest known) to opsets of the default domain."""


class Finding(NamedTuple):
    """One thing in a graph that TensorRT does not take, or takes for something else."""

    node: str
    """`OPERATOR NAME`, or `model` for the model as a whole."""
    rule: str
    severity: Literal["error", "warning"]
    """error: refused, or a wrong result; warning: works under the condition in the message."""
    message: str
    """Expected, got, what to do."""


Rule = Callable[[TypedGraph, NodeProto], Iterator[tuple[str, Literal["error", "warning"], str]]]


def lint(model: onnx.ModelProto) -> list[Finding]:
    """Everything found in `model`, in the order of its nodes."""
    graph = TypedGraph(model)
    found = [*_model_findings(model, graph)]
    for node in graph.nodes:
        name = f"{node.op_type} {node.name or next(iter(node.output), '')}"
        for rule in _RULES:
            found += [Finding(name, *problem) for problem in rule(graph, node)]
    return found


def report(findings: Sequence[Finding]) -> list[str]:
    """One line each, errors first."""
    return [
        f"{found.severity}: {found.node} [{found.rule}]: {found.message}"
        for found in sorted(findings, key=lambda found: found.severity)
    ]


def _model_findings(model: onnx.ModelProto, graph: TypedGraph) -> Iterator[Finding]:
    opsets = {entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")}
    for version, allowed in OPSETS.items():
        if len(opsets) != 1 or opsets.isdisjoint(allowed):
            yield Finding(
                "model",
                "opset",
                "error",
                f"expected for TensorRT {version} one opset from {allowed[0]} to {allowed[-1]}, "
                f"got {sorted(opsets)}; export with one of these",
            )
    for name in sorted(graph.inputs & graph.constants.keys()):
        # ModelImporter.cpp, importInputs, 10.1 and 11.0
        yield Finding(
            "model",
            "input-default",
            "warning",
            f"expected inputs without a default, got an initializer named {name}; TensorRT makes "
            f"it a constant and the input vanishes: remove the initializer to keep the input",
        )


def _provable_size(
    graph: TypedGraph, node: NodeProto
) -> Iterator[tuple[str, Literal["warning"], str]]:
    pads = node.input[1] if node.op_type == "Pad" and len(node.input) > 1 else ""
    if "Mod" in graph.operators_that_make(pads):
        yield (
            "unprovable-size",
            "warning",
            "expected pads made by Div and Mul, got Mod; over a range of sizes the builder cannot "
            "prove that a Resize behind it has no negative size, and gives up: count whole blocks, "
            "Div (size + multiple - 1, multiple), or build for one size",
        )


def _bytes_rounded(
    graph: TypedGraph, node: NodeProto
) -> Iterator[tuple[str, Literal["warning"], str]]:
    if node.op_type != "Cast":
        return
    if onnx.helper.get_node_attr_value(node, "to") != TensorProto.UINT8:
        return
    # Three: Clip to [0, 1] with a Mul by 255 will do, too.
    missing = {"Round", "Clip"} - set(graph.operators_before(node, 3))
    if missing:
        # DataType::kUINT8: towards zero, and undefined outside [0, 256).
        yield (
            "uint8-rounding",
            "warning",
            f"expected Clip to [0, 255] and Round before the Cast, got no "
            f"{' and no '.join(sorted(missing))}; TensorRT truncates, and does not saturate",
        )


def _linear_sampling(
    _graph: TypedGraph, node: NodeProto
) -> Iterator[tuple[str, Literal["error"], str]]:
    mode = _attribute(node, "mode") if node.op_type == "GridSample" else None
    if mode in (b"linear", b"cubic"):
        # Opset 20 renamed bilinear and bicubic; seen with 11.1: NVIDIA/TensorRT#4646.
        yield (
            "grid-sample-mode",
            "error",
            f"expected mode to be bilinear, bicubic or nearest, got {mode.decode()}; it would be "
            f"computed as nearest: leave the attribute out for linear, or use opset 19",
        )


def _deform_conv(
    graph: TypedGraph, node: NodeProto
) -> Iterator[tuple[str, Literal["error", "warning"], str]]:
    if node.op_type != "DeformConv":
        return
    if len(node.input) > 3 and not node.input[3]:
        # importer of DeformConv, 10.1 and 11.0: asks the type of input 3 without looking for it
        yield (
            "deform-conv-bias",
            "error",
            "expected a bias wherever there is a mask, got an empty name; give a bias of zeros",
        )
    for name in ("strides", "pads", "dilations"):
        values = _attribute(node, name)
        if isinstance(values, list) and len(set(values)) > 1:
            yield (
                "deform-conv-asymmetric",
                "error",
                f"expected {name} the same for both axes, got {values}; the stock plugin swaps "
                f"them: use {PLUGIN}",
            )
    half = graph.types.get(node.input[0]) == TensorProto.FLOAT16
    yield (
        "deform-conv",
        "error" if half else "warning",
        f"expected {PLUGIN}, got the stock plugin in {'FLOAT16' if half else 'FLOAT'}; neither "
        f"TensorRT-RTX nor the lean runtime has it, and in FLOAT16 it rounds absolute "
        f"coordinates, half a pixel at width 1920: keep it in FLOAT",
    )


def _offsets(graph: TypedGraph, node: NodeProto) -> Iterator[tuple[str, Literal["error"], str]]:
    # Offsets are pixels: int8 steps of a scale for 16 pixels are an eighth of one.
    for index in {"DeformConv": (2, 4), PLUGIN: (1, 2)}.get(node.op_type, ()):
        name = node.input[index] if index < len(node.input) else ""
        if graph.producer(name) == "DequantizeLinear":
            yield (
                "quantised-offset",
                "error",
                f"expected input {index} in float, got it from DequantizeLinear; exclude the "
                f"convolution that makes it from quantisation",
            )
        if node.op_type == PLUGIN and graph.types.get(name, TensorProto.FLOAT) != TensorProto.FLOAT:
            yield (
                "plugin-type",
                "error",
                f"expected input {index} in FLOAT, got {type_names([graph.types[name]])}; cast it "
                f"before",
            )


def _attribute(node: NodeProto, name: str) -> object:
    """None where it is missing."""
    values = (onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name)
    return next(values, None)


_RULES: tuple[Rule, ...] = (
    _provable_size,
    _bytes_rounded,
    _linear_sampling,
    _deform_conv,
    _offsets,
)
