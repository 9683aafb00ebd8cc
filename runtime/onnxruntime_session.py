"""The ONNX Runtime backend: any CPU, x86 or Arm."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from .errors import ModelError, OperatorError, UsageError, one_line
from .haze.grid import PIXELS_PER_CELL, Grid, Thumbnail
from .haze.pixel_passes import apply_grid, thumbnail_of
from .model.model_file import ModelFile
from .model.subgraph import GRID, THUMBNAIL, estimator_from_model
from .session import DeepFrames, DeviceTimes, Frames, ShapeRange

__all__ = ["OnnxRuntimeOptions", "OnnxRuntimeSession", "Provider", "import_onnxruntime"]

_CORES = os.cpu_count() or 1


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
    """The options with which ONNX Runtime opens a model."""

    threads: int | None = None
    """Threads within one operator; None, or more than there are cores, stands for every core."""
    provider: Provider = "cpu"
    """The execution provider: `cuda` and `tensorrt` need `onnxruntime-gpu` and a GPU, and leave to
    the CPU the operators that they lack."""


class OnnxRuntimeSession:
    """A model file opened in ONNX Runtime.

    Of a model that gives a grid only the estimator runs there; the passes over the whole frame are
    our own. `only_whole` opens the file as it is instead, to compare the two.

    Raises:
        ModelError: the file is for TensorRT, or ONNX Runtime cannot load it.
        OperatorError: ONNX Runtime is too old for it.
    """

    def __init__(
        self,
        file: ModelFile,
        options: OnnxRuntimeOptions | None = None,
        *,
        only_whole: bool = False,
    ) -> None:
        options = options or OnnxRuntimeOptions()
        _expect_onnxruntime(file)
        self.contract = file.contract
        self.shapes: ShapeRange | None = None
        self.device_times: DeviceTimes | None = None
        self._threads = min(options.threads or _CORES, _CORES)
        self._is_on_device = options.provider != "cpu"
        self._is_whole = only_whole or not self.contract.has_grid
        if self._is_whole:
            self._engine: Any = _engine(file.path, file.content, options)
        else:
            estimator = estimator_from_model(file.content, str(file.path))
            self._engine = _engine(file.path, estimator, options)
            # Half a second for loading the compiled passes, which is no frame's own time.
            self.run(np.zeros((1, 64, 64, 3), np.uint8), 1.0)

    def run(self, frames: Frames, strength: float) -> Frames:
        if not self._is_whole:
            return apply_grid(frames, self.estimate(frames).scaled(strength), self._threads)
        feeds = {"image": frames}
        if self.contract.has_grid:
            feeds["strength"] = np.array(strength, np.float32)
        if self._is_on_device:
            return self._run_into(np.empty_like(frames), feeds)
        clear: Frames = self._run("clear", feeds)
        return clear

    def estimate(self, frames: DeepFrames, thumbnail: Thumbnail | None = None) -> Grid:
        if self._is_whole:
            return Grid(self._run(GRID, {"image": frames}), self.contract.grid_stride)
        small = thumbnail or thumbnail_of(frames, self._threads)
        return Grid(self._run(GRID, {THUMBNAIL: small.values}), PIXELS_PER_CELL * small.stride)

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

    def _run(self, output: str, feeds: dict[str, Any]) -> Any:
        self._require_open()
        return self._guard(lambda: self._engine.run([output], feeds)[0], feeds)

    def _require_open(self) -> None:
        if self._engine is None:
            raise ModelError("the model was closed; open it again")

    def _guard(self, run: Callable[[], Any], feeds: dict[str, Any]) -> Any:
        """Calls the engine; its errors become ours."""
        try:
            return run()
        except (RuntimeError, ValueError) as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise ModelError(
                f"ONNX Runtime failed on {shapes} ({one_line(error)[-160:]})"
            ) from error

    def close(self) -> None:
        self._engine = None


def _engine(path: Path, model: bytes, options: OnnxRuntimeOptions) -> Any:
    """An InferenceSession of a model's bytes; `path` names it in messages."""
    onnxruntime = import_onnxruntime()
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors only: warnings would land in the progress bar
    # Threads that spin for work after the last operator take the cores from whatever runs
    # between two frames: two models in turns took 108 ms each, now 29 (720p, 2 cores).
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    if options.threads is not None:
        settings.intra_op_num_threads = min(options.threads, _CORES)
    providers = _installed_providers(onnxruntime, options.provider)
    try:
        engine = onnxruntime.InferenceSession(model, settings, providers=providers)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        raise OperatorError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} lacks an operator of this model "
            f"({one_line(error)[-120:]}); use 1.25 or newer, or a -gridsample model"
        ) from error
    except Exception as error:  # onnxruntime's own exceptions have no common class but this
        raise ModelError(
            f"{path}: expected an ONNX model, but ONNX Runtime cannot load it "
            f"({one_line(error)[:160]})"
        ) from error
    if providers[0] not in engine.get_providers():  # it goes on without, on the CPU
        raise ModelError(
            f"{path}: ONNX Runtime cannot start {providers[0]}, which needs a GPU and the CUDA "
            f"and cuDNN (for tensorrt TensorRT) versions of its wheel; use --provider cpu"
        )
    return engine


def _expect_onnxruntime(file: ModelFile) -> None:
    """Raises ModelError where a file is for TensorRT."""
    if file.contract.target == "tensorrt":
        raise ModelError(
            f"{file.path}: expected a model for ONNX Runtime, got one for TensorRT; export with "
            f"--target onnxruntime, or build its engine with "
            f"`dehaze-export {file.path.name} --engine`"
        )


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
