"""A torch network as whole models in float32."""

from __future__ import annotations

from onnx import ModelProto
from torch import nn

from dehaze.train.networks.deform import DeformConv2d
from dehaze.train.networks.edge import SIZE_MULTIPLE, THUMBNAIL_STRIDE, Edge
from dehaze.train.networks.network import Network

from .against_torch import compare
from .base import Form, Target
from .comparison import COMPARED_SIZES
from .from_torch import GridEstimator, onnx_from_network, simplified
from .image import model_from_estimator, model_from_image_network
from .passes import copied


class NetworkModels:
    """The models of a torch network, see `BaseModels`.

    The torch part is exported once for each way to write deformable convolution: that takes most of
    the time, and the targets differ in what is around it.
    """

    def __init__(self, network: Network, name: str) -> None:
        self.network, self._name = network, name
        self._graphs: dict[bool, ModelProto] = {}

    def model(self, target: Target, form: Form) -> ModelProto:
        graph = copied(self._graph(form == "gridsample"))
        if isinstance(self.network, Edge):
            return model_from_estimator(graph, tensorrt=target == "tensorrt")
        return model_from_image_network(graph, self._name, self.network.size_multiple)

    def origin_of(self, model: ModelProto) -> str:
        found = compare(model, self.network)
        sizes = ", ".join(f"{width}x{height}" for height, width in COMPARED_SIZES)
        return (
            f"float32 at {sizes} within {found.largest}/255 of torch, "
            f"{found.differing:.4%} of the bytes differ"
        )

    def _graph(self, decomposed: bool) -> ModelProto:
        if decomposed not in self._graphs:
            self._graphs[decomposed] = _network_graph(self.network, decomposed)
        return self._graphs[decomposed]


def _network_graph(network: Network, decomposed: bool) -> ModelProto:
    """The network alone, float in and out."""
    _set_decomposed(network, decomposed)
    if isinstance(network, Edge):
        multiple = SIZE_MULTIPLE // THUMBNAIL_STRIDE
        estimator = GridEstimator(network.estimator)
        return simplified(onnx_from_network(estimator, "thumbnail", "estimate", multiple), multiple)
    multiple = network.size_multiple
    return simplified(onnx_from_network(network, "input", "output", multiple), multiple)


def _set_decomposed(network: nn.Module, decomposed: bool) -> None:
    for module in network.modules():
        if isinstance(module, DeformConv2d):
            module.decomposed = decomposed
