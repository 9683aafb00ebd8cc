"""Compares ONNX models with one another, in their results and in their speed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from dehaze.runtime.errors import OperatorError
from dehaze.runtime.haze.grid import THUMBNAIL_MULTIPLE, thumbnail_stride
from dehaze.runtime.model.subgraph import GRID, THUMBNAIL, estimator_from_model
from dehaze.runtime.onnxruntime_session import import_onnxruntime

COMPARED_SIZES = ((64, 64), (123, 201), (480, 640))
"""(height, width): the smallest, an odd one, a common one."""
TIMED_SIZE = (720, 1280)
"""(height, width)."""
TIMED_SECONDS = 3.0


def psnr_between(model: onnx.ModelProto, reference: onnx.ModelProto) -> float:
    """PSNR in dB of all test frames together: how far one model's result is from another's."""
    session, other = session_of(model), session_of(reference)
    squares = []
    for frames in compared_frames():
        got = session.run(["clear"], {"image": frames})[0]
        expected = other.run(["clear"], {"image": frames})[0]
        squares.append((got.astype(np.float64) - expected).ravel() ** 2)
    mean = float(np.concatenate(squares).mean())
    return 10 * float(np.log10(255**2 / mean)) if mean else float("inf")


def speed_ratio(model: onnx.ModelProto, reference: onnx.ModelProto) -> float:
    """The speed of a model as a multiple of that of `reference`, measured in turns on this machine.

    Of a model with a grid the estimator alone, which is what the runtime runs.
    """
    if any(output.name == GRID for output in model.graph.output):
        block = THUMBNAIL_MULTIPLE * thumbnail_stride(*TIMED_SIZE)
        rows, columns = (-(-size // block) * THUMBNAIL_MULTIPLE for size in TIMED_SIZE)
        random = np.random.default_rng(0)
        feeds: dict[str, Any] = {THUMBNAIL: random.random((1, 3, rows, columns), np.float32)}
        model, reference = _estimator(model), _estimator(reference)
    else:
        feeds = {"image": np.random.default_rng(0).integers(0, 256, (1, *TIMED_SIZE, 3), np.uint8)}
    sessions = [session_of(graph) for graph in (reference, model)]
    times: list[list[float]] = [[], []]
    deadline = time.perf_counter() + TIMED_SECONDS
    while len(times[0]) < 4 or time.perf_counter() < deadline:  # the first ones warm up
        for session, collected in zip(sessions, times, strict=True):
            started = time.perf_counter()
            session.run(None, feeds)
            collected.append(time.perf_counter() - started)
    slow, fast = (float(np.median(collected[1:])) for collected in times)
    return slow / fast


def _estimator(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.load_from_string(estimator_from_model(model.SerializeToString(), "the model"))


def session_of(model: onnx.ModelProto, *, as_written: bool = False) -> Any:
    """The model in ONNX Runtime, on the CPU.

    Args:
        as_written: operator by operator, without ONNX Runtime's rewriting, which another engine
            does not do.

    Raises:
        OperatorError: ONNX Runtime is too old for it.
    """
    onnxruntime = import_onnxruntime()
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3  # it warns that `strength` has a default; that is its purpose
    # Two sessions in turns must not spin on each other's cores.
    quiet.add_session_config_entry("session.force_spinning_stop", "1")
    if as_written:
        quiet.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
        )
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        raise OperatorError(
            f"ONNX Runtime {onnxruntime.__version__} lacks an operator of this form, so it cannot "
            f"be compared here; use --deform gridsample, or Python 3.11 or newer"
        ) from error


def compared_frames() -> Iterator[NDArray[np.uint8]]:
    """(2, H, W, 3) of each size: noise, and a smooth picture like a hazy one."""
    generator = np.random.default_rng(0)
    for height, width in COMPARED_SIZES:
        noise = generator.integers(0, 256, (height, width, 3), np.uint8)
        ramp = np.linspace(90, 230, height * width * 3).reshape(height, width, 3)
        yield np.stack((noise, ramp.astype(np.uint8)))
