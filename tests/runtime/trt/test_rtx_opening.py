"""An engine of TensorRT-RTX on a machine with a card: compiled once, its cache beside the engine.

The library and the GPU are fakes; the real builder is in test_rtx_builder.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tensorrt_inputs import BUILD, pictures, write_model

from dehaze.runtime import ModelError
from dehaze.runtime.backends import open_session as open_backend
from dehaze.runtime.cuda.device import CudaDevice
from dehaze.runtime.trt import host
from dehaze.runtime.trt.engine_cache import engine_from_onnx
from dehaze.runtime.trt.engine_search import engines_in
from dehaze.runtime.trt.options import TensorRTOptions, using_library

COMPILED = b"kernels for this GPU"


class RuntimeCache:
    content = b""

    def deserialize(self, blob: bytes) -> bool:
        self.content = blob if blob == COMPILED else b""
        return bool(self.content)

    def serialize(self) -> bytes:
        return COMPILED


class RuntimeConfig:
    dynamic_shapes_kernel_specialization_strategy = "LAZY"
    cache: RuntimeCache

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache()

    def set_runtime_cache(self, cache: RuntimeCache) -> None:
        self.cache = cache

    def get_runtime_cache(self) -> RuntimeCache:
        return self.cache


@pytest.fixture
def on_a_card(fake_tensorrt: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A card of NVIDIA with TensorRT-RTX alone."""

    def new_context(engine: Any, config: RuntimeConfig) -> Any:
        assert config.dynamic_shapes_kernel_specialization_strategy == "EAGER"
        return fake_tensorrt.IExecutionContext(engine)

    strategies = SimpleNamespace(EAGER="EAGER")
    monkeypatch.setattr(
        fake_tensorrt, "DynamicShapesKernelSpecializationStrategy", strategies, raising=False
    )
    engine = fake_tensorrt.ICudaEngine
    monkeypatch.setattr(engine, "create_execution_context", new_context)
    monkeypatch.setattr(engine, "create_runtime_config", lambda _: RuntimeConfig(), raising=False)
    fake_tensorrt.__version__ = "1.7.1.116"
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", fake_tensorrt)
    monkeypatch.setattr(host, "cuda_device", lambda: CudaDevice("RTX 3060", (8, 6)))
    with using_library(None):
        yield


@pytest.mark.usefixtures("on_a_card")
def test_an_engine_is_compiled_once_and_says_so(open_session: Any, tmp_path: Path) -> None:
    hazy = pictures(1)[0]
    first = open_session()
    assert np.array_equal(first.run(hazy, 1.0), 255 - hazy)
    built, compiling = open_session.notices
    assert "building an engine of edge-tensorrt.onnx" in built
    assert compiling.startswith(f"compiling {first.engine_path.name} for this GPU, once;")
    first.close()
    assert first.engine_path.with_suffix(".jit-cache").read_bytes() == COMPILED
    open_session(first.engine_path).close()
    assert len(open_session.notices) == 2
    first.engine_path.with_suffix(".jit-cache").write_bytes(b"kernels for another GPU")
    open_session(first.engine_path).close()
    assert open_session.notices[2] == compiling
    assert [found.misfit for found in engines_in(tmp_path)] == [""]


@pytest.mark.usefixtures("on_a_card", "fake_gpu")
def test_what_runs_is_told(tmp_path: Path) -> None:
    model = write_model(tmp_path)
    options = TensorRTOptions(build=BUILD, notice=lambda _: None)
    opened = open_backend(model, tensorrt=options)
    assert opened.why.startswith("rtx: edge-tensorrt.onnx was exported for it; runs edge-tensorrt")
    assert "-ampere-plus-rtx1.7.1.116.engine" in opened.why
    opened.session.close()


@pytest.mark.usefixtures("on_a_card", "fake_gpu")
@pytest.mark.parametrize("card", [CudaDevice("GTX 1080", (6, 1)), CudaDevice("H200", (9, 0))])
def test_a_card_that_the_library_does_not_know_is_told(
    card: CudaDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_from_onnx(write_model(tmp_path), None, BUILD)
    monkeypatch.setattr(host, "cuda_device", lambda: card)
    with pytest.raises(
        ModelError, match=rf"TensorRT-RTX runs on .* got {card.name} of [69]\.[01];"
    ):
        open_backend(engine)
