"""Engines on disk: their names, and when one of them is built again. TensorRT is a fake."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from dehaze.runtime import EngineMismatchError, ModelError, OutputError, UsageError
from dehaze.runtime.cuda.device import CudaDevice
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.trt import host as tensorrt_host
from dehaze.runtime.trt.engine_cache import cached_engine, engine_from_onnx, load_engine
from dehaze.runtime.trt.engine_file import read_engine
from dehaze.runtime.trt.options import EngineOptions, ShapeRange

pytestmark = pytest.mark.usefixtures("fake_tensorrt")
OPTIONS = EngineOptions(shapes=ShapeRange.fixed(720, 1280))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(MODELS_FOLDER / "edge.onnx", tmp_path / "edge.onnx"))


def on_gpu(monkeypatch: pytest.MonkeyPatch, name: str, major: int, minor: int) -> None:
    device = CudaDevice(name, (major, minor))
    monkeypatch.setattr(tensorrt_host, "cuda_device", lambda: device)


def change(model: Path) -> None:
    changed = onnx.load(model)
    changed.producer_name = "somebody"
    onnx.save(changed, model)


def test_a_name_says_what_the_engine_is_for(model: Path) -> None:
    path = engine_from_onnx(model, None, OPTIONS)
    assert path == model.with_name("edge-fp32-1x720x1280-orin-sm87-trt10.3.0.engine")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (EngineOptions(), "1x64x64_1x720x1280_1x1080x1920-nvidia-rtx-a2000-sm86-trt10.3.0"),
        (replace(OPTIONS, version_compatible=True), "1x720x1280-nvidia-rtx-a2000-sm86-any-trt"),
        (
            replace(OPTIONS, version_compatible=True, exclude_lean_runtime=True),
            "1x720x1280-nvidia-rtx-a2000-sm86-trt10.3.0-no-lean",
        ),
        (
            replace(OPTIONS, hardware_compatibility="ampere_plus"),
            "1x720x1280-ampere-plus-trt10.3.0",
        ),
    ],
)
def test_a_name_leaves_out_what_does_not_matter(
    model: Path,
    options: EngineOptions,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_gpu(monkeypatch, "NVIDIA RTX A2000", 8, 6)
    model = model.rename(model.with_name("edge-fp32.onnx"))  # the precision is not said twice
    assert engine_from_onnx(model, None, options).name == f"edge-fp32-{name}.engine"


def test_an_engine_goes_where_it_is_told(model: Path, tmp_path: Path) -> None:
    named = tmp_path / "new" / "mine.engine"
    assert engine_from_onnx(model, named, OPTIONS) == named
    assert engine_from_onnx(model, tmp_path / "folder", OPTIONS).parent == tmp_path / "folder"
    assert sorted(path.name for path in named.parent.iterdir()) == ["mine.engine"]


def test_a_folder_that_cannot_be_written_is_told_before_the_build(
    fake_tensorrt: ModuleType, model: Path, tmp_path: Path
) -> None:
    fake_tensorrt.build_errors.append("built")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        engine_from_onnx(model, tmp_path / "file" / "edge.engine", OPTIONS)


def test_an_engine_is_built_once(fake_tensorrt: ModuleType, model: Path) -> None:
    first = cached_engine(model, OPTIONS)
    assert first.built_because == "expected an engine, got none"
    fake_tensorrt.build_errors.append("built again")
    assert cached_engine(model, OPTIONS) == replace(first, built_because="")
    assert cached_engine(model, OPTIONS, rebuild=False).path == first.path


def test_an_engine_of_another_model_is_built_again(model: Path) -> None:
    path = cached_engine(model, OPTIONS).path
    before = read_engine(path)[0].model_sha256
    change(model)
    again = cached_engine(model, OPTIONS)
    after = read_engine(path)[0].model_sha256
    assert again.path == path
    assert again.built_because == f"expected model sha256 {after[:12]}, got sha256 {before[:12]}"
    assert cached_engine(model, OPTIONS).built_because == ""


def test_a_damaged_engine_is_built_again(model: Path) -> None:
    path = cached_engine(model, OPTIONS).path
    path.write_bytes(path.read_bytes()[:-1])
    assert "damaged" in cached_engine(model, OPTIONS).built_because
    assert cached_engine(model, OPTIONS).built_because == ""


def test_an_engine_of_a_later_tensorrt_is_built_again(
    fake_tensorrt: ModuleType, model: Path
) -> None:
    options = replace(OPTIONS, version_compatible=True)
    for version, reason in (
        ("10.13.3.9", "expected an engine, got none"),
        ("11.4.0.106", ""),
        ("10.3.0", "expected TensorRT 10.3.0, got 10.13.3.9"),
        ("10.13.3.9", ""),
    ):
        fake_tensorrt.__version__ = version
        assert cached_engine(model, options).built_because == reason


def test_an_engine_is_not_built_unasked(model: Path) -> None:
    with pytest.raises(EngineMismatchError, match="expected an engine, got none") as caught:
        cached_engine(model, OPTIONS, rebuild=False)
    assert str(caught.value).endswith(f"`dehaze-export {model.name} --engine`")
    assert caught.value.exit_code == 4
    cached_engine(model, OPTIONS)
    change(model)
    with pytest.raises(EngineMismatchError, match="expected model sha256"):
        cached_engine(model, OPTIONS, rebuild=False)


def test_an_engine_is_loaded_without_its_model(model: Path) -> None:
    path = engine_from_onnx(model, None, OPTIONS)
    model.unlink()
    header, plan = load_engine(path)
    assert header.contract(str(path)).name == "edge"
    assert b"strongly_typed" in plan


def test_an_engine_for_another_machine_is_told(
    fake_tensorrt: ModuleType, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = engine_from_onnx(model, None, OPTIONS)
    on_gpu(monkeypatch, "Thor", 11, 0)
    with pytest.raises(
        EngineMismatchError, match=r"expected GPU Thor \(.* 11\.0\), got Orin .*--engine"
    ):
        load_engine(path)
    on_gpu(monkeypatch, "Orin", 8, 7)
    fake_tensorrt.__version__ = "10.13.3.9"
    with pytest.raises(EngineMismatchError, match=r"expected TensorRT 10\.13\.3\.9, got 10\.3\.0"):
        load_engine(path)


def test_an_engine_of_another_model_is_told(model: Path) -> None:
    path = engine_from_onnx(model, None, OPTIONS)
    load_engine(path, model=model)
    change(model)
    with pytest.raises(EngineMismatchError, match="expected model sha256"):
        load_engine(path, model=model)


def test_an_engine_without_its_plugin_library_is_told(model: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "libhaze.so"
    plugin.write_bytes(b"\x7fELF of today")
    path = engine_from_onnx(model, None, replace(OPTIONS, plugin=plugin))
    load_engine(path, plugin=plugin)
    with pytest.raises(EngineMismatchError, match="expected plugin library none, got sha256"):
        load_engine(path)
    carrying = replace(OPTIONS, plugin=plugin, version_compatible=True)
    load_engine(engine_from_onnx(model, None, carrying))  # has its plugin within
    plugin.write_bytes(b"\x7fELF of tomorrow")
    with pytest.raises(EngineMismatchError, match="expected plugin library sha256"):
        load_engine(path, plugin=plugin)


def test_frames_that_the_model_does_not_take_are_told(model: Path) -> None:
    options = EngineOptions(shapes=ShapeRange.fixed(48, 640))
    with pytest.raises(UsageError, match="64 pixels a side or more, got shapes 1x48x640"):
        engine_from_onnx(model, None, options)


def test_a_model_of_somebody_else_is_told(model: Path) -> None:
    theirs = onnx.load(model)
    del theirs.metadata_props[:]
    onnx.save(theirs, model)
    with pytest.raises(ModelError, match=r"without 'dehaze\.format' in its metadata"):
        engine_from_onnx(model, None, OPTIONS)
    with pytest.raises(ModelError, match=r"none\.onnx: cannot be read \(No such file"):
        engine_from_onnx(model.with_name("none.onnx"), None, OPTIONS)
