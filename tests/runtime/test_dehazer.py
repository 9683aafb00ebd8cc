from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime import FunctionSession, InputError, ModelError, UsageError, open_dehazer
from dehaze.runtime.dehazer import Dehazer


def test_a_frame_comes_back_changed_in_the_same_shape(frame: NDArray[np.uint8]) -> None:
    with open_dehazer("edge", threads=1) as dehazer:
        clear = dehazer(frame)
    assert clear.shape == frame.shape
    assert clear.dtype == np.uint8
    assert np.abs(clear.astype(int) - frame).mean() > 2


def test_strength_0_gives_the_input_back_exactly(frame: NDArray[np.uint8]) -> None:
    with open_dehazer(strength=0) as dehazer:
        clear = dehazer(frame)
    assert np.array_equal(clear, frame)
    assert clear is not frame


def test_strength_moves_each_pixel_between_hazy_and_clear(frame: NDArray[np.uint8]) -> None:
    results = []
    for strength in (0.0, 0.3, 0.6, 1.0):
        with open_dehazer(strength=strength) as dehazer:
            results.append(np.abs(dehazer(frame).astype(int) - frame).mean())
    assert results == sorted(results)
    assert results[0] == 0 < results[1]


def test_a_batch_equals_its_frames_one_by_one() -> None:
    batch = np.random.default_rng(1).integers(0, 256, (3, 64, 80, 3), np.uint8)
    with open_dehazer(threads=1) as dehazer:
        together = dehazer(batch)
        alone = np.stack([dehazer(one) for one in batch])
    assert np.array_equal(together, alone)


def test_the_estimate_applied_by_hand_is_the_models_own_result(frame: NDArray[np.uint8]) -> None:
    cv2 = pytest.importorskip("cv2")
    with open_dehazer(strength=0.7) as dehazer:
        clear, grid = dehazer(frame), dehazer.estimate(frame).scaled(0.7)
    height, width = frame.shape[:2]
    rows, columns = (grid.cell * size for size in grid.values.shape[1:3])
    full = cv2.resize(grid.values[0], (columns, rows))[:height, :width]
    by_hand = np.rint(np.clip(frame * full[..., :1] + 255 * full[..., 1:], 0, 255))
    assert np.abs(by_hand - clear).max() <= 1


def test_out_is_written_whatever_its_order_in_memory(frame: NDArray[np.uint8]) -> None:
    with open_dehazer() as dehazer:
        grid = dehazer.estimate(frame)
        expected = dehazer.apply(frame, grid)
        mirrored = np.zeros_like(frame)[:, ::-1]
        assert dehazer.apply(frame, grid, mirrored) is mirrored
        assert np.array_equal(mirrored, expected)
        by_columns = np.asfortranarray(frame)
        dehazer.apply(by_columns, grid, by_columns)
        assert np.array_equal(by_columns, expected)


def test_a_grid_or_out_of_another_size_is_refused(frame: NDArray[np.uint8]) -> None:
    with open_dehazer() as dehazer:
        grid = dehazer.estimate(frame)
        for out in (np.zeros_like(frame, np.uint16), np.zeros_like(frame)[1:]):
            with pytest.raises(InputError, match="expected out as the frames"):
                dehazer.apply(frame, grid, out)
        larger = np.zeros((frame.shape[0] + 100, *frame.shape[1:]), np.uint8)
        for frames in (larger, np.stack((frame, frame))):
            with pytest.raises(InputError, match="expected a grid that covers"):
                dehazer.apply(frames, grid)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (np.zeros((64, 64, 3), np.float32), "expected uint8"),
        (np.zeros((64, 64), np.uint8), r"expected \(H, W, 3\)"),
        (np.zeros((64, 64, 4), np.uint8), r"expected \(H, W, 3\)"),
        (np.zeros((0, 64, 64, 3), np.uint8), "at least one frame"),
        ([[1, 2, 3]], "expected a numpy array"),
        (np.zeros((63, 200, 3), np.uint8), "at least 64x64 pixels, got 200x63"),
    ],
)
def test_unusable_frames_are_named(frames: NDArray[np.uint8], words: str) -> None:
    with open_dehazer() as dehazer, pytest.raises(InputError, match=words):
        dehazer(frames)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_outside_0_to_1_is_refused(strength: float) -> None:
    with pytest.raises(UsageError, match="strength must lie between 0 and 1"):
        open_dehazer(strength=strength)


def test_threads_must_be_positive() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        open_dehazer(threads=0)


def test_any_session_can_be_dehazed_with(frame: NDArray[np.uint8]) -> None:
    with Dehazer(FunctionSession(lambda frames: 255 - frames)) as dehazer:
        assert np.array_equal(dehazer(frame), 255 - frame)
    with pytest.raises(ModelError, match="no strength between 0 and 1"):
        Dehazer(FunctionSession(lambda frames: frames), strength=0.5)


def test_a_closed_dehazer_says_so(frame: NDArray[np.uint8]) -> None:
    with open_dehazer() as dehazer:
        pass
    dehazer.close()
    with pytest.raises(ModelError, match="closed"):
        dehazer(frame)
