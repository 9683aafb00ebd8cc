"""Models and pictures for the tests of the TensorRT backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.trt.options import EngineOptions, ShapeRange

SHAPES = ShapeRange((1, 64, 64, 3), (1, 72, 128, 3), (2, 120, 160, 3))
BUILD = EngineOptions(shapes=SHAPES)

TENSORRT_IMPORTERS = tuple(
    f"dehaze.runtime.trt.{name}"
    for name in ("library", "log", "build", "jit_cache", "loaded_engine", "pipeline", "session")
)
"""The modules of ours that hold on to the TensorRT that they were imported with."""


def write_model(folder: Path, *, plugin: bool = False) -> Path:
    """The shipped model, marked as one for TensorRT."""
    model = onnx.load(MODELS_FOLDER / "edge.onnx")
    for entry in model.metadata_props:
        if entry.key == "dehaze.target":
            entry.value = "tensorrt"
    for node in model.graph.node:
        if plugin and node.op_type == "DeformConv":
            node.op_type = "HazeDeformConv2d"
    onnx.save(model, folder / "edge-tensorrt.onnx")
    return folder / "edge-tensorrt.onnx"


def pictures(count: int, height: int = 72, width: int = 128) -> NDArray[np.uint8]:
    """(count, 1, H, W, 3) uint8 RGB."""
    shape = (count, 1, height, width, 3)
    return np.random.default_rng(height).integers(0, 256, shape, np.uint8)
