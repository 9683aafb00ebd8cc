from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from dehaze.runtime import ModelError, list_models, open_dehazer
from dehaze.runtime.model.shipped import MODELS_FOLDER, contract_of


def test_the_shipped_model_is_small_and_says_where_it_comes_from() -> None:
    assert "edge" in list_models()
    assert (MODELS_FOLDER / "edge.onnx").stat().st_size <= 1_000_000
    with open_dehazer("edge") as dehazer:
        contract = dehazer.contract
    assert contract.name == "edge"
    assert contract.parameters <= 130_000
    assert contract.minimum_size == 64
    assert len(contract.source_sha256) == 64
    assert "held-out scenes at the training scale: " in contract.card


def test_the_shipped_model_comes_from_the_shipped_checkpoint() -> None:
    import hashlib

    checkpoint = Path(__file__).parents[3] / "train" / "weights" / "edge.safetensors"
    with open_dehazer("edge") as dehazer:
        expected = dehazer.contract.source_sha256
    assert hashlib.sha256(checkpoint.read_bytes()).hexdigest() == expected


def test_the_model_without_deform_conv_gives_the_same_picture(frame: NDArray[np.uint8]) -> None:
    twin = MODELS_FOLDER / "edge-gridsample.onnx"
    assert "DeformConv" not in {node.op_type for node in onnx.load(twin).graph.node}
    with open_dehazer("edge") as one, open_dehazer(twin) as other:
        assert one.contract.source_sha256 == other.contract.source_sha256
        assert np.abs(one(frame).astype(int) - other(frame)).max() <= 1


def test_a_model_that_does_not_exist_is_told_with_the_shipped_names() -> None:
    with pytest.raises(ModelError, match=r"neither a file nor a shipped model \(edge"):
        open_dehazer("egde")


def test_a_file_that_is_not_onnx_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("not a model")
    with pytest.raises(ModelError, match="expected an ONNX model"):
        open_dehazer(path)


def test_an_onnx_model_of_somebody_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "theirs.onnx"
    onnx.save(onnx.parser.parse_model(FOREIGN), path)
    with pytest.raises(ModelError, match=r"without 'dehaze\.format' in its metadata"):
        open_dehazer(path)


def test_a_model_of_a_later_format_is_told(tmp_path: Path) -> None:
    model = onnx.load(MODELS_FOLDER / "edge.onnx")
    for entry in model.metadata_props:
        if entry.key == "dehaze.format":
            entry.value = "99"
    onnx.save(model, tmp_path / "new.onnx")
    with pytest.raises(ModelError, match="expected model format 1, got 99"):
        open_dehazer(tmp_path / "new.onnx")


def test_damaged_metadata_are_told(tmp_path: Path) -> None:
    model = onnx.load(MODELS_FOLDER / "edge.onnx")
    kept = [entry for entry in model.metadata_props if entry.key != "dehaze.minimum_size"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises(ModelError, match=r"dehaze\.minimum_size is missing"):
        open_dehazer(tmp_path / "damaged.onnx")


FOREIGN = """
<ir_version: 9, opset_import: ["" : 20]>
theirs (float[N] x) => (float[N] y) { y = Relu (x) }
"""


def test_the_form_for_nvidia_cards_has_the_weights_of_the_shipped_model() -> None:
    form = contract_of(MODELS_FOLDER / "edge-fp16-tensorrt-gridsample.onnx")
    shipped = contract_of(MODELS_FOLDER / "edge.onnx")
    assert (form.target, form.precision) == ("tensorrt", "fp16")
    assert form.source_sha256 == shipped.source_sha256, "export it anew, see CONTRIBUTING.md"
