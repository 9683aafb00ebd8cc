"""The real builder of TensorRT-RTX, which needs no GPU, on small graphs and on the real network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import parser

from dehaze.runtime import ModelError, UsageError
from dehaze.runtime.backends import open_session
from dehaze.runtime.cuda import device
from dehaze.runtime.model.contract import ModelContract
from dehaze.runtime.trt import host
from dehaze.runtime.trt.engine_cache import cached_engine, engine_from_onnx
from dehaze.runtime.trt.engine_file import read_engine
from dehaze.runtime.trt.options import EngineOptions, ShapeRange, using_library

pytest.importorskip("tensorrt_rtx_bindings", reason="needs x86-64 Linux and the extra `rtx`")
SMALL = EngineOptions(shapes=ShapeRange((1, 64, 64, 3), (1, 96, 160, 3), (2, 128, 160, 3)))
CONTRACT = ModelContract(
    name="blur",
    precision="fp32",
    target="tensorrt",
    minimum_size=1,
    parameters=0,
    source_sha256="ab" * 32,
)


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(device, "DRIVER_LIBRARY", str(tmp_path / "libcuda.so.1"))
    with using_library("rtx"):
        yield


def model(folder: Path, body: str = "g = Mul (f, f)", shape: str = "N, H, W, 3") -> Path:
    """A model from the text of its nodes, which make g of f, both float."""
    graph = parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 20]>'
        f"g (uint8[{shape}] image) => (uint8[{shape}] clear)"
        f"{{ f = Cast <to = 1> (image) {body} clear = Cast <to = 2> (g) }}"
    )
    onnx.helper.set_model_props(graph, CONTRACT.to_metadata())
    onnx.save(graph, folder / "blur.onnx")
    return folder / "blur.onnx"


def test_an_engine_is_for_every_gpu_since_ampere(tmp_path: Path) -> None:
    path = engine_from_onnx(model(tmp_path), None, SMALL)
    assert path.name.startswith("blur-fp32-1x64x64_1x96x160_2x128x160-ampere-plus-rtx1.")
    header, plan = read_engine(path)
    assert header.host.title == "TensorRT-RTX"
    assert (header.hardware_compatibility, header.shapes) == ("ampere_plus", SMALL.shapes)
    assert len(plan) > 10_000
    assert cached_engine(tmp_path / "blur.onnx", SMALL, rebuild=False).built_because == ""


def test_an_engine_is_told_from_those_of_tensorrt(tmp_path: Path) -> None:
    header, _ = read_engine(engine_from_onnx(model(tmp_path), None, SMALL))
    version = (header.host.tensorrt_version, header.host.title)
    orin = host.TensorRTHost("Orin", (8, 7), "10.3.0")
    card = host.TensorRTHost("NVIDIA GeForce RTX 3060", (8, 6), *version)
    older = host.TensorRTHost("NVIDIA GeForce GTX 1080", (6, 1), *version)
    assert header.mismatch(replace(header, host=card)) == ""
    assert "expected TensorRT 10.3.0, got TensorRT-RTX 1." in header.mismatch(
        replace(header, host=orin)
    )
    assert "expected GPU NVIDIA GeForce GTX 1080" in header.mismatch(replace(header, host=older))


def test_opening_one_without_a_gpu_says_so(tmp_path: Path) -> None:
    path = engine_from_onnx(model(tmp_path), None, SMALL)
    with pytest.raises(ModelError, match="expected an NVIDIA GPU, got none"):
        open_session(path)


def test_the_words_of_the_parser_and_of_the_builder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"TensorRT-RTX 1\..* cannot take node .* \(Det\)"):
        engine_from_onnx(model(tmp_path, "d = Det (f) g = Mul (f, d)"), None, SMALL)
    wide = (
        "w = Constant <value = float[3, 2] {1, 0, 0, 1, 1, 1}> () m = MatMul (f, w) g = Add (m, f)"
    )
    with pytest.raises(ModelError, match=r"TensorRT-RTX 1\."):
        engine_from_onnx(model(tmp_path, wide), None, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["blur.onnx"]


def test_too_little_memory_is_told_with_what_allows_more(tmp_path: Path) -> None:
    large = EngineOptions(shapes=ShapeRange.fixed(1080, 1920), workspace_mib=1)
    mean = "m = ReduceMean <keepdims = 1> (f) e = Sub (f, m) s = Softmax (e) g = Add (s, m)"
    with pytest.raises(ModelError, match=r"OutOfMemory.*--workspace allows more"):
        engine_from_onnx(model(tmp_path, mean), None, large)


def test_a_fixed_model_takes_its_own_shape_alone(tmp_path: Path) -> None:
    path = model(tmp_path, shape="1, 96, 160, 3")
    engine_from_onnx(path, None, EngineOptions(shapes=ShapeRange.fixed(96, 160)))
    with pytest.raises(UsageError, match=r"takes frames of \(1, 96, 160, 3\).*1x128x160"):
        engine_from_onnx(path, None, EngineOptions(shapes=ShapeRange.fixed(128, 160)))


def test_what_rtx_does_not_take_is_told(tmp_path: Path) -> None:
    options = EngineOptions(shapes=SMALL.shapes, version_compatible=True)
    with pytest.raises(UsageError, match="TensorRT-RTX takes no version-compatible engines"):
        engine_from_onnx(model(tmp_path), None, options)


def test_the_form_without_the_plugin_is_taken(tmp_path: Path) -> None:
    """Its parser would end the process at the node of a plugin that is loaded."""
    twin = model(tmp_path)
    content = onnx.load(twin)
    twin = twin.rename(tmp_path / "blur-gridsample.onnx")
    content.graph.node[1].op_type, content.graph.node[1].domain = "HazeDeformConv2d", "dehaze"
    onnx.save(content, tmp_path / "blur.onnx")
    built = engine_from_onnx(tmp_path / "blur.onnx", None, SMALL)
    assert built.name.startswith("blur-gridsample-")
    twin.unlink()
    with pytest.raises(ModelError, match=r"takes no plugins.*--deform gridsample`") as caught:
        engine_from_onnx(tmp_path / "blur.onnx", None, SMALL)
    assert "\n" not in str(caught.value)


def test_an_engine_of_another_version_is_not_run(tmp_path: Path) -> None:
    header, _ = read_engine(engine_from_onnx(model(tmp_path), None, SMALL))
    later = host.TensorRTHost("NVIDIA RTX A2000", (8, 6), "1.99.0", "TensorRT-RTX")
    words = header.mismatch(replace(header, host=later))
    assert words == f"expected TensorRT-RTX 1.99.0, got {header.host.tensorrt_version}"
