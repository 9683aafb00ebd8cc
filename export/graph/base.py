"""The models in float32 that all conversions start from, and the forms that they come in."""

from __future__ import annotations

from typing import Literal, Protocol

from onnx import ModelProto

from dehaze.runtime.onnxruntime_session import import_onnxruntime

__all__ = ["BaseModels", "Form", "Target", "default_form"]

Target = Literal["onnxruntime", "onnxruntime-arm", "tensorrt"]
"""The engine that a graph is written for."""
Form = Literal["standard", "plugin", "gridsample"]
"""How deformable convolution is written: ONNX's DeformConv, our TensorRT plugin's node, or out of
GridSample, for ONNX Runtime before 1.25 and as a cross-check."""


class BaseModels(Protocol):
    """Whole models of one network in float32, uint8 pixels in and out."""

    def model(self, target: Target, form: Form) -> ModelProto:
        """A copy of the model; of the plugin's form it still has DeformConv, so that it can run.

        Raises:
            GateError: simplifying changed what it gives.
        """
        ...

    def origin_of(self, model: ModelProto) -> str:
        """Returns what the model was made from and how far it is from it, for people.

        Raises:
            GateError: the model differs from its network by more than rounding.
        """
        ...


def default_form(target: Target) -> Form:
    """The form of deformable convolution unless the user names one."""
    if target == "tensorrt":
        return "plugin"
    version = import_onnxruntime().__version__.split(".")
    has_deform_conv = tuple(map(int, version[:2])) >= (1, 25)  # Python 3.10 stops at 1.23
    return "standard" if has_deform_conv else "gridsample"
