from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from dehaze.benchmarks.measure.quality.contrast import contrast_gain, visible_edges


def colours(luminance: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(luminance[..., None], 3, axis=2)


def step(low: int, high: int) -> NDArray[np.uint8]:
    """(40, 40): dark to the left of column 20, bright from it on."""
    edge = np.full((40, 40), low, np.uint8)
    edge[:, 20:] = high
    return edge


def tiles() -> NDArray[np.float32]:
    """(120, 160, 3) RGB from 40 to 200: tiles of 4 pixels with sharp edges."""
    levels = np.random.default_rng(3).integers(40, 200, (30, 40, 3))
    return levels.repeat(4, axis=0).repeat(4, axis=1).astype(np.float32)


@pytest.mark.parametrize(("low", "high", "visible"), [(100, 104, 0), (100, 110, 1), (0, 40, 1)])
def test_an_edge_is_visible_from_5_percent_on(low: int, high: int, visible: int) -> None:
    found = visible_edges(step(low, high))
    assert found.sum() == 80 * visible  # both pixels of each of 40 pairs
    assert found[:, 19:21].all() == bool(visible)


def test_visible_edges_are_those_of_a_direct_search() -> None:
    luminance = np.random.default_rng(0).integers(90, 120, (25, 20)).astype(np.uint8)
    luminance[:12] = np.sort(luminance[:12])  # both kinds of place: noise and slopes
    slow = np.zeros(luminance.shape, bool)
    for top, left in product(range(0, 24, 6), range(0, 19, 6)):
        inside = [(y, x) for y in range(top, min(top + 7, 25)) for x in range(left, left + 7)]
        inside = [place for place in inside if place[1] < 20]
        right = [((y, x), (y, x + 1)) for y, x in inside if (y, x + 1) in inside]
        below = [((y, x), (y + 1, x)) for y, x in inside if (y + 1, x) in inside]
        contrasts = {}
        for s in range(1, 256):
            values = []
            for places in right + below:
                low, high = sorted(int(luminance[place]) for place in places)
                if low <= s < high:
                    values.append(min((s - low) / s, (high - s) / high))
            contrasts[s] = np.mean(values) if values else 0
        best = max(contrasts.values())
        if 2 * best >= 0.05:
            threshold = min(s for s, contrast in contrasts.items() if contrast == best)
            for one, other in right + below:
                if (luminance[one] > threshold) != (luminance[other] > threshold):
                    slow[one] = slow[other] = True
    assert 0 < slow.sum() < slow.size
    np.testing.assert_array_equal(visible_edges(luminance), slow)


def test_taking_a_haze_of_half_away_doubles_the_gradients() -> None:
    """J = (I - A (1 - t)) / t has 1 / t times the gradients of I."""
    clear = tiles()
    hazy = clear * 0.5 + 220 * 0.5
    gain = contrast_gain(np.rint(hazy).astype(np.uint8), np.rint(clear).astype(np.uint8))
    assert gain.r == pytest.approx(2, rel=0.03)
    assert gain.sigma == 0


def test_an_edge_that_haze_had_hidden_is_new() -> None:
    """Beside a visible one: 3 levels of 93 are below 5 %, 14 are above."""
    flat = np.full((40, 13), 90, np.uint8)
    before = colours(np.hstack((step(20, 90), flat, step(90, 93))))
    after = colours(np.hstack((step(20, 90), flat, step(90, 104))))
    assert contrast_gain(before, after).e == 1


def test_a_picture_as_it_is_gains_nothing() -> None:
    gain = contrast_gain(tiles().astype(np.uint8), tiles().astype(np.uint8))
    assert (gain.e, gain.r, gain.sigma) == (0, pytest.approx(1), 0)


def test_sigma_is_the_share_that_has_become_black_or_white() -> None:
    before = step(100, 160)
    before[0, :10] = 255  # was so before
    after = before.copy()
    after[:10, 20:] = 255
    after[10:14, :20] = 0
    assert contrast_gain(colours(before), colours(after)).sigma == 280 / 1600


def test_without_edges_there_is_no_ratio() -> None:
    flat = colours(np.full((20, 20), 90, np.uint8))
    gain = contrast_gain(flat, flat)
    assert math.isnan(gain.e)
    assert math.isnan(gain.r)
