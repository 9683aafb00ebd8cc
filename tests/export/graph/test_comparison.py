from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from dehaze.export.graph.against_torch import compare
from dehaze.export.graph.comparison import psnr_between
from dehaze.export.graph.network_models import NetworkModels
from dehaze.runtime import GateError
from dehaze.train.networks import build_network
from dehaze.train.run.checkpoint import load_network


def shifted(model: onnx.ModelProto, weight: str) -> onnx.ModelProto:
    """A copy with one kernel changed, in every node that reads it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensor = next(t for t in copy.graph.initializer if t.name == weight)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 0.2, weight))
    return copy


def test_an_export_unlike_its_network_is_refused(exported: Path) -> None:
    other = build_network("edge").eval()
    with pytest.raises(GateError, match="within 1/255 of torch") as raised:
        compare(onnx.load(exported), other)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("weight", "layer"),
    [
        ("net_estimator.coarse.second.weight", r"estimator\.coarse\.second \("),
        ("net_estimator.middle.first.weight", r"estimator\.middle\.first \("),
        ("net_estimator.head.weight", r"estimator\.head \("),
    ],
)
def test_the_layer_where_a_difference_starts_is_named(
    weight: str, layer: str, exported: Path, checkpoint: Path
) -> None:
    network, _ = load_network(checkpoint)
    with pytest.raises(GateError, match=f"the difference starts at {layer}"):
        compare(shifted(onnx.load(exported), weight), network)


def test_the_graph_for_tensorrt_gives_the_same(exported: Path, checkpoint: Path) -> None:
    """The graph's border is written otherwise: floats inside, bytes only next to a cast."""
    network, _ = load_network(checkpoint)
    model = NetworkModels(network, "edge").model("tensorrt", "standard")
    assert compare(model, network).largest <= 1
    assert psnr_between(model, onnx.load(exported)) > 70
