"""Compares two results figure by figure and finds what became worse beyond noise.

latency    the interval of the ratio of the medians, new to old, lies above 1 + tolerance. The
           samples of one run know nothing of how runs differ, hence the tolerance. A machine that
           others use may be three times as slow an hour later: --relative compares each model's
           ratio to the first model of its own run, round by round, which slows down with it.
quality    the interval of the mean difference, picture by picture and drawn by scene, lies on the
           bad side of a limit that changes of kernels stay within (`Figure.least`); so of clear
           pictures. PIQE and BRISQUE are shown, but never judged
detection  the same for the difference of mean average precisions, draw by draw
video      the ratio of the CPU time to that of plain transcoding; and the peak memory, as below
memory,    the figure moved to the bad side by more than the tolerance: there are no samples
energy,
flicker,
formats    (the PSNR of a form: by the limit alone, without an interval)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .differences import gain
from .figures import FIGURES
from .intervals import mean_interval, ratio_interval
from .records import (
    AnyRow,
    DetectionRow,
    FlickerRow,
    FormatRow,
    LatencyRow,
    QualityRow,
    Result,
    VideoRow,
)

__all__ = ["Change", "by_key", "changes", "figures", "key_of"]

HIGHEST_DB = 50.0
"""A PSNR above it counts as this, and so does that of equal pictures, which is infinite: nobody
sees the difference, and a single level of 255 somewhere moves it by tens of decibels."""


@dataclass(frozen=True)
class Change:
    """A figure before and after."""

    what: str
    """`edge in onnxruntime, 1280x720, 2 threads: median`."""
    old: float
    new: float
    interval: tuple[float, float] | None
    """95 %, of the ratio for latency, of the difference for quality; None where nothing says."""
    verdict: str
    """`worse`, `better` or empty."""


def changes(old: Result, new: Result, tolerance: float) -> list[Change]:
    """The changes of all figures that both results have, in the order of the old one."""
    after = by_key(new)
    found: list[Change] = []
    for key, before in by_key(old).items():
        now = after.get(key)
        if isinstance(before, LatencyRow) and isinstance(now, LatencyRow):
            found += _latency(key, before, now, tolerance)
        elif isinstance(before, QualityRow) and isinstance(now, QualityRow):
            found += _quality(key, before, now)
        elif isinstance(before, FlickerRow) and isinstance(now, FlickerRow):
            found += _flicker(key, before, now, tolerance)
        elif isinstance(before, FormatRow) and isinstance(now, FormatRow):
            found += _format(key, before, now, tolerance)
        elif isinstance(before, DetectionRow) and isinstance(now, DetectionRow):
            found += _detection(key, before, now)
        elif isinstance(before, VideoRow) and isinstance(now, VideoRow):
            for column in ("cpu_ratio", "peak_memory_mib"):
                was, is_now = getattr(before, column), getattr(now, column)
                found.append(_without_samples(f"{key}: {column}", was, is_now, tolerance))
    return found


def by_key(result: Result) -> Mapping[str, AnyRow]:
    """The rows by their keys, see `key_of`."""
    return {key_of(row): row for row in result.results}


def key_of(row: AnyRow) -> str:
    """`edge in onnxruntime, 1280x720, 2 threads`."""
    if isinstance(row, LatencyRow):
        threads = f"{row.threads} thread{'s' * (row.threads != 1)}"
        return f"{row.model} in {row.backend}, {row.width}x{row.height}, {threads}"
    if isinstance(row, VideoRow):
        return f"{row.model}, {row.video}"
    if isinstance(row, DetectionRow):
        return f"{row.model} on {row.side} pictures"
    return f"{row.model}, {row.way}" if isinstance(row, FlickerRow) else row.model


def _latency(key: str, old: LatencyRow, new: LatencyRow, tolerance: float) -> Iterator[Change]:
    after, before = np.array(new.milliseconds), np.array(old.milliseconds)
    low, high = ratio_interval(after, before, paired=False)
    verdict = "worse" if low > 1 + tolerance else "better" if high < 1 / (1 + tolerance) else ""
    medians = float(np.median(before)), float(np.median(after))
    yield Change(f"{key}: median", *medians, (low, high), verdict)
    for column in ("peak_memory_mib", "energy_per_frame_j"):
        if (was := getattr(old, column)) is not None and (now := getattr(new, column)) is not None:
            yield _without_samples(f"{key}: {column}", was, now, tolerance)


def _without_samples(what: str, old: float, new: float, tolerance: float) -> Change:
    """The change of a figure without samples that is better when it is lower."""
    worse, better = new > old * (1 + tolerance), new * (1 + tolerance) < old
    return Change(what, old, new, None, "worse" if worse else "better" if better else "")


def _quality(key: str, old: QualityRow, new: QualityRow) -> Iterator[Change]:
    scenes = {picture["name"]: picture.get("scene") for picture in old.pictures}
    after = figures(new)
    for column, before in figures(old).items():
        now = after.get(column, {})
        names = [name for name in before if name in now]
        if not names:
            continue
        numbers = np.array([(before[name], now[name]) for name in names])
        low, high = mean_interval(
            numbers[:, 1] - numbers[:, 0], [str(scenes.get(name) or name) for name in names]
        )
        verdict = _verdict(column.rpartition(" ")[2], low, high)
        means = numbers.mean(axis=0)
        words = f"{key}: {column} ({len(names)} pictures)"
        yield Change(words, float(means[0]), float(means[1]), (low, high), verdict)


def _verdict(figure: str, low: float, high: float) -> str:
    """The verdict on a difference in this interval; none where the figure is not judged."""
    sign, least = FIGURES[figure].better, FIGURES[figure].least
    if least is None:
        return ""
    worst, best = (low, high) if sign > 0 else (-high, -low)
    return "worse" if best < -least else "better" if worst > least else ""


def _detection(key: str, old: DetectionRow, new: DetectionRow) -> Iterator[Change]:
    for column in ("map", "map50"):
        before, after = old.means.get(column), new.means.get(column)
        difference = gain(old, new, column)
        if before is None or after is None or difference is None:
            continue
        low, high = difference.interval
        interval = (low, high) if low is not None and high is not None else None
        verdict = _verdict(column, *(interval or (difference.mean, difference.mean)))
        yield Change(f"{key}: {FIGURES[column].name}", before, after, interval, verdict)


def figures(row: QualityRow) -> dict[str, dict[str, float]]:
    """The value of every picture by its name, for each column that is compared."""
    compared = {name for name, figure in FIGURES.items() if figure.least is not None}
    found: dict[str, dict[str, float]] = {}
    for kind, pictures in (("", row.pictures), ("clear ", row.clear_pictures)):
        for picture in pictures:
            for column in compared & picture.keys():
                value = picture[column]
                if column.endswith("psnr_db") and not isinstance(value, str):
                    value = _capped(value)
                if isinstance(value, float):
                    found.setdefault(f"{kind}{column}", {})[str(picture["name"])] = value
    return dict(sorted(found.items()))


def _capped(psnr_db: float | None) -> float:
    return HIGHEST_DB if psnr_db is None else min(psnr_db, HIGHEST_DB)


def _flicker(key: str, old: FlickerRow, new: FlickerRow, tolerance: float) -> Iterator[Change]:
    for column in ("error_deviation", "error_change"):
        was, now = getattr(old, column), getattr(new, column)
        yield _without_samples(f"{key}: {column}", was, now, tolerance)
    yield _mean_psnr(key, old.psnr_db, new.psnr_db)


def _format(key: str, old: FormatRow, new: FormatRow, tolerance: float) -> Iterator[Change]:
    if "" not in (old.backend, new.backend):  # else there are no figures
        yield _mean_psnr(key, old.psnr_db, new.psnr_db)
    for column in ("p50_ms", "bytes"):
        if (was := getattr(old, column)) is not None and (now := getattr(new, column)) is not None:
            yield _without_samples(f"{key}: {column}", was, now, tolerance)


def _mean_psnr(key: str, old: float | None, new: float | None) -> Change:
    before, after = _capped(old), _capped(new)
    verdict = _verdict("psnr_db", after - before, after - before)
    return Change(f"{key}: psnr_db", before, after, None, verdict)
