"""INT8: quantise and dequantise nodes around the layers, from one calibration for every target.

ONNX Runtime on x86 is fast with unsigned activations of any zero-point and signed weights, which
VNNI and AMX multiply as they are (an x86 without VNNI may saturate sums of these, AVX2's way).
TensorRT takes signed values with zero-point 0 alone, and Arm is as fast with those; on x86 they are
slower than float32.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import onnx
from onnx import ModelProto

from dehaze.runtime.onnxruntime_session import import_onnxruntime

from ..graph.image import NETWORK, in_network
from ..graph.passes import constants, copied
from .half import coordinate_nodes

Scheme = Literal["u8s8", "s8s8", "tensorrt"]
"""Types of activations and weights, for ONNX Runtime; or what TensorRT takes."""


@dataclass(frozen=True)
class _SchemeOptions:
    activation: str
    """Name of onnxruntime's type."""
    operators: tuple[str, ...]
    """The operators that compute in 8 bits."""
    extra: dict[str, Any]
    """onnxruntime's own extra options."""
    minimum_depth: int = 0
    """Smallest depth of a layer's dot products, channels times taps, for 8 bits. Below it,
    quantising and another layout cost ONNX Runtime on x86 more than 8 bits save. The estimator of
    `edge` takes 0.80 of its time in float32 with layers from 288 on, 0.76 from 144 on, 0.83 with
    all (AMD EPYC without VNNI, 1080p's thumbnail, 1 thread); the whole graph 0.89, 0.92 and 1.03
    (Intel Xeon with VNNI, 720p, 2 threads, one run)."""


_SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True}
_SCHEMES: dict[Scheme, _SchemeOptions] = {
    "u8s8": _SchemeOptions("QUInt8", ("Conv", "Add", "Relu"), {}, 144),
    "s8s8": _SchemeOptions("QInt8", ("Conv", "Add", "Relu"), _SYMMETRIC, 256),
    # It fuses what follows a convolution itself, and refuses 32-bit biases. ONNX Runtime would
    # compute such a graph in float32: it wants a Q after the convolution.
    "tensorrt": _SchemeOptions(
        "QInt8",
        ("Conv",),
        {
            **_SYMMETRIC,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": ["Conv"],
        },
    ),
}


def quantisable_layers(model: ModelProto, scheme: Scheme) -> list[str]:
    """Names of the layers that can compute in 8 bits and gain by it, in order.

    Not those that make coordinates, and not the last one, whose result is the picture or the grid:
    8 bits for an airlight or a logarithm of the gain would show as steps in a smooth sky. Nor
    those of a pooled picture: with one pixel there is nothing to gain.
    """
    weights = constants(model.graph)
    coordinates = {node.name for node in coordinate_nodes(model.graph)}
    pooled = _pooled(model)
    depths = {
        node.name.removeprefix(NETWORK): weights[node.input[1]][0].size
        for node in model.graph.node
        if node.op_type == "Conv"
        and in_network(node)
        and node.name not in coordinates
        and node.input[1] in weights
        and node.input[0] not in pooled
    }
    layers = list(depths)[:-1]
    gaining = [name for name in layers if depths[name] >= _SCHEMES[scheme].minimum_depth]
    return gaining or layers  # of a narrow network all: it was asked for


def _pooled(model: ModelProto) -> set[str]:
    """Tensors of one pixel: from a global pool through layers of one input."""
    pooled: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "GlobalAveragePool" or (
            node.op_type in ("Conv", "Relu") and node.input[0] in pooled
        ):
            pooled.update(node.output)
    return pooled


def quantised(
    model: ModelProto, ranges: Any, scheme: Scheme, layers: Collection[str]
) -> ModelProto:
    """A copy of `model` in which these layers compute in 8 bits, per-channel weights.

    Args:
        ranges: from `activation_ranges`.
        layers: some of `quantisable_layers`.
    """
    import_onnxruntime()
    from onnxruntime.quantization import QDQQuantizer, QuantType

    if not layers:  # onnxruntime takes an empty list for all nodes
        return copied(model)
    options = _SCHEMES[scheme]
    copy = copied(model)
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=getattr(QuantType, options.activation),
        tensors_range=ranges,
        nodes_to_quantize=_nodes(copy, options.operators, layers),
        nodes_to_exclude=[],
        op_types_to_quantize=list(options.operators),
        extra_options=dict(options.extra),
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result: ModelProto = quantizer.model.model
    del result.graph.value_info[:]
    onnx.checker.check_model(result, full_check=True)
    return result


def _nodes(model: ModelProto, operators: Sequence[str], layers: Collection[str]) -> list[str]:
    """The layers, and the operators of the scheme that take a result of 8 bits."""
    chosen = [NETWORK + layer for layer in layers]
    eight_bit = {
        output for node in model.graph.node if node.name in chosen for output in node.output
    }
    for node in model.graph.node:
        simple = node.op_type in operators and node.op_type != "Conv"
        if simple and in_network(node) and eight_bit.intersection(node.input):
            chosen.append(node.name)
            eight_bit.update(node.output)
    return chosen
