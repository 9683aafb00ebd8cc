from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("pycocotools", reason="needs pycocotools, of the extra bench")

from dehaze.benchmarks.measure.detection.precision import Found, Truth, measure_precision

BOX = (10.0, 10.0, 8.0, 8.0)
Boxes = list[tuple[float, float, float, float]]


def truth(*boxes: tuple[float, float, float, float], ignored: bool = False) -> Truth:
    kinds = np.zeros(len(boxes), np.int64)
    return Truth(np.array(boxes, float).reshape(-1, 4), kinds, np.full(len(boxes), ignored))


def found(boxes: Boxes, scores: list[float]) -> Found:
    kinds = np.zeros(len(boxes), np.int64)
    return Found(np.array(boxes, float).reshape(-1, 4), kinds, np.array(scores, float))


def precision(truths: list[Truth], detections: list[Found]) -> tuple[float, float]:
    names = [str(number) for number in range(len(truths))]
    return measure_precision(truths, detections, names, 1).means


def test_half_of_the_objects_after_one_mistake() -> None:
    """Precision 1/2 then 2/3 at recalls 1/4 and 1/2: 2/3 up to recall 0.5, 51 of 101 recalls."""
    truths = [truth(BOX)] * 4
    elsewhere = (40.0, 40.0, 8.0, 8.0)
    detections = [
        found([elsewhere], [0.9]),
        found([BOX], [0.8]),
        found([BOX], [0.7]),
        found([], []),
    ]
    whole, half = precision(truths, detections)
    assert half == pytest.approx(51 / 101 * 2 / 3, abs=1e-9)
    assert whole == pytest.approx(half, abs=1e-9)


def test_a_box_beside_its_object_counts_at_low_overlaps() -> None:
    """One pixel beside: 56 of 72 pixels, 0.78, so it is found at 0.5, 0.55 ... 0.75: 6 of 10."""
    whole, half = precision([truth(BOX)], [found([(11.0, 10.0, 8.0, 8.0)], [0.5])])
    assert (whole, half) == pytest.approx((0.6, 1.0))


def test_difficult_objects_count_neither_for_nor_against() -> None:
    truths = [truth(BOX), truth(BOX, ignored=True), truth(BOX, ignored=True)]
    detections = [found([BOX], [0.5]), found([BOX], [0.9]), found([], [])]
    assert precision(truths, detections) == pytest.approx((1, 1))


def test_nothing_to_find_has_no_precision() -> None:
    assert np.isnan(precision([truth()], [found([BOX], [0.9])])).all()
    assert precision([truth(BOX)], [found([], [])]) == (0, 0)


def noisy(seed: int, pictures: int) -> tuple[list[Truth], list[Found]]:
    """Objects in three places, found now and then, beside and elsewhere."""
    rng = np.random.default_rng(seed)
    truths, detections = [], []
    for _ in range(pictures):
        places = rng.integers(0, 90, (3, 2)).astype(float)
        objects = np.hstack([places, np.full((3, 2), 12.0)])
        moved: NDArray[np.float64] = objects + np.hstack(
            [rng.normal(0, 1.5, (3, 2)), np.zeros((3, 2))]
        )
        boxes = np.vstack([moved[rng.random(3) < 0.7], rng.uniform(0, 90, (2, 4))])
        kinds = np.zeros(len(boxes), np.int64)
        truths.append(Truth(objects, np.zeros(3, np.int64), np.zeros(3, np.bool_)))
        detections.append(Found(boxes, kinds, rng.random(len(boxes))))
    return truths, detections


def test_a_draw_of_every_picture_once_is_what_pycocotools_says() -> None:
    truths, detections = noisy(1, 12)
    result = measure_precision(truths, detections, ["one scene"] * 12, 1)
    assert 0.1 < result.means[0] < result.means[1] < 0.9
    np.testing.assert_allclose(result.draws, np.tile(result.means, (len(result.draws), 1)))


def test_a_draw_of_one_scene_twice_is_what_pycocotools_says_of_it_twice() -> None:
    truths, detections = noisy(2, 8)
    result = measure_precision(truths, detections, ["a"] * 4 + ["b"] * 4, 1)
    doubled = [
        measure_precision(truths[part] * 2, detections[part] * 2, ["x"] * 8, 1).means
        for part in (slice(0, 4), slice(4, 8))
    ]
    values = {tuple(draw) for draw in np.round(result.draws, 9).tolist()}
    assert values == {tuple(np.round(means, 9)) for means in (*doubled, result.means)}
