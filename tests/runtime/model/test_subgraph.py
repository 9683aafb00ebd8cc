from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from dehaze.runtime import ModelError
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.model.subgraph import estimator_from_model

SHIPPED = [path for path in sorted(MODELS_FOLDER.glob("*.onnx")) if "tensorrt" not in path.stem]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_estimator_is_what_onnx_itself_would_cut_out(path: Path, tmp_path: Path) -> None:
    estimator = onnx.load_from_string(estimator_from_model(path.read_bytes(), "edge.onnx"))
    onnx.checker.check_model(estimator, full_check=True)
    assert [tensor.name for tensor in estimator.graph.input] == ["thumbnail"]
    assert [tensor.name for tensor in estimator.graph.output] == ["grid"]
    onnx.utils.extract_model(str(path), str(tmp_path / "cut.onnx"), ["thumbnail"], ["grid"])
    expected = onnx.load(tmp_path / "cut.onnx").graph
    names = [[node.output[0] for node in graph.node] for graph in (estimator.graph, expected)]
    assert names[0] == names[1]
    weights = [{t.name for t in graph.initializer} for graph in (estimator.graph, expected)]
    assert weights[0] == weights[1]


def test_the_metadata_stay() -> None:
    model = (MODELS_FOLDER / "edge.onnx").read_bytes()
    estimator = onnx.load_from_string(estimator_from_model(model, "edge.onnx"))
    assert estimator.metadata_props == onnx.load_from_string(model).metadata_props


def test_a_model_without_an_estimator_is_told() -> None:
    model = onnx.load(MODELS_FOLDER / "edge.onnx")
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["picture" if name == "thumbnail" else name for name in names]
    with pytest.raises(ModelError, match=r"other\.onnx: expected a model with an estimator"):
        estimator_from_model(model.SerializeToString(), "other.onnx")
    with pytest.raises(ModelError, match="expected a model with an estimator"):
        estimator_from_model(b"\xff" * 100, "other.onnx")
