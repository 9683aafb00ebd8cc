"""Computes confidence intervals of 95 % by a bootstrap with a fixed seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Interval", "drawn_weights", "interval_of_draws", "mean_interval", "median_is_stable",
    "ratio_interval",
]  # fmt: skip

Interval: TypeAlias = tuple[float, float]
DRAWS_OF_MEANS, DRAWS_OF_MEDIANS, DRAWS_OF_PRECISIONS = 10_000, 2000, 1000
"""Draws of the bootstrap. Medians and average precisions take longer, and fewer draws are enough
for them."""
_LIMITS = (2.5, 97.5)
Samples: TypeAlias = NDArray[Any]


def ratio_interval(samples: Samples, base: Samples, *, paired: bool) -> Interval:
    """The interval of median(samples) / median(base).

    Args:
        paired: the two were measured in the same rounds, so that whole rounds are drawn and what
            slowed both of them cancels out; else each is drawn by itself.
    """
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(samples), (DRAWS_OF_MEDIANS, len(samples)))
    drawn_base = drawn if paired else rng.integers(0, len(base), (DRAWS_OF_MEDIANS, len(base)))
    ratios = np.median(samples[drawn], axis=1) / np.median(base[drawn_base], axis=1)
    return _limits(ratios)


def mean_interval(samples: Samples, scenes: Sequence[str]) -> Interval:
    """The interval of the mean over pictures, with a bootstrap over their scenes.

    Pictures of one scene resemble each other: drawn one by one, SOTS's ten levels of 50 scenes
    would count as 500 independent pictures. Where each has a scene of its own, it is the usual
    bootstrap over pictures.
    """
    _, members = np.unique(np.array(scenes), return_inverse=True)
    sums, counts = np.bincount(members, samples), np.bincount(members)
    drawn = np.random.default_rng(0).integers(0, counts.size, (DRAWS_OF_MEANS, counts.size))
    return _limits(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))


def drawn_weights(scenes: Sequence[str], draws: int) -> Iterator[NDArray[np.int64]]:
    """How often each picture counts in each draw of a bootstrap over their scenes.

    The draws are the same for the same scenes, so that figures of two methods, or of two results,
    can be compared draw by draw.
    """
    _, members = np.unique(np.array(scenes), return_inverse=True)
    rng, count = np.random.default_rng(0), int(members.max()) + 1
    for _ in range(draws):
        yield np.bincount(rng.integers(0, count, count), minlength=count)[members]


def interval_of_draws(values: Samples) -> Interval | None:
    """The interval of what a bootstrap drew; None where it drew no numbers."""
    known = values[~np.isnan(values)]
    return _limits(known) if known.size else None


def _limits(values: Samples) -> Interval:
    low, high = np.percentile(values, _LIMITS)
    return float(low), float(high)


def median_is_stable(samples: Samples, share: float) -> bool:
    """Returns whether the median's interval reaches at most `share` of it to either side.

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
