"""A plan to something that runs: TensorRT's engine and its execution context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ModelError
from .jit_cache import JitCache
from .library import TITLE, start_plugins, trt
from .log import LOG

__all__ = ["Tensor", "TensorRTEngine"]


@dataclass(frozen=True)
class Tensor:
    """An input or output of an engine."""

    name: str
    dtype: type[np.uint8] | type[np.float32]
    is_input: bool


_DTYPES: dict[str, type[np.uint8] | type[np.float32]] = {
    "image": np.uint8,
    "strength": np.float32,
    "clear": np.uint8,
    "grid": np.float32,
}
"""The tensors of dehaze-export's models; `strength` and `grid` exist only where there is a grid."""


class TensorRTEngine:
    """A deserialised plan with one execution context.

    Count the devices before, and have CUDA's context current: TensorRT segfaults without a GPU.

    Raises:
        ModelError: TensorRT cannot load the plan or the plugin library; its tensors are not ours.
    """

    def __init__(
        self,
        plan: bytes,
        source: Path,
        plugin: Path | None,
        *,
        host_code: bool,
        notice: Callable[[str], None],
    ) -> None:
        """Opens the plan.

        Args:
            source: the engine's file; what TensorRT-RTX compiles is kept beside it.
            host_code: a version-compatible plan carries code that runs on the CPU. Load only
                those that you trust.
            notice: takes a line for the user.
        """
        LOG.errors.clear()
        runtime = _new_runtime()
        start_plugins(LOG)
        if plugin is not None:
            _load_plugins(runtime, plugin)
        if host_code:
            runtime.engine_host_code_allowed = True
        engine: trt.ICudaEngine | None = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise ModelError(f"{source}: {TITLE} cannot load it ({LOG.reason()})")
        self.tensors = _tensors_of(engine, source)
        self._jit_cache, self._notice = JitCache(source), notice
        context: trt.IExecutionContext | None = self._jit_cache.new_context(
            engine,
            lambda: notice(f"compiling {source.name} for this GPU, once; it takes some seconds"),
        )
        if context is None:
            raise ModelError(
                f"{source}: TensorRT cannot make room for it on the GPU ({LOG.reason()}); build an "
                f"engine for smaller frames"
            )
        self._alive = [context, engine, runtime]  # in the order in which they may go
        self.context = context

    def close(self) -> None:
        """Gives the GPU's memory back."""
        if self._alive and (why_not := self._jit_cache.save()):
            self._notice(f"what was compiled for this GPU is lost: {why_not}")
        del self.context
        while self._alive:
            self._alive.pop(0)


def _new_runtime() -> trt.Runtime:
    try:
        return trt.Runtime(LOG)
    except TypeError as error:  # how pybind11 says that the library returned a null pointer
        raise ModelError(
            f"{TITLE} cannot start on this GPU ({LOG.reason()}); "
            f"update its driver, or install a TensorRT version that supports both"
        ) from error


def _load_plugins(runtime: trt.Runtime, library: Path) -> None:
    """Into this runtime's registry, so that two sessions of a process do not meet."""
    registry = runtime.get_plugin_registry()
    if registry.load_library(str(library.resolve())) is None:
        raise ModelError(
            f"{library}: {TITLE} cannot load this plugin library "
            f"({LOG.reason()}); build it on this machine"
        )


def _tensors_of(engine: trt.ICudaEngine, source: Path) -> tuple[Tensor, ...]:
    """Raises ModelError where they are not those of dehaze-export's models."""
    types = {np.uint8: trt.DataType.UINT8, np.float32: trt.DataType.FLOAT}
    tensors = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        dtype = _DTYPES.get(name)
        if dtype is None or engine.get_tensor_dtype(name) != types[dtype]:
            raise ModelError(
                f"{source}: expected uint8 image and clear, float32 strength and grid, got "
                f"{name!r} of {engine.get_tensor_dtype(name)}; export the model again"
            )
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        tensors.append(Tensor(name, dtype, is_input))
    if missing := {"image", "clear"} - {tensor.name for tensor in tensors}:
        raise ModelError(f"{source}: expected image and clear, got no {sorted(missing)[0]}")
    return tuple(tensors)
