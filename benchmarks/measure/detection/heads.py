"""The outputs of detectors, told apart by their shapes.

    (1, 4+C, N)             YOLOv8, v9, v11, v12: middle and size in pixels, a score for each class
    (1, N, 5+C)             YOLOv5, v6, v7: the same with the score that there is an object
    (1, N, 6)               YOLOv10 and exports with NMS inside: corners, score, class
    (1, N, 4+C)             RT-DETR of ultralytics until 8.3: middle and size as shares of the sides
    (1, N, 6)               RT-DETR of ultralytics since 8.4: the same, then score and class
    (1, N, 4), (1, N, C)    RT-DETR: the same in two outputs, scores or logits

C is the number of classes, N that of candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Candidates", "candidates_from_outputs"]

LEAST_SCORE = 0.001
SAME_OBJECT_IOU = 0.7
"""Both as ultralytics validates: a mean average precision needs the weak candidates, too."""
MOST = 300
"""Detections of a picture that are kept, the strongest."""
MOST_BEFORE_NMS = 30_000

Array = NDArray[np.float32]


class Candidates(NamedTuple):
    """What a detector found in one picture, the strongest first."""

    corners: Array
    """(N, 4): left, top, right, bottom, in pixels of the detector's input."""
    scores: Array
    """(N,)"""
    classes: NDArray[np.int64]
    """(N,) numbers of classes."""


def candidates_from_outputs(
    outputs: Sequence[NDArray[np.generic]], classes: int, size: tuple[int, int], *, is_detr: bool
) -> Candidates:
    """Reads one picture's outputs, and removes what is found twice.

    Args:
        outputs: see the top of this module.
        classes: number of the detector's classes; 0 where it is not known.
        size: height and width of the detector's input.
        is_detr: the model is an RT-DETR, whose boxes are shares of the sides.

    Raises:
        ValueError: the outputs have other shapes; the message says which ones.
    """
    arrays = [np.asarray(output, np.float32) for output in outputs]
    if any(array.ndim != 3 or len(array) != 1 for array in arrays) or len(arrays) not in (1, 2):
        raise ValueError(_shapes(arrays))
    if len(arrays) == 2:
        boxes, scores = sorted((array[0] for array in arrays), key=lambda a: a.shape[1] != 4)
        if boxes.shape[1] != 4 or len(boxes) != len(scores):
            raise ValueError(_shapes(arrays))
        return _strongest(_corners(boxes * _sides(size)), _probabilities(scores))
    values = arrays[0][0]
    rows, columns = values.shape
    if columns == 6 and not (classes == 1 and rows == 3 * _cells(size)):
        corners = _corners(values[:, :4] * _sides(size)) if is_detr else values[:, :4]
        return _end_to_end(corners, values[:, 4], values[:, 5])
    if rows == 4 + classes if classes else rows < columns:
        return _without_doubles(values[:4].T, values[4:].T)
    if columns == 5 + classes or not classes:
        return _without_doubles(values[:, :4], values[:, 4:5] * values[:, 5:])
    if columns == 4 + classes:
        return _strongest(_corners(values[:, :4] * _sides(size)), _probabilities(values[:, 4:]))
    raise ValueError(f"{_shapes(arrays)} for {classes} classes")


def _shapes(arrays: Sequence[Array]) -> str:
    return " and ".join(str(array.shape) for array in arrays)


def _cells(size: tuple[int, int]) -> int:
    """The places of YOLO's three grids; YOLOv5 has three candidates in each."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in (8, 16, 32))


def _sides(size: tuple[int, int]) -> Array:
    return np.array([size[1], size[0], size[1], size[0]], np.float32)


def _corners(boxes: Array) -> Array:
    """Middle and size to left, top, right, bottom."""
    half = boxes[:, 2:] / 2
    return np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)


def _probabilities(scores: Array) -> Array:
    """Scores as they are, or the sigmoid of logits."""
    if scores.size and (scores.min() < 0 or scores.max() > 1):
        return 1 / (1 + np.exp(-scores.clip(-80, 80)))
    return scores


def _strongest(corners: Array, scores: Array, most: int = MOST) -> Candidates:
    """The strongest pairs of a box and a class."""
    box, number = np.nonzero(scores > LEAST_SCORE)
    strength = scores[box, number]
    order = np.argsort(-strength, kind="stable")[:most]
    return Candidates(corners[box[order]], strength[order], number[order])


def _end_to_end(corners: Array, scores: Array, classes: Array) -> Candidates:
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > LEAST_SCORE][:MOST]
    return Candidates(corners[order], scores[order], np.rint(classes[order]).astype(np.int64))


def _without_doubles(boxes: Array, scores: Array) -> Candidates:
    """Non-maximum suppression among the candidates of each class."""
    found = _strongest(_corners(boxes), scores, MOST_BEFORE_NMS)
    if not len(found.scores):
        return found
    sizes = found.corners[:, 2:] - found.corners[:, :2]
    kept = cv2.dnn.NMSBoxesBatched(
        np.concatenate((found.corners[:, :2], sizes), axis=1).astype(float).tolist(),
        found.scores.tolist(),
        found.classes.tolist(),
        LEAST_SCORE,
        SAME_OBJECT_IOU,
    )
    order = np.sort(np.asarray(kept, np.int64).ravel())[:MOST]  # the strongest come first
    return Candidates(found.corners[order], found.scores[order], found.classes[order])
