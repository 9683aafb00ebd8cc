"""The TensorRT of this process, and all in which its three kinds differ. Imports one of them.

    tensorrt   TensorRT itself: builds for the GPU that it sees, takes plugins
    rtx        TensorRT-RTX: builds on any machine, with a GPU or without, for every GPU since
               Ampere; compiles for the GPU at hand when an engine is opened; takes no plugins
    lean       TensorRT's lean runtime: builds nothing, takes version-compatible engines alone

All segfault where an engine is opened without a GPU: count devices first.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import ModelError, UsageError
from .options import LIBRARIES, EngineOptions, LibraryName, wanted_libraries

if TYPE_CHECKING:
    import tensorrt as trt

__all__ = ["NAME", "TITLE", "require_builder", "start_plugins", "trt"]


def _import_first() -> tuple[LibraryName, ModuleType]:
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
"""The name in messages: `TensorRT 10.3.0`."""


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
