"""Classical ways to take haze out of a picture, to compare networks with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BASELINES",
    "clahe",
    "dark_channel",
    "dark_channel_airlight",
    "dark_channel_prior",
    "dark_channel_transmission",
    "guided_filter",
]

OMEGA = 0.95
"""Share of the haze that is taken away: He et al. leave a little, for a natural far distance."""
PATCH = 15
"""Pixels along each side of the patch."""
LEAST_TRANSMISSION = 0.1
"""The t0 of He et al.: below it a division by t would only show noise."""
BRIGHTEST = 0.001
"""Share of the pixels, by dark channel, among which the airlight is looked for."""
GUIDED_RADIUS = 60
GUIDED_EPSILON = 1e-4


def dark_channel_prior(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dehazes as He, Sun and Tang do, "Single image haze removal using dark channel prior", CVPR
    2009.

    J = (I - A) / max(t, t0) + A, equation 16; t is refined by a guided filter (He et al., ECCV
    2010) with the luminance as guide, where the paper of 2009 has soft matting.

    Args:
        frame: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    hazy = frame.astype(np.float32) / np.float32(255)
    airlight = dark_channel_airlight(hazy)
    luminance: Any = cv2.cvtColor(hazy, cv2.COLOR_RGB2GRAY)
    transmission = guided_filter(luminance, dark_channel_transmission(hazy, airlight))
    limited = np.maximum(transmission, np.float32(LEAST_TRANSMISSION))[..., None]
    return _as_uint8((hazy - airlight) / limited + airlight)


def dark_channel(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) to (H, W): the least value of any colour in the patch around a pixel, equation 5.

    At the border the patch is what lies within the picture.
    """
    patch = np.ones((PATCH, PATCH), np.uint8)
    least: Any = cv2.erode(colours.min(axis=2), patch)
    return least


def dark_channel_airlight(hazy: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) RGB: the brightest pixel among the 0.1 % with the brightest dark channel, section 4.4.

    Args:
        hazy: (H, W, 3) float32 RGB in [0, 1].
    """
    dark = dark_channel(hazy).ravel()
    count = max(1, round(BRIGHTEST * dark.size))
    candidates = hazy.reshape(-1, 3)[np.argpartition(dark, -count)[-count:]]
    airlight: NDArray[np.float32] = candidates[candidates.sum(axis=1).argmax()]
    return np.maximum(airlight, np.float32(1 / 255))  # a black picture: the next step divides


def dark_channel_transmission(
    hazy: NDArray[np.float32], airlight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(H, W): t = 1 - omega * dark channel of I / A, equation 12.

    Args:
        hazy: (H, W, 3) float32 RGB in [0, 1].
        airlight: (3,) RGB.
    """
    return 1 - np.float32(OMEGA) * dark_channel(hazy / airlight)


def guided_filter(
    guide: NDArray[np.float32],
    source: NDArray[np.float32],
    radius: int = GUIDED_RADIUS,
    epsilon: float = GUIDED_EPSILON,
) -> NDArray[np.float32]:
    """Smooths along the guide's edges: He, Sun, Tang, "Guided image filtering", ECCV 2010,
    algorithm 1.

    In a window w of (2 radius + 1)^2 pixels a = cov(guide, source) / (var(guide) + epsilon) and
    b = mean(source) - a mean(guide), equations 5 and 6; q = mean(a) guide + mean(b), equation 8.
    At the border a window is what lies within the picture.

    Args:
        guide, source: (H, W) float32.

    Returns:
        (H, W) float32.
    """
    size = (2 * radius + 1, 2 * radius + 1)

    def windows(values: Any) -> Any:
        return cv2.boxFilter(values, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)

    pixels = windows(np.ones(guide.shape, np.float64))

    def mean(values: Any) -> Any:
        return windows(values) / pixels

    # float64: the variance is a difference of two numbers near 1, and epsilon is small.
    p, q = guide.astype(np.float64), source.astype(np.float64)
    mean_p, mean_q = mean(p), mean(q)
    slope = (mean(p * q) - mean_p * mean_q) / (mean(p * p) - mean_p**2 + epsilon)
    offset = mean_q - slope * mean_p
    smooth: NDArray[np.float32] = (mean(slope) * p + mean(offset)).astype(np.float32)
    return smooth


def clahe(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) of L in CIE Lab.

    Clip limit 2, 8x8 tiles; colour as it is. It knows nothing of haze, only of contrast.

    Args:
        frame: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lab[..., 0].copy())
    result: Any = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return result


def unchanged(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as it is: what every other figure has to be better than."""
    return frame.copy()


def _as_uint8(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


BASELINES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "dcp": dark_channel_prior,
    "clahe": clahe,
    "none": unchanged,
}
