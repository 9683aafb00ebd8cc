"""`dehaze-bench report`: results as one HTML page that needs nothing else, or as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dehaze.runtime.errors import InputError, UsageError, one_line
from dehaze.runtime.output_file import finished_output

from .report_pictures import picture_pairs
from .results import FlickerRow, LatencyRow, Machine, Model, QualityRow, Result, read_result
from .scatter import Point, pareto_front, scatter_svg

__all__ = ["write_reports"]

TEMPLATES = Path(__file__).parent / "templates"
SENSITIVITY_SUFFIX = ".sensitivity.json"
MOST_LAYERS = 12
"""Of a ranking; the rest cost next to nothing."""
COLUMNS = {
    "psnr_db": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "hazy_psnr_db": ("hazy, dB", 2),
    "niqe": ("NIQE", 2),
    "brisque": ("BRISQUE", 1),
    "fade": ("FADE", 3),
}
"""Heading and decimals of what a picture is scored by; other columns keep their names."""


@dataclass(frozen=True)
class Sensitivity:
    """What dehaze-export found out about the layers in INT8."""

    name: str
    float32_db: float
    drop_db: float
    kept: list[str]
    ranking: list[dict[str, Any]]
    """`layer`, `drop_db`, most costly first."""
    left_out: int
    """Of the ranking."""


@dataclass(frozen=True)
class Plot:
    """PSNR against latency at one size."""

    setting: str
    svg: Markup
    points: list[Point]
    front: list[Point]


def write_reports(
    files: Sequence[Path],
    outputs: Sequence[Path],
    title: str,
    *,
    pictures: Path | None = None,
    model: str = "edge",
) -> None:
    """Writes each of `outputs`, *.html or *.md, over what is there.

    Args:
        files: results, and rankings of layers (*.sensitivity.json).
        pictures: a folder or a video to show before and after `model`; they become part of the
            page, so they must be such as may be shown.

    Raises:
        UsageError: an output of another kind.
        InputError: a file or picture that cannot be read.
    """
    for output in outputs:
        if output.suffix not in (".html", ".md"):
            raise UsageError(f"expected --out to end in .html or .md, got {output}")
    results = [read_result(path) for path in files if not path.name.endswith(SENSITIVITY_SUFFIX)]
    content = {
        "title": title,
        "results": results,
        "machines": _machines(results),
        "models": _models(results),
        "plots": _plots(results),
        "rankings": [_ranking(p) for p in files if p.name.endswith(SENSITIVITY_SUFFIX)],
        "pictures": picture_pairs(pictures, model) if pictures else [],
        "pictures_model": model,
    }
    environment = _environment()
    for output in outputs:
        template = environment.get_template(f"report{output.suffix}")
        with finished_output(output, overwrite=True) as unfinished:
            unfinished.write_text(template.render(content))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cell": _cell,
        "mebibytes": lambda size: f"{size / 2**20:.2f}",
    }
    environment.globals |= {
        "settings": _settings,
        "latency_columns": _latency_columns,
        "latency_cells": _latency_cells,
        "quality_columns": _quality_columns,
        "quality_cells": _quality_cells,
        "levels": _levels,
        "flicker_cells": _flicker_cells,
        "plot_cells": _plot_cells,
        "ranking_cells": lambda ranking: [
            [one["layer"], f"{one['drop_db']:.4f}"] for one in ranking.ranking
        ],
        "model_cells": _model_cells,
        "file": lambda name: Markup((TEMPLATES / name).read_text()),
    }
    return environment


def _cell(words: object) -> str:
    """For a table in Markdown."""
    text = " ".join(str(words).split())
    for special in "\\|<`*_[":
        text = text.replace(special, f"\\{special}")
    return text


def _machines(results: Sequence[Result]) -> list[Machine]:
    """Each once."""
    found: list[Machine] = []
    for result in results:
        if result.machine not in found:
            found.append(result.machine)
    return found


def _models(results: Sequence[Result]) -> list[Model]:
    """Each file in each backend once."""
    found = {(m.name, m.sha256, m.backend): m for result in results for m in result.models}
    return list(found.values())


# ---- tables: headings, and rows of words ----

_OPTIONAL = {
    "copy_ms": "copy", "compute_ms": "compute", "copy_back_ms": "copy back",
    "peak_memory_mib": "peak MiB", "power_w": "W", "energy_per_frame_j": "J per frame",
}  # fmt: skip


def _settings(rows: Sequence[LatencyRow]) -> list[tuple[str, list[LatencyRow]]]:
    """Rows that can be compared, and what they have in common."""
    return [
        (_setting(*setting), [row for row in rows if row.setting == setting])
        for setting in dict.fromkeys(row.setting for row in rows)
    ]


def _setting(width: int, height: int, threads: int) -> str:
    size = f"{width}\N{MULTIPLICATION SIGN}{height}"
    return f"{size}, {threads} thread{'s' * (threads != 1)}"


def _latency_columns(rows: Sequence[LatencyRow]) -> list[str]:
    """What matters most comes first: a phone shows four of them."""
    used = [words for name, words in _OPTIONAL.items() if _is_used(name, rows)]
    columns = ["model", "p50", "ratio", "95 %", "fps", "p90", "p95", "p99", "mean", *used]
    return [*columns, "backend"]


def _is_used(name: str, rows: Sequence[LatencyRow]) -> bool:
    return any(getattr(row, name) is not None for row in rows)


def _latency_cells(rows: Sequence[LatencyRow]) -> list[list[str]]:
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


def _quality_columns(rows: Sequence[QualityRow]) -> list[str]:
    return ["model", *(COLUMNS.get(n, (n, 3))[0] for n in _mean_names(rows)), "pictures"]


def _quality_cells(rows: Sequence[QualityRow]) -> list[list[str]]:
    names = _mean_names(rows)
    return [
        [
            row.model,
            *(_number(row.means.get(name), COLUMNS.get(name, ("", 3))[1]) for name in names),
            str(len(row.pictures)),
        ]
        for row in rows
    ]


def _levels(rows: Sequence[QualityRow]) -> tuple[list[str], list[list[str]]]:
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


def _flicker_cells(rows: Sequence[FlickerRow]) -> list[list[str]]:
    return [
        [
            *(row.model, row.way, str(row.frames), f"{row.psnr_db:.2f}"),
            *(f"{row.error_deviation:.3f}", f"{row.error_change:.3f}"),
        ]
        for row in rows
    ]


def _plot_cells(plot: Plot) -> list[list[str]]:
    return [
        [p.label, f"{p.milliseconds:.2f}", f"{p.psnr_db:.2f}", "yes" if p in plot.front else ""]
        for p in sorted(plot.points, key=lambda p: p.milliseconds)
    ]


def _model_cells(models: Sequence[Model]) -> list[list[str]]:
    return [
        [
            *(m.name, m.precision, str(m.parameters), f"{m.bytes / 2**20:.2f}", m.backend),
            m.sha256,
        ]
        for m in models
    ]


# ---- plots and rankings ----


def _plots(results: Sequence[Result]) -> list[Plot]:
    """One for each size and number of threads at which two models or more are known."""
    scores: dict[str, float] = {}
    for result in results:
        hashes = {model.name: model.sha256 for model in result.models}
        for row in result.rows(QualityRow):
            if (psnr := row.means.get("psnr_db")) is not None:
                scores |= {key: psnr for key in (row.model, hashes.get(row.model)) if key}
    plots = []
    for result in results:
        hashes = {model.name: model.sha256 for model in result.models}
        for setting, here in _settings(result.rows(LatencyRow)):
            several = len({row.backend for row in here}) > 1
            points = [
                Point(_label(row, several), row.p50_ms, score)
                for row in here
                if (score := scores.get(hashes.get(row.model, ""), scores.get(row.model)))
            ]
            if len(points) > 1:
                svg = Markup(scatter_svg(points))
                plots.append(Plot(setting, svg, points, pareto_front(points)))
    return plots


def _label(row: LatencyRow, several_backends: bool) -> str:
    name = Path(row.model).stem if row.model.endswith((".onnx", ".engine")) else row.model
    return f"{name}, {row.backend}" if several_backends else name


def _ranking(path: Path) -> Sensitivity:
    try:
        found = json.loads(path.read_text())
        ranking = [
            {"layer": str(one["layer"]), "drop_db": float(one["drop_db"])}
            for one in found["ranking"]
        ]
        kept = [str(layer) for layer in found["kept"]]
        figures = float(found["float32_db"]), float(found["drop_db"])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected a ranking of layers by dehaze-export --int8, got something else"
        ) from error
    name = path.name.removesuffix(SENSITIVITY_SUFFIX)
    left_out = max(0, len(ranking) - MOST_LAYERS)
    return Sensitivity(name, *figures, kept, ranking[:MOST_LAYERS], left_out)
