"""What `dehaze-bench quality` prints: as a table for people, as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import fmean, median
from typing import Any

from .quality import Harm, Interval, PhotographScore, Score, with_interval

__all__ = [
    "harm_record",
    "harm_row",
    "level_rows",
    "photograph_record",
    "photograph_row",
    "quality_record",
    "quality_row",
]


def quality_record(scores: Sequence[Score]) -> dict[str, Any]:
    """Means, intervals, levels and every picture; null in place of an infinite PSNR."""
    psnr, ssim = _intervals(scores)
    levels = [
        {"haze": label, "beta": group[0].haze.beta if group[0].haze else None, **_means(group)}
        for label, group in _by_haze(scores)
    ]
    pictures = [
        {
            "name": score.name,
            "scene": score.scene,
            "haze": score.haze.label if score.haze else None,
            "psnr_db": _finite(score.psnr_db, 3),
            "ssim": round(score.ssim, 5),
            "hazy_psnr_db": _finite(score.hazy_psnr_db, 3),
        }
        for score in scores
    ]
    return {
        **_means(scores),
        "psnr_db_interval": [_finite(psnr.low, 3), _finite(psnr.high, 3)],
        "ssim_interval": [round(ssim.low, 4), round(ssim.high, 4)],
        "levels": levels,
        "scores": pictures,
    }


def quality_row(method: str, scores: Sequence[Score]) -> str:
    psnr, ssim = _intervals(scores)
    before = fmean(score.hazy_psnr_db for score in scores)
    return (
        f"{method}: {len(scores)} pictures, PSNR {psnr.mean:.2f} dB ({psnr.low:.2f} to "
        f"{psnr.high:.2f}; hazy {before:.2f}), SSIM {ssim.mean:.4f} ({ssim.low:.4f} to "
        f"{ssim.high:.4f})"
    )


def level_rows(scores: Sequence[Score]) -> Iterator[str]:
    """One line a haze level; none where the names say nothing of it."""
    for label, group in _by_haze(scores):
        means = _means(group)
        yield (
            f"  {label:16} {means['pictures']:4} pictures, PSNR {_decibels(means['psnr_db'])} "
            f"(hazy {_decibels(means['hazy_psnr_db'])}), SSIM {means['ssim']:.4f}"
        )


def photograph_record(scores: Sequence[PhotographScore]) -> dict[str, Any]:
    """Medians of e and r, the mean of sigma, every picture; null where there is no such figure."""
    summary = _gains(scores)
    pictures = [
        {
            "name": score.name,
            **{name: _finite(value, 5) for name, value in asdict(score.gain).items()},
        }
        for score in scores
    ]
    rounded = {name: _finite(value, 5) for name, value in summary.items()}
    return {"pictures": len(scores), **rounded, "scores": pictures}


def photograph_row(method: str, scores: Sequence[PhotographScore]) -> str:
    gains = _gains(scores)
    return (
        f"{method}: {len(scores)} photographs, new visible edges e {gains['e_median']:+.3f}, "
        f"gradients r {gains['r_median']:.3f} (medians), saturated {gains['sigma_mean']:.3%}"
    )


def harm_record(harms: Sequence[Harm]) -> dict[str, Any]:
    """Without and with --auto; null for a PSNR where nothing changed."""
    ways = {name: _harm(values) for name, values in _ways(harms)}
    pictures = [
        {
            "name": harm.name,
            "psnr_db": _finite(harm.psnr_db, 3),
            "auto_psnr_db": _finite(harm.auto_psnr_db, 3),
        }
        for harm in harms
    ]
    return {
        **{
            name: {key: _finite(value, 3) for key, value in way.items()}
            for name, way in ways.items()
        },
        "scores": pictures,
    }


def harm_row(harms: Sequence[Harm]) -> str:
    words = []
    for name, values in _ways(harms):
        way = _harm(values)
        words.append(
            f"{'with --auto' if name == 'auto' else 'clear to clear'} "
            f"{_decibels(way['median_psnr_db'])} (worst {_decibels(way['worst_psnr_db'])}, "
            f"{way['unchanged']:.0f} of {len(values)} as they were)"
        )
    return f"  {'; '.join(words)}"


def _intervals(scores: Sequence[Score]) -> tuple[Interval, Interval]:
    scenes = [score.scene for score in scores]
    psnr = with_interval([score.psnr_db for score in scores], scenes)
    return psnr, with_interval([score.ssim for score in scores], scenes)


def _means(scores: Sequence[Score]) -> dict[str, Any]:
    return {
        "pictures": len(scores),
        "hazy_psnr_db": _finite(fmean(score.hazy_psnr_db for score in scores), 3),
        "psnr_db": _finite(fmean(score.psnr_db for score in scores), 3),
        "ssim": round(fmean(score.ssim for score in scores), 4),
    }


def _by_haze(scores: Sequence[Score]) -> Iterator[tuple[str, list[Score]]]:
    for haze in sorted({score.haze for score in scores if score.haze}):
        yield haze.label, [score for score in scores if score.haze == haze]


def _gains(scores: Sequence[PhotographScore]) -> dict[str, float]:
    """Medians: over a picture with hardly a visible edge e can be any number."""
    gains = [score.gain for score in scores]
    return {
        "e_median": _median([gain.e for gain in gains]),
        "r_median": _median([gain.r for gain in gains]),
        "sigma_mean": fmean(gain.sigma for gain in gains),
    }


def _ways(harms: Sequence[Harm]) -> Iterator[tuple[str, list[float]]]:
    yield "plain", [harm.psnr_db for harm in harms]
    auto = [harm.auto_psnr_db for harm in harms if harm.auto_psnr_db is not None]
    if auto:
        yield "auto", auto


def _harm(values: Sequence[float]) -> dict[str, float]:
    """The median: a mean would be infinite with the first picture that is left as it is."""
    return {
        "median_psnr_db": median(values),
        "worst_psnr_db": min(values),
        "unchanged": sum(map(math.isinf, values)),
    }


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def _finite(value: float | None, digits: int) -> float | None:
    return round(value, digits) if value is not None and math.isfinite(value) else None


def _decibels(value: float | None) -> str:
    return f"{value:.2f} dB" if value is not None and math.isfinite(value) else "unchanged"
