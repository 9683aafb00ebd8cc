"""Results as headings and rows of words, for the templates of the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .results import FlickerRow, LatencyRow, Model, QualityRow

__all__ = [
    "flicker_cells", "latency_cells", "latency_columns", "levels", "model_cells",
    "quality_cells", "quality_columns", "settings",
]  # fmt: skip

COLUMNS = {
    "psnr_db": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "hazy_psnr_db": ("hazy, dB", 2),
    "niqe": ("NIQE", 2),
    "brisque": ("BRISQUE", 1),
    "fade": ("FADE", 3),
}
"""Heading and decimals of what a picture is scored by; other columns keep their names."""
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


def latency_columns(rows: Sequence[LatencyRow]) -> list[str]:
    """What matters most comes first: a phone shows four of them."""
    used = [words for name, words in _OPTIONAL.items() if _is_used(name, rows)]
    columns = ["model", "p50", "ratio", "95 %", "fps", "p90", "p95", "p99", "mean", *used]
    return [*columns, "backend"]


def _is_used(name: str, rows: Sequence[LatencyRow]) -> bool:
    return any(getattr(row, name) is not None for row in rows)


def latency_cells(rows: Sequence[LatencyRow]) -> list[list[str]]:
    used = [name for name in _OPTIONAL if _is_used(name, rows)]
    cells = []
    for row in rows:
        interval = "\N{EN DASH}".join(f"{limit:.2f}" for limit in row.ratio_interval)
        times = (row.p90_ms, row.p95_ms, row.p99_ms, row.mean_ms)
        cells.append([
            row.model, f"{row.p50_ms:.2f}", f"{row.ratio_to_first:.2f}",
            "\N{EN DASH}" if row.ratio_interval == [1, 1] else interval,
            f"{row.fps:.1f}", *(f"{t:.2f}" for t in times),
            *(_number(getattr(row, name), 0 if name == "peak_memory_mib" else 2) for name in used),
            row.backend,
        ])  # fmt: skip
    return cells


def _number(value: float | None, decimals: int) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.{decimals}f}"


def _mean_names(rows: Sequence[QualityRow]) -> list[str]:
    found = dict.fromkeys(name for row in rows for name in row.means)
    return sorted(found, key=lambda name: ([*COLUMNS, name].index(name), name))


def quality_columns(rows: Sequence[QualityRow]) -> list[str]:
    return ["model", *(COLUMNS.get(n, (n, 3))[0] for n in _mean_names(rows)), "pictures"]


def quality_cells(rows: Sequence[QualityRow]) -> list[list[str]]:
    names = _mean_names(rows)
    return [
        [
            row.model,
            *(_number(row.means.get(name), COLUMNS.get(name, ("", 3))[1]) for name in names),
            str(len(row.pictures)),
        ]
        for row in rows
    ]


def levels(rows: Sequence[QualityRow]) -> tuple[list[str], list[list[str]]]:
    """Mean PSNR by `level`, where the pictures have one: headings and rows; else nothing."""
    found = {p["level"] for row in rows for p in row.pictures if p.get("level") is not None}
    levels = sorted(found, key=lambda level: (isinstance(level, str), level))
    cells = []
    for row in rows:
        scores = [[p.get("psnr_db") for p in row.pictures if p.get("level") == v] for v in levels]
        numbers = [[score for score in part if isinstance(score, float)] for part in scores]
        means = [_number(float(np.mean(part)) if part else None, 2) for part in numbers]
        cells.append([row.model, *means])
    heads = [f"{level:g}" if isinstance(level, float) else str(level) for level in levels]
    return (["model", *heads], cells) if levels else ([], [])


def flicker_cells(rows: Sequence[FlickerRow]) -> list[list[str]]:
    return [
        [
            *(row.model, row.way, str(row.frames), f"{row.psnr_db:.2f}"),
            *(f"{row.error_deviation:.3f}", f"{row.error_change:.3f}"),
        ]
        for row in rows
    ]


def model_cells(models: Sequence[Model]) -> list[list[str]]:
    return [
        [
            *(m.name, m.precision, str(m.parameters), f"{m.bytes / 2**20:.2f}", m.backend),
            m.sha256,
        ]
        for m in models
    ]
