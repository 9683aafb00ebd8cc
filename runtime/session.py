"""The interface of a backend. A backend is one file with one frozen options dataclass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .haze.grid import Grid, Thumbnail
from .model.contract import ModelContract

__all__ = [
    "DeepFrames", "DeviceTimes", "Frames", "FunctionSession", "Session", "Shape", "ShapeRange",
]  # fmt: skip

Frames: TypeAlias = NDArray[np.uint8]
"""(N, H, W, 3) uint8 RGB."""
DeepFrames: TypeAlias = NDArray[Any]
"""(N, H, W, 3) uint8 or uint16 RGB."""
Shape: TypeAlias = tuple[int, int, int, int]
"""(N, H, W, 3) of the input `image`."""


@dataclass(frozen=True)
class ShapeRange:
    """The frames that an engine takes, from `minimum` to `maximum`; fastest at `optimum`."""

    minimum: Shape
    """(N, H, W, 3)."""
    optimum: Shape
    """(N, H, W, 3)."""
    maximum: Shape
    """(N, H, W, 3)."""

    def __post_init__(self) -> None:
        for shape in (self.minimum, self.optimum, self.maximum):
            if len(shape) != 4 or shape[3] != 3 or min(shape) < 1:
                raise UsageError(f"expected a shape (N, H, W, 3) of 1 and up, got {shape}")
        ordered = zip(self.minimum, self.optimum, self.maximum, strict=True)
        if not all(low <= best <= high for low, best, high in ordered):
            raise UsageError(
                f"expected minimum <= optimum <= maximum in every dimension, got {self}"
            )

    @classmethod
    def fixed(cls, height: int, width: int, frames: int = 1) -> ShapeRange:
        """A range of a single shape, the fastest kind: sizes in pixels, `frames` in a batch."""
        shape = (frames, height, width, 3)
        return cls(shape, shape, shape)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Returns whether an engine of this range takes frames of a shape (N, H, W, 3)."""
        sides = zip(self.minimum, shape, self.maximum, strict=True)
        return all(low <= side <= high for low, side, high in sides)

    def __str__(self) -> str:
        """`1x720x1280` for one shape, `1x64x64_1x720x1280_1x1080x1920` for a range."""
        shapes = dict.fromkeys((self.minimum, self.optimum, self.maximum))
        if len(shapes) > 1:
            return "_".join(_text(s) for s in (self.minimum, self.optimum, self.maximum))
        return _text(self.optimum)


def _text(shape: Shape) -> str:
    return "x".join(str(size) for size in shape[:3])


@dataclass(frozen=True)
class DeviceTimes:
    """The times of a batch on the device, in milliseconds, measured by its events."""

    upload_ms: float
    compute_ms: float
    download_ms: float
    """0, as is `upload_ms`, on an integrated GPU, which copies nothing."""


class Session(Protocol):
    """A loaded model. Not safe to call from two threads at once."""

    @property
    def contract(self) -> ModelContract: ...

    @property
    def shapes(self) -> ShapeRange | None:
        """The frames that it takes; None where any size does that the contract allows."""
        ...

    @property
    def device_times(self) -> DeviceTimes | None:
        """The times of the last batch on a device of its own; None where there is none."""
        ...

    @property
    def takes_thumbnails(self) -> bool:
        """True if `estimate` needs no frames where it is given their thumbnail."""
        ...

    def run(self, frames: Frames, strength: float) -> Frames:
        """Dehazes a batch."""
        ...

    def estimate(self, frames: DeepFrames | None, thumbnail: Thumbnail | None = None) -> Grid:
        """The estimate alone, without applying it; where `contract.has_grid`.

        Args:
            frames: None where the session takes thumbnails and there is one.
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
        self.shapes: ShapeRange | None = None
        self.device_times: DeviceTimes | None = None
        self.takes_thumbnails = False
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

    def estimate(self, frames: DeepFrames | None, thumbnail: Thumbnail | None = None) -> Grid:  # noqa: ARG002
        """The identity for every frame."""
        assert frames is not None
        values = np.zeros((len(frames), 1, 1, 4), np.float32)
        values[..., 0] = 1
        return Grid(values, cell=max(frames.shape[1:3]))

    def close(self) -> None:
        pass
