"""The airlight of a video: one colour for a scene, which weather and light change only slowly.

A network guesses it anew for every frame, from what is in view, and its guesses wander: by 10 %
within two seconds on a hand-held clip, by which the dehazed picture brightens and darkens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from .grid import Grid
from .motion import motion_between

__all__ = ["Airlight", "RecursiveAirlight", "Sample", "WindowAirlight", "airlight_of"]

SHARE = 0.1
"""Share of a new guess in a camera's mean. On room-hazy.mp4 0.1 gains 0.05 dB, 0.02 loses 0.36."""
WINDOW_SECONDS = 3.0
"""Seconds before and after a frame that count for the airlight of a file.

On room-hazy.mp4 and parts of it, 3 s halves the variation of the mean error, 1 s leaves 80 %.
"""


def airlight_of(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The airlight of a grid, and how much it says about it.

    Args:
        values: (h, w, 4) float32, gain and biases, where bias = A (1 - gain).

    Returns:
        (3,) float32 RGB, the mean over the cells by their haze; and the mean of gain - 1, which is
        0 for a picture without haze, where nothing is known of the airlight.
    """
    haze = np.maximum(values[..., 0] - 1, 0)
    weight = float(haze.mean())
    if weight < 1e-4:
        return np.ones(3, np.float32), 0.0
    biases = np.array(cv2.mean(values)[1:])  # NumPy takes 8 times as long
    return np.asarray(-biases / weight, np.float32), weight


class Airlight(Protocol):
    """Makes one slow airlight of the guesses for single frames."""

    def update(
        self, values: NDArray[np.float32], luminance: NDArray[np.uint8], seconds: float
    ) -> NDArray[np.float32]:
        """(3,) RGB for a frame at `seconds`, of which the network gave the grid `values`."""
        ...

    def estimate_at(self, seconds: float) -> Grid | None:
        """The network's grid for the frame at `seconds`, where it was needed for the airlight."""
        ...

    def reset(self) -> None:
        """Forgets the old scene, for a new one begins."""
        ...


class RecursiveAirlight:
    """The airlight from the frames seen so far, for a camera."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._mean = np.zeros(3, np.float32)
        self._total = 0.0
        self._count = 0

    def update(
        self,
        values: NDArray[np.float32],
        luminance: NDArray[np.uint8],  # noqa: ARG002
        seconds: float,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        airlight, weight = airlight_of(values)
        self._count += 1
        share = max(SHARE, 1 / self._count)
        self._total = (1 - share) * self._total + share * weight
        if self._total > 0:
            self._mean += share * weight / self._total * (airlight - self._mean)
        return self._mean.copy()

    def estimate_at(self, seconds: float) -> Grid | None:  # noqa: ARG002
        return None


class Sample(NamedTuple):
    """A frame of a file that was looked at ahead."""

    seconds: float
    grid: Grid
    luminance: NDArray[np.uint8]
    """(h, w) uint8, of the thumbnail."""


class _Guess(NamedTuple):
    seconds: float
    airlight: NDArray[np.float32]
    weight: float
    luminance: NDArray[np.uint8]
    begins_scene: bool


class WindowAirlight:
    """The airlight from the frames before and after one in the same scene, for a file.

    Args:
        samples: frames of the file ahead of those that are dehazed, in order of time.
    """

    def __init__(self, samples: Iterator[Sample]) -> None:
        self._samples = samples
        self._guesses: deque[_Guess] = deque()
        self._grids: dict[float, Grid] = {}
        """Those of the samples that are still to come, by their times."""

    def estimate_at(self, seconds: float) -> Grid | None:
        self._read_until(seconds + WINDOW_SECONDS)
        return self._grids.pop(seconds, None)

    def reset(self) -> None:
        """Does nothing: a window ends where its scene does."""

    def update(
        self, values: NDArray[np.float32], luminance: NDArray[np.uint8], seconds: float
    ) -> NDArray[np.float32]:
        self._read_until(seconds + WINDOW_SECONDS)
        while len(self._guesses) > 1 and self._guesses[0].seconds < seconds - WINDOW_SECONDS:
            self._grids.pop(self._guesses.popleft().seconds, None)
        scene = self._scene(luminance, seconds)
        weight = sum(guess.weight for guess in scene)
        if weight == 0:
            return airlight_of(values)[0]
        total = sum((guess.weight * guess.airlight for guess in scene), np.zeros(3, np.float32))
        return (total / weight).astype(np.float32)

    def _read_until(self, seconds: float) -> None:
        while not self._guesses or self._guesses[-1].seconds < seconds:
            sample = next(self._samples, None)
            if sample is None:
                return
            begins_scene = bool(self._guesses) and _is_cut(self._guesses[-1].luminance, sample)
            airlight, weight = airlight_of(sample.grid.values[0])
            self._grids[sample.seconds] = sample.grid
            self._guesses.append(
                _Guess(sample.seconds, airlight, weight, sample.luminance, begins_scene)
            )

    def _scene(self, luminance: NDArray[np.uint8], seconds: float) -> list[_Guess]:
        """The guesses of the frame's own scene."""
        guesses = list(self._guesses)
        if not guesses:
            return []
        after = next((i for i, g in enumerate(guesses) if g.seconds > seconds), len(guesses) - 1)
        at = after
        if guesses[after].begins_scene and after > 0:
            # A scene begins between these two: the frame belongs to the one that it looks like.
            distances = [_difference(guesses[i].luminance, luminance) for i in (after - 1, after)]
            at = after - 1 + int(distances[1] < distances[0])
        first = last = at
        while first > 0 and not guesses[first].begins_scene:
            first -= 1
        while last + 1 < len(guesses) and not guesses[last + 1].begins_scene:
            last += 1
        return guesses[first : last + 1]


def _is_cut(previous: NDArray[np.uint8], sample: Sample) -> bool:
    cells = sample.grid.values.shape[1:3]
    return motion_between(previous, sample.luminance, cells).is_cut


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two luminances."""
    return float(np.abs(one.astype(np.int16) - other).mean())
