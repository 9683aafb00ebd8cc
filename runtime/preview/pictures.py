"""The newest pair of frames, before and after, as JPEG: encoded only when somebody asks."""

from __future__ import annotations

import threading
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["PreviewPictures"]

_LONGEST_SIDE = 960
"""Pixels of each half; two halves of 960x540 take about 110 kB."""
_PAIR_QUALITY, _SNAPSHOT_QUALITY = 80, 95
_SECONDS_BETWEEN = 1 / 12
"""Seconds between pictures, however many watch: smooth motion, and cores left for the model."""


class PreviewPictures:
    """Holds the newest pair; safe to use from many threads. Offering one costs a reference."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pair: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
        self._number = 0
        self._closed = False
        self._encoding = threading.Lock()
        self._encoded: tuple[int, bytes] = (0, b"")
        self._encoded_at = 0.0

    def offer(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> None:
        """Takes (H, W, 3) uint8 RGB twice; neither may be written to afterwards."""
        with self._changed:
            self._pair = (before, after)
            self._number += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Sends everybody who waits home."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def pair_after(self, seen: int, seconds: float) -> tuple[int, bytes] | None:
        """Waits for a pair newer than number `seen`; None when none came in time.

        Returns:
            Its number and a JPEG with the frame above its dehazed self, scaled down.
        """
        if not self._wait_beyond(seen, seconds):
            return None
        with self._encoding:  # who waits here gets what another one has encoded
            pause = self._encoded_at + _SECONDS_BETWEEN - time.monotonic()
            if self._encoded[0] <= seen or pause <= 0:
                time.sleep(max(pause, 0))
                with self._changed:
                    number, pair = self._number, self._pair
                if pair and number != self._encoded[0]:
                    small = [_scaled(pixels) for pixels in pair]
                    self._encoded = (number, _jpeg(np.concatenate(small), _PAIR_QUALITY))
                self._encoded_at = time.monotonic()
            return self._encoded

    def snapshot(self, seconds: float) -> bytes | None:
        """The newest dehazed frame as a JPEG in full size; None when none came in time."""
        if not self._wait_beyond(0, seconds):
            return None
        with self._changed:
            pair = self._pair
        return _jpeg(pair[1], _SNAPSHOT_QUALITY) if pair else None

    def _wait_beyond(self, seen: int, seconds: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number > seen, seconds)
            return self._number > seen and not self._closed


def _scaled(pixels: NDArray[np.uint8]) -> Any:
    height, width = pixels.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    data: bytes = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    return data
