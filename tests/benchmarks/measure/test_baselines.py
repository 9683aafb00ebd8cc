from __future__ import annotations

import cv2
import numpy as np
import pytest
from conftest import picture
from numpy.typing import NDArray

from dehaze.benchmarks.measure.baselines import (
    BASELINES,
    clahe,
    dark_channel,
    dark_channel_airlight,
    dark_channel_prior,
    dark_channel_transmission,
    guided_filter,
)


@pytest.fixture
def noise() -> NDArray[np.float32]:
    return np.random.default_rng(0).random((31, 42, 3), np.float32)


def windows_of(values: NDArray[np.float32], radius: int) -> list[list[NDArray[np.float32]]]:
    """The window around every pixel, cut at the border."""
    height, width = values.shape[:2]
    return [
        [
            values[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
            for x in range(width)
        ]
        for y in range(height)
    ]


def test_dark_channel_is_the_least_value_in_every_patch(noise: NDArray[np.float32]) -> None:
    slow = [[window.min() for window in row] for row in windows_of(noise, 7)]
    np.testing.assert_array_equal(dark_channel(noise), slow)


def test_guided_filter_is_a_linear_fit_in_every_window(noise: NDArray[np.float32]) -> None:
    guide, source = noise[..., 0], noise[..., 1]
    radius, epsilon = 4, 1e-4
    slope, offset = np.empty((2, *guide.shape))
    pairs = zip(windows_of(guide, radius), windows_of(source, radius), strict=True)
    for y, (guides, sources) in enumerate(pairs):
        for x, (p, q) in enumerate(zip(guides, sources, strict=True)):
            covariance = ((p - p.mean()) * (q - q.mean())).mean()
            slope[y, x] = covariance / (p.var() + epsilon)
            offset[y, x] = q.mean() - slope[y, x] * p.mean()
    slow = np.empty(guide.shape)
    fits = zip(windows_of(slope, radius), windows_of(offset, radius), strict=True)
    for y, (slopes, offsets) in enumerate(fits):
        for x, (a, b) in enumerate(zip(slopes, offsets, strict=True)):
            slow[y, x] = a.mean() * guide[y, x] + b.mean()
    np.testing.assert_allclose(guided_filter(guide, source, radius, epsilon), slow, atol=1e-5)


def test_the_airlight_is_the_colour_of_the_brightest_haze() -> None:
    hazy = np.full((100, 100, 3), 0.3, np.float32)
    hazy[10:40, 10:40] = (0.8, 0.9, 0.85)
    hazy[80, 80] = 1  # brighter, but its patch is dark
    np.testing.assert_allclose(dark_channel_airlight(hazy), (0.8, 0.9, 0.85))


def test_even_haze_over_dark_patches_is_taken_away() -> None:
    """The prior finds t where it holds: black spots in every patch, haze of t = 0.5, A = 0.9."""
    clear = np.random.default_rng(1).random((90, 120, 3)).astype(np.float32)
    clear[::5, ::5] = 0
    clear[:20, :20] = 0.9  # the sky
    hazy = clear * 0.5 + 0.9 * 0.5
    airlight = dark_channel_airlight(hazy)
    assert airlight == pytest.approx([0.9] * 3, abs=1e-6)
    transmission = dark_channel_transmission(hazy, airlight)
    assert transmission[40:, 40:] == pytest.approx(1 - 0.95 * 0.5, abs=1e-6)
    # The whole method: 1 - 0.95 * 0.5 in place of 0.5 leaves a little haze, elsewhere the same.
    result = dark_channel_prior(np.rint(hazy * 255).astype(np.uint8)).astype(np.float32) / 255
    expected = np.clip((hazy - 0.9) / 0.525 + 0.9, 0, 1)
    assert np.abs(result - expected)[40:, 40:].mean() < 0.02


def test_in_the_thickest_haze_differences_grow_tenfold_at_most() -> None:
    frame = np.full((200, 300, 3), 200, np.uint8)
    frame[:, :200] = 198  # t would be 0.06, and the difference 17 times as large
    assert dark_channel_prior(frame)[100, 100].tolist() == [180, 180, 180]


def test_clahe_stretches_the_contrast_and_leaves_the_colour() -> None:
    hazy = (picture(128, 160) / 4 + 140).astype(np.uint8)
    result = clahe(hazy)
    before, after = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB).astype(int) for p in (hazy, result))
    assert after[..., 0].std() > 1.3 * before[..., 0].std()
    assert np.abs(after[..., 1:] - before[..., 1:]).max() <= 3  # of 8-bit rounding
    grey = np.repeat(hazy[..., :1], 3, axis=2)
    assert np.ptp(clahe(grey).astype(int), axis=2).max() <= 1


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (70, 99)])
@pytest.mark.parametrize("level", [0, 255, None])
def test_every_baseline_takes_any_picture(
    name: str, shape: tuple[int, int], level: int | None
) -> None:
    frame = picture(*shape) if level is None else np.full((*shape, 3), level, np.uint8)
    before = frame.copy()
    result = BASELINES[name](frame)
    assert result.shape == frame.shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(frame, before)
    assert not np.shares_memory(result, frame)
