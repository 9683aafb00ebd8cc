"""Turns scores of pictures into rows of results, and sums rows up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median

import numpy as np

from ...results.intervals import mean_interval
from ...results.records import QualityRow, Scalar
from .scores import Harm, PhotographScore, Score

__all__ = [
    "Kept",
    "Level",
    "kept",
    "levels",
    "pair_row",
    "photograph_row",
    "with_clear_pictures",
]


def pair_row(model: str, scores: Sequence[Score]) -> QualityRow:
    """The row for pictures with a clear one; null in place of an infinite PSNR."""
    scenes = [score.scene for score in scores]
    psnr, ssim = [score.psnr_db for score in scores], [score.ssim for score in scores]
    pictures: list[dict[str, Scalar]] = [
        {
            "name": score.name,
            "scene": score.scene,
            "haze": score.haze.label if score.haze else None,
            "beta": score.haze.beta if score.haze else None,
            "psnr_db": _rounded(score.psnr_db, 3),
            "ssim": _rounded(score.ssim, 5),
            "hazy_psnr_db": _rounded(score.hazy_psnr_db, 3),
            **{name: _rounded(value, 5) for name, value in score.perceptual.items()},
        }
        for score in scores
    ]
    means = {
        "psnr_db": _rounded(fmean(psnr), 3),
        "ssim": _rounded(fmean(ssim), 4),
        "hazy_psnr_db": _rounded(fmean(score.hazy_psnr_db for score in scores), 3),
        **{
            name: _rounded(fmean(score.perceptual[name] for score in scores), 4)
            for name in scores[0].perceptual
        },
    }
    intervals = {"psnr_db": _interval(psnr, scenes, 3), "ssim": _interval(ssim, scenes, 4)}
    return QualityRow(model, means, pictures, intervals)


def photograph_row(model: str, scores: Sequence[PhotographScore]) -> QualityRow:
    """The row for photographs, with medians of e and r, as a picture without edges has any e."""
    gains = [score.gain for score in scores]
    figures = [asdict(score.artefacts) for score in scores]
    means = {name: _rounded(_mean_of_known([f[name] for f in figures]), 4) for name in figures[0]}
    means |= {
        "e": _rounded(_median([gain.e for gain in gains]), 5),
        "r": _rounded(_median([gain.r for gain in gains]), 5),
        "sigma": _rounded(fmean(gain.sigma for gain in gains), 5),
    }
    means |= {
        name: _rounded(_mean_of_known([score.blind[name] for score in scores]), 3)
        for name in scores[0].blind
    }
    pictures: list[dict[str, Scalar]] = [
        {
            "name": score.name,
            **{name: _rounded(value, 4) for name, value in asdict(score.artefacts).items()},
            **{name: _rounded(value, 5) for name, value in asdict(score.gain).items()},
            **{name: _rounded(value, 3) for name, value in score.blind.items()},
        }
        for score in scores
    ]
    return QualityRow(model, means, pictures)


def with_clear_pictures(row: QualityRow, harms: Sequence[Harm]) -> QualityRow:
    """The row with what is left of clear pictures."""
    pictures: list[dict[str, Scalar]] = []
    for harm in harms:
        pictures.append({"name": harm.name, "psnr_db": _rounded(harm.psnr_db, 3)})
        if harm.auto_psnr_db is not None:
            pictures[-1]["auto_psnr_db"] = _rounded(harm.auto_psnr_db, 3)
    return replace(row, clear_pictures=pictures)


@dataclass(frozen=True)
class Kept:
    """The result of dehazing clear pictures in one way; null decibels where nothing changed."""

    way: str
    """Empty, or `--auto`."""
    pictures: int
    unchanged: int
    worst_db: float | None
    median_db: float | None
    """The median: a picture that comes back unchanged would make the mean infinite."""


def kept(row: QualityRow) -> list[Kept]:
    """A summary for each way; empty where the clear pictures were not measured."""
    found = []
    for way, column in (("", "psnr_db"), ("--auto", "auto_psnr_db")):
        values = [picture[column] for picture in row.clear_pictures if column in picture]
        psnr = [value if isinstance(value, float) else math.inf for value in values]
        if psnr:
            unchanged = sum(map(math.isinf, psnr))
            worst, middle = _rounded(min(psnr), 3), _rounded(median(psnr), 3)
            found.append(Kept(way, len(psnr), unchanged, worst, middle))
    return found


@dataclass(frozen=True)
class Level:
    """Means over the pictures of one level of haze; null where one equals its reference."""

    haze: str
    pictures: int
    psnr_db: float | None
    ssim: float | None
    hazy_psnr_db: float | None


def levels(row: QualityRow) -> list[Level]:
    """The levels of haze, lightest first; none where the names of the files do not tell them."""
    found: dict[tuple[float, str], list[dict[str, Scalar]]] = {}
    for picture in row.pictures:
        beta, haze = picture.get("beta"), picture.get("haze")
        if isinstance(beta, float) and isinstance(haze, str):
            found.setdefault((beta, haze), []).append(picture)
    return [
        Level(
            *(haze, len(pictures), _mean(pictures, "psnr_db")),
            *(_mean(pictures, "ssim"), _mean(pictures, "hazy_psnr_db")),
        )
        for (_, haze), pictures in sorted(found.items(), key=lambda item: item[0])
    ]


def _mean(pictures: Sequence[dict[str, Scalar]], column: str) -> float | None:
    values = [picture.get(column) for picture in pictures]
    numbers = [value for value in values if isinstance(value, float)]
    return fmean(numbers) if len(numbers) == len(values) else None


def _mean_of_known(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def _interval(values: Sequence[float], scenes: Sequence[str], digits: int) -> list[float | None]:
    if not all(map(math.isfinite, values)):  # a result that equals its reference
        return [None, None]
    return [_rounded(limit, digits) for limit in mean_interval(np.array(values), scenes)]


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
