"""Per-frame times of a pipeline's stages."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["StageTimes"]


class StageTimes:
    """Collects the milliseconds that one stage spent on each frame.

    Args:
        keep: how many of the newest to hold, for what runs for days; None holds all.
    """

    def __init__(self, keep: int | None = None) -> None:
        self._milliseconds: deque[float] = deque(maxlen=keep)

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Adds the time that the block takes; nothing where it raises."""
        started = time.perf_counter()
        yield
        self.add(time.perf_counter() - started)

    def add(self, seconds: float) -> None:
        """Adds the time of one frame."""
        self._milliseconds.append(1000 * seconds)

    @property
    def total_seconds(self) -> float:
        """Of all frames together."""
        return sum(self._milliseconds) / 1000

    def __len__(self) -> int:
        """How many frames' times are held."""
        return len(self._milliseconds)

    def percentiles(self) -> dict[str, float]:
        """`p50` and `p95` in milliseconds; zeros before the first frame."""
        if not self._milliseconds:
            return {"p50": 0.0, "p95": 0.0}
        p50, p95 = np.percentile(list(self._milliseconds), (50, 95))  # another thread may add
        return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}
