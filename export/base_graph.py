"""A network as a whole model in float32, uint8 pixels in and out: where all conversions start."""

from __future__ import annotations

from typing import Literal

from onnx import ModelProto
from torch import nn

from dehaze.train.networks.deform import DeformConv2d
from dehaze.train.networks.edge import SIZE_MULTIPLE, THUMBNAIL_STRIDE, Edge
from dehaze.train.networks.network import Network

from .estimator_graph import GridEstimator, onnx_from_network, simplified
from .image_graph import model_from_estimator, model_from_image_network

Target = Literal["onnxruntime", "onnxruntime-arm", "tensorrt"]
"""The engine that a graph is written for."""
Form = Literal["standard", "plugin", "gridsample"]
"""The form of deformable convolution: ONNX's DeformConv, our TensorRT plugin's node, or built
from GridSample, for ONNX Runtime before 1.25 and as a cross-check."""


def base_model(network: Network, name: str, target: Target, form: Form) -> ModelProto:
    """The model in float32; of the plugin's form it still has DeformConv, so that it can run.

    Raises:
        GateError: simplifying changed what it gives.
    """
    _set_decomposed(network, form == "gridsample")
    if isinstance(network, Edge):
        multiple = SIZE_MULTIPLE // THUMBNAIL_STRIDE
        graph = onnx_from_network(
            GridEstimator(network.estimator), "thumbnail", "estimate", multiple
        )
        return model_from_estimator(simplified(graph, multiple), tensorrt=target == "tensorrt")
    multiple = network.size_multiple
    graph = onnx_from_network(network, "input", "output", multiple)
    return model_from_image_network(simplified(graph, multiple), name, multiple)


def _set_decomposed(network: nn.Module, decomposed: bool) -> None:
    for module in network.modules():
        if isinstance(module, DeformConv2d):
            module.decomposed = decomposed
