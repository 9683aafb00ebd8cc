"""The Python API: open a model once, then call it with frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .backends import Backend, OpenedSession, open_session
from .errors import InputError, ModelError, UsageError
from .haze.grid import FINEST_STRIDE, Grid, Thumbnail, thumbnail_stride
from .haze.pixel_passes import apply_grid, thumbnail_of, use_compiled_passes
from .haze.strips import CORES
from .model.contract import ModelContract
from .model.shipped import DEFAULT_MODEL, model_path
from .session import DeepFrames, Session

if TYPE_CHECKING:
    from .haze.plane_passes import PlanarFrame
    from .trt.options import TensorRTOptions

    P = TypeVar("P", bound=PlanarFrame)

__all__ = ["Dehazer", "open_dehazer"]


def open_dehazer(
    model: str | Path = DEFAULT_MODEL,
    *,
    threads: int | None = None,
    strength: float = 1.0,
    backend: Backend = "auto",
    provider: str = "cpu",
    tensorrt: TensorRTOptions | None = None,
    compiled: bool = True,
) -> Dehazer:
    """Opens a shipped model by name, or any model file of ours by path.

    Args:
        model: a name from `list_models()`, or the path of an ONNX file or an engine made by
            dehaze-export.
        threads: CPU threads for inference; None, or more than there are, takes every core.
        strength: how much haze to take away, from 0 (none: the input comes back) to 1 (all).
        backend, provider, tensorrt: what runs the model, see `open_session`; `Dehazer.backend`
            says what does and why.
        compiled: whether the passes over all pixels are compiled, which takes some seconds at the
            first frame that this machine ever sees, and is not worth it for a few pictures. The
            pixels are the same.

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
    if compiled and opened.session.contract.has_grid:
        use_compiled_passes()
    return Dehazer(opened, strength=strength, threads=threads)


class Dehazer:
    """Takes the haze out of frames. A context manager; not to be shared between threads."""

    def __init__(
        self,
        session: Session | OpenedSession,
        *,
        strength: float = 1.0,
        threads: int | None = None,
    ) -> None:
        if not isinstance(session, OpenedSession):
            session = OpenedSession(session, type(session).__name__, "opened by the caller")
        self.opened = session
        """The session, what runs it, and why."""
        self._session = session.session
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must lie between 0 and 1, got {strength:g}")
        if 0 < strength < 1 and not self.contract.has_grid:
            raise ModelError(
                f"model {self.contract.name!r} has no strength between 0 and 1; "
                f"use strength 1 or another model"
            )
        self.strength = strength
        self._threads = min(threads or CORES, CORES)

    @property
    def backend(self) -> str:
        """The backend and the reason for it, in one line: `onnxruntime: as asked`."""
        return self.opened.why

    @property
    def contract(self) -> ModelContract:
        """The limits, precision and origin of the model, as its file states them."""
        return self._session.contract

    def __call__(self, frames: DeepFrames) -> DeepFrames:
        """Dehazes one frame or a batch.

        Args:
            frames: (H, W, 3) or (N, H, W, 3) uint8 RGB; uint16, too, where the model has a grid.

        Returns:
            Dehazed frames of the same shape and type; with strength 0 an exact copy.

        Raises:
            InputError: wrong shape, type or size.
        """
        batch = self._as_batch(frames)
        if self.strength == 0:
            clear: DeepFrames = batch.copy()
        elif not self.contract.has_grid or self._is_small(batch):
            clear = self._session.run(batch, self.strength)
        else:
            clear = self.apply(batch, self.estimate(batch).scaled(self.strength))
        return clear.reshape(frames.shape)

    def warm_up(self) -> None:
        """Compiles or loads what is still missing, so that a camera's first frame does not wait."""
        if self.contract.has_grid:
            frame = np.zeros((1, 64, 64, 3), np.uint8)
            self.thumbnail(frame)
            self.apply(frame, Grid(np.ones((1, 8, 8, 4), np.float32), 8))

    def thumbnail(self, frames: DeepFrames) -> Thumbnail:
        """The estimator's input for a frame or batch, (H, W, 3) or (N, H, W, 3)."""
        return thumbnail_of(self._as_batch(frames), self._threads)

    def estimate(self, frames: DeepFrames | None, thumbnail: Thumbnail | None = None) -> Grid:
        """The low-resolution estimate behind `__call__`, at full strength.

        Args:
            frames: (H, W, 3) or (N, H, W, 3) uint8 or uint16 RGB; None for one in planes, whose
                thumbnail is enough.
            thumbnail: that of `frames`, where the caller has it already.

        Raises:
            InputError: wrong shape, type or size.
            ModelError: the model gives no estimate.
        """
        if not self.contract.has_grid:
            raise ModelError(f"model {self.contract.name!r} gives no estimate; use another")
        batch = None if frames is None else self._as_batch(frames)
        return self._session.estimate(batch, thumbnail)

    def apply(self, frames: DeepFrames, grid: Grid, out: DeepFrames | None = None) -> DeepFrames:
        """Dehazes by an estimate, whatever frame it was made of.

        Args:
            frames: (H, W, 3) or (N, H, W, 3) uint8 or uint16 RGB.
            grid: the estimate, from `estimate`; its cells cover the frame.
            out: array for the result, shaped as `frames`, or `frames` itself. None makes one.

        Returns:
            Dehazed frames of the same shape and type.

        Raises:
            InputError: the grid or `out` does not fit the frames.
        """
        batch = self._as_batch(frames)
        covered = tuple(grid.cell * size for size in grid.values.shape[1:3])
        if len(grid.values) != len(batch) or any(np.less(covered, batch.shape[1:3])):
            raise InputError(
                f"expected a grid that covers {len(batch)} frames of {batch.shape[1:3]}, got one "
                f"of {len(grid.values)} and {covered}"
            )
        if out is None:
            return apply_grid(batch, grid, self._threads).reshape(frames.shape)
        if out.shape != frames.shape or out.dtype != frames.dtype:
            raise InputError(
                f"expected out as the frames, {frames.shape} {frames.dtype}, "
                f"got {out.shape} {out.dtype}"
            )
        in_order = out.flags.c_contiguous  # else a view of it cannot be written row by row
        target = out.reshape(batch.shape) if in_order else None
        clear = apply_grid(batch, grid, self._threads, target)
        if not in_order:
            out[:] = clear.reshape(out.shape)
        return out

    @property
    def takes_planes(self) -> bool:
        """True if the methods for planes can be called: the model says what it does to a pixel."""
        return self.contract.has_grid and self._session.takes_thumbnails

    def thumbnail_of_planes(self, frame: PlanarFrame) -> Thumbnail:
        """The estimator's input for a frame in planes.

        Raises:
            InputError: the frame is too small.
        """
        from .haze.plane_passes import thumbnail_of_planes

        self.contract.size_requirements.check(*frame.shape[:2])
        return thumbnail_of_planes(frame, self._threads)

    def apply_to_planes(self, frame: P, grid: Grid) -> P:
        """Dehazes a frame in planes by an estimate: a new one of the same format.

        Raises:
            ModelError: the grid does not fit the frame.
        """
        from .haze.plane_passes import apply_to_planes

        clear = frame.blank()
        apply_to_planes(frame, grid, clear, self._threads)
        return clear

    def _is_small(self, batch: DeepFrames) -> bool:
        """Returns whether the whole graph suits: 8 bits, and a thumbnail of 1/4 of the size."""
        return batch.dtype == np.uint8 and thumbnail_stride(*batch.shape[1:3]) == FINEST_STRIDE

    def _as_batch(self, frames: DeepFrames) -> Any:
        """(N, H, W, 3), contiguous."""
        if not isinstance(frames, np.ndarray):
            raise InputError(f"expected a numpy array of frames, got {type(frames).__name__}")
        if frames.dtype not in (np.uint8, np.uint16):
            raise InputError(f"expected uint8 RGB frames, got {frames.dtype}; convert them first")
        if frames.dtype == np.uint16 and not self.contract.has_grid:
            raise ModelError(f"model {self.contract.name!r} takes 8 bits a channel, got 16")
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
