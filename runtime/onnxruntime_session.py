"""The ONNX Runtime backend: any CPU, x86 or Arm."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from .contract import ModelContract
from .errors import ModelError, OperatorError, UsageError, one_line
from .onnx_metadata import metadata_from_onnx
from .session import Frames, Grid

__all__ = ["OnnxRuntimeOptions", "OnnxRuntimeSession", "Provider", "import_onnxruntime"]


def import_onnxruntime() -> Any:
    """Imports ONNX Runtime, late and with its telemetry off.

    Its wheels collect usage into ~/.cache and hold an address to send it to (seen in 1.31); a
    camera must not do that unasked. Whoever wants it sets ORT_DISABLE_TELEMETRY=0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt"]

_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ],
}
"""ONNX Runtime's names, the one asked for first."""


@dataclass(frozen=True)
class OnnxRuntimeOptions:
    """How ONNX Runtime runs a model."""

    threads: int | None = None
    """Threads within one operator; None, or more than there are cores, stands for every core."""
    provider: Provider = "cpu"
    """What executes the graph: `cuda` and `tensorrt` need `onnxruntime-gpu` and a GPU, and leave
    to the CPU the operators that they lack."""


class OnnxRuntimeSession:
    """A model file opened in ONNX Runtime.

    Raises:
        ModelError: the file is not ONNX, or not a dehaze-edge model.
        OperatorError: ONNX Runtime is too old for it.
    """

    def __init__(self, path: Path, options: OnnxRuntimeOptions | None = None) -> None:
        onnxruntime = import_onnxruntime()
        options = options or OnnxRuntimeOptions()
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3  # errors only: warnings would land in the progress bar
        # Threads that spin for work after the last operator take the cores from whatever runs
        # between two frames: two models in turns took 108 ms each, now 29 (720p, 2 cores).
        settings.add_session_config_entry("session.force_spinning_stop", "1")
        if options.threads is not None:
            settings.intra_op_num_threads = min(options.threads, os.cpu_count() or 1)
        providers = _installed_providers(onnxruntime, options.provider)
        try:
            self._engine: Any = onnxruntime.InferenceSession(
                str(path), settings, providers=providers
            )
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
            raise OperatorError(
                f"{path}: ONNX Runtime {onnxruntime.__version__} lacks an operator of this model "
                f"({one_line(error)[-120:]}); use 1.25 or newer, or a -gridsample model"
            ) from error
        except Exception as error:  # onnxruntime's own exceptions have no common class but this
            raise ModelError(f"{path}: {_why_not(path, error)}") from error
        if providers[0] not in self._engine.get_providers():  # it goes on without, on the CPU
            raise ModelError(
                f"{path}: ONNX Runtime cannot start {providers[0]}, which needs a GPU and the CUDA "
                f"and cuDNN (for tensorrt TensorRT) versions of its wheel; use --provider cpu"
            )
        self._is_on_device = options.provider != "cpu"
        metadata = self._engine.get_modelmeta().custom_metadata_map
        self.contract = ModelContract.from_metadata(metadata, str(path))
        if self.contract.target == "tensorrt":
            raise ModelError(f"{path}: {_FOR_TENSORRT.format(path.name)}")
        self._grid_only = onnxruntime.RunOptions()
        self._grid_only.only_execute_path_to_fetches = True

    def run(self, frames: Frames, strength: float) -> Frames:
        feeds = {"image": frames}
        if self.contract.has_grid:
            feeds["strength"] = np.array(strength, np.float32)
        if self._is_on_device:
            return self._run_into(np.empty_like(frames), feeds)
        clear: Frames = self._run("clear", feeds)
        return clear

    def estimate(self, frames: Frames) -> Grid:
        grid: Grid = self._run("grid", {"image": frames}, self._grid_only)
        return grid

    def _run_into(self, clear: Frames, feeds: dict[str, Any]) -> Frames:
        """Has the device copy its result straight into `clear`.

        On the CPU that gains nothing: bound, a frame takes 1.02 to 1.03 of the time (1280x720,
        2 busy cores, twice 40 runs in turns), so there it is not done.
        """
        self._require_open()
        onnxruntime = import_onnxruntime()
        binding = self._engine.io_binding()
        for name, value in feeds.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
        binding.bind_output("clear", "cpu", 0, np.uint8, clear.shape, clear.ctypes.data)
        self._guard(lambda: self._engine.run_with_iobinding(binding), feeds)
        return clear

    def _run(self, output: str, feeds: dict[str, Any], options: Any = None) -> Any:
        self._require_open()
        return self._guard(lambda: self._engine.run([output], feeds, options)[0], feeds)

    def _require_open(self) -> None:
        if self._engine is None:
            raise ModelError("the model was closed; open it again")

    def _guard(self, run: Callable[[], Any], feeds: dict[str, Any]) -> Any:
        """Calls the engine; its errors become ours."""
        try:
            return run()
        except (RuntimeError, ValueError) as error:
            height, width = feeds["image"].shape[1:3]
            raise ModelError(
                f"ONNX Runtime failed on {width}x{height} pixels ({one_line(error)[-160:]})"
            ) from error

    def close(self) -> None:
        self._engine = None


def _installed_providers(onnxruntime: Any, provider: Provider) -> list[str]:
    """ONNX Runtime's names; raises where the one asked for is not built in."""
    if provider not in _PROVIDERS:
        raise UsageError(f"expected provider {' or '.join(_PROVIDERS)}, got {provider}")
    installed = onnxruntime.get_available_providers()
    wanted = _PROVIDERS[provider]
    if wanted[0] not in installed:
        raise ModelError(
            f"expected ONNX Runtime with {wanted[0]}, got one with {', '.join(installed)}; "
            f"`pip uninstall onnxruntime` and `pip install onnxruntime-gpu`, or use --provider cpu"
        )
    return [name for name in wanted if name in installed]


_FOR_TENSORRT = (
    "expected a model for ONNX Runtime, got one for TensorRT; export with --target onnxruntime, or "
    "build its engine with `dehaze-export {} --engine`"
)


def _why_not(path: Path, error: Exception) -> str:
    """In words why ONNX Runtime cannot load a file."""
    with suppress(ModelError, OSError):
        metadata = metadata_from_onnx(path.read_bytes(), str(path))
        if ModelContract.from_metadata(metadata, str(path)).target == "tensorrt":
            return _FOR_TENSORRT.format(path.name)
    return f"expected an ONNX model, but ONNX Runtime cannot load it ({one_line(error)[:160]})"
