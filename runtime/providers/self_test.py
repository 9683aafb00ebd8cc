"""A small hazy picture and what the shipped model makes of it: does a backend compute rightly here?

Means of cells are compared, not bytes: kernels round differently from one processor to another,
and float16 differs by up to 1 of 255 in such means; a wrong layout or layer by tens.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DehazeError, one_line
from ..model.shipped import MODELS_FOLDER
from ..session import Frames, Session

__all__ = ["EXPECTED", "SIZE", "SelfTest", "cell_means", "hazy_picture", "self_test"]

EXPECTED = MODELS_FOLDER / "self-test.json"
TOLERANCE = 3.0
"""Levels of 255 by which the mean of a cell may differ."""
SIZE = (144, 192)
"""(H, W) of the picture whose result is stored."""
_ROWS, _COLUMNS = 6, 8
"""The grid of cells whose means are compared."""


@dataclass(frozen=True)
class SelfTest:
    """How a backend did."""

    error: str
    """In words; empty where it passed."""
    worst_difference: float | None = None
    """The largest difference of a cell's mean from what is expected, of 255; None where nothing
    is known of these weights, so that only strength 0 was checked."""
    milliseconds: float | None = None
    """Milliseconds of the second run of one small picture, which says that it ran; a video's frames
    are faster or slower."""

    @property
    def passed(self) -> bool:
        return not self.error


def hazy_picture(height: int = SIZE[0], width: int = SIZE[1]) -> Frames:
    """(1, H, W, 3) uint8 RGB: coloured tiles that vanish in haze towards the top."""
    y, x = np.mgrid[0:height, 0:width]
    tile = (y * 8 // height * 7 + x * 8 // width * 5) % 11
    colours = np.stack([tile * 23 % 190, tile * 41 % 170, tile * 67 % 180], axis=-1)
    transmission = np.exp(-0.2 - 0.8 * (1 - y / height))[..., None]
    hazy = (40 + colours) / 255 * transmission + 0.9 * (1 - transmission)
    frames: Frames = np.rint(hazy * 255).astype(np.uint8)[None]
    return frames


def cell_means(frames: Frames) -> NDArray[np.float64]:
    """(6, 8, 3) means over cells of a frame; up to 7 of its last rows and columns are left out."""
    height, width = frames.shape[1] // _ROWS, frames.shape[2] // _COLUMNS
    whole = frames[0, : height * _ROWS, : width * _COLUMNS]
    means: NDArray[np.float64] = whole.reshape(_ROWS, height, _COLUMNS, width, 3).mean(axis=(1, 3))
    return means


def self_test(
    session: Session, size: tuple[int, int] = SIZE, reference: Session | None = None
) -> SelfTest:
    """Runs the picture twice, as a first run may also build and capture, and compares.

    Args:
        size: (H, W) of the picture, for an engine that does not take the usual one.
        reference: says what is expected at another size; needed for one.
    """
    hazy = hazy_picture(*size)
    try:
        expected = _expected(session, hazy, reference)
        session.run(hazy, 1.0)
        started = time.perf_counter()
        clear = session.run(hazy, 1.0)
        milliseconds = 1000 * (time.perf_counter() - started)
        untouched = session.run(hazy, 0.0) if session.contract.has_grid else hazy
    except DehazeError as error:
        return SelfTest(one_line(error))
    worst = None if expected is None else float(np.abs(cell_means(clear) - expected).max())
    wrong = ""
    if worst is not None and not worst <= TOLERANCE:
        wrong = f"expected cells within {TOLERANCE:g} of 255 of the known result, got {worst:.1f}"
    elif np.abs(untouched.astype(int) - hazy).max() > 1:
        wrong = "expected strength 0 to leave the picture as it is, got another one"
    return SelfTest(wrong, worst and round(worst, 2), round(milliseconds, 2))


def _expected(
    session: Session, hazy: Frames, reference: Session | None
) -> NDArray[np.float64] | None:
    """(6, 8, 3) means of the clear picture, or None where nothing is known of the weights."""
    weights = session.contract.source_sha256
    if hazy.shape[1:3] != SIZE:
        if reference is None or reference.contract.source_sha256 != weights:
            return None
        return cell_means(reference.run(hazy, 1.0))
    stored: dict[str, Any] = json.loads(EXPECTED.read_text())
    if stored["source_sha256"] != weights:
        return None
    return np.array(stored["cell_means"], np.float64)
