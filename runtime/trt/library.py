"""The TensorRT of this process, and all in which its three kinds differ. Imports one of them.

    tensorrt   TensorRT itself: builds for the GPU that it sees, takes plugins
    rtx        TensorRT-RTX: builds on any machine, with a GPU or without, for every GPU since
               Ampere; compiles for the GPU at hand when an engine is opened; takes no plugins
    lean       TensorRT's lean runtime: builds nothing, takes version-compatible engines alone

All segfault where an engine is opened without a GPU: count devices first.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, OutputError, UsageError
from ..output_file import finished_output
from .host import LIBRARIES, LibraryName, wanted_libraries
from .options import EngineOptions

if TYPE_CHECKING:
    import tensorrt as trt

__all__ = ["NAME", "TITLE", "JitCache", "require_builder", "start_plugins", "trt"]


def _import_first() -> tuple[LibraryName, Any]:
    """The first library that is installed; raises ImportError with the first one's words."""
    failures: list[ImportError | OSError] = []
    for name in wanted_libraries():
        for module in LIBRARIES[name].modules:
            try:
                return name, import_module(module)
            except (ImportError, OSError) as error:
                failures.append(error)
    raise failures[0]


if TYPE_CHECKING:
    NAME: LibraryName
else:
    NAME, trt = _import_first()
TITLE = f"{LIBRARIES[NAME].title} {trt.__version__}"
"""As messages call it: `TensorRT 10.3.0`."""


def require_builder(model: Path, options: EngineOptions) -> None:
    """Raises where this library cannot build what is asked."""
    if NAME == "lean":
        raise ModelError(
            f"{model}: expected TensorRT to build its engine, got the lean runtime alone, which "
            f"builds nothing; `pip install tensorrt`, or bring a version-compatible engine"
        )
    if NAME != "rtx":
        return
    given = {
        "a plugin library": options.plugin is not None,
        "version-compatible engines": options.version_compatible,
        "a timing cache": options.timing_cache is not None,
    }
    if refused := [what for what, is_given in given.items() if is_given]:
        raise UsageError(
            f"TensorRT-RTX takes no {', no '.join(refused)}; leave that out, or build with "
            f"TensorRT itself (--engine tensorrt)"
        )


def start_plugins(log: trt.ILogger) -> None:
    """NVIDIA's own plugins, of which standard DeformConv is one; TensorRT alone has them."""
    if NAME == "tensorrt":
        trt.init_libnvinfer_plugins(log, "")


class JitCache:
    """What TensorRT-RTX compiled for this GPU, in a file beside the engine.

    The library compares the content with GPU, driver and its own version, and takes it or not.
    With the other libraries there is nothing to compile, and the file is never written.
    """

    def __init__(self, engine: Path) -> None:
        self._path = engine.with_suffix(".jit-cache")
        self._known = b""
        self._config: Any = None

    def new_context(
        self, engine: trt.ICudaEngine, before_compiling: Callable[[], None]
    ) -> trt.IExecutionContext | None:
        """The engine's execution context; CUDA's context must be current."""
        if NAME != "rtx":
            return engine.create_execution_context()
        rtx: Any = trt
        config: Any = engine.create_runtime_config()
        # At a shape's first frame, not in the background meanwhile: our CUDA graphs are captured
        # at the second one, and would keep the slower kernels.
        strategies = rtx.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        cache = config.create_runtime_cache()
        self._known = self._path.read_bytes() if self._path.is_file() else b""
        if not self._known or not cache.deserialize(self._known):
            before_compiling()
        config.set_runtime_cache(cache)
        self._config = config
        context: trt.IExecutionContext | None = engine.create_execution_context(config)
        return context

    def save(self) -> str:
        """Writes what was compiled since the file was read; why it could not, or empty."""
        if self._config is None:
            return ""
        content = bytes(self._config.get_runtime_cache().serialize())
        if content == self._known:
            return ""
        try:
            with finished_output(self._path, overwrite=True) as unfinished:
                unfinished.write_bytes(content)
        except OutputError as error:
            return str(error)
        self._known = content
        return ""
