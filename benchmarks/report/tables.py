"""Results as headings and rows of words, for the templates of the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..measure.quality.rows import kept, levels
from ..results.differences import gain
from ..results.figures import FIGURES, explanations
from ..results.records import (
    DetectionRow,
    FlickerRow,
    FormatRow,
    LatencyRow,
    Model,
    QualityRow,
    Result,
    VideoRow,
)

__all__ = [
    "Table", "explained_tables", "heading", "labels", "model_table", "settings", "summary",
    "tables",
]  # fmt: skip


class Table(NamedTuple):
    """A table of words; the first cell of a row names it."""

    title: str
    """Empty where the heading above says it."""
    heads: list[str]
    rows: list[list[str]]
    figures: Sequence[str] = ()
    """The keys of `FIGURES` that the table shows, for the sentences below it."""


_DASH = "\N{EN DASH}"
_QUALITY = (
    *("psnr_db", "ssim", "hazy_psnr_db", "lpips", "hazy_lpips"),
    *("contrast", "noise", "cast", "dark", "crushed"),
    *("e", "r", "sigma", "piqe", "hazy_piqe", "brisque", "hazy_brisque"),
)
"""The means of a table, in its order."""
_DETECTION = ("map", "map50")
_OPTIONAL = {
    "copy_ms": "copy", "compute_ms": "compute", "copy_back_ms": "copy back",
    **{
        name: FIGURES[name].heading
        for name in ("peak_memory_mib", "power_w", "energy_per_frame_j")
    },
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
    named = result.kind in ("quality", "detection", "formats")
    about = f": {result.data.layout}" if named and result.data else ""
    return f"{result.kind.capitalize()}{about}"


def tables(result: Result) -> list[Table]:
    """The tables of a result."""
    result = _labelled(result)
    if latency := result.rows(LatencyRow):
        return [_latency_table(words, here) for words, here in settings(latency)]
    if quality := result.rows(QualityRow):
        found = (_quality_table(quality), _level_table(quality), _kept_table(quality))
        return [table for table in found if table]
    if formats := result.rows(FormatRow):
        return [_format_table(formats)]
    if detection := result.rows(DetectionRow):
        return _detection_tables(detection)
    if videos := result.rows(VideoRow):
        return [_video_table(videos)]
    return [_flicker_table(result.rows(FlickerRow))]


def explained_tables(result: Result) -> Iterator[tuple[Table, list[tuple[str, str]]]]:
    """The tables of a result, each with a sentence on every figure that none above it has."""
    known: set[str] = set()
    for table in tables(result):
        yield table, explanations(name for name in table.figures if name not in known)
        known |= {*table.figures}


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
    measured = [name for name in used if name in FIGURES]
    figures = ["p50", "ratio", "interval", "fps", "percentiles", *measured]
    return Table(title, [*heads, *used.values(), "backend"], cells, figures)


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
        heads += [FIGURES[name].heading, "95 %"] if name in spread else [FIGURES[name].heading]
    cells = []
    for row in rows:
        line = [row.model]
        for name in names:
            form = FIGURES[name].form
            line.append(_words(row.means.get(name), form))
            if name in spread:
                line.append(_span(row.intervals.get(name, [None]), form))
        cells.append([*line, str(len(row.pictures))])
    return Table("", [*heads, "pictures"], cells, names + ["interval"] * bool(spread))


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
    title = "Clear pictures, dehazed all the same"
    return Table(title, heads, cells, ["kept"]) if cells else None


def _flicker_table(rows: Sequence[FlickerRow]) -> Table:
    heads = ["model", "way", "frames", "PSNR, dB", "deviation over time", "change frame to frame"]
    cells = [
        [
            *(row.model, row.way, str(row.frames), _words(row.psnr_db, "{:.2f}")),
            *(f"{row.error_deviation:.3f}", f"{row.error_change:.3f}"),
        ]
        for row in rows
    ]
    return Table("", heads, cells, ["psnr_db", "error_deviation", "error_change"])


def _detection_tables(rows: Sequence[DetectionRow]) -> list[Table]:
    """Precision on hazy and on clear pictures beside each other's untouched ones, and by class."""
    found = []
    for side in dict.fromkeys(row.side for row in rows):
        here = [row for row in rows if row.side == side]
        count = f"{here[0].pictures} {side} pictures, {here[0].objects} objects"
        heads = ["pictures"]
        for name in _DETECTION:
            heads += [FIGURES[name].heading, "95 %", FIGURES["gain"].heading, "95 %"]
        cells = [[_made_by(row), *_precisions(row, here[0])] for row in here]
        found.append(Table(f"Found in {count}", heads, cells, [*_DETECTION, "interval", "gain"]))
        form = FIGURES["map50"].form
        by_class = [
            [name, *(_words(row.classes.get(name, {}).get("map50"), form) for row in here)]
            for name in here[0].classes
        ]
        words = f"Average precision at 0.5 by class, {side} pictures"
        found.append(Table(words, ["class", *map(_made_by, here)], by_class))
    return found


def _made_by(row: DetectionRow) -> str:
    return "as they are" if row.model == "none" else row.model


def _precisions(row: DetectionRow, untouched: DetectionRow) -> list[str]:
    """The means with their intervals, each with its change against the pictures as they are."""
    cells = []
    for name in _DETECTION:
        form, signed = FIGURES[name].form, FIGURES["gain"].form
        cells += [_words(row.means[name], form), _span(row.intervals[name], form)]
        change = gain(untouched, row, name) if row is not untouched else None
        cells.append(_words(change.mean, signed) if change else _DASH)
        cells.append(_gain_span(change.interval, signed) if change else _DASH)
    return cells


def _gain_span(limits: Sequence[float | None], form: str) -> str:
    """`-0.010 to +0.020`: a dash between signs is hard to read."""
    return " to ".join(_words(limit, form) for limit in limits)


def _format_table(rows: Sequence[FormatRow]) -> Table:
    cells = [
        [
            *(row.model, _words(row.bytes and row.bytes / 1e6, "{:.2f}")),
            *(_words(row.psnr_db, "{:.2f}"), _words(row.p50_ms, "{:.2f}"), row.status),
        ]
        for row in rows
    ]
    return Table("", ["form", "MB", "PSNR, dB", "ms", "status"], cells)


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
