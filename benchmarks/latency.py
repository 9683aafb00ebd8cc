"""How long inference takes, models interleaved so that a noisy machine favours none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dehaze.runtime.dehazer import open_dehazer
from dehaze.runtime.models import model_path
from dehaze.runtime.onnxruntime_session import OnnxRuntimeOptions, OnnxRuntimeSession

__all__ = ["Latency", "measure_latency", "measure_stages"]

T = TypeVar("T")


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


def measure_stages(
    model: str, width: int, height: int, threads: int | None, runs: int
) -> dict[str, Latency]:
    """What a call of the dehazer consists of, measured in turns with the whole call.

    Returns:
        `thumbnail`, `estimate`, `apply`, the three steps of the CPU path one by one; `call`, all of
        it by `dehazer(frame)`; `whole graph`, the model file as it is in ONNX Runtime.

    Raises:
        ModelError: a model that gives no grid, or cannot be opened.
    """
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    whole = OnnxRuntimeSession(model_path(model), OnnxRuntimeOptions(threads), only_whole=True)
    times: dict[str, list[float]] = {}

    def timed(name: str, step: Callable[..., T], *arguments: Any) -> T:
        started = time.perf_counter()
        result = step(*arguments)
        times.setdefault(name, []).append(1000 * (time.perf_counter() - started))
        return result

    with open_dehazer(model, threads=threads, backend="onnxruntime") as dehazer:
        for _ in tqdm(range(runs + 2), unit="round", disable=None, leave=False):
            thumbnail = timed("thumbnail", dehazer.thumbnail, frame)
            grid = timed("estimate", dehazer.estimate, frame, thumbnail)
            timed("apply", dehazer.apply, frame, grid)
            timed("call", dehazer, frame)
            timed("whole graph", whole.run, frame[None], 1.0)
    whole.close()
    return {
        name: Latency(model, width, height, np.array(collected[2:]))  # without the warm-up
        for name, collected in times.items()
    }
