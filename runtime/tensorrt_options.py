"""How the TensorRT backend opens and runs a model. Needs no TensorRT to import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .cuda_memory import CudaBinding
from .engine_options import EngineOptions

__all__ = ["TensorRTOptions"]


def _tell(line: str) -> None:
    print(f"TensorRT: {line}", file=sys.stderr)


@dataclass(frozen=True)
class TensorRTOptions:
    """How TensorRT opens and runs a model."""

    build: EngineOptions | None = None
    """The engine to use of a model, and to build where it is not there. None takes whatever
    engine of the model runs here, and builds one with EngineOptions' defaults otherwise."""
    may_build: bool = True
    """False raises where an engine would have to be built."""
    plugin: Path | None = None
    """Our plugin library; None looks for it where a model or engine needs it (see
    `plugin_library.py`)."""
    engine_folder: Path | None = None
    """Where engines are kept; None for the model's folder."""
    cuda_binding: CudaBinding = "auto"
    cuda_graphs: bool = True
    """Launches a frame as one graph instead of layer by layer, from the second frame of a shape
    on; cuda-python alone can."""
    notice: Callable[[str], None] = _tell
    """Takes a line for the user: that an engine is being built, that graphs do not work."""
