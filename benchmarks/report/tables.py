"""Results as headings and rows of words, for the templates of the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..measure.quality_rows import kept, levels
from ..results.records import FlickerRow, LatencyRow, Model, QualityRow, Result, VideoRow

__all__ = ["Table", "heading", "labels", "model_table", "settings", "summary", "tables"]


class Table(NamedTuple):
    """A table of words; the first cell of a row names it."""

    title: str
    """Empty where the heading above says it."""
    heads: list[str]
    rows: list[list[str]]


_DASH = "\N{EN DASH}"
_QUALITY = {
    "psnr_db": ("PSNR, dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "hazy_psnr_db": ("hazy, dB", "{:.2f}"),
    "contrast": ("contrast", "{:.2f}"),
    "noise": ("noise", "{:.2f}"),
    "cast": ("cast", "{:.2f}"),
    "dark": ("dark", "{:.2f}"),
    "crushed": ("crushed", "{:.2f} %"),
    "e": ("new edges e", "{:+.3f}"),
    "r": ("gradients r", "{:.3f}"),
    "sigma": ("saturated", "{:.2%}"),
}
"""Heading and form of the means."""
_OPTIONAL = {
    "copy_ms": "copy", "compute_ms": "compute", "copy_back_ms": "copy back",
    "peak_memory_mib": "peak MiB", "power_w": "W", "energy_per_frame_j": "J per frame",
}  # fmt: skip


def settings(rows: Sequence[LatencyRow]) -> list[tuple[str, list[LatencyRow]]]:
    """Rows that can be compared, and what they have in common."""
    return [
        (_setting(*setting), [row for row in rows if row.setting == setting])
        for setting in dict.fromkeys(row.setting for row in rows)
    ]


def _setting(width: int, height: int, threads: int) -> str:
    size = f"{width}\N{MULTIPLICATION SIGN}{height}"
    return f"{size}, {threads} thread{'s' * (threads != 1)}"


def labels(names: Iterable[str]) -> dict[str, str]:
    """Names of models without their folders, where that tells them apart."""
    different = list(dict.fromkeys(names))
    files = [re.sub(r"^.*/(?=[^/]+\.(onnx|engine)\b)", "", name) for name in different]
    unique = len({*files}) == len(files)
    return dict(zip(different, files if unique else different, strict=True))


def heading(result: Result) -> str:
    """`Quality: SOTS-indoor`."""
    about = f": {result.data.layout}" if result.kind == "quality" and result.data else ""
    return f"{result.kind.capitalize()}{about}"


def tables(result: Result) -> list[Table]:
    """The tables of a result."""
    result = _labelled(result)
    if latency := result.rows(LatencyRow):
        return [_latency_table(words, here) for words, here in settings(latency)]
    if quality := result.rows(QualityRow):
        found = (_quality_table(quality), _level_table(quality), _kept_table(quality))
        return [table for table in found if table]
    if videos := result.rows(VideoRow):
        return [_video_table(videos)]
    return [_flicker_table(result.rows(FlickerRow))]


def summary(result: Result) -> Table:
    """The short table of a result, for a README."""
    if latency := _labelled(result).rows(LatencyRow):
        return _latency_summary(latency)
    table, quality = tables(result)[0], result.rows(QualityRow)
    measured = any(row.clear_pictures for row in quality)
    return _with_clear_pictures(table, quality) if measured else table


def _latency_summary(latency: Sequence[LatencyRow]) -> Table:
    """The short table: a column of times and one of ratios for each size and thread count."""
    heads = ["model"]
    lines: dict[str, list[str]] = {}
    for words, here in settings(latency):
        heads += [f"{words}, ms", "ratio (95 %)"]
        several = len({row.model for row in here}) < len(here)
        for row in here:
            name = f"{row.model}, {row.backend}" if several else row.model
            ratio = f"{row.ratio_to_first:.2f}"
            if row.ratio_interval != [1, 1]:
                ratio += f" ({_ratio_interval(row)})"
            lines.setdefault(name, [name]).extend((_three_digits(row.p50_ms), ratio))
    return Table("", heads, list(lines.values()))


def _with_clear_pictures(table: Table, rows: Sequence[QualityRow]) -> Table:
    """Adds columns with the number of clear pictures that stay as they are."""
    heads = ["clear ones kept", "with --auto"]
    cells = []
    for line, row in zip(table.rows, rows, strict=True):
        counts = [f"{one.unchanged} of {one.pictures}" for one in kept(row)]
        cells.append([*line[:-1], *(counts + [_DASH] * 2)[:2]])
    return Table("", [*table.heads[:-1], *heads], cells)


def _labelled(result: Result) -> Result:
    """The rows with the labels of the models as their names."""
    words = labels(row.model for row in result.results)
    rows: Any = [replace(row, model=words[row.model]) for row in result.results]
    return replace(result, results=rows)


def _three_digits(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _latency_table(title: str, rows: Sequence[LatencyRow]) -> Table:
    """The latency's table; what matters most comes first, for a phone shows four columns."""
    used = {
        name: words
        for name, words in _OPTIONAL.items()
        if any(getattr(row, name) is not None for row in rows)
    }
    heads = ["model", "p50", "ratio", "95 %", "fps", "p90", "p95", "p99", "mean"]
    cells = [
        [
            *(row.model, f"{row.p50_ms:.2f}", f"{row.ratio_to_first:.2f}", _ratio_interval(row)),
            *(f"{row.fps:.1f}", f"{row.p90_ms:.2f}", f"{row.p95_ms:.2f}", f"{row.p99_ms:.2f}"),
            f"{row.mean_ms:.2f}",
            *(
                _words(getattr(row, name), "{:.0f}" if name == "peak_memory_mib" else "{:.2f}")
                for name in used
            ),
            row.backend,
        ]
        for row in rows
    ]
    return Table(title, [*heads, *used.values(), "backend"], cells)


def _ratio_interval(row: LatencyRow) -> str:
    return _DASH if row.ratio_interval == [1, 1] else _span(row.ratio_interval, "{:.2f}")


def _span(limits: Sequence[float | None], form: str) -> str:
    known = any(limit is not None for limit in limits)
    return _DASH.join(_words(limit, form) for limit in limits) if known else _DASH


def _words(value: float | None, form: str) -> str:
    return _DASH if value is None else form.format(value)


def _quality_table(rows: Sequence[QualityRow]) -> Table:
    """Means over all pictures, with their intervals where there are such."""
    names = [name for name in _QUALITY if any(name in row.means for row in rows)]
    spread = [name for name in names if any(name in row.intervals for row in rows)]
    heads = ["model"]
    for name in names:
        heads += [_QUALITY[name][0], "95 %"] if name in spread else [_QUALITY[name][0]]
    cells = []
    for row in rows:
        line = [row.model]
        for name in names:
            form = _QUALITY[name][1]
            line.append(_words(row.means.get(name), form))
            if name in spread:
                line.append(_span(row.intervals.get(name, [None]), form))
        cells.append([*line, str(len(row.pictures))])
    return Table("", [*heads, "pictures"], cells)


def _level_table(rows: Sequence[QualityRow]) -> Table | None:
    """Mean PSNR by level of haze, a column a model; None where no level is known."""
    found = {row.model: {level.haze: level for level in levels(row)} for row in rows}
    names = list(dict.fromkeys(haze for here in found.values() for haze in here))
    if not names:
        return None
    cells = [
        [
            haze,
            *(
                _words(here[haze].psnr_db if haze in here else None, "{:.2f}")
                for here in found.values()
            ),
        ]
        for haze in names
    ]
    return Table("PSNR in dB by level of haze", ["haze", *found], cells)


def _kept_table(rows: Sequence[QualityRow]) -> Table | None:
    """The table of dehazed clear pictures; None where they were not measured."""
    cells = [
        [
            f"{row.model} {one.way}".strip(),
            f"{one.unchanged} of {one.pictures}",
            *(
                f"{db:.2f}" if db is not None else "unchanged"
                for db in (one.worst_db, one.median_db)
            ),
        ]
        for row in rows
        for one in kept(row)
    ]
    heads = ["model", "unchanged", "worst, dB", "median, dB"]
    return Table("Clear pictures, dehazed all the same", heads, cells) if cells else None


def _flicker_table(rows: Sequence[FlickerRow]) -> Table:
    heads = ["model", "way", "frames", "PSNR, dB", "deviation over time", "change frame to frame"]
    cells = [
        [
            *(row.model, row.way, str(row.frames), _words(row.psnr_db, "{:.2f}")),
            *(f"{row.error_deviation:.3f}", f"{row.error_change:.3f}"),
        ]
        for row in rows
    ]
    return Table("", heads, cells)


def _video_table(rows: Sequence[VideoRow]) -> Table:
    heads = [
        *("model", "video", "frames per second", "plain", "CPU ms a frame", "plain", "times"),
        *("95 %", "peak MiB", "plain"),
    ]
    cells = [
        [
            *(row.model, f"{row.width}\N{MULTIPLICATION SIGN}{row.height}"),
            *(_three_digits(row.fps), _three_digits(row.plain_fps)),
            *(_three_digits(row.cpu_ms_per_frame), _three_digits(row.plain_cpu_ms_per_frame)),
            f"{row.cpu_ratio:.2f}",
            _DASH.join(f"{end:.2f}" for end in row.cpu_ratio_interval),
            *(f"{row.peak_memory_mib:.0f}", f"{row.plain_peak_memory_mib:.0f}"),
        ]
        for row in rows
    ]
    return Table("", heads, cells)


def model_table(models: Sequence[Model]) -> Table:
    words = labels(m.name for m in models)
    heads = ["model", "precision", "weights", "parameters", "MiB", "backend", "SHA-256"]
    cells = [
        [
            *(
                words[m.name],
                m.precision,
                m.weights,
                str(m.parameters or ""),
                f"{m.bytes / 2**20:.2f}",
            ),
            *(m.backend, m.sha256),
        ]
        for m in models
    ]
    return Table("", heads, cells)
