"""Tables of what TensorRT's ONNX parser accepts; `tensorrt_lint` holds a graph against them.

Facts from onnx/onnx-tensorrt: docs/operators.md of 10.1 (nearest stored to 10.3) and 11.1, the
importers of 10.1 and 11.0, docs/Changelog.md; and from NvInfer.h of v10.3.0 and v11.1. No engine
was built with them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import NamedTuple

from onnx import TensorProto


class TensorRtVersion(NamedTuple):
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


JETPACK_6 = TensorRtVersion(10, 3)
NEWEST = TensorRtVersion(11, 1)

OPSETS: Mapping[int, range] = {10: range(9, 21), 11: range(9, 25)}
"""Opsets of the default domain by TensorRT's major version (first lines of docs/operators.md)."""

MAXIMUM_RANK = 8
"""Dims::MAX_DIMS (NvInferRuntimeBase.h)."""

T = TensorProto
_FLOATS = frozenset({T.FLOAT, T.FLOAT16, T.BFLOAT16})
_NUMBERS = _FLOATS | {T.INT32, T.INT64}
_ALL = _NUMBERS | {T.BOOL}
_NO_BFLOAT = frozenset({T.FLOAT, T.FLOAT16})
_QUANTIZED = frozenset({T.INT8, T.FLOAT8E4M3FN, T.INT4})

_BY_TYPES: Mapping[Set[int], str] = {
    # Relu: the table lists integers, the importer (activationHelper) refuses INT32.
    _FLOATS: """Acos Acosh Asin Asinh Atan Atanh Attention AveragePool BatchNormalization Ceil Celu
        Conv ConvTranspose Cos Cosh CumSum Dropout Einsum Elu Erf Exp Floor GRU Gemm
        GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization HardSigmoid HardSwish
        Hardmax InstanceNormalization IsInf LRN LSTM LayerNormalization LeakyRelu Log LogSoftmax
        LpNormalization LpPool MatMul MaxPool MeanVarianceNormalization PRelu QuantizeLinear
        RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike
        Reciprocal Relu Resize RotaryEmbedding Round STFT Scan Selu Sigmoid Sin Sinh Softmax
        Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Upsample""",
    _NO_BFLOAT: """BlackmanWindow DeformConv GridSample HammingWindow HannWindow Mish
        NonMaxSuppression NonZero RoiAlign TensorScatter""",
    _NUMBERS: """Abs Add ArgMax ArgMin Clip DepthToSpace Div Equal Gelu Greater GreaterOrEqual IsNaN
        Less LessOrEqual Max Mean Min Mod Mul Neg Pad Pow Range ReduceL1 ReduceL2 ReduceLogSum
        ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
        Scatter ScatterElements ScatterND Shrink Sign SpaceToDepth Sub Sum TopK""",
    _ALL: """Concat ConstantOfShape Expand EyeLike Flatten Gather GatherElements GatherND Identity
        If Loop OneHot Reshape ReverseSequence Shape Size Slice Split Squeeze Tile Transpose Trilu
        Unsqueeze Where""",
    _ALL | {T.UINT8}: "Cast CastLike",
    frozenset({T.BOOL}): "And Not Or Xor",
    _ALL | _QUANTIZED | {T.UINT8}: "Constant",  # where it goes decides
    _QUANTIZED: "DequantizeLinear",
}
OPERATORS: Mapping[str, Set[int]] = {
    name: types for types, names in _BY_TYPES.items() for name in names.split()
}
"""Operator to the types of its data inputs; whatever is missing has no importer."""

FIRST_VERSION: Mapping[str, TensorRtVersion] = {
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), TensorRtVersion(10, 4)),
    "STFT": TensorRtVersion(10, 5),
    # In the table of 11.1 and not in that of 10.1; the exact version does not matter here.
    **dict.fromkeys(
        ("Attention", "RMSNormalization", "RotaryEmbedding", "Swish", "TensorScatter"),
        TensorRtVersion(11, 0),
    ),
}
"""Operators younger than 10.3 (docs/Changelog.md)."""

CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})

_ELEMENTWISE = """Add And Concat Div Einsum Equal Greater GreaterOrEqual Less LessOrEqual Max Mean
    Min Mul Or Sub Sum Xor"""
DATA_INPUTS: Mapping[str, tuple[int, ...]] = {
    "Where": (1, 2),
    "GridSample": (0, 1),
    "Conv": (0, 1, 2),
    "ConvTranspose": (0, 1, 2),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1),
    "PRelu": (0, 1),
    "Clip": (0, 1, 2),
    "Mod": (0, 1),
    "DeformConv": (0, 1, 2, 3, 4),
    **dict.fromkeys(_ELEMENTWISE.split(), tuple(range(64))),
}
"""Inputs with one type in common: nothing is cast in a strongly typed network. Else input 0."""

CONSTANT_INPUTS: Mapping[tuple[str, int], TensorRtVersion | None] = {
    ("Pad", 3): TensorRtVersion(10, 4),
    ("CumSum", 1): None,
    ("OneHot", 1): None,
    ("Squeeze", 1): None,
    ("Unsqueeze", 1): None,
    **{(name, 1): None for name in OPERATORS if name.startswith("Reduce")},
    ("QuantizeLinear", 1): TensorRtVersion(11, 0),  # NvInfer.h of 11.1 asks it of zero_point alone
    ("DequantizeLinear", 1): TensorRtVersion(11, 0),
    ("QuantizeLinear", 2): None,
    ("DequantizeLinear", 2): None,
}
"""(operator, input) that must be a constant, and the version from which it may be computed."""

RANKS: Mapping[str, range] = {
    "GridSample": range(4, 5),
    "DeformConv": range(3, 5),
    "Gemm": range(2, 3),
    "DepthToSpace": range(4, 5),
    "SpaceToDepth": range(4, 5),
    **dict.fromkeys(("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"), range(3, 6)),
}
"""The ranks that input 0 may have."""

ATTRIBUTES: Mapping[tuple[str, str], Set[int | str]] = {
    **{(name, "dilations"): {1} for name in ("MaxPool", "AveragePool", "LpPool")},
    ("BatchNormalization", "training_mode"): {0},
    ("ScatterND", "reduction"): {"none"},
    ("TopK", "sorted"): {1},
    ("LSTM", "layout"): {0},
    ("LSTM", "input_forget"): {0},
    ("Resize", "antialias"): {0},
    ("Resize", "keep_aspect_ratio_policy"): {"stretch"},
    ("Resize", "coordinate_transformation_mode"): {
        "half_pixel",
        "pytorch_half_pixel",
        "tf_half_pixel_for_nn",
        "asymmetric",
        "align_corners",
    },
    # Opset 20 renamed bilinear and bicubic; the importer takes the new names for nearest and says
    # nothing (NVIDIA/TensorRT#4646, onnx-tensorrt#1060, seen with 11.1). Its default is bilinear.
    ("GridSample", "mode"): {"nearest", "bilinear", "bicubic"},
}
"""(operator, attribute) to its values; for a list, those of each element."""

SINGLE_OUTPUT = frozenset({"MaxPool", "BatchNormalization", "LayerNormalization"})
"""Operators of which only the first output is imported."""

WEIGHT_AXIS: Mapping[str, int] = {"Conv": 0, "ConvTranspose": 1}
"""Axis of a weight's scales. MatMul and Gemm: that of the output channels."""

PLUGIN_DOMAIN = "dehaze"
PLUGIN = "HazeDeformConv2d"
PLUGIN_ATTRIBUTES: Mapping[str, int | None] = {
    "plugin_version": None,
    "plugin_namespace": None,
    "stride": 2,
    "padding": 2,
    "dilation": 2,
    "groups": None,
    "offset_groups": None,
}
"""Name to the number of integers; None for a single value."""
