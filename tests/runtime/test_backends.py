"""The choice of a backend, and the reasons given. ONNX Runtime is real, TensorRT a fake."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from dehaze.runtime import (
    EngineMismatchError,
    ModelError,
    UsageError,
    open_dehazer,
)
from dehaze.runtime.backends import open_session
from dehaze.runtime.cuda.device import CudaDevice
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.providers import installed
from dehaze.runtime.trt import host as tensorrt_host
from dehaze.runtime.trt.engine_cache import engine_from_onnx
from dehaze.runtime.trt.options import EngineOptions, ShapeRange, TensorRTOptions

SHAPES = EngineOptions(shapes=ShapeRange((1, 64, 64, 3), (1, 72, 99, 3), (1, 80, 120, 3)))


def no_gpu() -> CudaDevice:
    raise ModelError("expected an NVIDIA GPU, got none (libcuda.so.1 cannot be opened)")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(MODELS_FOLDER / "edge.onnx", tmp_path / "edge.onnx"))


@pytest.fixture
def tensorrt_model(model: Path) -> Path:
    """Beside the model, the same weights for TensorRT."""
    changed = onnx.load(model)
    entries = {entry.key: entry for entry in changed.metadata_props}
    entries["dehaze.target"].value = "tensorrt"
    entries["dehaze.precision"].value = "fp16"
    path = model.with_name("edge-fp16-tensorrt.onnx")
    onnx.save(changed, path)
    return path


@pytest.fixture
def on_orin(fake_tensorrt: ModuleType, fake_gpu: ModuleType) -> ModuleType:
    del fake_gpu
    return fake_tensorrt


def test_without_a_gpu_it_is_onnx_runtime_and_says_why(
    model: Path, monkeypatch: pytest.MonkeyPatch, frame: NDArray[np.uint8]
) -> None:
    monkeypatch.setattr(tensorrt_host, "cuda_device", no_gpu)
    with open_dehazer(model, threads=1) as dehazer:
        assert dehazer.backend == (
            "onnxruntime: expected an NVIDIA GPU, got none (libcuda.so.1 cannot be opened)"
        )
        assert dehazer(frame).shape == frame.shape
    assert open_session(model, "onnxruntime").why == "onnxruntime: as asked"


def test_what_needs_tensorrt_raises_without(
    model: Path, tensorrt_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_host, "cuda_device", no_gpu)
    engine = model.with_name("edge.engine")
    for path, backend in ((model, "tensorrt"), (model, "rtx"), (tensorrt_model, "auto")):
        with pytest.raises(ModelError, match="expected an NVIDIA GPU, got none"):
            open_session(path, backend)
    with pytest.raises(ModelError, match="expected a model for ONNX Runtime, got one for TensorRT"):
        open_session(tensorrt_model, "onnxruntime")
    with pytest.raises(UsageError, match="an engine runs in TensorRT alone"):
        open_session(engine, "onnxruntime")


def test_auto_takes_an_engine_that_lies_beside_the_model(
    on_orin: ModuleType, model: Path, tensorrt_model: Path, frame: NDArray[np.uint8]
) -> None:
    engine = engine_from_onnx(tensorrt_model, None, SHAPES)
    tensorrt_model.unlink()
    on_orin.build_errors.append("built again")
    with open_dehazer(model) as dehazer:
        assert dehazer.backend == f"tensorrt: Orin, TensorRT 10.3.0; runs {engine.name}"
        assert np.array_equal(dehazer(frame), 255 - frame)
        assert dehazer.contract.precision == "fp16"
    with open_dehazer(engine) as dehazer:
        assert dehazer.backend == f"tensorrt: {engine.name} is an engine; runs {engine.name}"


def test_auto_builds_the_engine_of_a_model_for_tensorrt(
    on_orin: ModuleType, model: Path, tensorrt_model: Path
) -> None:
    told: list[str] = []
    options = TensorRTOptions(build=SHAPES, notice=told.append)
    opened = open_session(model, tensorrt=options)
    assert opened.why.startswith("tensorrt: Orin, TensorRT 10.3.0; runs edge-fp16-tensorrt-1x64")
    assert len(told) == 1
    on_orin.build_errors.append("out of\nspace")
    changed = onnx.load(tensorrt_model)
    changed.producer_name = "somebody"
    onnx.save(changed, tensorrt_model)
    opened = open_session(model, tensorrt=options)
    assert opened.why.startswith("onnxruntime: ")
    assert "cannot build an engine (out of space)" in opened.why
    with pytest.raises(ModelError, match="cannot build an engine"):
        open_session(model, "tensorrt", tensorrt=options)


@pytest.mark.usefixtures("on_orin")
def test_auto_takes_no_other_weights_and_no_fewer_bits(model: Path, tensorrt_model: Path) -> None:
    changed = onnx.load(tensorrt_model)
    entries = {entry.key: entry for entry in changed.metadata_props}
    for key, value in (("dehaze.precision", "int8"), ("dehaze.source_sha256", "another")):
        before, entries[key].value = entries[key].value, value
        onnx.save(changed, tensorrt_model)
        opened = open_session(model)
        assert opened.why.startswith("onnxruntime: beside edge.onnx expected an engine or a model")
        entries[key].value = before


@pytest.mark.usefixtures("on_orin")
def test_an_engine_of_another_machine_is_left_by_auto_and_told_when_named(
    model: Path, tensorrt_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_from_onnx(tensorrt_model, None, SHAPES)
    tensorrt_model.unlink()
    monkeypatch.setattr(tensorrt_host, "cuda_device", lambda: CudaDevice("Thor", (11, 0)))
    assert open_session(model).why.startswith("onnxruntime: beside edge.onnx expected an engine")
    with pytest.raises(EngineMismatchError, match=r"expected GPU Thor .* got Orin") as caught:
        open_session(engine)
    assert caught.value.exit_code == 4


@pytest.mark.usefixtures("on_orin")
def test_auto_says_that_a_cuda_binding_is_missing(
    model: Path, tensorrt_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_from_onnx(tensorrt_model, None, SHAPES)
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.setitem(sys.modules, "cuda", None)
    opened = open_session(model, tensorrt=TensorRTOptions(build=SHAPES))
    assert opened.why.startswith("onnxruntime: expected pycuda or cuda-python, got none")


def test_a_backend_that_is_none_is_told(model: Path) -> None:
    with pytest.raises(UsageError, match=r"expected backend auto .* or rtx, got openvino"):
        open_session(model, "openvino")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="provider cuda is one of ONNX Runtime's"):
        open_session(model, "tensorrt", provider="cuda")


def test_a_model_file_is_read_once(model: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from dehaze.runtime import open_dehazer\n"
        "path, opened = sys.argv[1], []\n"
        "sys.addaudithook(lambda event, details: opened.append(str(details[0]))"
        " if event == 'open' else None)\n"
        "open_dehazer(path, threads=1).close()\n"
        "print(opened.count(path))\n"
    )
    command = [sys.executable, "-c", code, str(model)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout == "1\n", result.stderr


def test_a_provider_that_onnx_runtime_lacks_is_told(model: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(ModelError, match=r"got one with cpu.*`pip install onnxruntime-gpu`"):
        open_session(model, provider="cuda")
    with pytest.raises(UsageError, match=r"installed here \(cpu.*\), got rocm"):
        open_session(model, provider="rocm")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_cannot_start_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime itself goes on with the CPU and prints a warning."""
    import onnxruntime

    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    with pytest.raises(ModelError, match="cannot start CUDAExecutionProvider, which needs"):
        open_session(model, provider="cuda")


def test_what_a_device_copies_back_is_what_the_cpu_gives(
    model: Path, monkeypatch: pytest.MonkeyPatch, frame: NDArray[np.uint8]
) -> None:
    """The way through bound buffers, on the CPU in a device's place."""
    plain = open_session(model, "onnxruntime", threads=1).session
    cpu = installed.Provider("cuda", ("CPUExecutionProvider",))
    monkeypatch.setattr(installed, "installed_providers", lambda: [cpu])
    opened = open_session(model, provider="cuda", threads=1)
    assert opened.why == "onnxruntime with cuda: as asked"
    for strength in (1.0, 0.4):
        expected = plain.run(frame[None], strength)
        assert np.array_equal(opened.session.run(frame[None], strength), expected)
    opened.session.close()
    with pytest.raises(ModelError, match="closed"):
        opened.session.run(frame[None], 1.0)
