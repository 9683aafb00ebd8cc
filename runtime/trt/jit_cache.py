"""Keeps what TensorRT-RTX compiles for the GPU at hand, beside the engine.

Its engines are for every GPU since Ampere; the last step is done where they are opened. With
TensorRT itself there is nothing left to compile, and no file is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import OutputError
from ..output_file import finished_output
from .engine_file import note_built_here, was_built_here
from .library import NAME, trt

__all__ = ["JitCache"]


class JitCache:
    """Opens engines with what an earlier run compiled, where that fits this machine.

    The library compares GPU, driver and its own version, and takes the file's content or not. It is
    not asked of a file that was not written here.
    """

    def __init__(self, engine: Path) -> None:
        self._path = engine.with_suffix(".jit-cache")
        self._known = b""
        self._config: trt.IRuntimeConfig | None = None

    def new_context(
        self, engine: trt.ICudaEngine, before_compiling: Callable[[], None]
    ) -> trt.IExecutionContext | None:
        """The engine's execution context; CUDA's context must be current."""
        if NAME != "rtx":
            return engine.create_execution_context()
        config: trt.IRuntimeConfig = engine.create_runtime_config()
        # At a shape's first frame, not in the background meanwhile: our CUDA graphs are captured
        # at the second one, and would keep the slower kernels.
        eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        cache: trt.IRuntimeCache = config.create_runtime_cache()
        kept = self._path.read_bytes() if self._path.is_file() else b""
        self._known = kept if was_built_here(kept) else b""
        if not self._known or not cache.deserialize(self._known):
            before_compiling()
        config.set_runtime_cache(cache)
        self._config = config
        return engine.create_execution_context(config)

    def save(self) -> str:
        """Writes what was compiled since the file was read; why it could not, or empty."""
        if self._config is None:
            return ""
        cache: trt.IRuntimeCache = self._config.get_runtime_cache()
        content = bytes(cache.serialize())
        if content == self._known:
            return ""
        try:
            with finished_output(self._path, overwrite=True) as unfinished:
                unfinished.write_bytes(content)
                note_built_here(content)
        except OutputError as error:
            return str(error)
        self._known = content
        return ""
