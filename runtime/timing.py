"""Per-frame times of a pipeline's stages."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["StageTimes", "stages_in_words"]


class StageTimes:
    """Collects the milliseconds that one stage spent on each frame.

    Args:
        keep: number of newest times to hold, for runs of days; None holds all.
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
        """The seconds of all frames together."""
        return sum(self._milliseconds) / 1000

    def __len__(self) -> int:
        """The number of frames whose times are held."""
        return len(self._milliseconds)

    def percentiles(self) -> dict[str, float]:
        """`p50` and `p95` in milliseconds; zeros before the first frame."""
        if not self._milliseconds:
            return {"p50": 0.0, "p95": 0.0}
        p50, p95 = np.percentile(list(self._milliseconds), (50, 95))  # another thread may add
        return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}


def stages_in_words(figures: Mapping[str, Any], stages: Sequence[str]) -> str:
    """`p50/p95 ms: decode 1.2/2.0, encode 3.1/4.5`, of figures such as `decode_ms`."""
    words = (
        f"{stage} {figures[f'{stage}_ms']['p50']:.1f}/{figures[f'{stage}_ms']['p95']:.1f}"
        for stage in stages
    )
    return f"p50/p95 ms: {', '.join(words)}"
