"""The difference between two rows of detections, with its interval over their shared draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .intervals import interval_of_draws
from .records import DetectionRow

__all__ = ["Gain", "gain"]


class Gain(NamedTuple):
    """A difference of means."""

    mean: float
    interval: list[float | None]
    """[low, high], 95 %."""


def gain(old: DetectionRow, new: DetectionRow, figure: str) -> Gain | None:
    """The difference of a figure, new - old; None where one of them has none.

    Both rows come from draws of the same pictures, so it is taken draw by draw: pictures that are
    hard for both of them cancel out.

    Args:
        figure: `map` or `map50`.
    """
    before, after = old.means.get(figure), new.means.get(figure)
    if before is None or after is None:
        return None
    was, now = (np.array(row.draws.get(figure, []), float) for row in (old, new))
    found = interval_of_draws(now - was) if len(was) == len(now) else None
    return Gain(after - before, [*found] if found else [None, None])
