"""Our code tells TensorRT what to build and understands its answers; a fake takes its place.

The fake's plan is JSON of what its builder was told. Whether the names exist in the real
TensorRT, test_binding_names.py asks; that it builds an engine, nothing here shows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest

from dehaze.runtime import ModelError, UsageError
from dehaze.runtime.cuda import device as cuda_device
from dehaze.runtime.cuda.device import CudaDevice
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.trt.engine_cache import engine_from_onnx
from dehaze.runtime.trt.engine_file import read_engine
from dehaze.runtime.trt.options import EngineOptions, ShapeRange

pytestmark = pytest.mark.usefixtures("fake_tensorrt")
EDGE = MODELS_FOLDER / "edge.onnx"
SMALL = ShapeRange.fixed(96, 160)


def told(model: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """The calls that the fake builder received."""
    path = engine_from_onnx(model, folder, EngineOptions(shapes=SMALL, **options))
    told: dict[str, Any] = json.loads(read_engine(path)[1])
    return told


def edited(folder: Path, edit: Any) -> Path:
    """A copy of the shipped model for TensorRT, changed."""
    model = onnx.load(EDGE)
    for entry in model.metadata_props:
        if entry.key == "dehaze.target":
            entry.value = "tensorrt"
    edit(model)
    path = folder / "edited.onnx"
    onnx.save(model, path)
    return path


def with_plugin_nodes(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "DeformConv":
            node.op_type, node.name = "HazeDeformConv2d", "deform"


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "libhaze.so"
    path.write_bytes(b"\x7fELF and so on")
    return path


def test_compatible_engines(tmp_path: Path, plugin: Path) -> None:
    built = told(
        EDGE, tmp_path, plugin=plugin, version_compatible=True, hardware_compatibility="ampere_plus"
    )
    assert built["flags"] == ["VERSION_COMPATIBLE"]
    assert built["hardware"] == "AMPERE_PLUS"
    assert built["plugins_in_plan"] == ["libnvinfer_vc_plugin.so.10", str(plugin)]
    small = told(EDGE, tmp_path, version_compatible=True, exclude_lean_runtime=True)
    assert small["flags"] == ["VERSION_COMPATIBLE", "EXCLUDE_LEAN_RUNTIME"]


def test_a_plugin_stays_outside_of_other_engines(tmp_path: Path, plugin: Path) -> None:
    built = told(EDGE, tmp_path, plugin=plugin)
    assert built["plugins_loaded"] == [str(plugin)]
    assert built["plugins_in_plan"] == []


def test_a_level_that_this_version_lacks_is_told(
    fake_tensorrt: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"10\.3\.0 has no hardware compatibility same_compute"):
        told(EDGE, tmp_path, hardware_compatibility="same_compute_capability")
    levels = fake_tensorrt.HardwareCompatibilityLevel
    monkeypatch.setattr(levels, "SAME_COMPUTE_CAPABILITY", "SAME", raising=False)
    built = told(EDGE, tmp_path, hardware_compatibility="same_compute_capability")
    assert built["hardware"] == "SAME"


def test_the_parser_error_names_the_node(tmp_path: Path) -> None:
    model = edited(tmp_path, with_plugin_nodes)
    with pytest.raises(ModelError) as caught:
        told(model, tmp_path)
    assert str(caught.value).startswith(
        f'{model}: TensorRT 10.3.0 cannot take node "deform" (HazeDeformConv2d): Plugin not found, '
        f"are the plugin name, version, and namespace correct?"
    )
    assert str(caught.value).endswith("; a model with plugin nodes needs its plugin library")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [model]


def test_with_its_plugin_the_model_is_parsed(tmp_path: Path, plugin: Path) -> None:
    assert told(edited(tmp_path, with_plugin_nodes), tmp_path, plugin=plugin)["strongly_typed"]


def test_a_plugin_library_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    plugin = tmp_path / "libhaze.so"
    plugin.write_text("built for another machine")
    with pytest.raises(ModelError, match=r"libhaze\.so: TensorRT .* cannot load .*invalid ELF"):
        told(EDGE, tmp_path, plugin=plugin)
    with pytest.raises(ModelError, match=r"none\.so: cannot be read \(No such file"):
        told(EDGE, tmp_path, plugin=tmp_path / "none.so")


def test_a_builder_that_cannot_start_is_told(fake_tensorrt: ModuleType, tmp_path: Path) -> None:
    fake_tensorrt.starts = False
    with pytest.raises(ModelError, match=r"cannot start on this GPU \(CUDA initialization failure"):
        told(EDGE, tmp_path)


def test_the_timing_cache_is_taken_up_again(tmp_path: Path) -> None:
    cache = tmp_path / "caches" / "timing.cache"
    for builds in (1, 2):
        told(EDGE, tmp_path, timing_cache=cache)
        assert json.loads(cache.read_text()) == {"device": "orin", "builds": builds}


@pytest.mark.parametrize("content", ['{"device": "thor", "builds": 9}', "damaged", ""])
def test_a_timing_cache_of_another_device_is_replaced(tmp_path: Path, content: str) -> None:
    cache = tmp_path / "timing.cache"
    cache.write_text(content)
    told(EDGE, tmp_path, timing_cache=cache)
    assert json.loads(cache.read_text()) == {"device": "orin", "builds": 1}


def test_without_a_gpu_tensorrt_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT segfaults without a GPU."""
    monkeypatch.setattr(cuda_device, "DRIVER_LIBRARY", str(tmp_path / "libcuda.so.1"))
    monkeypatch.setattr("dehaze.runtime.trt.host.cuda_device", cuda_device.cuda_device)
    del sys.modules["tensorrt"]
    with pytest.raises(ModelError, match=r"expected an NVIDIA GPU.*dehaze-export edge\.onnx"):
        told(EDGE, tmp_path)
    assert "tensorrt" not in sys.modules


def test_without_tensorrt_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dehaze.runtime.trt.host.cuda_device", lambda: CudaDevice("Orin", (8, 7)))
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(ModelError) as caught:
        told(EDGE, tmp_path)
    for words in ("JetPack", "pip install 'dehaze-edge[rtx]'", f"dehaze-export {EDGE.name}"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_tensorrt_that_is_too_old_is_told(fake_tensorrt: ModuleType, tmp_path: Path) -> None:
    fake_tensorrt.__version__ = "8.6.2"
    with pytest.raises(ModelError, match=r"expected TensorRT 10\.3 or newer, got 8\.6\.2"):
        told(EDGE, tmp_path)
