"""What a backend must do. A backend is one file with one frozen options dataclass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .haze.grid import Grid, Thumbnail
from .model.contract import ModelContract

__all__ = ["DeepFrames", "Frames", "FunctionSession", "Session"]

Frames: TypeAlias = NDArray[np.uint8]
"""(N, H, W, 3) uint8 RGB."""
DeepFrames: TypeAlias = NDArray[Any]
"""(N, H, W, 3) uint8 or uint16 RGB."""


class Session(Protocol):
    """A loaded model. Not safe to call from two threads at once."""

    @property
    def contract(self) -> ModelContract: ...

    def run(self, frames: Frames, strength: float) -> Frames:
        """Dehazes a batch."""
        ...

    def estimate(self, frames: DeepFrames, thumbnail: Thumbnail | None = None) -> Grid:
        """The estimate alone, without applying it; where `contract.has_grid`.

        Args:
            thumbnail: that of `frames`, where the caller has it already.
        """
        ...

    def close(self) -> None:
        """Gives the engine's memory back; the session cannot be used afterwards."""
        ...


class FunctionSession:
    """A backend for tests: calls a function of frames instead of an engine."""

    def __init__(self, function: Callable[[Frames], Frames], minimum_size: int = 1) -> None:
        self._function = function
        self.contract = ModelContract(
            name="function",
            precision="fp32",
            target="onnxruntime",
            minimum_size=minimum_size,
            parameters=0,
            source_sha256="",
        )

    def run(self, frames: Frames, strength: float) -> Frames:  # noqa: ARG002  # always 1: no grid
        return self._function(frames)

    def estimate(self, frames: DeepFrames, thumbnail: Thumbnail | None = None) -> Grid:  # noqa: ARG002
        """The identity for every frame."""
        values = np.zeros((len(frames), 1, 1, 4), np.float32)
        values[..., 0] = 1
        return Grid(values, cell=max(frames.shape[1:3]))

    def close(self) -> None:
        pass
