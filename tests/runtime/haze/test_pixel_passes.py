from __future__ import annotations

import multiprocessing

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from dehaze.runtime.haze import compiled_passes, numpy_passes, pixel_passes
from dehaze.runtime.haze.grid import MAXIMUM_THUMBNAIL_PIXELS, Grid, thumbnail_stride
from dehaze.runtime.haze.pixel_passes import apply_grid, reduced, thumbnail_of
from dehaze.runtime.model.model_file import read_model
from dehaze.runtime.model.shipped import MODELS_FOLDER
from dehaze.runtime.onnxruntime_session import OnnxRuntimeSession

ONNX_RUNTIME = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
SIZES = [(64, 64), (67, 131), (460, 620), (721, 1283), (64, 4000)]


def noise(height: int, width: int, dtype: type = np.uint8, count: int = 1) -> NDArray[np.uint8]:
    shape = (count, height, width, 3)
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


@pytest.fixture(params=[numpy_passes, compiled_passes], ids=["numpy", "compiled"], autouse=True)
def _passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_passes, "_passes", request.param)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_thumbnail_holds_the_means_of_blocks(
    height: int, width: int, dtype: type, threads: int
) -> None:
    frames = noise(height, width, dtype, count=2)
    values, stride = thumbnail_of(frames, threads)
    rows, columns = values.shape[2:]
    assert rows % 8 == columns % 8 == 0
    assert rows * columns <= 1.2 * MAXIMUM_THUMBNAIL_PIXELS
    missing = ((0, 0), (0, rows * stride - height), (0, columns * stride - width), (0, 0))
    blocks = np.pad(frames, missing, mode="edge").reshape(2, rows, stride, columns, stride, 3)
    expected = blocks.mean(axis=(2, 4)).transpose(0, 3, 1, 2) / np.iinfo(dtype).max
    assert np.abs(values - expected).max() < 1e-6


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_grid_is_applied_as_opencv_would_enlarge_it(
    height: int, width: int, dtype: type, threads: int
) -> None:
    frames = noise(height, width, dtype, count=2)
    cell = 2 * thumbnail_stride(height, width)
    shape = (2, -(-height // cell), -(-width // cell), 4)
    grid = Grid(np.random.default_rng(1).uniform(-0.5, 2, shape).astype(np.float32), cell)
    clear = apply_grid(frames, grid, threads)
    limit = np.iinfo(dtype).max
    for frame, values, result in zip(frames, grid.values, clear, strict=True):
        full = cv2.resize(values, (shape[2] * cell, shape[1] * cell))[:height, :width].astype(float)
        expected = np.clip(frame * full[..., :1] + limit * full[..., 1:], 0, limit)
        assert np.abs(result - expected).max() <= 0.52  # half a level, and float32


def test_a_grid_can_be_applied_in_place() -> None:
    frames = noise(200, 300)
    grid = Grid(np.full((1, 25, 38, 4), 0.5, np.float32), 8)
    expected = apply_grid(frames, grid, 2)
    assert apply_grid(frames, grid, 2, out=frames) is frames
    assert np.array_equal(frames, expected)


def test_the_identity_changes_nothing() -> None:
    frames = noise(100, 140)
    values = np.zeros((1, 13, 18, 4), np.float32)
    values[..., 0] = 1
    assert np.array_equal(apply_grid(frames, Grid(values, 8), 2), frames)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (460, 620), (65, 200)])
@pytest.mark.parametrize("name", ["edge", "edge-gridsample"])
def test_the_whole_graph_gives_the_same_picture(name: str, height: int, width: int) -> None:
    """Up to the size where the thumbnail is no longer a quarter of the frame."""
    if name == "edge" and ONNX_RUNTIME < (1, 25):
        pytest.skip("this ONNX Runtime has no DeformConv")
    hazy = (noise(height, width) // 3 + 140).astype(np.uint8)
    file = read_model(MODELS_FOLDER / f"{name}.onnx")
    whole, ours = OnnxRuntimeSession(file, only_whole=True), OnnxRuntimeSession(file)
    for strength in (1.0, 0.4):
        difference = np.abs(whole.run(hazy, strength).astype(int) - ours.run(hazy, strength))
        assert difference.max() <= 1
        assert np.mean(difference > 0) < 0.001
    assert np.abs(whole.estimate(hazy).values - ours.estimate(hazy).values).max() < 1e-4


@pytest.mark.parametrize(
    ("height", "width", "stride"),
    [(64, 64, 4), (480, 640, 4), (720, 1280, 7), (1080, 1920, 11), (2160, 3840, 21)],
)
def test_thumbnails_are_of_about_the_size_that_the_estimator_knows(
    height: int, width: int, stride: int
) -> None:
    assert thumbnail_stride(height, width) == stride


def test_a_large_frame_is_reduced_to_four_times_the_thumbnail() -> None:
    small, factor = reduced(noise(1081, 1920))
    assert factor == 3
    assert small.shape == (1, 361, 640, 3)
    deep = np.repeat(np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64, 1) * 16, 3, axis=3)
    small, factor = reduced(deep)
    assert factor == 1
    assert np.abs(small - deep / 257).max() <= 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_compiled_passes_give_the_same_pixels(
    height: int, width: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture comes out alike alone, in a batch and as a frame of a video."""
    frames = noise(height, width, dtype)
    cell = 2 * thumbnail_stride(height, width)
    shape = (1, -(-height // cell), -(-width // cell), 4)
    grid = Grid(np.random.default_rng(1).uniform(-0.5, 2, shape).astype(np.float32), cell)
    results = []
    for passes in (numpy_passes, compiled_passes):
        monkeypatch.setattr(pixel_passes, "_passes", passes)
        results.append((thumbnail_of(frames, 2).values, apply_grid(frames, grid, 2)))
    assert all(map(np.array_equal, *results))


def test_a_forked_child_can_go_on() -> None:
    frames = noise(300, 400)
    expected = thumbnail_of(frames, 2).values
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        values = pool.apply_async(thumbnail_of, (frames, 2)).get(timeout=60).values
    assert np.array_equal(values, expected)
