"""Measures how steady a dehazed video is, where its clear original is known.

The error of a frame is the mean over its pixels of dehazed - clear, in levels of 255. A steady
result may be wrong, but by the same amount in every frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dehaze.runtime.dehazer import open_dehazer
from dehaze.runtime.errors import InputError
from dehaze.runtime.files.video import file_airlight
from dehaze.runtime.media.video_reader import TimedFrame, VideoReader
from dehaze.runtime.stream import Stream, StreamOptions

from .quality.scores import psnr

__all__ = ["FLICKER_PROTOCOL", "Flicker", "measure_flicker"]

FLICKER_PROTOCOL = {
    "decoder": "FFmpeg to 8-bit RGB; the result is compared as computed, not encoded again",
    "error": "of a frame: mean over its pixels of dehazed - clear, in levels of 255",
    "PSNR": "over all three colours, data range 255, averaged over the frames",
}


@dataclass(frozen=True)
class Flicker:
    """The flicker of a video that was dehazed in one way."""

    frames: int
    psnr_db: float
    """Mean over the frames; infinite where one equals its clear one."""
    error_deviation: float
    """Standard deviation over time of the frames' errors, in levels of 255."""
    error_change: float
    """Mean absolute change of the error from frame to frame, in levels of 255."""


def measure_flicker(
    model: str, hazy: Path, clear: Path, options: StreamOptions, threads: int | None
) -> Flicker:
    """Dehazes the video `hazy` as dehaze-run does, and compares it, unencoded, with `clear`.

    Raises:
        InputError: a video that cannot be read, or two of different sizes or lengths.
        ModelError: a model that cannot be opened.
    """
    scores, errors = [], []
    with (
        open_dehazer(model, threads=threads) as dehazer,
        file_airlight(hazy, dehazer, options) as airlight,
    ):
        stream = Stream(dehazer, options, airlight)
        pairs = zip_longest(_frames(hazy), _frames(clear))
        for hazy_frame, clear_frame in tqdm(pairs, disable=None, leave=False):
            if hazy_frame is None or clear_frame is None:
                raise InputError(f"expected as many frames in {hazy} as in {clear}")
            (seconds, frame), (_, expected) = hazy_frame, clear_frame
            if frame.shape != expected.shape:
                raise InputError(f"expected {hazy} and {clear} to have frames of one size")
            result = stream(frame, seconds).pixels
            scores.append(psnr(result, expected))
            errors.append(np.mean(result.astype(np.float32) - expected))
    if len(errors) < 2:
        raise InputError(f"{hazy}: expected two frames or more")
    change = np.abs(np.diff(errors)).mean()
    return Flicker(len(errors), float(np.mean(scores)), float(np.std(errors)), float(change))


def _frames(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    with VideoReader(path) as reader:
        assert reader.stream.time_base is not None  # every demuxer sets it
        for item in reader.read():
            if isinstance(item, TimedFrame):
                yield float(item.pts * reader.stream.time_base), item.pixels
