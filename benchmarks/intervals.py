"""How sure a figure is: bootstrap intervals of 95 %, drawn with a fixed seed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "mean_interval", "median_is_stable", "ratio_interval"]

Interval: TypeAlias = tuple[float, float]
RESAMPLES = 2000
_LIMITS = (2.5, 97.5)
Samples: TypeAlias = NDArray[Any]


def ratio_interval(samples: Samples, base: Samples, *, paired: bool) -> Interval:
    """Of median(samples) / median(base).

    Args:
        paired: the two were measured in the same rounds, so that whole rounds are drawn and what
            slowed both of them cancels out; else each is drawn by itself.
    """
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(samples), (RESAMPLES, len(samples)))
    drawn_base = drawn if paired else rng.integers(0, len(base), (RESAMPLES, len(base)))
    ratios = np.median(samples[drawn], axis=1) / np.median(base[drawn_base], axis=1)
    return _limits(ratios)


def mean_interval(samples: Samples) -> Interval:
    """Of the mean."""
    drawn = np.random.default_rng(0).integers(0, len(samples), (RESAMPLES, len(samples)))
    return _limits(samples[drawn].mean(axis=1))


def _limits(values: Samples) -> Interval:
    low, high = np.percentile(values, _LIMITS)
    return float(low), float(high)


def median_is_stable(samples: Samples, share: float) -> bool:
    """Whether the median's interval reaches at most `share` of it to either side.

    By order statistics: the median lies between the samples of rank n / 2 -+ 0.98 sqrt(n), which
    is 95 % of the binomial distribution.
    """
    ranked, n = np.sort(samples), len(samples)
    reach = 0.98 * n**0.5
    low, high = int(n / 2 - reach), int(np.ceil(n / 2 + reach))
    if low < 0 or high >= n:
        return False
    middle = np.median(samples)
    return bool(max(ranked[high] - middle, middle - ranked[low]) <= share * middle)
