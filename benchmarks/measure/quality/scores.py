"""Measures the quality of a method: against clear pictures, on photographs, and on clear pictures.

PSNR and SSIM as they are published for RESIDE; `PROTOCOL` says it in words, for every output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tqdm import tqdm

from dehaze.runtime.datasets.artefacts import Artefacts, measure_artefacts
from dehaze.runtime.datasets.border import without_border
from dehaze.runtime.datasets.pairs import HazyPair
from dehaze.runtime.errors import InputError
from dehaze.runtime.media.pictures import read_picture

from ...results.figures import FIGURES
from ...results.intervals import DRAWS_OF_MEANS
from ..datasets import Haze, Item, Measured
from ..methods import Method, OurModel
from .blind import BlindScores
from .contrast import ContrastGain, contrast_gain
from .perceptual import PerceptualScores

__all__ = [
    "PHOTOGRAPH_PROTOCOL",
    "PROTOCOL",
    "Harm",
    "PhotographScore",
    "Score",
    "measure_harm",
    "measure_photographs",
    "measure_quality",
    "psnr",
]

PROTOCOL = {
    "decoder": "OpenCV, 8 bits a channel, upright",
    "crop": "none; a clear picture with a border is cut to the middle of the hazy one's size",
    "colour": "RGB as stored, all three channels",
    "data range": "0 to 255, the result rounded to 8 bits",
    "PSNR": "of each picture over all its values, in dB, then the mean over pictures",
    "SSIM": "Wang et al. 2004: Gaussian window of 11x11 and sigma 1.5, K1 = 0.01, K2 = 0.03, "
    "population covariance, mean over colours and pixels 5 or more from the border (scikit-image)",
    "interval": f"95 % bootstrap, {DRAWS_OF_MEANS} draws of clear scenes, each with all its haze",
}
PHOTOGRAPH_PROTOCOL = {
    "decoder": PROTOCOL["decoder"],
    "blocks": "16x16 pixels at a height of 480, result against hazy picture; flat where the luma "
    "of the hazy picture deviates by less than 3 of 255; means over the pictures that have such",
    **{
        FIGURES[name].name: FIGURES[name].explanation
        for name in ("contrast", "noise", "cast", "dark", "crushed")
    },
    "e, r, sigma": "Hautiere et al. 2008, on the luminance of 8 bits: new visible edges (5 % "
    "contrast, Koehler's method, windows of 7x7) per edge before, geometric mean ratio of their "
    "gradients (Sobel), share of pixels newly black or white; medians of e and r, mean of sigma",
}
_SSIM_WINDOW = 11

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Score:
    """The score of a hazy picture that has a clear one."""

    name: str
    scene: str
    """The clear picture's name."""
    haze: Haze | None
    psnr_db: float
    """Infinite where the result equals the clear picture."""
    ssim: float
    hazy_psnr_db: float
    """PSNR of the hazy picture as it is."""
    perceptual: Mapping[str, float] = field(default_factory=dict)
    """See `PerceptualScores`."""


@dataclass(frozen=True)
class PhotographScore:
    """The figures of one photograph without reference."""

    name: str
    artefacts: Artefacts
    gain: ContrastGain
    blind: Mapping[str, float]
    """See `BlindScores`."""


@dataclass(frozen=True)
class Harm:
    """PSNR of a dehazed clear picture against itself; infinite where nothing changed."""

    name: str
    psnr_db: float
    auto_psnr_db: float | None
    """PSNR with `--auto`; None for a method that does not measure haze."""


def measure_quality(
    method: Method, data: Measured, perceptual: PerceptualScores | None = None
) -> list[Score]:
    """PSNR and SSIM of every pair, by `PROTOCOL`.

    Args:
        perceptual: adds LPIPS where it can be measured; the same one for all methods.

    Raises:
        InputError: a file that is no picture, sizes that do not agree, photographs alone.
    """
    scores = []
    for item in _progress(data.items):
        hazy = _read(item.hazy)
        pair = _pair(item)
        clear = without_border(_read(pair.clear), hazy.shape, pair)
        result = method(hazy)
        name, scene = item.hazy.stem, pair.clear.stem
        after, before = psnr(result, clear), psnr(hazy, clear)
        seen = perceptual(item.hazy, hazy, result, clear) if perceptual else {}
        scores.append(Score(name, scene, item.haze, after, _ssim(result, clear), before, seen))
    return scores


def measure_photographs(
    method: Method, data: Measured, blind: BlindScores
) -> list[PhotographScore]:
    """The contrast gained and the artefacts on every hazy picture; references are not looked at.

    Args:
        blind: scores the pictures by themselves; the same one for all methods.

    Raises:
        InputError: a file that is no picture.
    """
    scores = []
    for item in _progress(data.items):
        hazy = _read(item.hazy)
        result = method(hazy)
        artefacts, gain = measure_artefacts(hazy, result), contrast_gain(hazy, result)
        alone = blind(item.hazy, hazy, result)
        scores.append(PhotographScore(item.hazy.stem, artefacts, gain, alone))
    return scores


def measure_harm(method: Method, data: Measured) -> list[Harm]:
    """Dehazes each clear picture once and compares it with itself.

    Raises:
        InputError: a file that is no picture, photographs alone.
    """
    with_auto: Callable[[Picture], Picture] | None = None
    if isinstance(method, OurModel) and method.has_auto:
        with_auto = method.with_auto
    scenes = {item.clear: item for item in data.items}
    results = []
    for item in _progress(list(scenes.values())):
        path = _pair(item).clear
        clear = _read(path)
        auto = psnr(with_auto(clear), clear) if with_auto else None
        results.append(Harm(path.stem, psnr(method(clear), clear), auto))
    return results


def _progress(items: Sequence[Item]) -> tqdm[Item]:
    return tqdm(items, unit="picture", disable=None, leave=False)


def _read(path: Path) -> Picture:
    picture = read_picture(path).rgb
    if picture.dtype != np.uint8:
        raise InputError(f"{path}: expected 8 bits a channel, got 16; convert the data set first")
    if min(picture.shape[:2]) < _SSIM_WINDOW:
        raise InputError(
            f"{path}: expected {_SSIM_WINDOW} pixels a side or more, "
            f"got {picture.shape[1]}x{picture.shape[0]}"
        )
    return picture


def _pair(item: Item) -> HazyPair:
    if item.pair is None:
        raise InputError(f"{item.hazy}: expected a clear picture of it, got a photograph alone")
    return item.pair


def psnr(result: Picture, clear: Picture) -> float:
    """PSNR in dB; infinite where both are equal."""
    if np.array_equal(result, clear):
        return math.inf
    return float(peak_signal_noise_ratio(clear, result, data_range=255))


def _ssim(result: Picture, clear: Picture) -> float:
    return float(
        structural_similarity(
            clear,
            result,
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            use_sample_covariance=False,
        )
    )
