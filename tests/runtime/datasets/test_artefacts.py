from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.runtime.datasets.artefacts import measure_artefacts


def half_flat(level: int = 150, low: int = 100, high: int = 140) -> NDArray[np.uint8]:
    """(480, 640, 3) RGB: grey of `level` on the left, columns of `low` and `high` on the right."""
    picture = np.full((480, 640, 3), level, np.uint8)
    picture[:, 320:] = low
    picture[:, 321::2] = high
    return picture


def noisy(picture: NDArray[np.uint8], amplitude: int) -> NDArray[np.uint8]:
    """The left half a chequerboard about its level: its deviation is the amplitude."""
    result = picture.astype(np.int64)
    rows, columns = np.indices((480, 320))
    result[:, :320] += (((rows + columns) % 2 * 2 - 1) * amplitude)[..., None]
    return result.astype(np.uint8)


def test_a_picture_as_it_is_has_no_artefacts() -> None:
    picture = noisy(half_flat(), 2)
    found = measure_artefacts(picture, picture)
    assert (found.contrast, found.noise, found.cast, found.dark, found.crushed) == (1, 1, 0, 0, 0)


def test_contrast_is_the_gain_of_the_textured_blocks() -> None:
    found = measure_artefacts(half_flat(), half_flat(low=90, high=150))
    assert found.contrast == pytest.approx(60 / 40)
    assert (found.cast, found.dark, found.crushed) == (0, 0, 0)


def test_noise_is_the_gain_of_the_flat_blocks() -> None:
    found = measure_artefacts(noisy(half_flat(), 2), noisy(half_flat(), 5))
    assert found.noise == pytest.approx(5 / 2)
    assert found.contrast == 1


def test_noise_out_of_nothing_is_a_ratio_to_almost_nothing() -> None:
    found = measure_artefacts(half_flat(), noisy(half_flat(), 7))
    assert found.noise == pytest.approx(7 / 0.7)


def test_dark_is_the_lightness_that_flat_blocks_lose() -> None:
    """L of CIE Lab is 62.08 for a grey of 150 and 42.37 for one of 100; OpenCV is off by 0.15."""
    assert measure_artefacts(half_flat(150), half_flat(100)).dark == pytest.approx(19.71, abs=0.2)
    lighter = measure_artefacts(half_flat(100), half_flat(150))
    assert lighter.dark == 0
    assert lighter.cast == pytest.approx(0, abs=0.1)


def test_cast_is_how_far_the_colour_of_flat_blocks_moves() -> None:
    """CIE Lab of sRGB (150, 150, 170) is (62.7, 4.09, -10.43); a grey has a = b = 0."""
    bluish = half_flat()
    bluish[:, :320, 2] = 170
    found = measure_artefacts(half_flat(), bluish)
    assert found.cast == pytest.approx(math.hypot(4.09, 10.43), abs=0.1)
    assert found.dark == 0


def test_crushed_is_the_percentage_of_pixels_newly_black_or_white() -> None:
    hazy = half_flat()
    hazy[:48, :64] = 255  # was so before
    result = hazy.copy()
    result[240:288, :64] = 0  # 1 %
    result[432:, 576:, 1] = 252  # 1 %, of one colour alone
    assert measure_artefacts(hazy, result).crushed == pytest.approx(2)


def test_a_figure_that_has_no_block_is_not_a_number() -> None:
    flat = np.full((480, 640, 3), 90, np.uint8)
    assert math.isnan(measure_artefacts(flat, flat).contrast)
    textured = np.tile(half_flat()[:, 320:], (1, 2, 1))
    found = measure_artefacts(textured, textured)
    assert all(map(math.isnan, (found.noise, found.cast, found.dark)))
    assert found.contrast == 1


@pytest.mark.parametrize("size", [(960, 1280), (241, 333), (20, 11)])
def test_pictures_of_any_size_are_measured(size: tuple[int, int]) -> None:
    hazy = np.random.default_rng(0).integers(60, 200, (*size, 3), np.uint8)
    assert measure_artefacts(hazy, hazy).crushed == 0


def test_an_enlarged_result_is_measured_at_the_size_of_its_hazy_picture() -> None:
    hazy = noisy(half_flat(), 2)
    large = hazy.repeat(2, axis=0).repeat(2, axis=1)
    assert measure_artefacts(hazy, large) == measure_artefacts(hazy, hazy)
