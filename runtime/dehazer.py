"""The Python API: open a model once, then call it with frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .backends import Backend, open_session
from .contract import ModelContract
from .errors import InputError, ModelError, UsageError
from .models import DEFAULT_MODEL, model_path
from .session import Frames, Grid, Session

if TYPE_CHECKING:
    from .onnxruntime_session import Provider
    from .tensorrt_options import TensorRTOptions

__all__ = ["Dehazer", "open_dehazer"]


def open_dehazer(
    model: str | Path = DEFAULT_MODEL,
    *,
    threads: int | None = None,
    strength: float = 1.0,
    backend: Backend = "auto",
    provider: Provider = "cpu",
    tensorrt: TensorRTOptions | None = None,
) -> Dehazer:
    """Opens a shipped model by name, or any model file of ours by path.

    Args:
        model: a name from `list_models()`, or the path of an ONNX file or an engine made by
            dehaze-export.
        threads: CPU threads for inference; None, or more than there are, takes every core.
        strength: how much haze to take away, from 0 (none: the input comes back) to 1 (all).
        backend, provider, tensorrt: what runs the model, see `open_session`; `Dehazer.backend`
            says what does and why.

    Raises:
        ModelError: no such model, or not a model of ours.
        EngineMismatchError: an engine for another machine.
        UsageError: `threads` or `strength` out of range.

    Example:
        >>> with open_dehazer("edge", threads=2) as dehazer:
        ...     clear = dehazer(frame)
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    opened = open_session(
        model_path(model), backend, threads=threads, provider=provider, tensorrt=tensorrt
    )
    return Dehazer(opened.session, strength=strength, backend=opened.why)


class Dehazer:
    """Takes the haze out of frames. A context manager; not to be shared between threads."""

    def __init__(self, session: Session, *, strength: float = 1.0, backend: str = "") -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must lie between 0 and 1, got {strength:g}")
        if 0 < strength < 1 and not session.contract.has_grid:
            raise ModelError(
                f"model {session.contract.name!r} has no strength between 0 and 1; "
                f"use strength 1 or another model"
            )
        self._session = session
        self.strength = strength
        self._backend = backend or type(session).__name__

    @property
    def backend(self) -> str:
        """What runs the model and why, in one line: `onnxruntime: as asked`."""
        return self._backend

    @property
    def contract(self) -> ModelContract:
        """What the model expects and where it comes from."""
        return self._session.contract

    def __call__(self, frames: Frames) -> Frames:
        """Dehazes one frame or a batch.

        Args:
            frames: (H, W, 3) or (N, H, W, 3) uint8 RGB.

        Returns:
            Dehazed frames of the same shape; with strength 0 an exact copy.

        Raises:
            InputError: wrong shape, type or size.
        """
        batch = self._as_batch(frames)
        clear = batch.copy() if self.strength == 0 else self._session.run(batch, self.strength)
        return clear.reshape(frames.shape)

    def estimate(self, frames: Frames) -> Grid:
        """The low-resolution estimate behind `__call__`, scaled by the strength.

        Args:
            frames: (H, W, 3) or (N, H, W, 3) uint8 RGB.

        Returns:
            (N, h, w, 4) float32, the gain and the biases of clear = gain * hazy + bias, in [0, 1].

        Raises:
            InputError: wrong shape, type or size.
            ModelError: the model gives no estimate.
        """
        if not self.contract.has_grid:
            raise ModelError(f"model {self.contract.name!r} gives no estimate")
        identity = np.array([1, 0, 0, 0], np.float32)
        grid = self._session.estimate(self._as_batch(frames))
        return identity + np.float32(self.strength) * (grid - identity)

    def _as_batch(self, frames: NDArray[np.uint8]) -> Frames:
        if not isinstance(frames, np.ndarray):
            raise InputError(f"expected a numpy array of frames, got {type(frames).__name__}")
        if frames.dtype != np.uint8:
            raise InputError(f"expected uint8 RGB frames, got {frames.dtype}; convert them first")
        if frames.ndim not in (3, 4) or frames.shape[-1] != 3:
            raise InputError(f"expected (H, W, 3) or (N, H, W, 3) frames, got {frames.shape}")
        if frames.ndim == 4 and len(frames) == 0:
            raise InputError("expected at least one frame, got an empty batch")
        self.contract.size_requirements.check(*frames.shape[-3:-1])
        return np.ascontiguousarray(frames).reshape(-1, *frames.shape[-3:])

    def close(self) -> None:
        """Gives the model's memory back."""
        self._session.close()

    def __enter__(self) -> Dehazer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
