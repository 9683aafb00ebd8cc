"""Keeps TensorRT's messages: errors for our own, and its account of an engine that it built.

Needs TensorRT to import.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from ..errors import one_line
from .library import trt

__all__ = ["LOG", "BuiltLayer", "TensorRTLog", "layers_built", "precisions"]

_HEADING = "Layers:\n"
"""The beginning of the builder's account of an engine."""


class TensorRTLog(trt.ILogger):  # type: ignore[misc]  # tensorrt ships no type information
    """Keeps that and drops the rest, which would land in the progress bar."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []
        """One line each, oldest first: the first is the cause, later ones are its echo."""
        self.engine = ""
        """The builder's account of the last engine; empty where it gives none."""

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Called by TensorRT, from any of its threads."""
        if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
            self.errors.append(one_line(RuntimeError(msg)))
        elif msg.startswith(_HEADING):
            self.engine = msg

    def reason(self) -> str:
        """The first error, short enough for a message."""
        return self.errors[0][:300] if self.errors else "TensorRT gives no reason"


LOG = TensorRTLog()
"""The one log of the process, never freed: TensorRT ignores a second one while objects of the
first live, and its plugin library keeps a bare pointer to what it was given."""

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
    """The name of the ONNX node, or of those that became one layer, joined by `+`; a fusion has
    a name that the builder made up."""
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
    """The number of layers with weights by precision: `{"INT8": 28, "FP16": 16}`."""
    counted = Counter(layer.precision for layer in layers_built(words))
    return {name: counted[name] for name in _PRECISIONS.values() if counted[name]}
