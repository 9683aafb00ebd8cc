"""The forms that dehaze-export writes for TensorRT are built by TensorRT-RTX's real builder.

It needs no GPU. What it says of the engine that it made is read back: tensors, types, sizes, and
the precision of each layer. Deserialising an engine would need a GPU.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper

from dehaze.export.cli import main
from dehaze.export.graph import comparison
from dehaze.export.graph.network_models import NetworkModels
from dehaze.export.graph.passes import constants, copied, fold_norms, remove_unused
from dehaze.export.precision.calibration import Picture, activation_ranges
from dehaze.export.precision.half import half_precision
from dehaze.export.precision.quantisation import quantisable_layers, quantised
from dehaze.export.trt.form import for_tensorrt
from dehaze.runtime import ModelError, open_dehazer
from dehaze.runtime.trt.options import EngineOptions, ShapeRange, using_library
from dehaze.train.networks.ffa_net import FfaNet
from dehaze.train.run.checkpoint import load_network

rtx = pytest.importorskip("tensorrt_rtx_bindings", reason="needs x86-64 Linux and the extra `rtx`")

DEFAULT = EngineOptions().shapes
LARGE = ShapeRange((1, 64, 64, 3), (1, 720, 1280, 3), (2, 2160, 3840, 3))
FIXED = ShapeRange.fixed(480, 640)


class Built(NamedTuple):
    """The builder's account of an engine."""

    layers: list[tuple[str, str]]
    """Name and precision of each layer with weights."""
    tensors: dict[str, tuple[str, str]]
    """Name of an input or output to its type and dimensions."""
    sizes: list[list[int]]
    """Smallest, best and largest shape of the frames."""


@pytest.fixture(autouse=True)
def _with_rtx() -> Iterator[None]:
    with using_library("rtx"):
        yield


def built(model: ModelProto, shapes: ShapeRange, folder: Path) -> Built:
    """Builds a model and reads the builder's account."""
    from dehaze.runtime.trt.build import plan_from_onnx
    from dehaze.runtime.trt.log import LOG, layers_built

    path = folder / "model.onnx"
    onnx.save(model, path)
    plan = plan_from_onnx(path, EngineOptions(shapes=shapes))
    assert len(plan.content) > 100_000
    words = LOG.engine
    layers = layers_built(words)
    assert plan.layers == dict(Counter(precision for _, precision in layers))
    tensors = re.findall(
        r"^ Name: (\w+), IOMode: \w+, DataType: (\w+), Dimensions: (\S+),", words, re.MULTILINE
    )
    sizes = re.search(
        r"^ Name: image,.*MinShape: (\S+), OptShape: (\S+), MaxShape: (\S+), ", words, re.MULTILINE
    )
    assert sizes is not None
    return Built(
        [tuple(layer) for layer in layers],
        {name: (kind, dimensions) for name, kind, dimensions in tensors},
        [[int(side) for side in re.findall(r"\d+", shape)] for shape in sizes.groups()],
    )


@pytest.fixture(scope="module")
def bases(checkpoint: Path) -> NetworkModels:
    return NetworkModels(load_network(checkpoint)[0], "edge")


@pytest.fixture(scope="module")
def edge(bases: NetworkModels) -> ModelProto:
    return bases.model("tensorrt", "gridsample")


@pytest.fixture(scope="module")
def folded(edge: ModelProto) -> ModelProto:
    model = copied(edge)
    fold_norms(model)
    return model


def in_int8(model: ModelProto) -> ModelProto:
    """The model with all layers in 8 bits that can be, calibrated on noise."""
    noise = np.random.default_rng(0).integers(0, 256, (1, 96, 128, 3), np.uint8)
    ranges = activation_ranges(model, [Picture(noise, noise)])
    return quantised(model, ranges, "tensorrt", quantisable_layers(model, "tensorrt"))


EDGE_TENSORS = {
    "image": ("UInt8", "[1,-1,-1,3]"),
    "strength": ("Float", "[]"),
    "clear": ("UInt8", "[1,-1,-1,3]"),
    "grid": ("Float", "[1,-1,-1,4]"),
}


def test_edge_in_fp32_over_the_default_sizes(edge: ModelProto, tmp_path: Path) -> None:
    engine = built(for_tensorrt(edge, plugin=False), DEFAULT, tmp_path)
    channels = edge.graph.output[1].type.tensor_type.shape.dim[3].dim_value
    assert engine.tensors == EDGE_TENSORS | {"grid": ("Float", f"[1,-1,-1,{channels}]")}
    assert engine.sizes == [[1, 64, 64, 3], [1, 720, 1280, 3], [1, 1080, 1920, 3]]
    assert {precision for _, precision in engine.layers} == {"FP32"}


def test_edge_in_fp16_up_to_two_frames_of_4k(folded: ModelProto, tmp_path: Path) -> None:
    engine = built(for_tensorrt(half_precision(folded), plugin=False), LARGE, tmp_path)
    assert engine.sizes[2] == [2, 2160, 3840, 3]
    assert engine.tensors["image"] == ("UInt8", "[-1,-1,-1,3]")
    precisions = dict(engine.layers)
    assert precisions["net_estimator.coarse.second"] == "FP16"
    for layer in ("net_estimator.head", "net_estimator.enhance.deform.offset_and_mask"):
        assert precisions[layer] == "FP32"
    assert Counter(precisions.values())["FP32"] < 10 < Counter(precisions.values())["FP16"]


def test_edge_in_int8_computes_in_int8(folded: ModelProto, tmp_path: Path) -> None:
    model = for_tensorrt(half_precision(in_int8(folded)), plugin=False)
    engine = built(model, DEFAULT, tmp_path)
    wanted = {f"net_{layer}" for layer in quantisable_layers(folded, "tensorrt")}
    assert {name for name, precision in engine.layers if precision == "INT8"} == wanted
    assert dict(engine.layers)["net_estimator.coarse.attention.squeeze"] == "FP16"


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_all_of_the_form_with_the_plugin_but_its_node(
    precision: str, bases: NetworkModels, tmp_path: Path
) -> None:
    """TensorRT-RTX takes no plugins; a convolution of the same shapes stands for the node."""
    model = copied(bases.model("tensorrt", "plugin"))
    fold_norms(model)
    if precision == "int8":
        model = in_int8(model)
    model = for_tensorrt(half_precision(model, plugin=True), plugin=True)
    (node,) = (node for node in model.graph.node if node.op_type == "HazeDeformConv2d")
    fields = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    x, offset, mask, weight = node.input
    pads = [*fields["padding"], *fields["padding"]]
    stand_in = [
        helper.make_node("Conv", [x, weight], ["stand_in"], "stand_in", pads=pads),
        # Offsets and mask stay in use, so that what makes them is built, too.
        helper.make_node("ReduceMax", [offset], ["top"], "top", keepdims=1),
        helper.make_node("ReduceMax", [mask], ["most"], "most", keepdims=1),
        helper.make_node("Add", ["top", "most"], ["both"], "both"),
        helper.make_node("Cast", ["both"], ["used"], "used", to=onnx.TensorProto.FLOAT16),
        helper.make_node("Add", ["stand_in", "used"], list(node.output), "stand_in_sum"),
    ]
    place = list(model.graph.node).index(node)
    model.graph.node.remove(node)
    for index, added in enumerate(stand_in):
        model.graph.node.insert(place + index, added)
    engine = built(model, DEFAULT, tmp_path)
    assert dict(engine.layers)["net_estimator.enhance.deform.offset_and_mask"] == "FP32"
    assert constants(model.graph)[weight].dtype == np.float16


@pytest.mark.parametrize("name", ["rfd-student", "aecr-net"])
def test_the_networks_of_the_papers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command exports them for ONNX Runtime and TensorRT."""
    monkeypatch.setattr(comparison, "COMPARED_SIZES", ((64, 64), (71, 83)))
    options = ["--random-weights", "--deform", "gridsample", "--out", str(tmp_path)]
    assert main([name, "--target", "onnxruntime", "tensorrt", *options]) == 0
    assert "within" in capsys.readouterr().out
    with open_dehazer(tmp_path / f"{name}-gridsample.onnx") as dehazer:
        assert dehazer(np.zeros((65, 70, 3), np.uint8)).shape == (65, 70, 3)
    model = onnx.load(tmp_path / f"{name}-tensorrt-gridsample.onnx")
    assert built(model, FIXED, tmp_path).sizes == [[1, 480, 640, 3]] * 3


def test_ffa_net_in_fp16(tmp_path: Path) -> None:
    """FFA-Net with one block in place of 19 has the same operators."""
    network = FfaNet(width=64, blocks=1).eval()
    model = NetworkModels(network, "ffa-net").model("tensorrt", "gridsample")
    fold_norms(model)
    engine = built(for_tensorrt(half_precision(model), plugin=False), FIXED, tmp_path)
    assert "FP16" in {precision for _, precision in engine.layers}


def test_the_builders_words_reach_the_user(edge: ModelProto, tmp_path: Path) -> None:
    model = for_tensorrt(edge, plugin=False)
    (pad,) = (n for n in model.graph.node if n.op_type == "Pad" and "pixels" in n.output[0])
    cast = next(n for n in model.graph.node if n.output[0] == pad.input[0])
    pad.input[0] = cast.input[0]
    remove_unused(model)
    with pytest.raises(ModelError, match=r"TensorRT-RTX 1\.7.* \(Pad\): .*input type of UINT8"):
        built(model, DEFAULT, tmp_path)
