"""Average precision of detections, as COCO defines it, by pycocotools, with its interval.

The interval is a bootstrap over scenes. A draw changes how often each picture counts, not which
box was found in it; so the matching of pycocotools is done once, and each draw weighs its outcome.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ...results.intervals import DRAWS_OF_PRECISIONS, drawn_weights

__all__ = ["Found", "Precision", "Truth", "measure_precision"]

MOST_DETECTIONS = 100
"""Detections of a picture and class that count, the strongest: COCO's rule."""
_AT_HALF = 0
"""The place of IoU 0.5 among COCO's ten thresholds, 0.5 to 0.95."""


class Truth(NamedTuple):
    """The objects of one picture."""

    boxes: NDArray[np.float64]
    """(N, 4): left, top, width, height in pixels."""
    classes: NDArray[np.int64]
    """(N,) places in the list of categories."""
    ignored: NDArray[np.bool_]
    """(N,) objects that count neither for nor against."""


class Found(NamedTuple):
    """The detections in one picture."""

    boxes: NDArray[np.float64]
    """(N, 4): left, top, width, height in pixels."""
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]


class Precision(NamedTuple):
    """Average precisions from 0 to 1; NaN where there is no object to find."""

    by_class: NDArray[np.float64]
    """(classes, 2): at IoU 0.5:0.95 and at 0.5."""
    draws: NDArray[np.float64]
    """(draws, 2): the means over the classes in each draw of the bootstrap."""

    @property
    def means(self) -> tuple[float, float]:
        """The means over the classes: mAP 0.5:0.95 and mAP 0.5."""
        whole, half = _known_mean(self.by_class, axis=0)
        return float(whole), float(half)


def measure_precision(
    truths: Sequence[Truth], found: Sequence[Found], scenes: Sequence[str], categories: int
) -> Precision:
    """Measures the average precision over pictures.

    Args:
        truths, found: one for each picture.
        scenes: the scene of each picture; pictures of one scene are drawn together.
        categories: the number of categories.
    """
    evaluation = _evaluated(truths, found, categories)
    values = np.asarray(evaluation.eval["precision"])[:, :, :, 0, 0]  # threshold, recall, class
    values = np.where(values < 0, np.nan, values).mean(axis=1).T  # class, threshold
    matches = list(_matches(evaluation, len(truths), categories))
    recalls = np.asarray(evaluation.params.recThrs)
    draws = np.full((DRAWS_OF_PRECISIONS, 2), np.nan)
    for draw, weights in enumerate(drawn_weights(scenes, DRAWS_OF_PRECISIONS)):
        of_classes = np.array([_weighted(one, weights, recalls) for one in matches])
        draws[draw] = _known_mean(_whole_and_half(of_classes), axis=0)
    return Precision(_whole_and_half(values), draws)


def _whole_and_half(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(classes, 10) precisions at COCO's thresholds to their mean and the one at 0.5."""
    return np.stack((values.mean(axis=1), values[:, _AT_HALF]), axis=1)


def _known_mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """The mean of what is not NaN; NaN where there is nothing else, without a warning."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    sums = np.where(known, values, 0).sum(axis=axis)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def _evaluated(truths: Sequence[Truth], found: Sequence[Found], categories: int) -> Any:
    """The evaluation of pycocotools, for objects of all sizes."""
    objects: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for number, (truth, here) in enumerate(zip(truths, found, strict=True)):
        for box, kind, ignored in zip(*truth, strict=True):
            objects.append(_annotation(len(objects), number, kind, box, iscrowd=int(ignored)))
        for box, kind, score in zip(*here, strict=True):
            detections.append(_annotation(len(detections), number, kind, box, score=float(score)))
    with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress
        sides = [_coco(one, len(truths), categories) for one in (objects, detections)]
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.params.maxDets = [MOST_DETECTIONS]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _annotation(
    count: int, picture: int, kind: int, box: NDArray[np.float64], **more: float
) -> dict[str, Any]:
    """A box for pycocotools, which takes the number 0 for "not matched"."""
    corner_and_size = [float(value) for value in box]
    area = corner_and_size[2] * corner_and_size[3]
    return {
        "id": count + 1, "image_id": picture, "category_id": int(kind),
        "bbox": corner_and_size, "area": area, "iscrowd": 0, **more,
    }  # fmt: skip


def _coco(annotations: list[dict[str, Any]], pictures: int, categories: int) -> Any:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(pictures)],
        "categories": [{"id": number} for number in range(categories)],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


class _Matches(NamedTuple):
    """The detections of one class in all pictures, the strongest first."""

    picture: NDArray[np.int64]
    """(N,) the picture of each detection."""
    hit: NDArray[np.bool_]
    """(thresholds, N) detections of an object that counts."""
    miss: NDArray[np.bool_]
    """(thresholds, N) detections of nothing; of an ignored object they are neither."""
    objects: NDArray[np.int64]
    """(pictures,) number of objects that count."""


def _matches(evaluation: Any, pictures: int, categories: int) -> Iterator[_Matches]:
    """The outcome of pycocotools's matching, class by class."""
    thresholds = len(evaluation.params.iouThrs)
    for kind in range(categories):
        part = evaluation.evalImgs[kind * pictures : (kind + 1) * pictures]
        objects = np.zeros(pictures, np.int64)
        scores: list[NDArray[np.float64]] = [np.zeros(0)]
        picture: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        matched: list[NDArray[np.bool_]] = [np.zeros((thresholds, 0), np.bool_)]
        ignored: list[NDArray[np.bool_]] = [np.zeros((thresholds, 0), np.bool_)]
        for number, one in enumerate(part):
            if one is not None:
                objects[number] = np.count_nonzero(np.asarray(one["gtIgnore"]) == 0)
                scores.append(np.asarray(one["dtScores"], float))
                picture.append(np.full(len(one["dtScores"]), number))
                matched.append(np.asarray(one["dtMatches"]) > 0)
                ignored.append(np.asarray(one["dtIgnore"], np.bool_))
        order = np.argsort(-np.concatenate(scores), kind="stable")
        hit, out = (np.concatenate(parts, axis=1)[:, order] for parts in (matched, ignored))
        yield _Matches(np.concatenate(picture)[order], hit & ~out, ~hit & ~out, objects)


def _weighted(
    matches: _Matches, weights: NDArray[np.int64], recalls: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The average precision at each threshold, where picture i counts weights[i] times.

    As pycocotools has it: the highest precision at that recall or beyond, 0 where it is never
    reached, on average over `recalls`; with all weights 1 the two are equal.
    """
    objects = int(weights @ matches.objects)
    if not objects:
        return np.full(len(matches.hit), np.nan)
    counts = weights[matches.picture]
    hits, misses = (np.cumsum(flags * counts, axis=1) for flags in (matches.hit, matches.miss))
    precision = hits / np.maximum(hits + misses, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    best = np.concatenate((best, np.zeros((len(best), 1))), axis=1)
    return np.array(
        [
            values[np.searchsorted(reached / objects, recalls)].mean()
            for values, reached in zip(best, hits, strict=True)
        ]
    )
