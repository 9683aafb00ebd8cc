"""How the TensorRT backend opens and runs a model. Needs no TensorRT to import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .cuda_memory import CudaBinding
from .engine_options import EngineOptions

__all__ = ["TensorRTOptions"]


def _tell(line: str) -> None:
    print(f"TensorRT: {line}", file=sys.stderr)


@dataclass(frozen=True)
class TensorRTOptions:
    """How TensorRT opens and runs a model."""

    build: EngineOptions = field(default_factory=EngineOptions)
    """Of engines that are built on first use. Its `plugin` is also loaded with engines that need
    one; None looks for it (see `plugin_library.py`)."""
    engine_folder: Path | None = None
    """Where those engines are kept; None for the model's folder."""
    cuda_binding: CudaBinding = "auto"
    cuda_graphs: bool = True
    """Launches a frame as one graph instead of layer by layer, from the second frame of a shape
    on; cuda-python alone can."""
    notice: Callable[[str], None] = _tell
    """Takes a line for the user: that an engine is being built, that graphs do not work."""
