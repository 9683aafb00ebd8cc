from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from dehaze.runtime import ModelError
from dehaze.runtime.model.metadata import metadata_from_onnx
from dehaze.runtime.model.shipped import MODELS_FOLDER


@pytest.mark.parametrize("path", sorted(MODELS_FOLDER.glob("*.onnx")), ids=lambda path: path.stem)
def test_the_metadata_of_the_shipped_models_are_those_that_onnx_reads(path: Path) -> None:
    expected = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert expected["dehaze.name"] == "edge"
    assert metadata_from_onnx(path.read_bytes(), "edge.onnx") == expected


def test_fields_of_every_kind_are_passed_over() -> None:
    model = onnx.load(MODELS_FOLDER / "edge.onnx")
    model.model_version = -1  # ten bytes: the longest number there is
    model.doc_string = "é" * 200
    onnx.helper.set_model_props(model, {"empty": "", "umlaut": "ä" * 300})
    unknown = b"\xf9\x3e" + bytes(8) + b"\xfd\x3e" + bytes(4)  # of 8 and 4 bytes, number 1007
    content = unknown + model.SerializeToString()
    assert metadata_from_onnx(content, "edge.onnx") == {"empty": "", "umlaut": "ä" * 300}


def test_a_model_without_metadata_has_none() -> None:
    assert metadata_from_onnx(b"", "empty.onnx") == {}


@pytest.mark.parametrize("kept", [1, 1000, -1])
def test_a_file_cut_short_is_told(kept: int) -> None:
    content = (MODELS_FOLDER / "edge.onnx").read_bytes()[:kept]
    with pytest.raises(ModelError, match=r"edge\.onnx: expected an ONNX model, but .* damaged"):
        metadata_from_onnx(content, "edge.onnx")


@pytest.mark.parametrize("content", [b"not a model", b"\xff" * 1000, b"\x89PNG\r\n\x1a\n"])
def test_a_file_of_another_kind_is_told(content: bytes) -> None:
    with pytest.raises(ModelError, match="expected an ONNX model"):
        metadata_from_onnx(content, "picture.png")
