"""Which layers of an engine compute in which precision, from what the builder logs of it.

The inspector of an opened engine would say the same, but it needs a GPU; TensorRT-RTX builds
without one.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

__all__ = ["HEADING", "BuiltLayer", "layers_built", "precisions"]

HEADING = "Layers:\n"
"""What the builder's account of an engine begins with."""

_LAYER = re.compile(
    r"^Name: (?P<name>\S+), LayerType: (?P<kind>\w+), Inputs: \[(?P<inputs>.*?)\], Constants: ",
    re.MULTILINE,
)
_TYPE = re.compile(r"Datatype: (\w+)")
_PRECISIONS = {"Int8": "INT8", "Half": "FP16", "Float": "FP32"}
_KINDS = ("correlation", "deconvolution", "gemm")
"""The builder's names for layers with weights; it also calls a fusion after what it fuses."""


class BuiltLayer(NamedTuple):
    """A layer with weights as the builder made it."""

    name: str
    """That of the ONNX node, or of those that became one layer, joined by `+`; a fusion has a name
    that the builder made up."""
    precision: str
    """INT8, FP16 or FP32: the type that it multiplies."""


def layers_built(words: str) -> list[BuiltLayer]:
    """The layers with weights in the builder's account, in order; none of TensorRT's own format."""
    found = []
    for layer in _LAYER.finditer(words):
        is_fusion = "Corr" in layer["name"] or "Deco" in layer["name"]
        types = _TYPE.findall(layer["inputs"])
        if (layer["kind"] in _KINDS or is_fusion) and types and types[0] in _PRECISIONS:
            name = re.sub(r"_myl\d+_\d+$", "", layer["name"])
            found.append(BuiltLayer(name, _PRECISIONS[types[0]]))
    return found


def precisions(words: str) -> dict[str, int]:
    """How many layers with weights compute in each precision: `{"INT8": 28, "FP16": 16}`."""
    counted = Counter(layer.precision for layer in layers_built(words))
    return {name: counted[name] for name in _PRECISIONS.values() if counted[name]}
