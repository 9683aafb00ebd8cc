"""The ONNX Runtime backend: any CPU, x86 or Arm."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .errors import ModelError, OperatorError, one_line
from .haze.grid import PIXELS_PER_CELL, Grid, Thumbnail
from .haze.pixel_passes import apply_grid, thumbnail_of
from .haze.strips import CORES
from .model.model_file import ModelFile
from .model.subgraph import GRID, THUMBNAIL, estimator_from_model
from .prefetch import LEAVE_SECONDS, end_without_libraries
from .providers.installed import import_onnxruntime, provider_named
from .session import DeepFrames, DeviceTimes, Frames, ShapeRange

__all__ = ["OnnxRuntimeOptions", "OnnxRuntimeSession", "import_onnxruntime"]

T = TypeVar("T")
_SILENT = 4
"""ONNX Runtime's log level: its errors are raised, and told by us in one line."""


@dataclass(frozen=True)
class OnnxRuntimeOptions:
    """The options with which ONNX Runtime opens a model."""

    threads: int | None = None
    """Threads within one operator; None, or more than there are cores, stands for every core."""
    provider: str = "cpu"
    """The name of an installed provider, see `providers/installed.py`. The operators that it
    lacks are left to the CPU."""


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
        self._threads = min(options.threads or CORES, CORES)
        self._is_on_device = options.provider != "cpu"
        self._is_whole = only_whole or not self.contract.has_grid
        self.takes_thumbnails = not self._is_whole
        if self._is_whole:
            self._engine: Any = _engine(file.path, file.content, options)
        else:
            estimator = estimator_from_model(file.content, str(file.path))
            self._engine = _engine(file.path, estimator, options)

    def run(self, frames: Frames, strength: float) -> Frames:
        if not self._is_whole:
            return apply_grid(frames, self.estimate(frames).scaled(strength), self._threads)
        feeds = {"image": frames}
        if self.contract.has_grid:
            feeds["strength"] = np.array(strength, np.float32)
        if self._is_on_device:
            return self._run_into(np.empty_like(frames), feeds)
        clear: Frames = self._run("clear", feeds)
        if clear.shape != frames.shape or clear.dtype != frames.dtype:
            raise ModelError(
                f"expected {frames.shape} {frames.dtype} of the model, got {clear.shape} "
                f"{clear.dtype}; export it again"
            )
        return clear

    def estimate(self, frames: DeepFrames | None, thumbnail: Thumbnail | None = None) -> Grid:
        if self._is_whole:
            return Grid(self._run(GRID, {"image": frames}), self.contract.grid_stride)
        if thumbnail is None:
            assert frames is not None
            thumbnail = thumbnail_of(frames, self._threads)
        small = thumbnail
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
        self._guard(lambda options: self._engine.run_with_iobinding(binding, options), feeds)
        return clear

    def _run(self, output: str, feeds: dict[str, Any]) -> Any:
        self._require_open()
        return self._guard(lambda options: self._engine.run([output], feeds, options)[0], feeds)

    def _require_open(self) -> None:
        if self._engine is None:
            raise ModelError("the model was closed; open it again")

    def _guard(self, run: Callable[[Any], Any], feeds: dict[str, Any]) -> Any:
        """Calls the engine; its errors become ours, and a signal ends it at the next operator."""
        options = import_onnxruntime().RunOptions()
        options.log_severity_level = _SILENT

        def stop() -> None:
            options.terminate = True

        try:
            return _interruptible(lambda: run(options), stop)
        except Exception as error:  # onnxruntime's own exceptions have no common class but this
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
    settings.log_severity_level = _SILENT
    # Threads that spin for work after the last operator take the cores from whatever runs
    # between two frames: two models in turns took 108 ms each, now 29 (720p, 2 cores).
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    if options.threads is not None or (os.cpu_count() or 1) > CORES:
        # Left to itself ONNX Runtime takes every core of the machine and a thread for each.
        settings.intra_op_num_threads = min(options.threads or CORES, CORES)
    provider = provider_named(options.provider)
    if provider.devices:
        settings.add_provider_for_devices(provider.devices, {})
    names = None if provider.devices else list(provider.ep_names)
    try:
        # Opening computes what is constant, which of a hostile model never ends.
        engine = _interruptible(
            lambda: onnxruntime.InferenceSession(model, settings, providers=names)
        )
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
    if provider.ep_names[0] not in engine.get_providers():  # it goes on without, on the CPU
        raise ModelError(
            f"{path}: ONNX Runtime cannot start {provider.ep_names[0]}, which needs its device and "
            f"the libraries of its wheel's versions (cuda: CUDA and cuDNN, tensorrt: TensorRT, "
            f"too); use --provider cpu"
        )
    return engine


def _interruptible(call: Callable[[], T], stop: Callable[[], None] | None = None) -> T:
    """Returns what `call` returns and raises what it raises; Ctrl-C and `kill` end it.

    Python runs the handlers of signals in the main thread between two steps of its own, and ONNX
    Runtime at work there would hold them up. So `call` runs in a thread of its own meanwhile.

    Args:
        stop: asks the call to end early, from the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: list[T] = []
    errors: list[BaseException] = []
    ended = threading.Event()  # an interrupted join takes the thread for ended (Python 3.11)

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=work, name="onnxruntime", daemon=True).start()
    try:
        ended.wait()
    except BaseException:
        if stop:
            stop()
        if not ended.wait(LEAVE_SECONDS if stop else 0):
            end_without_libraries()
        raise
    if errors:
        raise errors[0]
    return outcome[0]


def _expect_onnxruntime(file: ModelFile) -> None:
    """Raises ModelError where a file is for TensorRT."""
    if file.contract.target == "tensorrt":
        raise ModelError(
            f"{file.path}: expected a model for ONNX Runtime, got one for TensorRT; export with "
            f"--target onnxruntime, or build its engine with "
            f"`dehaze-export {file.path.name} --engine`"
        )
