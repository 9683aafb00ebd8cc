"""The model files that ship as whole models in float32: converting them needs no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from onnx import ModelProto, helper

from dehaze.runtime.errors import GateError
from dehaze.runtime.model.contract import ModelContract
from dehaze.runtime.model.shipped import (
    MODELS_FOLDER,
    TWIN_SUFFIX,
    contract_of,
    list_models,
    model_path,
)
from dehaze.runtime.model.subgraph import GRID, THUMBNAIL

from .base import Form, Target, default_form
from .comparison import psnr_between
from .image import IR_VERSION, NETWORK, OPSET, in_network, model_from_estimator
from .passes import copied

__all__ = ["ShippedModels", "shipped_contract"]

ESTIMATE = "estimate"
"""The tensor that ends the network; it has the channels of the output `grid`."""
MINIMUM_DB = 60.0
"""The forms of the shipped network differ by the rounding of sums in another order alone."""


def shipped_contract(checkpoint: Path) -> ModelContract | None:
    """The contract of the shipped model of exactly these weights; None where there is none."""
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    contracts = (contract_of(model_path(name)) for name in list_models())
    return next((found for found in contracts if found.source_sha256 == digest), None)


class ShippedModels:
    """The models of a network that ships, see `BaseModels`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def model(self, target: Target, form: Form) -> ModelProto:
        file = onnx.load(self._path(form))
        if target != "tensorrt":
            return file
        return model_from_estimator(estimator_of(file), tensorrt=True)

    def origin_of(self, model: ModelProto) -> str:
        psnr = psnr_between(model, onnx.load(self._path(default_form("onnxruntime"))))
        if psnr < MINIMUM_DB:
            raise GateError(
                f"expected the model at least {MINIMUM_DB:g} dB from the shipped {self._name}, got "
                f"{psnr:.1f} dB; install dehaze-edge again"
            )
        return f"from the shipped {self._name}"

    def _path(self, form: Form) -> Path:
        return MODELS_FOLDER / f"{self._name}{TWIN_SUFFIX if form == 'gridsample' else ''}.onnx"


def estimator_of(model: ModelProto) -> ModelProto:
    """The graph that was given to `model_from_estimator`: from `thumbnail` to `estimate`."""
    inner = copied(model).graph
    nodes = [node for node in inner.node if in_network(node)]
    for node in nodes:
        node.name = node.name.removeprefix(NETWORK)
        node.input[:] = [name.removeprefix(NETWORK) for name in node.input]
        node.output[:] = [name.removeprefix(NETWORK) for name in node.output]
    constants = [tensor for tensor in inner.initializer if tensor.name.startswith(NETWORK)]
    for tensor in constants:
        tensor.name = tensor.name.removeprefix(NETWORK)
    grid = next(output for output in model.graph.output if output.name == GRID)
    channels = grid.type.tensor_type.shape.dim[3].dim_value
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        model.graph.name,
        [helper.make_tensor_value_info(THUMBNAIL, floats, ["N", 3, "h4", "w4"])],
        [helper.make_tensor_value_info(ESTIMATE, floats, ["N", channels, "h", "w"])],
        constants,
    )
    imports = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, ir_version=IR_VERSION, opset_imports=imports)
