"""The time that each operator of an estimator takes, by ONNX Runtime's own profile."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dehaze.runtime.haze.grid import thumbnail_stride
from dehaze.runtime.haze.pixel_passes import thumbnail_sizes
from dehaze.runtime.model.model_file import read_model
from dehaze.runtime.model.shipped import model_path
from dehaze.runtime.model.subgraph import GRID, THUMBNAIL, estimator_from_model
from dehaze.runtime.onnxruntime_session import import_onnxruntime

__all__ = ["OperatorTime", "measure_operators"]

_RUNS, _WARM_UP = 60, 5
_NODE = "_kernel_time"
"""The end of the names of a profile's events that are the work of a node."""


class OperatorTime(NamedTuple):
    """The nodes of one operator, as ONNX Runtime runs them after its rewriting."""

    operator: str
    nodes: int
    milliseconds: float
    """The sum of the medians of its nodes, for one thumbnail."""


def measure_operators(
    model: str, size: tuple[int, int], threads: int, runs: int | None
) -> list[OperatorTime]:
    """Runs a model's estimator on a random thumbnail, alone on the CPU.

    Args:
        size: width and height of the frame.

    Returns:
        The slowest first.

    Raises:
        ModelError: a model that gives no grid, or cannot be opened.
    """
    file = read_model(model_path(model))
    estimator = estimator_from_model(file.content, str(file.path))
    onnxruntime = import_onnxruntime()
    rows, columns = thumbnail_sizes(size[1], size[0], thumbnail_stride(size[1], size[0]))
    thumbnail = np.random.default_rng(0).random((1, 3, rows, columns), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.enable_profiling = True
        settings.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            estimator, settings, providers=["CPUExecutionProvider"]
        )
        for _ in range((runs or _RUNS) + _WARM_UP):
            session.run([GRID], {THUMBNAIL: thumbnail})
        events = json.loads(Path(session.end_profiling()).read_text())
    return _by_operator(events)


def _by_operator(events: list[dict[str, Any]]) -> list[OperatorTime]:
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_NODE):
            spent[event["args"]["op_name"], event["name"]].append(event["dur"] / 1000)
    operators: dict[str, list[float]] = defaultdict(list)
    for (operator, _), times in spent.items():
        operators[operator].append(float(np.median(times[_WARM_UP:])))
    found = [OperatorTime(name, len(times), sum(times)) for name, times in operators.items()]
    return sorted(found, key=lambda each: -each.milliseconds)
