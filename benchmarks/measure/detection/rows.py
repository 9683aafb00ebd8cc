"""Runs a detector on what a method makes of labelled pictures, and sums up what it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dehaze.runtime.errors import InputError, UsageError
from dehaze.runtime.media.pictures import read_picture

from ...results.intervals import DRAWS_OF_PRECISIONS, interval_of_draws
from ...results.records import DetectionRow
from .detector import Detector
from .labels import Box, LabelledPicture, LabelledPictures
from .precision import Found, Precision, Truth, measure_precision

__all__ = ["DETECTION_PROTOCOL", "SharedClasses", "measure_detection", "shared_classes"]

DETECTION_PROTOCOL = {
    "decoder": "OpenCV, 8 bits a channel, upright; results are detected on as computed, not "
    "encoded again",
    "input": "bilinear to the detector's own size with a grey border of 114, stretched for "
    "RT-DETR; RGB from 0 to 1",
    "detections": "score above 0.001, non-maximum suppression by class at IoU 0.7 where the model "
    "has none inside, the 300 strongest of a picture",
    "average precision": "COCO's, by pycocotools: 101 recalls, all sizes, the 100 strongest of a "
    "picture and class; difficult objects (VOC) and crowds (COCO) count neither for nor against",
    "interval": f"95 % bootstrap, {DRAWS_OF_PRECISIONS} draws of scenes, the same for every row",
}
Side = Literal["hazy", "clear"]
_SYNONYMS = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "tvmonitor": "tv",
    "pedestrian": "person",
    "bike": "bicycle",
}
"""VOC's and RTTS's words for COCO's classes."""


@dataclass(frozen=True)
class SharedClasses:
    """The classes that both the detector and the data set know."""

    names: Sequence[str]
    """As the data set calls them."""
    of_detector: Mapping[int, int]
    """The detector's number to the place in `names`."""
    left_out: Sequence[str]
    """Classes of the data set that the detector does not know."""


def shared_classes(detector: Detector, labelled: LabelledPictures) -> SharedClasses:
    """Matches classes by their names, or by their numbers where a data set does not name them.

    Raises:
        UsageError: there is none.
    """
    numbers = {_plain(name): number for number, name in enumerate(detector.names)}
    if all(name.isdecimal() for name in labelled.categories) and not (
        numbers.keys() & labelled.categories
    ):
        count = len(detector.names)
        numbers = {n: int(n) for n in labelled.categories if not count or int(n) < count}
    known = [name for name in labelled.categories if _plain(name) in numbers]
    if not known:
        raise UsageError(
            f"expected classes that both know, got {_some(labelled.categories)} in the data and "
            f"{_some(detector.names)} of the detector; give the names of its classes as --names "
            f"FILE, one a line"
        )
    places = {numbers[_plain(name)]: place for place, name in enumerate(known)}
    return SharedClasses(known, places, [n for n in labelled.categories if n not in known])


def _plain(name: str) -> str:
    plain = re.sub(r"[\W_]", "", name.lower())
    return _SYNONYMS.get(plain, plain)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return shown or "no names"


def measure_detection(
    argument: str,
    method: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    detector: Detector,
    labelled: LabelledPictures,
    classes: SharedClasses,
    side: Side,
) -> DetectionRow:
    """Dehazes every picture of one side, runs the detector and measures its precision.

    Args:
        argument: the method's name, for the row.
        side: `hazy`, or `clear` for what a method does where there is no haze.

    Raises:
        InputError: a file that is no picture of 8 bits, or a clear one of another size.
        ModelError: the detector fails.
    """
    pictures = labelled.pictures if side == "hazy" else _scenes(labelled.pictures)
    truths, found = [], []
    for picture in tqdm(pictures, unit="picture", disable=None, leave=False):
        frame = _read(picture, side)
        truths.append(_truth(picture.boxes, classes, frame if labelled.relative else None))
        found.append(_found(detector, method(frame), classes))
    scenes = [str(picture.clear or picture.hazy) for picture in pictures]
    precision = measure_precision(truths, found, scenes, len(classes.names))
    objects = sum(int(np.count_nonzero(~truth.ignored)) for truth in truths)
    return _row(argument, side, len(pictures), objects, precision, classes.names)


def _scenes(pictures: Sequence[LabelledPicture]) -> list[LabelledPicture]:
    """One hazy picture of each clear one."""
    return list({one.clear: one for one in reversed(pictures) if one.clear}.values())[::-1]


def _read(picture: LabelledPicture, side: Side) -> NDArray[np.uint8]:
    hazy = _eight_bits(picture.hazy)
    if side == "hazy" or picture.clear is None:
        return hazy
    clear = _eight_bits(picture.clear)
    if clear.shape != hazy.shape:
        raise InputError(
            f"{picture.clear}: expected the size of {picture.hazy}, {hazy.shape[1]}x"
            f"{hazy.shape[0]}, got {clear.shape[1]}x{clear.shape[0]}; the boxes are the same"
        )
    return clear


def _eight_bits(path: Path) -> NDArray[np.uint8]:
    pixels = read_picture(path).rgb
    if pixels.dtype != np.uint8:
        raise InputError(f"{path}: expected 8 bits a channel, got 16; convert the data set first")
    return pixels


def _truth(boxes: Sequence[Box], classes: SharedClasses, scaled: NDArray[np.uint8] | None) -> Truth:
    """The objects of the shared classes, in pixels; `scaled` is the picture of relative boxes."""
    known = [box for box in boxes if box.category in classes.names]
    sides = np.array([box[1:5] for box in known], float).reshape(-1, 4)
    if scaled is not None:
        sides = sides * np.tile(scaled.shape[1::-1], 2)
    places = np.array([classes.names.index(box.category) for box in known], np.int64)
    return Truth(sides, places, np.array([box.ignored for box in known], np.bool_))


def _found(detector: Detector, frame: NDArray[np.uint8], classes: SharedClasses) -> Found:
    corners, scores, numbers = detector(frame)
    known = np.isin(numbers, list(classes.of_detector))
    places = [classes.of_detector[int(number)] for number in numbers[known]]
    boxes = corners[known].astype(float)
    boxes[:, 2:] -= boxes[:, :2]
    return Found(boxes, np.array(places, np.int64), scores[known].astype(float))


def _row(
    model: str, side: Side, pictures: int, objects: int, precision: Precision, names: Sequence[str]
) -> DetectionRow:
    keys = ("map", "map50")
    draws = dict(zip(keys, precision.draws.T, strict=True))
    limits = {key: interval_of_draws(values) or (None, None) for key, values in draws.items()}
    return DetectionRow(
        model=model,
        side=side,
        pictures=pictures,
        objects=objects,
        means={key: _known(value) for key, value in zip(keys, precision.means, strict=True)},
        intervals={key: [*limit] for key, limit in limits.items()},
        classes={
            name: {key: _known(value) for key, value in zip(keys, values, strict=True)}
            for name, values in zip(names, precision.by_class.tolist(), strict=True)
        },
        draws={key: [_known(value) for value in values.tolist()] for key, values in draws.items()},
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 5)
