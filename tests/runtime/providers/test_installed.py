"""Providers of ONNX Runtime: those of its wheel, and those of plugin packages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime import UsageError
from dehaze.runtime.backends import open_session
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.providers import fastest, installed

EDGE = MODELS_FOLDER / "edge.onnx"
CPU = installed.Provider("cpu", ("CPUExecutionProvider",))


@pytest.fixture
def own_device(monkeypatch: pytest.MonkeyPatch) -> str:
    """ONNX Runtime's CPU as a device, opened the way that a plugin's devices are."""
    onnxruntime = installed.import_onnxruntime()
    if not hasattr(onnxruntime, "get_ep_devices"):
        pytest.skip("this ONNX Runtime knows no plugins")
    device = next(d for d in onnxruntime.get_ep_devices() if d.ep_name == "CPUExecutionProvider")
    plugin = installed.Provider("own-cpu", (device.ep_name,), (device,))
    for module in (installed, fastest):
        monkeypatch.setattr(module, "installed_providers", lambda: [CPU, plugin])
    return plugin.name


def test_the_cpu_is_always_there() -> None:
    assert installed.installed_providers()[0].name == "cpu"


def test_a_device_of_a_plugin_gives_what_the_cpu_gives(
    own_device: str, frame: NDArray[np.uint8]
) -> None:
    opened = open_session(EDGE, provider=own_device, threads=1)
    assert opened.why == "onnxruntime with own-cpu: as asked"
    plain = open_session(EDGE, "onnxruntime", threads=1).session
    assert np.array_equal(opened.session.run(frame[None], 1.0), plain.run(frame[None], 1.0))


def test_a_plugin_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    """The test runs in a process of its own, since what ONNX Runtime loads stays."""
    package = tmp_path / "onnxruntime_ep_broken"
    package.mkdir()
    (package / "__init__.py").write_text(
        "def get_ep_name():\n    return 'BrokenExecutionProvider'\n"
        "def get_library_path():\n    return '/no/such/library.so'\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from dehaze.runtime.providers.installed import *\n"
        "from dehaze.runtime import UsageError\n"
        "print([p.name for p in installed_providers()][0], why_no_plugin())\n"
        "try:\n    provider_named('broken-npu')\n"
        "except UsageError as error:\n    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    first, second = result.stdout.splitlines()
    assert first.startswith("cpu ")
    if "onnxruntime-ep-broken" not in first:
        pytest.skip("this ONNX Runtime knows no plugins")
    assert "onnxruntime-ep-broken cannot be loaded (" in second
    assert "got broken-npu" in second


def test_openvino_is_loaded_where_it_is_installed() -> None:
    pytest.importorskip("onnxruntime_ep_openvino")
    names = [provider.name for provider in installed.installed_providers()]
    words = " ".join(installed.why_no_plugin())
    assert any(n.startswith("openvino") for n in names) or "openvino is installed and" in words


def test_auto_measures_once_and_remembers(
    own_device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fastest, "RUNS", 1)
    monkeypatch.setattr(fastest, "SIZE", (72, 128))
    first = open_session(EDGE, provider="auto", threads=1).why
    assert "the fastest of cpu" in first
    assert own_device in first
    ((key, times),) = json.loads(fastest.memory_file().read_text()).items()
    assert set(times) == {"cpu", own_device}
    fastest.memory_file().write_text(json.dumps({key: {"cpu": 9.0, own_device: 1.0}}))
    again = open_session(EDGE, provider="auto", threads=1).why
    assert again == "onnxruntime with own-cpu: the fastest of cpu 9.0 ms, own-cpu 1.0 ms"
    fastest.memory_file().write_text("damaged")
    assert "the fastest of" in open_session(EDGE, provider="auto", threads=1).why


def test_with_the_cpu_alone_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fastest, "installed_providers", lambda: [CPU])
    why = open_session(EDGE, provider="auto", threads=1).why
    assert why == "onnxruntime: the only provider here"
    assert list(tmp_path.iterdir()) == []


def test_a_provider_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"installed here \(cpu.*\), got vulkan"):
        installed.provider_named("vulkan")
