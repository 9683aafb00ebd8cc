"""The options for building an engine, and for opening and running one.

None of it needs TensorRT to import.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from ..cuda.api import CudaBinding
from ..errors import UsageError
from ..session import Shape, ShapeRange

__all__ = [
    "LIBRARIES",
    "EngineOptions",
    "HardwareCompatibility",
    "Library",
    "LibraryName",
    "Shape",
    "ShapeRange",
    "TensorRTOptions",
    "using_library",
    "wanted_libraries",
]

LibraryName: TypeAlias = Literal["tensorrt", "rtx", "lean"]


class Library(NamedTuple):
    """A kind of TensorRT that this package can run engines with."""

    title: str
    """The name in messages."""
    modules: tuple[str, ...]
    """The names that its packages give its Python module."""
    minimum: tuple[int, ...]
    """Older versions cannot build strongly typed networks from our models."""


LIBRARIES: dict[LibraryName, Library] = {
    "tensorrt": Library("TensorRT", ("tensorrt",), (10, 3)),  # that of JetPack 6
    "rtx": Library("TensorRT-RTX", ("tensorrt_rtx", "tensorrt_rtx_bindings"), (1, 2)),
    "lean": Library("TensorRT", ("tensorrt_lean",), (10, 3)),
}
"""The libraries, in the order of preference."""

_wanted: tuple[LibraryName, ...] = tuple(LIBRARIES)


def wanted_libraries() -> tuple[LibraryName, ...]:
    """The libraries that this process may use; the first installed one is taken."""
    return _wanted


@contextmanager
def using_library(name: LibraryName | None) -> Iterator[None]:
    """Says which kind of TensorRT is opened inside; for `tensorrt` its lean runtime will do, too.

    Args:
        name: None for the one that is loaded, or the first that is installed.
    """
    global _wanted  # one for the process, as the library itself is
    before = _wanted
    names = tuple(LIBRARIES) if name is None else (name,)
    _wanted = ("tensorrt", "lean") if name == "tensorrt" else names
    try:
        yield
    finally:
        _wanted = before


HardwareCompatibility: TypeAlias = Literal["none", "same_compute_capability", "ampere_plus"]
"""The GPUs that an engine runs on: this one, those of its compute capability, or all since Ampere.

TensorRT has `same_compute_capability` in later versions than 10.3, and NVIDIA supports neither
of the last two on JetPack.
"""


UP_TO_1080P = ShapeRange((1, 64, 64, 3), (1, 720, 1280, 3), (1, 1080, 1920, 3))


@dataclass(frozen=True)
class EngineOptions:
    """The options with which TensorRT builds an engine. Its precision is that of the ONNX file."""

    shapes: ShapeRange = UP_TO_1080P
    """The range of frames, by default single frames of up to 1080p, fastest at 720p."""
    workspace_mib: int = 1024
    """Memory for intermediate buffers. TensorRT's own limit is all of the device's, which on a
    Jetson is the computer's."""
    timing_cache: Path | None = None
    """Remembers how fast each kernel was, so that the next build of a like engine is short."""
    plugin: Path | None = None
    """The shared library with our TensorRT plugins."""
    version_compatible: bool = False
    """Runs on later TensorRT versions, too: up to the newest 11.x for one of 10.x or 11.x."""
    exclude_lean_runtime: bool = False
    """Leaves out of a version-compatible engine what later versions run it with: smaller, and for
    the lean runtime of this version alone."""
    hardware_compatibility: HardwareCompatibility = "none"

    def __post_init__(self) -> None:
        if self.workspace_mib < 1:
            raise UsageError(f"expected a workspace of 1 MiB or more, got {self.workspace_mib}")
        if self.exclude_lean_runtime and not self.version_compatible:
            raise UsageError(
                "only a version-compatible engine holds a lean runtime to leave out; "
                "ask for both or for neither"
            )


def _tell(line: str) -> None:
    print(f"TensorRT: {line}", file=sys.stderr)


@dataclass(frozen=True)
class TensorRTOptions:
    """The options with which TensorRT opens and runs a model."""

    build: EngineOptions | None = None
    """The engine to use of a model, and to build where it is not there. None takes whatever
    engine of the model runs here, and builds one with EngineOptions' defaults otherwise."""
    may_build: bool = True
    """False raises where an engine would have to be built."""
    plugin: Path | None = None
    """Our plugin library; None looks for it where a model or engine needs it (see
    `plugin_library`)."""
    engine_folder: Path | None = None
    """The folder for engines; None for the model's, or where that is read-only the user's cache."""
    trust_engine: bool = False
    """Runs an engine that was not built here, too. It is code, and can do what its user can."""
    cuda_binding: CudaBinding = "auto"
    cuda_graphs: bool = True
    """Launches a frame as one graph instead of layer by layer, from the second frame of a shape
    on; cuda-python alone can."""
    notice: Callable[[str], None] = _tell
    """Takes a line for the user: that an engine is being built, that graphs do not work."""
