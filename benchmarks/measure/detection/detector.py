"""A detector of objects in ONNX Runtime, on the CPU: pixels in, boxes in pixels out."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import ModelError, one_line

from ..foreign_onnx import opened_onnx
from .heads import Candidates, candidates_from_outputs
from .labels import read_names

__all__ = ["Detector"]

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_GREY = 114
"""The border that brings a picture to the detector's shape, as all YOLO detectors have it."""
_SIDE = 640
"""Pixels a side where neither the input's shape nor the metadata name a size."""


class Detector:
    """A detector with one of the outputs that `heads` knows.

    Args:
        path: the ONNX file.
        names: a text file with the name of a class in each line; None takes the names from the
            metadata that ultralytics writes.

    Raises:
        ModelError: no such file, ONNX Runtime cannot load it, or it does not take one picture.
        InputError: `names` cannot be read.
    """

    def __init__(self, path: Path, names: Path | None = None, threads: int | None = None) -> None:
        self._path = path
        self._engine = opened_onnx(path, "a detector as an ONNX file", threads)
        metadata = self._engine.get_modelmeta().custom_metadata_map
        self.names: Sequence[str] = read_names(names) if names else _names(metadata)
        """The names of the classes by number; empty where nothing names them."""
        inputs = self._engine.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 and inputs[0].type in _TYPES else []
        self._is_nhwc = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
        channels = shape[3 if self._is_nhwc else 1] if len(shape) == 4 else 0
        if isinstance(channels, int) and channels != 3:
            got = ", ".join(f"{item.name} {item.shape} {item.type}" for item in inputs)
            raise ModelError(f"{path}: expected one picture (1, 3, H, W) as input, got {got}")
        self._input, self._type = inputs[0].name, _TYPES[inputs[0].type]
        sides = shape[1:3] if self._is_nhwc else shape[2:4]
        known = _sides(metadata)
        height, width = (
            side if isinstance(side, int) and side > 0 else other
            for side, other in zip(sides, known, strict=True)
        )
        self.size = height, width
        """Height and width of the input."""
        about = f"{metadata.get('head')} {metadata.get('description')}".lower()
        self._is_detr = "detr" in about or len(self._engine.get_outputs()) == 2

    def __call__(self, frame: NDArray[np.uint8]) -> Candidates:
        """Finds the objects in a picture, (H, W, 3) uint8 RGB, with corners in its pixels.

        Raises:
            ModelError: ONNX Runtime fails, or the outputs are those of something else.
        """
        picture, scale, offset = self._fitted(frame)
        values = picture if self._type is np.uint8 else (picture / np.float32(255))
        values = values[None] if self._is_nhwc else values.transpose(2, 0, 1)[None]
        try:
            outputs = self._engine.run(
                None, {self._input: np.ascontiguousarray(values, self._type)}
            )
        except Exception as error:  # as above
            raise ModelError(
                f"{self._path}: ONNX Runtime failed on {values.shape} ({one_line(error)[-160:]})"
            ) from error
        try:
            found = candidates_from_outputs(
                outputs, len(self.names), self.size, is_detr=self._is_detr
            )
        except ValueError as error:
            raise ModelError(
                f"{self._path}: expected the outputs of a YOLO or RT-DETR detector, such as "
                f"(1, 4 + classes, N) or (1, N, 6), got {error}"
            ) from error
        if len(found.classes) and self.names and found.classes.max() >= len(self.names):
            raise ModelError(
                f"{self._path}: expected {len(self.names)} classes as named, found one of number "
                f"{found.classes.max()}; give --names FILE with all of them"
            )
        height, width = frame.shape[:2]
        corners = (found.corners - np.tile(offset, 2)) / np.tile(scale, 2)
        corners = corners.clip(0, [width, height, width, height])
        return found._replace(corners=np.asarray(corners, np.float32))

    def _fitted(
        self, frame: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
        """The picture in the input's size, the factors and the offset (x, y) to get there."""
        (height, width), (rows, columns) = frame.shape[:2], self.size
        if self._is_detr:  # which was trained on stretched pictures
            inner = (columns, rows)
        else:
            factor = min(rows / height, columns / width)
            inner = (max(1, round(width * factor)), max(1, round(height * factor)))
        resized = frame
        if inner != (width, height):
            resized = np.asarray(cv2.resize(frame, inner, interpolation=cv2.INTER_LINEAR), np.uint8)
        left, top = (columns - inner[0]) // 2, (rows - inner[1]) // 2
        picture = np.full((rows, columns, 3), _GREY, np.uint8)
        picture[top : top + inner[1], left : left + inner[0]] = resized
        scale = np.array([inner[0] / width, inner[1] / height])
        return picture, scale, np.array([left, top], float)


def _names(metadata: dict[str, str]) -> list[str]:
    """`{0: 'person', 1: 'bicycle'}`, as ultralytics writes it, in the order of the numbers."""
    names = _literal(metadata.get("names", ""))
    if isinstance(names, dict):
        return [str(names[key]) for key in sorted(names)]
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else []


def _sides(metadata: dict[str, str]) -> tuple[int, int]:
    """`[640, 640]`, height and width."""
    sides = _literal(metadata.get("imgsz", ""))
    sides = [sides, sides] if isinstance(sides, int) else sides
    if isinstance(sides, (list, tuple)) and [type(side) for side in sides] == [int, int]:
        return sides[0], sides[1]
    return _SIDE, _SIDE


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
