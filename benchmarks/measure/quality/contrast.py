"""Measures the visibility that a picture gains, where no clear one is known.

N. Hautiere, J.-P. Tarel, D. Aubert, E. Dumont, "Blind contrast enhancement assessment by gradient
ratioing at visible edges", Image Analysis & Stereology 27(2), 2008: three figures that compare a
picture before and after.

    e       share of visible edges that are new: 0.5 is half as many again, below 0 some are lost
    r       how many times as steep the visible edges are, on (geometric) average; 1 is as before
    sigma   share of pixels that have become quite black or quite white

They reward contrast, not truth: noise and halos raise e and r, too. Of two methods the better one
has the higher e and r at a sigma near 0. An edge is visible from a contrast of 5 % on, as in the
CIE's definition of the visibility distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["ContrastGain", "contrast_gain", "visible_edges"]

VISIBLE = 0.05
"""Least contrast of a visible edge."""
WINDOW = 7
"""Pixels along each side of a window in which edges are looked for."""


@dataclass(frozen=True)
class ContrastGain:
    """The gain of a picture after dehazing over the one before."""

    e: float
    """New visible edges, per one there was; NaN where there was none."""
    r: float
    """Mean ratio of the gradients at the visible edges after; NaN where there is none."""
    sigma: float
    """Share of pixels saturated after, and not before."""


def contrast_gain(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> ContrastGain:
    """The paper's three figures, on the luminance.

    Pixels without any gradient before or after have no ratio and do not count in r.

    Args:
        before, after: (H, W, 3) uint8 RGB.
    """
    old, new = _luminance(before), _luminance(after)
    old_edges, new_edges = int(visible_edges(old).sum()), visible_edges(new)
    e = (int(new_edges.sum()) - old_edges) / old_edges if old_edges else float("nan")
    steepness_before, steepness_after = _gradient(old), _gradient(new)
    counts = new_edges & (steepness_before > 0) & (steepness_after > 0)
    ratios = np.log(steepness_after[counts] / steepness_before[counts])
    r = float(np.exp(ratios.mean())) if ratios.size else float("nan")
    return ContrastGain(e, r, float(np.mean(_saturated(new) & ~_saturated(old))))


def visible_edges(luminance: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) of the pixels at an edge of 5 % contrast or more, by the method of Koehler (1981).

    In each window the threshold s that separates neighbours best is found: the one with the
    largest mean, over the pairs (x, y) of neighbours on its two sides, of
    min(|s - f(x)| / max(s, f(x)), |s - f(y)| / max(s, f(y))). Twice that is the contrast there.
    The windows share their outermost rows and columns, so that no pair is missed.
    """
    found = np.zeros(luminance.shape, np.bool_)
    for top in range(0, max(len(luminance) - 1, 1), WINDOW - 1):
        strip = slice(top, top + WINDOW)
        found[strip] |= _edges_in_strip(luminance[strip])
    return found


def _edges_in_strip(luminance: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The visible edges in a row of windows."""
    pixels = np.arange(luminance.size).reshape(luminance.shape)
    one = np.concatenate((pixels[:, :-1].ravel(), pixels[:-1].ravel()))
    other = np.concatenate((pixels[:, 1:].ravel(), pixels[1:].ravel()))
    window = one % luminance.shape[1] // (WINDOW - 1)
    # A column that two windows share: its pairs downwards belong to the one before it, too.
    column = one % luminance.shape[1]
    shared = (other != one + 1) & (column > 0) & (column % (WINDOW - 1) == 0)
    one, other = np.append(one, one[shared]), np.append(other, other[shared])
    window = np.append(window, window[shared] - 1)
    values = luminance.ravel().astype(np.int64)
    low, high = np.minimum(values[one], values[other]), np.maximum(values[one], values[other])
    threshold = _thresholds(low, high, window)[window]
    separated = (low <= threshold) & (threshold < high)
    found = np.zeros(luminance.size, np.bool_)
    found[one[separated]] = found[other[separated]] = True
    return found.reshape(luminance.shape)


def _thresholds(
    low: NDArray[np.int64], high: NDArray[np.int64], window: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The best threshold of each window's pairs; 255 separates none, for contrasts below 5 %."""
    count = high - low  # thresholds between the two
    pair = np.repeat(np.arange(count.size), count)
    s = low[pair] + np.arange(pair.size) - np.repeat(np.cumsum(count) - count, count)
    contrast = np.minimum((s - low[pair]) / np.maximum(s, 1), (high[pair] - s) / high[pair])
    key = window[pair] * 256 + s
    size = (int(window.max(initial=0)) + 1) * 256
    sums, pairs = np.bincount(key, contrast, size), np.bincount(key, minlength=size)
    means = (sums / np.maximum(pairs, 1)).reshape(-1, 256)
    best: NDArray[np.int64] = np.where(2 * means.max(axis=1) >= VISIBLE, means.argmax(axis=1), 255)
    return best


def _luminance(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    luminance: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return luminance


def _gradient(luminance: NDArray[np.uint8]) -> NDArray[np.float32]:
    across, down = (cv2.Sobel(luminance, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    steepness: Any = cv2.magnitude(across, down)
    return steepness


def _saturated(luminance: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (luminance == 0) | (luminance == 255)
