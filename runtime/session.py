"""What a backend must do. A backend is one file with one frozen options dataclass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .contract import ModelContract

__all__ = ["Frames", "FunctionSession", "Grid", "Session"]

Frames: TypeAlias = NDArray[np.uint8]
"""(N, H, W, 3) uint8 RGB."""

Grid: TypeAlias = NDArray[np.float32]
"""(N, h, w, 4) float32: the gain and the biases of R, G, B in clear = gain * hazy + bias.

hazy and clear are in [0, 1]. One cell covers `contract.grid_stride` pixels a side; the cells may
reach beyond the frame's last row and column.
"""


class Session(Protocol):
    """A loaded model. Not safe to call from two threads at once."""

    @property
    def contract(self) -> ModelContract: ...

    def run(self, frames: Frames, strength: float) -> Frames:
        """Dehazes a batch, in one call of the engine."""
        ...

    def estimate(self, frames: Frames) -> Grid:
        """The estimate alone, without applying it."""
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

    def estimate(self, frames: Frames) -> Grid:
        """The identity for every pixel."""
        grid = np.zeros((*frames.shape[:3], 4), np.float32)
        grid[..., 0] = 1
        return grid

    def close(self) -> None:
        pass
