from __future__ import annotations

from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

pytest.importorskip("onnx", reason="makes detectors with onnx")

from detection_files import BLOCK, COLOURS, SIDE, Head, save_detector, scene

from dehaze.benchmarks.measure.detection.detector import Detector
from dehaze.benchmarks.measure.detection.heads import candidates_from_outputs
from dehaze.runtime.errors import ModelError

OBJECTS = [("red", 1, 2), ("green", 6, 5), ("blue", 3, 7)]


def boxes(detector: Detector, frame: np.ndarray) -> dict[str, list[int]]:  # type: ignore[type-arg]
    found = detector(frame)
    names = [detector.names[number] for number in found.classes]
    return dict(zip(names, np.rint(found.corners).astype(int).tolist(), strict=True))


@pytest.mark.parametrize("head", get_args(Head))
def test_every_form_of_outputs_gives_the_same_boxes(tmp_path: Path, head: Head) -> None:
    detector = Detector(save_detector(tmp_path / "d.onnx", head))
    assert detector.size == (SIDE, SIDE)
    assert detector.names == list(COLOURS)
    if head == "two outputs":  # scores of exactly 0 to 1 are no logits
        assert boxes(detector, scene(OBJECTS)).keys() == COLOURS.keys()
    expected = {
        name: [column * BLOCK, row * BLOCK, (column + 1) * BLOCK, (row + 1) * BLOCK]
        for name, column, row in OBJECTS
    }
    assert boxes(detector, scene(OBJECTS)) == expected
    scores = detector(scene(OBJECTS)).scores
    assert scores == pytest.approx([210 / 255 - 0.5] * 3, abs=1e-3)


def test_a_picture_of_another_shape_gets_a_border_and_its_boxes_fit(tmp_path: Path) -> None:
    """128x256 is halved twice to 32x64, 16 rows below the border's upper part."""
    detector = Detector(save_detector(tmp_path / "d.onnx", side=None))
    small = scene([("red", 1, 0), ("green", 7, 3)])[: SIDE // 2]
    frame = cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    assert frame.shape == (128, 256, 3)
    assert detector.size == (SIDE, SIDE)  # from the metadata, the input's shape is open
    assert boxes(detector, np.asarray(frame)) == {
        "red": [32, 0, 64, 32],
        "green": [224, 96, 256, 128],
    }


def test_two_candidates_of_one_object_become_one() -> None:
    values = np.zeros((1, 6, 4), np.float32)  # two classes, four candidates
    values[0, :4] = np.array([[20, 20, 10, 10], [21, 20, 10, 10], [21, 20, 10, 10], [50] * 4]).T
    values[0, 4] = [0.9, 0.8, 0.0, 0.3]
    values[0, 5] = [0.0, 0.0, 0.7, 0.0]
    found = candidates_from_outputs([values], 2, (64, 64), is_detr=False)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.3])  # the second overlaps by 0.82
    assert found.classes.tolist() == [0, 1, 0]


def test_names_may_come_from_a_file(tmp_path: Path) -> None:
    path = save_detector(tmp_path / "d.onnx", names=None)
    assert Detector(path).names == []
    (tmp_path / "names.txt").write_text("rot\ngrün\nblau\n", "utf-8")
    assert Detector(path, tmp_path / "names.txt").names == ["rot", "grün", "blau"]
    (tmp_path / "names.txt").write_text("rot\n")
    with pytest.raises(ModelError, match=r"expected the outputs .* got \(1, 7, 64\) for 1 classes"):
        Detector(path, tmp_path / "names.txt")(scene(OBJECTS))


def test_what_is_no_detector_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="found no such file"):
        Detector(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
        Detector(tmp_path / "text.onnx")
    weights = Path(__file__).parents[4] / "runtime" / "weights" / "edge.onnx"
    with pytest.raises(ModelError, match="expected"):
        Detector(weights)(scene([]))
