"""What the tests of the runtime share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from dehaze.runtime import tensorrt_host
from dehaze.runtime.cuda_device import CudaDevice

FAKE = Path(__file__).parent / "fake_tensorrt"


@pytest.fixture
def fake_tensorrt(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An Orin with TensorRT 10.3.0, both fake: nothing is built and no driver is asked."""
    importers = ("tensorrt", "dehaze.runtime.tensorrt_log", "dehaze.runtime.tensorrt_build")
    real = {name: sys.modules.pop(name) for name in importers if name in sys.modules}
    monkeypatch.syspath_prepend(FAKE)
    monkeypatch.setattr(tensorrt_host, "cuda_device", lambda: CudaDevice("Orin", (8, 7)))
    import tensorrt

    assert Path(tensorrt.__file__).parent == FAKE
    yield tensorrt
    for name in importers:
        sys.modules.pop(name, None)
    sys.modules.update(real)
