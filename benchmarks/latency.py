"""How long inference takes, models interleaved so that a noisy machine favours none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dehaze.runtime.dehazer import open_dehazer

__all__ = ["Latency", "measure_latency"]


@dataclass(frozen=True)
class Latency:
    """Times of one model at one size."""

    model: str
    width: int
    height: int
    milliseconds: NDArray[np.float64]
    """One per run."""

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return float(np.percentile(self.milliseconds, share))


def measure_latency(
    models: Sequence[str], width: int, height: int, threads: int | None, runs: int
) -> list[Latency]:
    """Times `runs` calls of each model with one frame, uint8 in and out, after a warm-up.

    Raises:
        ModelError: a model that cannot be opened.
    """
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    dehazers = [open_dehazer(model, threads=threads) for model in models]
    times: list[list[float]] = [[] for _ in models]
    for dehazer in dehazers:
        dehazer(frame)
        dehazer(frame)
    for _ in tqdm(range(runs), unit="round", disable=None, leave=False):
        for dehazer, collected in zip(dehazers, times, strict=True):
            started = time.perf_counter()
            dehazer(frame)
            collected.append(1000 * (time.perf_counter() - started))
    for dehazer in dehazers:
        dehazer.close()
    return [
        Latency(model, width, height, np.array(collected))
        for model, collected in zip(models, times, strict=True)
    ]
