"""Fixtures that the tests of the runtime share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tensorrt_inputs import BUILD, TENSORRT_IMPORTERS, write_model

from dehaze.runtime.cuda.device import CudaDevice
from dehaze.runtime.trt import host as tensorrt_host
from dehaze.runtime.trt import options
from dehaze.runtime.trt.options import TensorRTOptions

FAKE = Path(__file__).parent / "trt" / "fake_tensorrt"
FAKE_CUDA = Path(__file__).parent / "cuda" / "fake_cuda"


@pytest.fixture
def fake_tensorrt(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModuleType]:
    """An Orin with TensorRT 10.3.0, both fake: nothing is built and no driver is asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    importers = ("tensorrt", "fake_runtime", *TENSORRT_IMPORTERS)
    real = {name: sys.modules.pop(name) for name in importers if name in sys.modules}
    monkeypatch.syspath_prepend(FAKE)
    monkeypatch.setattr(tensorrt_host, "cuda_device", lambda: CudaDevice("Orin", (8, 7)))
    monkeypatch.setattr(options, "_wanted", tuple(options.LIBRARIES))
    for name in options.LIBRARIES["rtx"].modules:  # not installed there
        monkeypatch.setitem(sys.modules, name, None)
    import tensorrt

    assert Path(tensorrt.__file__).parent == FAKE
    yield tensorrt
    for name in importers:
        sys.modules.pop(name, None)
    sys.modules.update(real)


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A GPU for cuda-python, pycuda and the fake TensorRT; see `cuda/fake_cuda/fake_gpu.py`."""
    names = ("fake_gpu", "cuda", "cuda.bindings", "cuda.bindings.driver")
    names += ("pycuda", "pycuda.driver")
    real = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    monkeypatch.syspath_prepend(FAKE_CUDA)
    import fake_gpu

    fake_gpu.reset()
    yield fake_gpu
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(real)


@pytest.fixture
def open_session(
    fake_tensorrt: ModuleType,  # noqa: ARG001  # in place of the real one
    fake_gpu: ModuleType,  # noqa: ARG001  # the same
    tmp_path: Path,
) -> Iterator[Any]:
    """Opens sessions and closes them."""
    opened = []

    def open_one(path: Path | None = None, **options: Any) -> Any:
        from dehaze.runtime.trt.session import TensorRTSession

        settings = {"build": BUILD, "cuda_binding": "cuda-python", "notice": notices.append}
        path = path or write_model(tmp_path)
        opened.append(TensorRTSession(path, TensorRTOptions(**{**settings, **options})))
        return opened[-1]

    notices: list[str] = []
    open_one.notices = notices  # type: ignore[attr-defined]
    yield open_one
    for session in opened:
        session.close()
