"""Dehazes frame after frame without flicker: what is known of the haze carries over in time.

The grid of one frame is moved along with the picture and blended with that of the next, cell by
cell; where something new appears, and at a scene's beginning, the new estimate counts alone. The
airlight is one slow colour for the whole scene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from .dehazer import Dehazer
from .errors import ModelError, UsageError
from .haze.airlight import Airlight, RecursiveAirlight, airlight_of
from .haze.grid import Grid, Thumbnail
from .haze.motion import Motion, luminance_of, motion_between, moved
from .session import DeepFrames

if TYPE_CHECKING:
    from .haze.plane_passes import PlanarFrame

    P = TypeVar("P", bound=PlanarFrame)

__all__ = ["DehazedFrame", "FrameView", "Stream", "StreamOptions", "auto_strength"]

SHARE = 0.2
"""Share of a new frame's estimate in the smoothed gain."""
_ENOUGH_TRUST = 0.8
"""Least mean trust of the cells; below it a frame between two estimates gets its own."""
_CLEAR_HAZE, _HAZY_HAZE = 0.16, 0.24
"""`auto` leaves frames below the first alone and takes all haze from the second on.

The meter says 0.00 for the clear pictures of SOTS, NYU and FRIDA2, up to 0.15 for the clear
room-clear.mp4, from 0.21 for SOTS's hazy pictures; an empty road can look like fog (0.3).
"""


@dataclass(frozen=True)
class StreamOptions:
    """The options for frames that are dehazed one after another."""

    temporal: bool = True
    """True to smooth over time."""
    every: int = 1
    """The network estimates every so many frames; between them the grid moves with the picture."""
    auto: bool = False
    """True to leave clear frames as they are."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"every must be at least 1, got {self.every}")
        if self.every > 1 and not self.temporal:
            raise UsageError(
                f"every = {self.every} needs temporal smoothing; leave --no-temporal out"
            )


@dataclass(frozen=True)
class DehazedFrame:
    """A dehazed frame and its haze."""

    pixels: DeepFrames
    """(H, W, 3) RGB of the type of the frame; the frame itself where nothing was to do."""
    haze: float | None = None
    """The haze meter, from 0 (clear) to 1; None for a model that gives no estimate."""
    begins_scene: bool = False
    """True if no frame before it was taken into account."""


class FrameView(Protocol):
    """Frames as a display shows them; `media.pixels.hdr.DisplayView` is one."""

    @property
    def white(self) -> float:
        """The value that is shown as white, as a share of the greatest."""

    def __call__(self, frame: DeepFrames) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""


class Stream:
    """Dehazes the frames of one video in their order.

    Args:
        airlight: where the scene's airlight comes from; None for what was seen so far.
        view: shows frames as an SDR display would, for HDR and wide colours, whose haze is
            estimated on that; None where they are such themselves.

    Raises:
        ModelError: the model cannot do what the options ask.
    """

    def __init__(
        self,
        dehazer: Dehazer,
        options: StreamOptions,
        airlight: Airlight | None = None,
        *,
        view: FrameView | None = None,
    ) -> None:
        if (options.auto or options.every > 1) and not dehazer.contract.has_grid:
            raise ModelError(
                f"model {dehazer.contract.name!r} gives no estimate, which auto and every need; "
                f"leave them out or use another model"
            )
        self._dehazer = dehazer
        self._options = options
        self._airlight = airlight or RecursiveAirlight()
        self._view = view
        self._state: _State | None = None

    def __call__(
        self, frame: DeepFrames, seconds: float = 0.0, out: DeepFrames | None = None
    ) -> DehazedFrame:
        """Dehazes one frame.

        Args:
            frame: (H, W, 3) uint8 RGB; uint16, too, where the model gives an estimate.
            seconds: the frame's time in the video.
            out: array for the result, if it is of use; may be `frame` itself.

        Raises:
            InputError: wrong shape, type or size.
        """
        if not self._dehazer.contract.has_grid:
            clear = frame if self._dehazer.strength == 0 else self._dehazer(frame)
            return DehazedFrame(clear)
        seen = self._view(frame) if self._view else frame
        thumbnail = self._dehazer.thumbnail(seen) if self._options.temporal else None
        grid, begins_scene = self._grid(seen, thumbnail, frame.shape, seconds)
        haze, strength = self._meter(grid)
        if strength == 0:
            return DehazedFrame(frame, haze, begins_scene)
        scaled = grid.scaled(strength)
        if self._view:
            scaled = scaled.with_white(self._view.white)
        clear = self._dehazer.apply(frame, scaled, out)
        return DehazedFrame(clear, haze, begins_scene)

    def dehaze_planes(self, frame: P, seconds: float = 0.0) -> tuple[P, float]:
        """Dehazes one frame in planes; where `Dehazer.takes_planes`.

        Returns:
            A new frame, or the frame itself where nothing was to do; and the haze meter.

        Raises:
            InputError: the frame is too small.
        """
        thumbnail = self._dehazer.thumbnail_of_planes(frame)
        grid, _ = self._grid(None, thumbnail, frame.shape, seconds)
        haze, strength = self._meter(grid)
        if strength == 0:
            return frame, haze
        return self._dehazer.apply_to_planes(frame, grid.scaled(strength)), haze

    def _meter(self, grid: Grid) -> tuple[float, float]:
        """The haze of a grid, and the strength with which it is to be applied."""
        haze = grid.haze()
        share = auto_strength(haze) if self._options.auto else 1.0
        return haze, self._dehazer.strength * share

    def _grid(
        self,
        frame: DeepFrames | None,
        thumbnail: Thumbnail | None,
        shape: tuple[int, ...],
        seconds: float,
    ) -> tuple[Grid, bool]:
        """The grid to apply to a frame at full strength, and whether a scene begins."""
        if thumbnail is None or not self._options.temporal:
            return self._dehazer.estimate(frame, thumbnail), False
        self._state = self._next_state(frame, thumbnail, shape, seconds)
        return self._state.grid(), self._state.begins_scene

    def _next_state(
        self,
        frame: DeepFrames | None,
        thumbnail: Thumbnail,
        shape: tuple[int, ...],
        seconds: float,
    ) -> _State:
        luminance = luminance_of(thumbnail.values[0])
        kept = self._kept(luminance, shape)
        if kept is None:
            self._airlight.reset()
        elif kept.age < self._options.every and float(kept.trust.mean()) > _ENOUGH_TRUST:
            return kept
        grid = self._airlight.estimate_at(seconds) or self._dehazer.estimate(frame, thumbnail)
        if kept is not None and not np.isfinite(grid.values).all():
            return kept  # a model that overflows once must not blacken all that follows
        airlight = self._airlight.update(grid.values[0], luminance, seconds)
        fresh = _State.of(grid, airlight, luminance, shape)
        return fresh if kept is None else fresh.blended(kept)

    def _kept(self, luminance: NDArray[np.uint8], shape: tuple[int, ...]) -> _State | None:
        """The state of the frame before, moved to this one; None where a scene begins."""
        before = self._state
        if before is None or before.shape != shape:
            return None
        motion = motion_between(before.luminance, luminance, before.cells.shape)
        return None if motion.is_cut else before.moved(motion, luminance)


@dataclass(frozen=True)
class _State:
    """The haze as known at one frame."""

    cells: NDArray[np.float32]
    """(h, w, 4): log gain, and what the biases have beside those of the scene's airlight."""
    airlight: NDArray[np.float32]
    """(3,) RGB."""
    luminance: NDArray[np.uint8]
    """(h, w) uint8 luminance of the frame's thumbnail."""
    shape: tuple[int, ...]
    """(H, W, 3) of the frame."""
    cell: int
    """Pixels per cell, along each axis."""
    trust: NDArray[np.float32]
    """(h, w): how much of what was known at the last estimate still holds."""
    age: int = 0
    """Frames since the last estimate."""
    begins_scene: bool = True

    @classmethod
    def of(
        cls,
        grid: Grid,
        airlight: NDArray[np.float32],
        luminance: NDArray[np.uint8],
        shape: tuple[int, ...],
    ) -> _State:
        """Starts from the estimate for a frame: bias = A (1 - gain) with its own airlight A."""
        values = grid.values[0]
        cells = _with_biases(values, -airlight_of(values)[0])
        cells[..., 0] = np.log(np.maximum(values[..., 0], 1))
        trust = np.ones(values.shape[:2], np.float32)
        return cls(cells, airlight, luminance, shape, grid.cell, trust)

    def moved(self, motion: Motion, luminance: NDArray[np.uint8]) -> _State:
        """The state one frame later: its cells move with the picture."""
        return replace(
            self,
            cells=moved(self.cells, motion.source),
            luminance=luminance,
            trust=moved(self.trust, motion.source) * motion.trust,
            age=self.age + 1,
            begins_scene=False,
        )

    def blended(self, kept: _State) -> _State:
        """Blends this new estimate with the state that was kept."""
        share = 1 - kept.trust * np.float32((1 - SHARE) ** kept.age)
        cells = kept.cells + share[..., None] * (self.cells - kept.cells)
        return replace(self, cells=cells, begins_scene=False)

    def grid(self) -> Grid:
        """The grid to apply, with the scene's airlight."""
        values = self.cells.copy()
        values[..., 0] = np.exp(self.cells[..., 0])
        return Grid(_with_biases(values, self.airlight)[None], self.cell)


def _with_biases(values: NDArray[np.float32], airlight: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 4) gain and biases, to which those of an airlight are added: A (1 - gain)."""
    matrix = np.zeros((4, 5), np.float32)
    matrix[:, :4] = np.eye(4)
    matrix[1:, 0], matrix[1:, 4] = -airlight, airlight
    return np.asarray(cv2.transform(values, matrix), np.float32)  # NumPy takes 8 times as long


def auto_strength(haze: float) -> float:
    """The strength for a haze meter's reading: 0 for almost no haze, so clear pictures stay."""
    return min(max((haze - _CLEAR_HAZE) / (_HAZY_HAZE - _CLEAR_HAZE), 0), 1)
