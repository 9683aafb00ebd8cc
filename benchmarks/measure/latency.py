"""Measures the time of inference, with models interleaved so that a noisy machine favours none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dehaze.runtime.backends import Backend, open_session
from dehaze.runtime.dehazer import Dehazer, open_dehazer
from dehaze.runtime.haze.pixel_passes import use_compiled_passes
from dehaze.runtime.model.model_file import read_model
from dehaze.runtime.model.shipped import model_path
from dehaze.runtime.onnxruntime_session import OnnxRuntimeOptions, OnnxRuntimeSession
from dehaze.runtime.session import Session

from ..results.intervals import median_is_stable, ratio_interval
from ..results.records import LatencyRow, Model
from .methods import about_method, check_ours, is_ours, open_method
from .peak_memory import peak_memory
from .power import Power, measure_power
from .surroundings import model_of

__all__ = ["Case", "measure_latency", "measure_stages"]

T = TypeVar("T")
WARM_UP, WARM_UP_S = 3, 5.0
"""Calls of each before the first round, fewer where they take longer than so many seconds."""
STABLE = 0.02
"""The median's 95 % interval reaches at most this share of it to either side."""
FEWEST, MOST = 20, 300
"""Fewest and most rounds, unless --runs sets their number."""
LONGEST_S, FEWEST_SLOW = 60.0, 5
"""Seconds at one size after which as few rounds are enough."""


@dataclass
class Case:
    """A model opened in a backend, and its times."""

    model: Model
    method: Callable[[NDArray[np.uint8]], object]
    """Takes a frame, (H, W, 3) uint8 RGB."""
    session: Session | None = None
    """The session that knows how long a device took; None for methods that are not ours."""
    milliseconds: list[float] = field(default_factory=list)
    device_ms: list[tuple[float, float, float]] = field(default_factory=list)

    def time(self, frame: NDArray[np.uint8]) -> None:
        """Times one call, pixels to pixels."""
        started = time.perf_counter()
        self.method(frame)
        self.milliseconds.append(1000 * (time.perf_counter() - started))
        if self.session and (spent := self.session.device_times):
            self.device_ms.append((spent.upload_ms, spent.compute_ms, spent.download_ms))


@contextmanager
def _opened(models: Sequence[str], backends: Sequence[str], threads: int) -> Iterator[list[Case]]:
    with ExitStack() as stack:
        cases = []
        for name in models:
            if not is_ours(name):
                method = stack.enter_context(open_method(name, threads))
                cases.append(Case(about_method(name, method), method))
                continue
            check_ours(name)
            use_compiled_passes()
            for backend in backends:
                opened = open_session(model_path(name), cast(Backend, backend), threads=threads)
                dehazer = stack.enter_context(Dehazer(opened, threads=threads))
                model = model_of(name, opened)
                if all((c.model.name, c.model.backend) != (name, model.backend) for c in cases):
                    cases.append(Case(model, dehazer, opened.session))  # auto may be another one
        yield cases


def measure_latency(
    models: Sequence[str],
    size: tuple[int, int],
    threads: int,
    runs: int | None,
    *,
    backends: Sequence[str] = ("auto",),
    memory: bool = True,
) -> list[tuple[Model, LatencyRow]]:
    """Times calls with one frame, uint8 in and out, after a warm-up; one of each in a round.

    Args:
        models: see `open_method`.
        size: (width, height).
        runs: rounds; None for as many as make every median stable, 20 to 300, or as fit into a
            minute, 5 at least.
        backends: every model of ours runs in each of them.
        memory: measures the peak memory, too, which opens every model in another process.

    Raises:
        ModelError: a model that cannot be opened.
    """
    width, height = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    with _opened(models, backends, threads) as cases:
        for case in cases:
            _warm_up(case, frame)
        for number in tqdm(_rounds(cases, runs), unit="round", disable=None, leave=False):
            # Each round in an order of its own: what comes after a large model pays for it (edge
            # after dcp 16.3 ms at 1080p, else 13.6).
            for index in np.random.default_rng(number).permutation(len(cases)):
                cases[index].time(frame)
        power = [measure_power(lambda case=case: case.method(frame)) for case in cases]  # type: ignore[misc]
    base = np.array(cases[0].milliseconds)
    rows = []
    for case, spent in zip(cases, power, strict=True):
        row = _row(case, base, size, threads, spent)
        if memory:
            found = peak_memory(case.model.name, case.model.backend, threads, width, height)
            row.update(peak_memory_mib=found.mib, memory_before_mib=found.before_mib)
        rows.append((case.model, LatencyRow(**row)))
    return rows


def _warm_up(case: Case, frame: NDArray[np.uint8]) -> None:
    started = time.perf_counter()
    for _ in range(WARM_UP):
        case.method(frame)
        if time.perf_counter() - started > WARM_UP_S:
            return


def _rounds(cases: Sequence[Case], runs: int | None) -> Iterator[int]:
    started = time.perf_counter()
    for number in range(runs or MOST):
        if runs is None and _are_enough(cases, number, time.perf_counter() - started):
            return
        yield number


def _are_enough(cases: Sequence[Case], rounds: int, seconds: float) -> bool:
    if seconds > LONGEST_S:
        return rounds >= FEWEST_SLOW
    look = rounds >= FEWEST and rounds % 10 == 0
    return look and all(median_is_stable(np.array(c.milliseconds), STABLE) for c in cases)


def _row(
    case: Case,
    base: NDArray[np.float64],
    size: tuple[int, int],
    threads: int,
    power: Power | None,
) -> dict[str, Any]:
    times = np.array(case.milliseconds)
    device = np.median(case.device_ms, axis=0).tolist() if case.device_ms else [None] * 3
    return {
        "model": case.model.name,
        "backend": case.model.backend,
        "width": size[0],
        "height": size[1],
        "threads": threads,
        "milliseconds": times.round(4).tolist(),
        **{f"p{share}_ms": float(np.percentile(times, share)) for share in (50, 90, 95, 99)},
        "mean_ms": float(times.mean()),
        "fps": float(1000 / times.mean()),
        "ratio_to_first": float(np.median(times) / np.median(base)),
        "ratio_interval": list(ratio_interval(times, base, paired=True)),
        **dict(zip(("copy_ms", "compute_ms", "copy_back_ms"), device, strict=True)),
        "power_w": power and power.watts,
        "energy_per_frame_j": power and power.joules_per_frame,
    }


def measure_stages(
    model: str, size: tuple[int, int], threads: int, runs: int | None
) -> dict[str, float]:
    """Times the stages of a call of the dehazer, in turns with the whole call.

    Returns:
        Medians in milliseconds: `thumbnail`, `estimate`, `apply`, the three steps of the CPU path
        one by one; `call`, all of it by `dehazer(frame)`; `whole graph`, the model file as it is in
        ONNX Runtime; `around the steps`, what of the call is none of the three.

    Raises:
        ModelError: a model that gives no grid, or cannot be opened.
    """
    width, height = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    whole = OnnxRuntimeSession(
        read_model(model_path(model)), OnnxRuntimeOptions(threads), only_whole=True
    )
    times: dict[str, list[float]] = {}

    def timed(name: str, step: Callable[..., T], *arguments: Any) -> T:
        started = time.perf_counter()
        result = step(*arguments)
        times.setdefault(name, []).append(1000 * (time.perf_counter() - started))
        return result

    with open_dehazer(model, threads=threads, backend="onnxruntime") as dehazer:
        for _ in tqdm(range((runs or FEWEST) + 2), unit="round", disable=None, leave=False):
            thumbnail = timed("thumbnail", dehazer.thumbnail, frame)
            grid = timed("estimate", dehazer.estimate, frame, thumbnail)
            timed("apply", dehazer.apply, frame, grid)
            timed("call", dehazer, frame)
            timed("whole graph", whole.run, frame[None], 1.0)
    whole.close()
    medians = {name: float(np.median(spent[2:])) for name, spent in times.items()}  # warmed up
    steps = sum(medians[name] for name in ("thumbnail", "estimate", "apply"))
    return {**medians, "around the steps": medians["call"] - steps}
