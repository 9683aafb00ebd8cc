"""What the report draws: models by speed and quality, layers by what they cost in INT8."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dehaze.runtime.errors import InputError, one_line

from .report_tables import Table, labels, settings
from .results import LatencyRow, QualityRow, Result
from .scatter import Point, pareto_front, scatter_svg

__all__ = [
    "SENSITIVITY_SUFFIX", "Plot", "Sensitivity", "plot_table", "plots", "ranking", "ranking_table",
]  # fmt: skip

SENSITIVITY_SUFFIX = ".sensitivity.json"
MOST_LAYERS = 12
"""Of a ranking; the rest cost next to nothing."""


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


def plots(results: Sequence[Result]) -> list[Plot]:
    """One for each size and number of threads at which two models or more are known."""
    scores: dict[str, float] = {}
    for result in results:
        for quality in result.rows(QualityRow):
            if (psnr := quality.means.get("psnr_db")) is not None:
                scores[_identity(quality.model, result)] = psnr
    found = []
    for result in results:
        words = labels(row.model for row in result.rows(LatencyRow))
        for setting, here in settings(result.rows(LatencyRow)):
            several = len({row.model for row in here}) < len(here)
            points = [
                Point(_label(words[row.model], row.backend if several else ""), row.p50_ms, score)
                for row in here
                if (score := scores.get(_identity(row.model, result))) is not None
            ]
            if len(points) > 1:
                svg = Markup(scatter_svg(points))
                found.append(Plot(setting, svg, points, pareto_front(points)))
    return found


def _identity(name: str, result: Result) -> str:
    """The file's hash, for a name may mean another file elsewhere; the name where there is none."""
    return next((m.sha256 for m in result.models if m.name == name and m.sha256), name)


def _label(name: str, backend: str) -> str:
    model = name.removesuffix(".onnx").removesuffix(".engine")
    return f"{model}, {backend}" if backend else model


def plot_table(plot: Plot) -> Table:
    """The same for readers without pictures."""
    rows = [
        [p.label, f"{p.milliseconds:.2f}", f"{p.psnr_db:.2f}", "yes" if p in plot.front else ""]
        for p in sorted(plot.points, key=lambda p: p.milliseconds)
    ]
    return Table(plot.setting, ["model", "ms", "PSNR, dB", "on the Pareto front"], rows)


def ranking_table(found: Sensitivity) -> Table:
    rows = [[one["layer"], f"{one['drop_db']:.4f}"] for one in found.ranking]
    return Table("", ["layer", "dB lost by it alone"], rows)


def ranking(path: Path) -> Sensitivity:
    """Reads what dehaze-export wrote.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    try:
        found = json.loads(path.read_text())
        layers = [
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
    left_out = max(0, len(layers) - MOST_LAYERS)
    return Sensitivity(name, *figures, kept, layers[:MOST_LAYERS], left_out)
